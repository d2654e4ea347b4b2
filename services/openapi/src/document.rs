//! The OpenAPI document of a list of operations.

use std::collections::BTreeMap;

use barrage_protocol::Code;
use barrage_protocol::code::ErrorBody;
use barrage_protocol::{RoomId, Sequence, UserId};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::operation::{Access, Body, Operation, SchemaOf, Server};
use crate::schemas::Schemas;

/// Title, version and description of a document.
#[derive(Debug, Clone, Copy)]
pub struct Info {
    /// Name of the API, for people.
    pub title: &'static str,
    /// Version of the program that serves the API.
    pub version: &'static str,
    /// Text about the API as a whole, in Markdown.
    pub description: &'static str,
}

/// Makes the OpenAPI 3.1 document of operations.
#[must_use]
pub fn document(info: Info, operations: &[Operation]) -> Value {
    let mut schemas = Schemas::new();
    let refusal = schemas.answer(SchemaGenerator::subschema_for::<ErrorBody>);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let described = describe(operation, &refusal, &mut schemas);
        paths.entry(operation.path).or_default().insert(operation.method.name().to_lowercase(), described);
    }
    let tags = [Server::Entry, Server::Gateway, Server::Uplink, Server::Media, Server::Process]
        .map(|server| json!({ "name": server.label(), "description": tag(server) }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": info.title,
            "version": info.version,
            "description": info.description,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The process that serves this document." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.into_components(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token that the platform's backend signs; it names user, rooms and role.",
                },
            },
        },
    })
}

const fn tag(server: Server) -> &'static str {
    match server {
        Server::Process => "Every process.",
        Server::Entry => "Processes with the role entry, which name gateways and uplinks to clients.",
        Server::Gateway => "Processes with the role gateway, which hold viewers' connections.",
        Server::Media => {
            "Processes with the role media, which take uploads and deliver media on listeners of their own."
        }
        Server::Uplink => "Processes with the role uplink, which take messages and serve the admin API.",
    }
}

fn describe(operation: &Operation, refusal: &Value, schemas: &mut Schemas) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.server.label()],
        "security": security(operation.access),
        "responses": responses(operation, refusal, schemas),
    });
    let parameters = parameters(operation, schemas);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = operation.body {
        let is_required = matches!(body, Body::Media(_)) || has_required(body, schemas);
        described["requestBody"] =
            json!({ "required": is_required, "content": content(body, |of| schemas.request(of)) });
    }
    described
}

fn has_required(body: Body, schemas: &mut Schemas) -> bool {
    match body {
        Body::Json(of) => {
            let schema = schemas.request(of);
            schema.get("required").is_some() || schema.get("oneOf").is_some()
        }
        Body::Media(_) | Body::Empty => false,
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Open | Access::Monitor | Access::Both => json!([]),
        Access::Viewer => json!([{}, { "token": [] }]),
        Access::Sender | Access::Admin => json!([{ "token": [] }]),
    }
}

/// Describes the parameters of the path and of the query.
fn parameters(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let path = operation.path_parameters().into_iter().map(|name| {
        let of: SchemaOf = match name {
            "room" => SchemaGenerator::subschema_for::<RoomId>,
            "user" => SchemaGenerator::subschema_for::<UserId>,
            "sequence" => SchemaGenerator::subschema_for::<Sequence>,
            _ => SchemaGenerator::subschema_for::<String>,
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schemas.request(of) })
    });
    let mut parameters: Vec<_> = path.collect();
    let Some(query) = operation.query else { return parameters };
    let mut query = schemas.request(query);
    let required: Vec<String> = query
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let properties = query.get_mut("properties").and_then(Value::as_object_mut).map(std::mem::take);
    for (name, mut schema) in properties.unwrap_or_default() {
        without_null(&mut schema);
        let mut parameter = json!({ "name": name, "in": "query", "required": required.contains(&name) });
        if let Some(text) = schema.as_object_mut().and_then(|schema| schema.remove("description")) {
            parameter["description"] = text;
        }
        parameter["schema"] = schema;
        parameters.push(parameter);
    }
    parameters
}

