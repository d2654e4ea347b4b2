//! The image of the Dockerfile, built by buildah from the binaries under test, runs as a user without
//! rights on a read-only root file system.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use barrage_testkit::{ClientTls, process, programs, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{self, BINARY, chat};

/// User and group of the image.
const USER: u32 = 65_532;
/// Binaries of the image, in /usr/local/bin.
const PROGRAMS: [&str; 3] = ["barrage", "barrage-autoscaler", "barrage-loadtest"];
/// Longest time of a build, of a start and of a stop.
const STEP_MAX: Duration = Duration::from_secs(120);

/// Runs a program of the image as an engine with `--read-only --user 65532 -v DATA:/var/lib/barrage`
/// does: in a mount namespace of its own, where only the data folder can be written.
const CONTAINER: &str = r#"
    root=$1; data=$2; shift 2
    mount --bind "$root" "$root"
    mount --bind "$data" "$root/var/lib/barrage"
    mount -t proc proc "$root/proc"
    mount -o remount,bind,ro "$root"
    exec unshare --root="$root" --wd=/var/lib/barrage --setgid=65532 --setuid=65532 "$@"
"#;

#[tokio::test]
async fn image_runs_without_root_on_a_read_only_file_system() {
    if !programs::is_root() {
        return eprintln!("skipped: only root builds images and mounts");
    }
    let Some(buildah) = programs::tool("buildah") else {
        return eprintln!("skipped: buildah is not installed (`cargo xtask setup`)");
    };
    if !run(Command::new("unshare").args(["--mount", "true"])).await.status.success() {
        return eprintln!("skipped: this machine lets nobody mount");
    }
    let image = Image::build(buildah).await;
    image.assert_declares_what_engines_need().await;
    let root = image.unpack().await;
    let working_folder = std::fs::metadata(root.join("var/lib/barrage")).unwrap();
    assert_eq!((working_folder.uid(), working_folder.gid()), (USER, USER), "a named volume takes its owner");
    for program in PROGRAMS.into_iter().filter(|program| is_built(program)) {
        let path = format!("/usr/local/bin/{program}");
        let output = run(&mut image.container(&root, &[&path, "--version"])).await;
        let said = support::text_of(&output);
        assert!(output.status.success() && said.starts_with(program), "{path}: {said}");
    }
    serves(&image, &root).await;
}

/// Starts the image's own command, on free ports; posts and reads a message, and stops it.
async fn serves(image: &Image, root: &Path) {
    let address = process::free_address().to_string();
    let mut words = image.command().await;
    let listen =
        words.iter().position(|word| word == "0.0.0.0:8080").expect("the command listens on all addresses");
    words[listen].clone_from(&address);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let arguments = [&words[..], &["--ready-fd", "1", "--admin-listen", "127.0.0.1:0"]].concat();
    let mut child = image.container(root, &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = wait::within(STEP_MAX, "the ready line", lines.next_line()).await.unwrap();
    let ready: Value = serde_json::from_str(&ready.expect("the server ended")).unwrap();
    assert_is_confined(&child);
    let minting = ["token", "--user", "ann", "--room", "demo", "--data-dir"];
    let data = image.data().join("barrage-data");
    assert_eq!(std::fs::metadata(data.join("token.key")).unwrap().uid(), USER);
    let token =
        support::barrage(image.folder.path(), &[&minting[..], &[data.to_str().unwrap()]].concat()).await;
    let token = String::from_utf8(token.stdout).unwrap();
    ClientTls::make_ring_default();
    let http = reqwest::Client::new();
    let url = |path: &str| format!("http://{address}{path}");
    let is_ready = async || {
        let answer = http.get(format!("http://{}/readyz", ready["admin"].as_str().unwrap())).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    };
    wait::until_true(STEP_MAX, "a server that is ready", is_ready).await;
    let posted =
        http.post(url(support::MESSAGES)).bearer_auth(token.trim()).body(chat("c1", "hello")).send().await;
    assert_eq!(posted.unwrap().status(), 200);
    assert_eq!(http.get(url("/")).send().await.unwrap().status(), 200, "the page is in the image");
    process::signal("TERM", [child.id().unwrap().to_string()]);
    let status = wait::within(STEP_MAX, "the end of the server", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0), "SIGTERM, which engines send, ends the server in order");
}

