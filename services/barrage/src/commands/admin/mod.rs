//! Commands that call the admin API: finds the process, sends the request, and prints the answer.

mod call;
mod destination;
mod request;
mod table;
mod verbs;

pub(crate) use verbs::Verb;

use clap::Subcommand;
use serde_json::{Value, json};

use self::call::{Call, View};
use self::request::operation;
use super::admin_api::{AdminApi, Answer};
use super::runtime;
use crate::cli::admin::{NounArguments, Output};
use crate::config::Config;
use crate::console::{print_line, print_text};

/// Version of the JSON form of results. A field may be added without a new version.
const SCHEMA_VERSION: u32 = 1;

/// Runs a verb and prints its answer, or the request alone (`--dry-run`).
pub(crate) fn main<C: Subcommand + Verb>(config: &Config, noun: &NounArguments<C>) -> anyhow::Result<()> {
    let call = noun.command.call();
    runtime()?.block_on(async {
        let first = AdminApi::new(config, &noun.admin)?;
        if noun.result.dry_run {
            return dry_run(&first, &call, noun.result.output).await;
        }
        if call.is_file {
            let operation = operation(&call)?;
            let api = destination::find(&first, operation.server, call.gateway.as_deref()).await?;
            return api.copy(&request::request(&call, &operation)?, &mut std::io::stdout().lock()).await;
        }
        match send(&first, &call).await? {
            Answer::Json(answer) => print(&call, noun.result.output, &answer),
            Answer::Text(text) => print_text(&text),
        }
    })
}

/// Sends a call to the process that answers its operation.
async fn send(first: &AdminApi, call: &Call) -> anyhow::Result<Answer> {
    let operation = operation(call)?;
    let request = request::request(call, &operation)?;
    let api = destination::find(first, operation.server, call.gateway.as_deref()).await?;
    let answer = api.send(&request).await?;
    Ok(match (answer, &call.view) {
        (Answer::Json(answer), Some(view)) => Answer::Json(only(answer, view)),
        (answer, _) => answer,
    })
}

/// Keeps the rows of a list that a view is of.
fn only(mut answer: Value, view: &View) -> Value {
    let rows = answer[view.rows].as_array_mut().map(std::mem::take).unwrap_or_default();
    let kept: Vec<_> = rows.into_iter().filter(|row| row[view.field] == view.value.as_str()).collect();
    json!({ view.rows: kept })
}

fn name(call: &Call) -> &'static str {
    call.view.as_ref().map_or(call.operation, |view| view.name)
}

/// Prints a result in its JSON form.
pub(super) fn print_result(operation: &str, data: &Value) -> anyhow::Result<()> {
    print_json(&json!({ "schema_version": SCHEMA_VERSION, "operation": operation, "data": data }))
}

fn print(call: &Call, output: Output, data: &Value) -> anyhow::Result<()> {
    match output {
        Output::Json => print_result(name(call), data),
        Output::Table => table::lines(name(call), data).into_iter().try_for_each(print_line),
    }
}

/// Prints the request of a call, and the state that it would change.
async fn dry_run(first: &AdminApi, call: &Call, output: Output) -> anyhow::Result<()> {
    let operation = operation(call)?;
    let request = request::request(call, &operation)?;
    let api = destination::find(first, operation.server, call.gateway.as_deref()).await?;
    let current = match call.current() {
        Some(reading) => match send(first, &reading).await {
            Ok(Answer::Json(state)) => Some((name(&reading), state)),
            Ok(Answer::Text(_)) | Err(_) => None,
        },
        None => None,
    };
    let url = format!("{}{}", api.url, request.path);
    if output == Output::Json {
        return print_json(&json!({
            "schema_version": SCHEMA_VERSION,
            "operation": name(call),
            "dry_run": true,
            "request": { "method": request.method, "url": url, "body": request.body },
            "current": current.map(|(_, state)| state),
        }));
    }
    print_line(format!("would send: {} {url}", request.method))?;
    if let Some(body) = &request.body {
        print_line(format!("body:       {body}"))?;
    }
    if let Some((name, state)) = current {
        print_line("now:")?;
        return table::lines(name, &state).into_iter().try_for_each(|line| print_line(format!("  {line}")));
    }
    Ok(())
}

fn print_json(value: &Value) -> anyhow::Result<()> {
    print_line(serde_json::to_string_pretty(value)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use barrage_openapi::Access;
    use clap::CommandFactory;

    use crate::api::{Listener, describe, operations};
    use crate::cli::Cli;

    /// Verbs that print a part of another operation's answer.
    const VIEWS: [&str; 2] = ["gateway_list", "room_settings"];

    /// Operations of the console alone: it shows the whole fleet in one page, for which a shell has
    /// several verbs.
    const OF_CONSOLE: [&str; 6] =
        ["overview_show", "process_show", "message_find", "room_offered", "room_tail", "room_top"];

    fn is_of_console(operation: &str) -> bool {
        operation.starts_with("instance_") || OF_CONSOLE.contains(&operation)
    }

    /// Returns the command of a noun: `partitions` are those of the bus.
    fn command_of<'a>(cli: &'a clap::Command, noun: &str) -> &'a clap::Command {
        let parent = if noun == "partitions" { cli.find_subcommand("bus").unwrap() } else { cli };
        parent.find_subcommand(noun).unwrap()
    }

    #[test]
    fn each_operation_of_the_admin_api_has_one_verb() {
        let nouns = [
            "room",
            "user",
            "message",
            "poll",
            "gateway",
            "switch",
            "trace",
            "prewarm",
            "audit",
            "fleet",
            "recorder",
            "webhook",
            "review",
            "words",
            "emote",
            "partitions",
            "inbox",
        ];
        let cli = Cli::command();
        let mut verbs = BTreeSet::new();
        for noun in nouns {
            let of_noun = command_of(&cli, noun).get_subcommands();
            verbs.extend(of_noun.map(|verb| format!("{noun}_{}", verb.get_name().replace('-', "_"))));
        }
        for view in VIEWS {
            assert!(verbs.remove(view), "{view}");
        }
        let operations =
            operations().into_iter().filter(|it| it.access == Access::Admin && !is_of_console(it.id));
        let operations: BTreeSet<_> = operations.map(|operation| operation.id.to_owned()).collect();
        assert_eq!(verbs, operations);
    }

    #[test]
    fn each_query_parameter_of_an_operation_is_an_argument_of_its_verb() {
        let (cli, document) = (Cli::command(), describe(Listener::Admin));
        let mut parameters = 0;
        for operation in operations().into_iter().filter(|it| it.access == Access::Admin) {
            if is_of_console(operation.id) {
                continue;
            }
            let (noun, verb) = operation.id.split_once('_').unwrap();
            let noun = command_of(&cli, noun);
            let verb = noun.find_subcommand(verb.replace('_', "-")).unwrap();
            let method = operation.method.name().to_lowercase();
            let described = document["paths"][operation.path][method]["parameters"].as_array();
            for parameter in described.into_iter().flatten().filter(|it| it["in"] == "query") {
                let name = parameter["name"].as_str().unwrap();
                assert!(verb.get_arguments().any(|it| it.get_id() == name), "{}: {name}", operation.id);
                parameters += 1;
            }
        }
        assert!(parameters >= 8, "{parameters}");
    }
}
