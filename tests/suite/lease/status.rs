//! What an application that is no Rust program is told of the lease that its agent holds.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use serde_json::Value;

use super::process::{agent_with, project, rows};
use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::{Project, Signal};
use crate::support::wait::GENEROUS;

/// Whoever listens to a socket.
struct Listener(BufReader<UnixStream>);

impl Listener {
    fn to(project: &Project) -> Self {
        let stream = UnixStream::connect(socket(project)).expect("the agent listens");
        stream.set_read_timeout(Some(GENEROUS)).expect("a timeout");
        Self(BufReader::new(stream))
    }

    /// What comes next; nothing at the end.
    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("something in time");
        (!line.is_empty()).then(|| serde_json::from_str(&line).expect("a line of JSON"))
    }

    #[track_caller]
    fn hears(&mut self, state: &str) -> Value {
        let line = self.line().expect("a line");
        assert_eq!(line["state"], state, "{line}");
        assert_eq!(
            [&line["service"], &line["version"], &line["instance"]],
            ["web", "1.0.0", "server-1"]
        );
        line
    }
}

fn socket(project: &Project) -> PathBuf {
    project.path().join("lease.sock")
}

const SOCKET: [&str; 2] = ["--status-socket", "lease.sock"];

scenario!(
    fn an_application_is_told_of_its_lease_and_finds_itself_in_its_environment(db: Db) {
        let project = project(&db, "60s");
        // Of an agent further out.
        project.env("PHASEGATE_STATUS_SOCKET", "/nowhere");
        let script = "trap 'while [ ! -e done ]; do sleep 0.02; done; exit 5' TERM
            echo it is $PHASEGATE_SERVICE/$PHASEGATE_VERSION/$PHASEGATE_INSTANCE at $PHASEGATE_STATUS_SOCKET
            while :; do sleep 0.02; done";
        let mut agent = agent_with(&project, &SOCKET, &["sh", "-c", script]);
        let said = agent.wait_for_line("it is", GENEROUS);
        let path = std::fs::canonicalize(project.path())
            .expect("a directory")
            .join("lease.sock");
        let expected = format!("web/1.0.0/server-1 at {}", path.display());
        assert!(said.ends_with(&expected), "{said}");
        let mut early = Listener::to(&project);
        early.hears("valid");
        // Nobody else takes it over.
        let output = agent_with(&project, &SOCKET, &["true"])
            .wait()
            .expect_code(1);
        assert!(output.stderr.contains("another agent is"), "{output:?}");
        agent.signal(Signal::TERM);
        early.hears("draining");
        let mut late = Listener::to(&project);
        late.hears("draining");
        project.file("done", "");
        agent.wait().expect_code(5);
        assert_eq!([early.line(), late.line()], [None, None]);
        assert!(!socket(&project).exists());
    }
);

scenario!(
    fn a_socket_that_was_left_is_taken_and_a_file_is_not(db: Db) {
        let project = project(&db, "60s");
        drop(UnixListener::bind(socket(&project)).expect("a socket"));
        let heard = "test -n \"$PHASEGATE_STATUS_SOCKET\" && test -S \"$PHASEGATE_STATUS_SOCKET\"";
        agent_with(&project, &SOCKET, &["sh", "-c", heard])
            .wait()
            .expect_code(0);
        assert!(!socket(&project).exists());

        project.file("lease.sock", "precious");
        let long = format!("{}.sock", "a".repeat(200));
        for (path, why) in [
            ("lease.sock", "no socket"),
            ("missing/lease.sock", "cannot make the socket"),
            (long.as_str(), "SUN_LEN"),
        ] {
            let started = agent_with(&project, &["--status-socket", path], &["touch", "started"]);
            let output = started.wait().expect_code(1);
            assert!(output.stderr.contains(why), "{output:?}");
        }
        assert!(!project.path().join("started").exists());
        assert_eq!(
            std::fs::read_to_string(socket(&project)).expect("the file"),
            "precious"
        );
        assert_eq!(rows(&db), "0");
        // Without the option it knows of none, whatever it has inherited.
        project.env("PHASEGATE_STATUS_SOCKET", "/nowhere");
        let unheard = "test -z \"${PHASEGATE_STATUS_SOCKET+x}\"";
        agent_with(&project, &[], &["sh", "-c", unheard])
            .wait()
            .expect_code(0);
    }
);

