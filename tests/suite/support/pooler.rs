//! PgBouncer in transaction mode before a PostgreSQL server.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::geteuid;

use super::postgres::machine::{free_port, unprivileged_user};
use super::wait::{GENEROUS, eventually};

/// A running pooler; ended when dropped, and when this process ends in whatever way.
pub struct Pooler {
    port: u16,
    keeper: Child,
    _directory: tempfile::TempDir,
}

impl Pooler {
    /// Starts a pooler before the server at `server_port`, with at most `size` sessions behind it.
    #[track_caller]
    pub fn start(server_port: u16, size: u32) -> Self {
        Self::start_as(server_port, size, "postgres")
    }

    /// As [`Self::start`]; its sessions are of this role, whoever comes.
    #[track_caller]
    pub fn start_as(server_port: u16, size: u32, role: &str) -> Self {
        let program = program();
        let directory = tempfile::Builder::new()
            .prefix("phasegate-pooler-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a directory for the pooler");
        let port = free_port().expect("a free port");
        let config = directory.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server_port} user={role} password=secret\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = {size}\n\
             max_client_conn = 200\nserver_reset_query =\n"
        );
        fs::write(&config, text).expect("the pooler's configuration");
        // The pooler ends with the shell's standard input, that is with this process.
        let script = r#""$1" "$2" & pooler=$!; while read -r _; do :; done; kill "$pooler"; wait"#;
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "keeper"])
            .arg(&program)
            .arg(&config)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        if geteuid().is_root() {
            let (user, group) = unprivileged_user().expect("an unprivileged user");
            chown(directory.path(), Some(user), Some(group)).expect("the directory is ours");
            command.uid(user).gid(group);
        }
        let keeper = command.spawn().expect("sh runs");
        eventually(GENEROUS, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            port,
            keeper,
            _directory: directory,
        }
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // It ends by itself now; waiting only keeps it from staying behind as a zombie.
        let _ = self.keeper.wait();
    }
}

#[track_caller]
fn program() -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&on_path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|directory| directory.join("pgbouncer"))
        .find(|path| Path::is_file(path))
        .unwrap_or_else(|| {
            panic!(
                "pgbouncer was not found, and no test is skipped without it. `sh tests/run.sh` \
                 installs it; or install it yourself."
            )
        })
}
