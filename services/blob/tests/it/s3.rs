//! A server of others that speaks S3: s3rver of npm, unmodified.

use std::path::Path;

use barrage_blob::S3Config;
use barrage_testkit::process::{Process, Recipe, free_address};
use tempfile::TempDir;

/// Id and secret of the key that s3rver knows.
const KEY: &str = "S3RVER";
const BUCKET: &str = "barrage";

/// A running server with an empty bucket, which is killed when the value is dropped.
pub(crate) struct S3Server {
    process: Process,
    folder: TempDir,
}

impl S3Server {
    pub(crate) async fn start() -> S3Server {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../target/tools/s3rver/node_modules/s3rver/bin/s3rver.js");
        assert!(program.is_file(), "s3rver of npm is missing; run `cargo xtask setup`");
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let command = [
            "node".to_owned(),
            program.display().to_string(),
            "--silent".into(),
            "--directory".into(),
            folder.path().join("data").display().to_string(),
            "--address".into(),
            address.ip().to_string(),
            "--port".into(),
            address.port().to_string(),
            "--configure-bucket".into(),
            BUCKET.into(),
        ];
        let environment = vec![("NODE_NO_WARNINGS".to_owned(), "1".to_owned())];
        let recipe = Recipe {
            name: "s3rver".into(),
            command: command.into(),
            environment,
            folder: folder.path().into(),
            address,
        };
        S3Server { process: Process::start(recipe).await, folder }
    }

    pub(crate) fn config(&self) -> S3Config {
        let secret_file = self.folder.path().join("secret");
        std::fs::write(&secret_file, KEY).unwrap();
        S3Config {
            endpoint: format!("http://{}", self.process.recipe.address),
            bucket: BUCKET.into(),
            access_key_id: KEY.into(),
            secret_file,
            ..S3Config::default()
        }
    }
}