#[test]
fn a_loss_is_told_with_its_reason() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = project(&db, "3s");
    let script = "trap 'echo stopping' TERM; echo ready; while :; do sleep 0.02; done";
    let mut agent = agent_with(&project, &SOCKET, &["sh", "-c", script]);
    agent.wait_for_line("ready", GENEROUS);
    let mut listener = Listener::to(&project);
    listener.hears("valid");
    server.stop();
    let lost = listener.hears("lost");
    let reason = lost["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("could not be renewed in time"), "{lost}");
    assert!(lost["help"].is_string(), "{lost}");
    Listener::to(&project).hears("lost");
    agent.wait_for_line("stopping", GENEROUS);
    agent.wait().expect_code(137);
    assert_eq!(listener.line(), None);
}

/// What an application in another language has in its files.
fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name);
    path.display().to_string()
}

/// Says each state that it is told, and ends a while after it began to drain.
const PYTHON: &str = "
import lease, os, signal
signal.signal(signal.SIGTERM, lambda *_: None)
last = None
while last != 'lost' and not os.path.exists('done'):
    told = lease.told()
    if told['state'] != last:
        last = told['state']
        print('told:', last, told.get('reason', ''), flush=True)
";

#[test]
fn an_application_in_python_knows_its_state() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = project(&db, "3s");
    project.env("PYTHONPATH", &example("rolling-restart"));
    project.env("PYTHONDONTWRITEBYTECODE", "1");
    let mut agent = agent_with(&project, &SOCKET, &["python3", "-c", PYTHON]);
    agent.wait_for_line("told: valid", GENEROUS);
    agent.signal(Signal::TERM);
    agent.wait_for_line("told: draining", GENEROUS);
    project.file("done", "");
    agent.wait().expect_code(0);

    std::fs::remove_file(project.path().join("done")).expect("it was written");
    let mut agent = agent_with(&project, &SOCKET, &["python3", "-c", PYTHON]);
    agent.wait_for_line("told: valid", GENEROUS);
    server.stop();
    let lost = agent.wait_for_line("told: lost", GENEROUS);
    assert!(lost.contains("could not be renewed in time"), "{lost}");
    agent.wait().expect_code(1);

    // Without an agent there is no lease that could be lost.
    let alone = "import lease; print('alone:', lease.state())";
    let output = project.spawn_program("python3", &["-c", alone]).wait();
    assert!(output.expect_code(0).stdout.contains("alone: valid"));
    // And one that is gone keeps none.
    project.env("PHASEGATE_STATUS_SOCKET", "/nowhere");
    let output = project.spawn_program("python3", &["-c", alone]).wait();
    assert!(output.expect_code(0).stdout.contains("alone: lost"));
}

#[test]
#[ignore = "needs Node: sh tests/node.sh"]
fn a_server_in_node_takes_requests_while_its_lease_is_valid() {
    let db = Db::on("sqlite");
    let project = project(&db, "60s");
    project.env("PORT", "0").env("DRAIN_MS", "60000");
    let server = example("node/server.mjs");
    let mut agent = agent_with(&project, &SOCKET, &["node", &server]);
    agent.wait_for_line("lease: valid", GENEROUS);
    let port = super::process::pid_in(&agent.wait_for_line("listening on", GENEROUS));
    let ask = |path: &str| {
        let url = format!("http://127.0.0.1:{port}{path}");
        let asked =
            project.spawn_program("curl", &["--silent", "--write-out", " %{http_code}", &url]);
        asked.wait().expect_code(0).stdout
    };
    assert!(ask("/").ends_with("hello\n 200"));
    assert!(ask("/ready").ends_with(" 200"));
    agent.signal(Signal::TERM);
    agent.wait_for_line("lease: draining", GENEROUS);
    assert!(ask("/").ends_with(" 503"));
    let ready = ask("/ready");
    assert!(
        ready.contains("\"state\":\"draining\"") && ready.ends_with(" 503"),
        "{ready}"
    );
    agent.signal(Signal::QUIT);
    agent.wait();
}

