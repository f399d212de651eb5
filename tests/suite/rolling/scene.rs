//! The parts of `examples/rolling-restart`, started as its README says.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::load::Load;
use crate::support::backend::Db;
use crate::support::project::{Output, Process, Project};

/// Two servers, a proxy before them and a database behind them. All of it is gone when this value is, and when this
/// process ends in whatever way.
pub struct Scene {
    pub db: Db,
    pub project: Project,
    /// Below the project: where migrate.toml is.
    directory: &'static str,
    pub proxy: String,
    pub servers: [String; 2],
    keeper: Child,
}

const PROGRAMS: [&str; 4] = ["haproxy", "gunicorn", "socat", "curl"];

impl Scene {
    /// The shop of this directory of the example, open with web 1.0.0 on both servers.
    #[track_caller]
    pub fn open(directory: &'static str) -> Self {
        let db = Db::on("postgres");
        let project = Project::new(&db, &[]);
        // What only sqlx understands is not for the application.
        let url = db.url.split('?').next().unwrap_or_default();
        project.env("DATABASE_URL", url);
        copy(&example(), Path::new(""), &project);
        project.env("PATH", &path());
        let [proxy, one, other] = addresses();
        let (proxy, servers) = (format!("{proxy}:8080"), [one, other]);
        project
            .env("PROXY", &proxy)
            .env("SERVER_1", &servers[0])
            .env("SERVER_2", &servers[1]);
        // The canary of a small test need not be long.
        project.env("CANARY_REQUESTS", "10");
        let keeper = keeper(&project.path().join(directory));
        let scene = Self {
            db,
            project,
            directory,
            proxy,
            servers,
            keeper,
        };
        scene.script("up.sh", &[]).expect_code(0);
        scene.run(&["expand", "0001"], 0);
        scene.deploy("", "1.0.0", 100).expect_code(0);
        scene
    }

    /// Customers, with requests of a second among the short ones.
    pub fn load(&self, phase: &str) -> Load {
        Load::begin(&self.proxy, 1, phase)
    }

    /// Where migrate.toml is.
    pub fn path(&self) -> PathBuf {
        self.project.path().join(self.directory)
    }

    #[track_caller]
    pub fn spawn(&self, arguments: &[&str]) -> Process {
        let arguments = [&["-C", self.directory], arguments].concat();
        self.project.spawn(&arguments)
    }

    /// Runs `migrate` and fails the test if it does not end with this code.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], code: i32) -> Output {
        self.spawn(arguments).wait().expect_code(code)
    }

    /// What `migrate rollout` calls.
    #[track_caller]
    pub fn deploy(&self, from: &str, to: &str, step: u8) -> Output {
        self.script("deploy.sh", &["web", from, to, &step.to_string()])
    }

    #[track_caller]
    fn script(&self, name: &str, arguments: &[&str]) -> Output {
        let script = self.project.path().join(name).display().to_string();
        let run = "cd \"$1\"; shift; exec sh \"$@\"";
        let arguments = [&["-c", run, "sh", self.directory, &script], arguments].concat();
        self.project.spawn_program("sh", &arguments).wait()
    }

    /// The phase of the migration that splits the name.
    #[track_caller]
    pub fn phase(&self) -> String {
        let status = self.run(&["status", "--output", "json"], 0).json();
        let phase = status["migrations"][1]["phase"].as_str();
        phase.expect("a second migration").to_owned()
    }

    pub fn has_full_name(&self) -> bool {
        self.db.try_execute("SELECT full_name FROM users").is_ok()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // What it stops must not outlive the database and the directory.
        let _ = self.keeper.wait();
    }
}

/// Runs `down.sh` when its standard input ends, that is at the latest with this process.
fn keeper(directory: &Path) -> Child {
    let down = example().join("down.sh");
    Command::new("sh")
        .args(["-c", "while read -r _; do :; done; exec sh \"$1\"", "sh"])
        .arg(down)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C at a terminal is for the tests.
        .process_group(0)
        .spawn()
        .expect("sh runs")
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rolling-restart")
}

fn copy(from: &Path, to: &Path, project: &Project) {
    for entry in std::fs::read_dir(from).expect("the example is a directory") {
        let entry = entry.expect("a file of the example");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        // What somebody has left there who tried it.
        if path.ends_with("run") || path.ends_with("__pycache__") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to, project);
        } else {
            let text = std::fs::read_to_string(&path);
            project.file(to, &text.expect("the example is text"));
        }
    }
}

/// Where `migrate` and everything else is that the example calls.
#[track_caller]
fn path() -> String {
    let migrate = Path::new(env!("CARGO_BIN_EXE_migrate"));
    let own = migrate.parent().expect("a program in a directory");
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let mut directories = vec![own.to_owned()];
    directories.extend(std::env::split_paths(&inherited));
    directories.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    for program in PROGRAMS {
        assert!(
            directories
                .iter()
                .any(|directory| directory.join(program).is_file()),
            "{program} was not found, and no test is skipped without it. `sh tests/run.sh` installs it; or install \
             it yourself."
        );
    }
    let joined = std::env::join_paths(directories).expect("they were in a PATH");
    joined.into_string().expect("a PATH that is text")
}

/// Addresses of this machine that no other test uses: so the ports can be those of the example.
fn addresses() -> [String; 3] {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) % 80;
    [1, 2, 3].map(|last| {
        let network = format!("127.{}.{}", process / 250 % 250 + 1, process % 250 + 1);
        format!("{network}.{}", number * 3 + last)
    })
}

/// Replaces a part of a file of the project.
#[track_caller]
pub fn edit(path: &Path, old: &str, new: &str) -> io::Result<()> {
    let text = std::fs::read_to_string(path)?;
    assert!(text.contains(old), "{old} is not in {}", path.display());
    std::fs::write(path, text.replace(old, new))
}
