//! A project directory, and `migrate` run in it as a user would run it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, kill_process, kill_process_group};

pub use rustix::process::Signal;

use super::backend::Db;
use super::snapshot::normalised;
use super::terminal::Terminal;
use super::took;
use super::wait::{GENEROUS, poll};

/// The tests themselves look into the databases, as nobody who registers. Nobody else is let off.
pub const SESSIONS_OF_TESTS: &str = "
[[fleet.allow_session]]
application = \"phasegate-tests\"
reason = \"the tests themselves, on PostgreSQL\"
[[fleet.allow_session]]
user = \"phasegate-tests\"
reason = \"the tests themselves, on MariaDB\"
[[fleet.allow_session]]
user = \"root\"
database = \"*\"
reason = \"tests beside this one, in databases of their own on the same MariaDB\"
";

/// Whether a project leaves it to the tests who may have sessions.
fn is_silent_about_sessions(text: &str) -> bool {
    text.contains("[services.")
        && !["sessions = \"", "allow_session", "unknown_key"]
            .iter()
            .any(|word| text.contains(word))
}

/// A directory with a `migrate.toml`, gone when this value is.
pub struct Project {
    root: tempfile::TempDir,
    environment: Mutex<BTreeMap<String, String>>,
    /// What differs from run to run, and what stands for it in snapshots.
    volatile: Vec<(String, String)>,
    /// The process groups of every run. What a run leaves behind (a rollout starts instances that outlive it) ends with the
    /// project.
    started: Mutex<Vec<Pid>>,
}

impl Project {
    /// A project with these services, whose DATABASE_URL is this database.
    pub fn new(db: &Db, services: &[&str]) -> Self {
        let mut project = Self::without_database(services);
        project.volatile.extend(names_of(&db.url));
        project.env("DATABASE_URL", &db.url);
        project
    }

    /// A project with these services and no DATABASE_URL.
    pub fn without_database(services: &[&str]) -> Self {
        took::begins();
        let root = tempfile::Builder::new()
            .prefix("phasegate-project-")
            .tempdir()
            .expect("a directory for a project");
        let real = fs::canonicalize(root.path()).expect("the directory was just made");
        let mut volatile = Vec::new();
        for (directory, stands_for) in [("project", "[PROJECT]"), ("home", "[HOME]")] {
            fs::create_dir(root.path().join(directory)).expect("a directory in a new one");
            for base in [root.path(), &real] {
                volatile.push((
                    base.join(directory).display().to_string(),
                    stands_for.to_owned(),
                ));
            }
        }
        let project = Self {
            root,
            environment: Mutex::default(),
            volatile,
            started: Mutex::default(),
        };
        let services: String = services
            .iter()
            .map(|service| format!("[services.{service}]\n"))
            .collect();
        project.file("migrate.toml", &services);
        project
    }