/// The process has the image's user, no capability, and a root that cannot be written.
fn assert_is_confined(child: &Child) {
    let process = PathBuf::from(format!("/proc/{}", child.id().unwrap()));
    let status = std::fs::read_to_string(process.join("status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(field("Uid:"), vec![USER.to_string(); 4]);
    assert_eq!(field("Gid:"), vec![USER.to_string(); 4]);
    assert_eq!(field("CapEff:"), ["0000000000000000"]);
    let mounts = std::fs::read_to_string(process.join("mountinfo")).unwrap();
    let root = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(root.split(' ').nth(5).unwrap().split(',').any(|option| option == "ro"), "{root}");
}

/// An image in a store of its own, which is deleted with the value.
struct Image {
    folder: tempfile::TempDir,
    buildah: PathBuf,
}

impl Image {
    /// Builds the stage `runtime` on a base of this machine's C library, as no registry is asked.
    async fn build(buildah: PathBuf) -> Image {
        let image = Image { folder: tempfile::tempdir().unwrap(), buildah };
        for folder in ["binaries", "base/proc", "base/dev", "data"] {
            std::fs::create_dir_all(image.folder.path().join(folder)).unwrap();
        }
        // An engine starts as root, and walks to the image's files as the image's user.
        std::fs::set_permissions(image.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        chown(image.data(), Some(USER), Some(USER)).unwrap();
        for program in PROGRAMS {
            image.take(program).await;
        }
        let base = image.folder.path().join("base");
        libraries(&base).await;
        std::fs::write(image.folder.path().join("base.dockerfile"), "FROM scratch\nCOPY . /\n").unwrap();
        let arguments = ["build", "--isolation", "chroot", "-q", "-t", "base", "-f"];
        image.buildah(&arguments, &[&image.folder.path().join("base.dockerfile"), &base]).await;
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let context = format!("build={}", image.folder.path().join("binaries").display());
        let mut arguments =
            vec!["build", "--isolation", "chroot", "-q", "-t", "barrage", "--target", "runtime"];
        arguments.extend(["--format", "docker", "--build-context", &context]);
        arguments.extend(["--build-arg", "RUNTIME=localhost/base", "--build-arg", "REVISION=abc", "-f"]);
        image.buildah(&arguments, &[&repository.join("Dockerfile"), &repository]).await;
        image
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Copies a binary under test without its debug information.
    async fn take(&self, program: &str) {
        let (from, to) =
            (Path::new(BINARY).with_file_name(program), self.folder.path().join("binaries").join(program));
        if !is_built(program) {
            eprintln!("{program} is not built: the image has an empty file");
            return std::fs::write(&to, "").unwrap();
        }
        let stripped = run(Command::new("strip").arg("-o").args([&to, &from])).await;
        assert!(stripped.status.success(), "{}", support::text_of(&stripped));
    }

    async fn buildah(&self, arguments: &[&str], paths: &[&Path]) -> String {
        let mut command = Command::new(&self.buildah);
        command.args(["--storage-driver", "vfs", "--root"]).arg(self.folder.path().join("store"));
        command.arg("--runroot").arg(self.folder.path().join("run")).args(arguments).args(paths);
        let output = run(command.current_dir(self.folder.path())).await;
        assert!(output.status.success(), "{arguments:?}: {}", support::text_of(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn configuration(&self) -> Value {
        let inspected = self.buildah(&["inspect", "--type", "image", "localhost/barrage"], &[]).await;
        serde_json::from_str::<Value>(&inspected).unwrap()["Docker"]["config"].clone()
    }

    /// Entrypoint and command of the image.
    async fn command(&self) -> Vec<String> {
        let configuration = self.configuration().await;
        let words = |key: &str| serde_json::from_value::<Vec<String>>(configuration[key].clone()).unwrap();
        [words("Entrypoint"), words("Cmd")].concat()
    }

    async fn assert_declares_what_engines_need(&self) {
        let configuration = self.configuration().await;
        assert_eq!(configuration["User"], "65532:65532", "Kubernetes reads a number as not root");
        assert_eq!(configuration["ExposedPorts"], json!({ "8080/tcp": {}, "8081/tcp": {} }));
        assert!(configuration.get("Healthcheck").is_none_or(Value::is_null), "{configuration}");
        for (label, value) in
            [("title", "Barrage"), ("version", env!("CARGO_PKG_VERSION")), ("revision", "abc")]
        {
            assert_eq!(configuration["Labels"][format!("org.opencontainers.image.{label}")], value);
        }
        let listed = self.buildah(&["images", "--format", "{{.Name}} {{.Size}}"], &[]).await;
        eprintln!("images with binaries of the development profile: {}", listed.replace('\n', ", "));
    }

    /// Returns the folder of the image's files.
    async fn unpack(&self) -> PathBuf {
        let container = self.buildah(&["from", "localhost/barrage"], &[]).await;
        self.buildah(&["mount", &container], &[]).await.into()
    }

    fn container(&self, root: &Path, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-euc", CONTAINER, "container"])
            .arg(root)
            .arg(self.data())
            .args(words);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("RUST_LOG", "warn")
            .kill_on_drop(true);
        command
    }
}

/// Whether a binary is beside the one under test, as in a test of the whole workspace.
fn is_built(program: &str) -> bool {
    Path::new(BINARY).with_file_name(program).is_file()
}

/// Copies the C library and what else the binary loads to their places below `base`.
async fn libraries(base: &Path) {
    let listed = run(Command::new("ldd").arg(BINARY)).await;
    let listed = support::text_of(&listed);
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/'));
    let roots = "/etc/ssl/certs/ca-certificates.crt";
    for path in paths.chain(Path::new(roots).is_file().then_some(roots)) {
        let to = base.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(path, to).unwrap();
    }
}

async fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    wait::within(STEP_MAX, "the end of a command", output).await.unwrap()
}