/// Removes `null` from the values of a parameter: an absent parameter is left out of the query.
fn without_null(schema: &mut Value) {
    let is_null = |value: &Value| value == "null" || value["type"] == "null";
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|value| !is_null(value));
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    let Some(any) = schema.get_mut("anyOf").and_then(Value::as_array_mut) else { return };
    any.retain(|value| !is_null(value));
    if let [only] = any.as_slice() {
        let (mut only, text) = (only.clone(), schema.get("description").cloned());
        if let Some(text) = text {
            only["description"] = text;
        }
        *schema = only;
    }
}

fn content(body: Body, mut schema: impl FnMut(SchemaOf) -> Value) -> Value {
    match body {
        Body::Json(of) => json!({ "application/json": { "schema": schema(of) } }),
        Body::Media(media_type) => json!({ media_type: {} }),
        Body::Empty => json!({}),
    }
}

/// Describes the answers, and the refusals by their status.
fn responses(operation: &Operation, refusal: &Value, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for answer in &operation.answers {
        let mut described = json!({ "description": answer.meaning });
        if !matches!(answer.body, Body::Empty) {
            described["content"] = content(answer.body, |of| schemas.answer(of));
        }
        match responses.get_mut(&answer.status.to_string()) {
            // Several media types of one status.
            Some(known) => {
                let more = described["content"].as_object_mut().map(std::mem::take).unwrap_or_default();
                if let Some(content) = known["content"].as_object_mut() {
                    content.extend(more);
                }
            }
            None => {
                responses.insert(answer.status.to_string(), described);
            }
        }
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in operation.all_codes() {
        by_status.entry(code.status()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let lines: Vec<_> =
            codes.iter().map(|code| format!("- `{}`: {}", code.label(), meaning(*code))).collect();
        let described = json!({
            "description": lines.join("\n"),
            "content": { "application/json": { "schema": refusal } },
        });
        responses.entry(status.to_string()).or_insert(described);
    }
    responses.into()
}

fn meaning(code: Code) -> String {
    code.meaning().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use barrage_protocol::post::{Package, PackageAnswer};

    use super::*;
    use crate::operation::Method;

    fn sample() -> Value {
        let post = Operation::new("package_send", Method::Post, "/v1/rooms/{room}/packages", "Sends posts.")
            .by(Server::Uplink, Access::Sender)
            .body::<Package>()
            .answers::<PackageAnswer>(200, "All posts were accepted.")
            .refuses(&[Code::UnknownRoom]);
        document(Info { title: "T", version: "1", description: "D" }, &[post])
    }

    #[test]
    fn operation_has_parameters_body_answers_refusals_and_security() {
        let document = sample();
        let post = &document["paths"]["/v1/rooms/{room}/packages"]["post"];
        assert_eq!(post["operationId"], "package_send");
        assert_eq!(post["parameters"][0]["schema"]["pattern"], "^[A-Za-z0-9_-]{1,64}$");
        assert_eq!(post["security"], json!([{ "token": [] }]));
        assert_eq!(post["requestBody"]["required"], true);
        let answer = &post["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(answer, "#/components/schemas/PackageAnswer");
        let missing = post["responses"]["404"]["description"].as_str().unwrap();
        assert!(missing.contains("`unknown_room`"), "{missing}");
        assert!(document["components"]["schemas"]["ErrorBody"].is_object());
    }

    #[test]
    fn request_may_leave_out_a_field_that_every_answer_has() {
        let document = sample();
        let post = &document["paths"]["/v1/rooms/{room}/packages"]["post"];
        let chat =
            &post["requestBody"]["content"]["application/json"]["schema"]["properties"]["messages"]["items"];
        assert_eq!(chat["oneOf"][0]["required"], json!(["type", "id", "text"]));
        let answer = &document["components"]["schemas"]["PostAnswer"];
        assert_eq!(answer["required"], json!(["outcome"]));
    }
}
