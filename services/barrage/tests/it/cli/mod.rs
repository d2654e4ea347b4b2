//! The commands beside a server: verbs of the admin API, exit codes, completions and man pages.

mod exit_codes;
mod shells;
mod verbs;

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use barrage_testkit::{Server, wait};
use tokio::process::Command;

use crate::support::BINARY;

/// Runs `barrage` with arguments and variables, without those of the environment.
async fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    for name in ["BARRAGE_ADMIN_URL", "BARRAGE_ADMIN_TOKEN", "BARRAGE_ADMIN_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    wait::within(Duration::from_secs(60), "the end of the command", command.output()).await.unwrap()
}

/// Runs `barrage` with arguments against a server, with a token that the command mints itself.
pub(crate) async fn run_at(server: &Server, arguments: &[&str]) -> Output {
    let url = format!("http://{}", server.admin);
    let data_dir = server.data_dir().display().to_string();
    let arguments = [arguments, &["--data-dir", &data_dir]].concat();
    run(Path::new("/"), &arguments, &[("BARRAGE_ADMIN_URL", &url)]).await
}
