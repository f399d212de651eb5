//! What a throwaway server needs of the machine: the binaries, a user, a port, and a watchdog.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Waits, in a process of its own, for this one to end; then ends the server and removes its directory.
pub fn watchdog(directory: &Path) -> io::Result<Child> {
    const SCRIPT: &str = r#"
        trap '' HUP INT TERM
        while read -r _; do :; done
        try() { [ -e "$1" ] && kill "-$2" $(head -n 1 "$1") 2>/dev/null; }
        server="$1/data/postmaster.pid"
        try "$server" QUIT
        try "$1/paused" CONT
        try "$server" CONT
        tries=0
        while try "$server" 0 && [ "$tries" -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
        try "$server" KILL
        # An initdb that is still at work may put back what was removed.
        tries=0
        while rm -rf -- "$1" 2>/dev/null; [ -e "$1" ] && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
    "#;
    Command::new("sh")
        .args(["-c", SCRIPT, "watchdog"])
        .arg(directory)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Not in the group that Ctrl-C at a terminal ends.
        .process_group(0)
        .spawn()
}

/// Says which PostgreSQL the tests start, where it is not the machine's own.
const CHOSEN: &str = "TEST_POSTGRES_BIN";

/// The directory of initdb and postgres. Keep its order in step with tests/run.sh.
pub fn binaries() -> Option<PathBuf> {
    // What was chosen is used or missed, and not replaced by another version.
    if let Some(chosen) = std::env::var_os(CHOSEN) {
        return Some(PathBuf::from(chosen)).filter(|directory| has_server(directory));
    }
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        // A link in the PATH may lead to the one binary out of a directory that has both.
        .filter_map(|directory| {
            Some(
                fs::canonicalize(directory.join("postgres"))
                    .ok()?
                    .parent()?
                    .to_owned(),
            )
        });
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .collect();
    packaged.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured =
        configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    on_path
        .chain(packaged.into_iter().map(|(_, directory)| directory))
        .chain(configured)
        .find(|directory| has_server(directory))
}

fn has_server(directory: &Path) -> bool {
    ["postgres", "initdb"]
        .iter()
        .all(|name| directory.join(name).is_file())
}

/// User and group for a server when this process is root.
pub fn unprivileged_user() -> Result<(u32, u32), String> {
    let accounts = fs::read_to_string("/etc/passwd")
        .map_err(|error| format!("cannot read /etc/passwd: {error}"))?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| {
            let account = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = account.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .ok_or_else(|| {
            "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as".to_owned()
        })
}

/// A port that nobody listens on. Below the range that systems use for outgoing connections, so that it is still free
/// when a stopped server comes back to it.
pub fn free_port() -> Result<u16, String> {
    (0..100)
        .map(|_| fastrand::u16(15_000..32_000))
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| "no free port on 127.0.0.1".to_owned())
}