    /// The project's directory.
    pub fn path(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// Writes a file; directories are made as needed. Replaces one that is there.
    pub fn file(&self, path: impl AsRef<Path>, text: &str) -> &Self {
        let mut text = text.to_owned();
        if path.as_ref() == Path::new("migrate.toml") && is_silent_about_sessions(&text) {
            text.push_str(SESSIONS_OF_TESTS);
        }
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a path below the project"))
            .expect("a directory in the project");
        fs::write(&path, text)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        self
    }

    /// Writes the files of one migration: `.migration("0002_split", &[("migration.toml", "…"), ("expand.sql", "…")])`.
    pub fn migration(&self, name: &str, files: &[(&str, &str)]) -> &Self {
        for (file, text) in files {
            self.file(Path::new(name).join(file), text);
        }
        self
    }

    /// Sets a variable for every later run.
    pub fn env(&self, name: &str, value: &str) -> &Self {
        let mut environment = self
            .environment
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Unsets a variable for every later run.
    pub fn env_remove(&self, name: &str) -> &Self {
        self.environment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        self
    }

    /// The text with everything replaced that differs from run to run.
    pub fn normalised(&self, text: &str) -> String {
        normalised(text, &self.volatile)
    }

    /// Runs `migrate` to its end.
    #[track_caller]
    pub fn migrate(&self, arguments: &[&str]) -> Output {
        self.spawn(arguments).wait()
    }

    /// Starts `migrate` in the background.
    #[track_caller]
    pub fn spawn(&self, arguments: &[&str]) -> Process {
        self.spawn_program(env!("CARGO_BIN_EXE_migrate"), arguments)
    }

    /// Starts another program as [`Self::spawn`] starts `migrate`.
    #[track_caller]
    pub fn spawn_program(&self, program: &str, arguments: &[&str]) -> Process {
        let mut command = self.command(program, arguments);
        command
            .env("NO_COLOR", "1")
            .env("TERM", "dumb")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.apply_environment(&mut command);
        let mut child = self.start(command);
        Process {
            stdout: Captured::of(child.stdout.take().expect("a piped stream")),
            stderr: Captured::of(child.stderr.take().expect("a piped stream")),
            what: format!("{program} {}", arguments.join(" ")),
            volatile: self.volatile.clone(),
            child,
        }
    }

    /// Starts `migrate` in a terminal of this many columns; what it shows there is its standard output.
    #[track_caller]
    pub fn spawn_in_terminal(&self, columns: u16, arguments: &[&str]) -> Process {
        let terminal = Terminal::new(columns);
        let mut command = self.command(env!("CARGO_BIN_EXE_migrate"), arguments);
        command
            .env("TERM", "xterm-256color")
            .stdin(terminal.stream())
            .stdout(terminal.stream())
            .stderr(terminal.stream());
        self.apply_environment(&mut command);
        let child = self.start(command);
        let Terminal { behind, .. } = terminal;
        Process {
            stdout: Captured::of(fs::File::from(behind)),
            stderr: Captured::of(std::io::empty()),
            what: format!("migrate {} in a terminal", arguments.join(" ")),
            volatile: self.volatile.clone(),
            child,
        }
    }

    /// What every program is started with.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path().join("home"))
            .env("TMPDIR", std::env::temp_dir())
            .stdin(Stdio::null())
            // A group of its own, so that what it has started can be ended as well.
            .process_group(0);
        command
    }

    /// What a test has set wins.
    fn apply_environment(&self, command: &mut Command) {
        let environment = self
            .environment
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        command.envs(&*environment);
    }

    fn start(&self, mut command: Command) -> Child {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        self.started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Pid::from_child(&child));
        child
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        for group in self
            .started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            // Nearly always it is empty by now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The parts of a database's URL that messages show, longest first. They differ from test to test.
fn names_of(url: &str) -> Vec<(String, String)> {
    let mut names = vec![(url.to_owned(), "[DATABASE_URL]".to_owned())];
    if let Some(file) = url.strip_prefix("sqlite://") {
        names.push((file.to_owned(), "[DATABASE]".to_owned()));
    } else if let Some((server, database)) = url
        .split_once('@')
        .and_then(|(_, rest)| rest.split_once('/'))
    {
        names.push((server.to_owned(), "[SERVER]".to_owned()));
        // The database that every server has is a word that occurs in other places too.
        if database != "postgres" {
            names.push((database.to_owned(), "[DATABASE]".to_owned()));
            // Messages show a URL without its parameters.
            if let Some((name, _)) = database.split_once('?') {
                names.push((name.to_owned(), "[DATABASE]".to_owned()));
            }
        }
    }
    names
}

/// What a finished run has shown.
#[derive(Debug)]
pub struct Output {
    /// The exit code; 128 and the signal's number where a signal ended it, as in a shell.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    volatile: Vec<(String, String)>,
}

impl Output {
    /// Fails the test, with everything that was shown, if the exit code is another one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "unexpected exit code\n{}", self.text());
        self
    }

    /// The standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("standard output is not JSON: {error}\n{}", self.text()),
        }
    }

    /// Exit code and both streams, with everything that differs from run to run replaced.
    pub fn snapshot(&self) -> String {
        normalised(&self.text(), &self.volatile)
    }

    fn text(&self) -> String {
        format!(
            "exit code {}\n--- stdout\n{}--- stderr\n{}",
            self.code,
            ended(&self.stdout),
            ended(&self.stderr)
        )
    }
}

