//! A server with the role media, and the requests of tus.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use barrage_testkit::process::free_address;
use barrage_testkit::{Server, ServerOptions, wait};
use reqwest::{Method, Response};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::BINARY;

/// Longest wait for the end of a check. A loaded machine starts processes slowly.
const CHECK_MAX: Duration = Duration::from_secs(60);

/// A server whose role media listens on an address of its own.
pub(super) struct Site {
    pub(super) server: Server,
    pub(super) media: SocketAddr,
    pub(super) http: reqwest::Client,
    options: ServerOptions,
    /// Data that outlives a restart.
    _folder: Option<TempDir>,
}

impl Site {
    /// Starts a server with settings of `[media]`, such as `("RATE_SECS", "1")`.
    pub(super) async fn start(settings: &[(&str, &str)]) -> Site {
        let settings = settings.iter().map(|(name, value)| (format!("MEDIA__{name}"), (*value).to_owned()));
        Site::start_with(settings.collect(), None).await
    }

    /// Starts a server with settings of any table. `{media}` in a value is the address of the role media.
    pub(super) async fn start_with(settings: Vec<(String, String)>, data_dir: Option<PathBuf>) -> Site {
        let media = free_address();
        let mut environment = vec![("BARRAGE_MEDIA__LISTEN".to_owned(), format!("[\"{media}\"]"))];
        environment.extend(
            settings.into_iter().map(|(name, value)| {
                (format!("BARRAGE_{name}"), value.replace("{media}", &media.to_string()))
            }),
        );
        let folder = data_dir.is_none().then(|| TempDir::new().unwrap());
        let data_dir = data_dir.or_else(|| Some(folder.as_ref()?.path().join("data")));
        let options = ServerOptions { environment, data_dir, ..ServerOptions::default() };
        let server = Server::start(BINARY, options.clone()).await;
        Site { server, media, http: reqwest::Client::new(), options, _folder: folder }
    }

    /// Starts a server on a data directory that outlives it.
    pub(super) async fn start_on(data_dir: PathBuf) -> Site {
        Site::start_with(Vec::new(), Some(data_dir)).await
    }

    /// Kills the server without a warning, and starts it again on the same data and the same addresses.
    pub(super) async fn kill_and_restart(self) -> Site {
        self.restart_after(|| ()).await
    }

    /// Kills the server, changes its data, and starts it again on the same addresses.
    pub(super) async fn restart_after(mut self, change: impl FnOnce()) -> Site {
        self.options.addresses = Some((self.server.public, self.server.admin));
        self.server.kill().await;
        change();
        self.server = Server::start(BINARY, self.options.clone()).await;
        self
    }

    pub(super) async fn token(&self, user: &str) -> String {
        self.server.token(user, "*", "viewer").await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.media)
    }

    /// Sends a request of tus, with further header fields.
    pub(super) async fn tus(
        &self,
        method: &str,
        path: &str,
        token: &str,
        fields: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let method: Method = method.parse().unwrap();
        let mut request =
            self.http.request(method, self.url(path)).bearer_auth(token).header("tus-resumable", "1.0.0");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(body).send().await.unwrap()
    }

    /// Creates an upload, and returns the path of its URL.
    pub(super) async fn create(&self, token: &str, length: usize, fields: &[(&str, &str)]) -> String {
        let length = length.to_string();
        let fields = [&[("upload-length", length.as_str())], fields].concat();
        let created = self.tus("POST", "/v1/uploads", token, &fields, "").await;
        assert_eq!(created.status(), 201, "{}", created.text().await.unwrap());
        let location = created.headers()["location"].to_str().unwrap();
        // Absolute with `media.base_url`.
        location.strip_prefix(&self.url("")).unwrap_or(location).to_owned()
    }

    /// Adds bytes at an offset.
    pub(super) async fn patch(
        &self,
        upload: &str,
        token: &str,
        offset: usize,
        fields: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let offset = offset.to_string();
        let own = [("upload-offset", offset.as_str()), ("content-type", "application/offset+octet-stream")];
        self.tus("PATCH", upload, token, &[&own, fields].concat(), body).await
    }

    /// Returns the offset at which an upload continues.
    pub(super) async fn offset(&self, upload: &str, token: &str) -> usize {
        let head = self.tus("HEAD", upload, token, &[], "").await;
        assert_eq!(head.status(), 200);
        head.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
    }

    /// Uploads bytes in one request, and returns the path of the upload.
    pub(super) async fn upload(&self, token: &str, bytes: &[u8], fields: &[(&str, &str)]) -> String {
        let upload = self.create(token, bytes.len(), fields).await;
        let answer = self.patch(&upload, token, 0, &[], bytes.to_vec()).await;
        assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
        upload
    }

    /// Returns the view of an upload once its check has ended.
    pub(super) async fn checked(&self, upload: &str, token: &str) -> Value {
        wait::until(CHECK_MAX, "the end of a check", async || {
            let view: Value = self.tus("GET", upload, token, &[], "").await.json().await.unwrap();
            (view["state"] != "checking").then_some(view)
        })
        .await
    }

    /// Uploads bytes, and returns the view once the check has ended.
    pub(super) async fn finished(&self, token: &str, bytes: &[u8], fields: &[(&str, &str)]) -> Value {
        let upload = self.upload(token, bytes, fields).await;
        self.checked(&upload, token).await
    }

    /// Reads an address whole.
    pub(super) async fn read(&self, address: &str) -> Vec<u8> {
        let answer = self.http.get(self.url(address)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{address}");
        answer.bytes().await.unwrap().to_vec()
    }
}

/// Returns bytes that no two places of are alike.
pub(super) fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// Returns the field Upload-Metadata of pairs.
pub(super) fn metadata(pairs: &[(&str, &str)]) -> String {
    use base64::Engine as _;
    let encode = |value: &str| base64::engine::general_purpose::STANDARD.encode(value);
    pairs.iter().map(|(key, value)| format!("{key} {}", encode(value))).collect::<Vec<_>>().join(",")
}