/// Goes on after what its own listener throws.
const CLUMSY: &str = "
const { lease } = await import(process.env.LEASE);
process.on('uncaughtException', () => console.log('state:', lease.state));
lease.on('change', (told) => { console.log('heard:', told.state); throw new Error('clumsy'); });
process.on('SIGTERM', () => {});
setInterval(() => {}, 60000);
";

#[test]
#[ignore = "needs Node: sh tests/node.sh"]
fn what_a_listener_in_node_throws_says_nothing_of_the_lease() {
    let db = Db::on("sqlite");
    let project = project(&db, "60s");
    project.env("LEASE", &example("node/lease.mjs"));
    let command = ["node", "--input-type=module", "--eval", CLUMSY];
    let mut agent = agent_with(&project, &SOCKET, &command);
    agent.wait_for_line("state: valid", GENEROUS);
    agent.signal(Signal::TERM);
    agent.wait_for_line("state: draining", GENEROUS);
    agent.signal(Signal::QUIT);
    agent.wait();
}

/// The block of docs/library.md in this language.
fn shown_in(language: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/library.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let begin = format!("```{language}\n");
    let (_, block) = page.split_once(&begin).expect("a block in it");
    let (block, _) = block.split_once("```").expect("its end");
    block.to_owned()
}

#[test]
#[ignore = "needs Go: sh tests/go.sh"]
fn a_program_in_go_hears_of_its_lease() {
    let db = Db::on("sqlite");
    let project = project(&db, "60s");
    let follow = shown_in("go");
    let program = format!(
        "package main\nimport (\"encoding/json\"; \"fmt\"; \"net\"; \"os\"; \"os/signal\"; \"syscall\")\n{follow}
        func main() {{
            signal.Ignore(syscall.SIGTERM)
            err := Follow(func(state string) {{ fmt.Println(\"lease:\", state) }})
            if err != nil {{ fmt.Println(err); os.Exit(1) }}
            select {{}}
        }}\n"
    );
    project.file("listener.go", &program);
    let build = ["build", "-o", "listener", "listener.go"];
    project.env("HOME", &project.path().display().to_string());
    project.spawn_program("go", &build).wait().expect_code(0);
    let mut agent = agent_with(&project, &SOCKET, &["./listener"]);
    agent.wait_for_line("lease: valid", GENEROUS);
    agent.signal(Signal::TERM);
    agent.wait_for_line("lease: draining", GENEROUS);
    agent.signal(Signal::QUIT);
    agent.wait();
}

#[test]
#[ignore = "needs a JDK: sh tests/jvm.sh"]
fn a_program_on_the_jvm_hears_of_its_lease() {
    let db = Db::on("sqlite");
    let project = project(&db, "60s");
    let follow = shown_in("java");
    let program = format!(
        "import java.io.*; import java.net.*; import java.nio.channels.*; import java.nio.charset.StandardCharsets;
        import java.util.function.Consumer; import java.util.regex.Pattern;
        public class Listener {{
            {follow}
            public static void main(String[] given) throws Exception {{
                sun.misc.Signal.handle(new sun.misc.Signal(\"TERM\"), signal -> {{}});
                follow(state -> System.out.println(\"lease: \" + state));
                Thread.sleep(Long.MAX_VALUE);
            }}
        }}\n"
    );
    project.file("Listener.java", &program);
    let build = project.spawn_program("javac", &["Listener.java"]);
    build.wait().expect_code(0);
    let mut agent = agent_with(&project, &SOCKET, &["java", "Listener"]);
    agent.wait_for_line("lease: valid", GENEROUS);
    agent.signal(Signal::TERM);
    agent.wait_for_line("lease: draining", GENEROUS);
    // At SIGQUIT a JVM tells of its threads and goes on.
    agent.signal(Signal::INT);
    agent.wait();
}