/// A stream's text, which may lack its last line end.
fn ended(text: &str) -> String {
    match text.chars().last() {
        None | Some('\n') => text.to_owned(),
        Some(_) => format!("{text}⏎\n"),
    }
}

/// A running `migrate`. Killed, with all of its process group, when this value is dropped before its end.
pub struct Process {
    child: Child,
    stdout: Captured,
    stderr: Captured,
    what: String,
    volatile: Vec<(String, String)>,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to it alone, not to what it started.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal)
            .unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.what));
    }

    /// As [`Process::signal`], for one that may end by itself at the same moment.
    pub fn signal_if_running(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for a line, on either stream, that contains this text, and answers it.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str, timeout: Duration) -> String {
        let found = poll(timeout, || {
            // In this order: once it has ended and is read to the end, no line can still come.
            let over = self.has_ended() && self.stdout.is_complete() && self.stderr.is_complete();
            let line = self
                .stdout
                .line_with(text)
                .or_else(|| self.stderr.line_with(text));
            if line.is_some() || over {
                Some(line)
            } else {
                None
            }
        });
        match found.flatten() {
            Some(line) => line,
            None => panic!("no line with {text:?} within {timeout:?}\n{}", self.shown()),
        }
    }

    /// Whether it has exited.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// What it has shown so far, on both streams.
    pub fn shown(&self) -> String {
        format!(
            "{}\n--- stdout\n{}--- stderr\n{}",
            self.what,
            ended(&self.stdout.text()),
            ended(&self.stderr.text())
        )
    }

    /// Waits for its end. The bound is generous, and to reach it is a failure.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let Some(status) = poll(GENEROUS, || self.child.try_wait().ok().flatten()) else {
            panic!("still running after {GENEROUS:?}\n{}", self.shown());
        };
        // Something it left running may hold the streams open; what it wrote itself is there in a moment.
        let _ = poll(Duration::from_secs(5), || {
            (self.stdout.is_complete() && self.stderr.is_complete()).then_some(())
        });
        Output {
            code: code_of(status),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            volatile: std::mem::take(&mut self.volatile),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended() {
            // It may end in this very moment; then there is nothing to kill.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

fn code_of(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, signal) => 128 + signal.unwrap_or_default(),
    }
}

/// A stream, read as it comes.
#[derive(Clone)]
struct Captured(Arc<Mutex<Stream>>);

#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    complete: bool,
}

impl Captured {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let captured = Self(Arc::default());
        let writer = captured.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            loop {
                let taken = match stream.fill_buf() {
                    Ok(bytes) if !bytes.is_empty() => {
                        writer.with(|captured| captured.bytes.extend_from_slice(bytes));
                        bytes.len()
                    }
                    _ => break,
                };
                stream.consume(taken);
            }
            writer.with(|captured| captured.complete = true);
        });
        captured
    }

    fn with<T>(&self, action: impl FnOnce(&mut Stream) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn text(&self) -> String {
        self.with(|captured| String::from_utf8_lossy(&captured.bytes).into_owned())
    }

    fn is_complete(&self) -> bool {
        self.with(|captured| captured.complete)
    }

    /// The first whole line that contains this text.
    fn line_with(&self, text: &str) -> Option<String> {
        let shown = self.text();
        let mut lines = shown
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n') || self.is_complete());
        lines
            .find(|line| line.contains(text))
            .map(|line| line.trim_end().to_owned())
    }
}
