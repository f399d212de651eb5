//! A socket that tells an application, in whatever language, where it stands with the lease that its agent holds.
//!
//! Whoever connects is sent one line of JSON, and another at each change. That the connection ends says that nobody keeps
//! the lease any more.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::admission::AdmissionRequest;
use super::error::LeaseError;
use super::tenure::Loss;

/// How many may listen at once. An application that forgets its connections must not take those from its agent that the
/// renewals need.
const MOST: usize = 64;

/// Where the application is told of its lease. The file is gone with it.
#[derive(Debug)]
pub(super) struct StatusSocket {
    lines: watch::Sender<String>,
    who: [(&'static str, String); 3],
    _file: File,
}

/// The file of a socket, as it was made.
#[derive(Debug)]
struct File {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl Drop for File {
    fn drop(&mut self) {
        // Another agent may have put its own there.
        if identity(&self.path).is_ok_and(|found| found == self.device_and_inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl StatusSocket {
    /// Makes the socket, for the instance that `request` asks for; nobody is answered before [`Self::valid`].
    ///
    /// # Errors
    /// Where there can be none; nothing that is there already is taken away, but for what an agent that was killed has left.
    pub(super) fn open(path: &Path, request: &AdmissionRequest) -> Result<Self, LeaseError> {
        let listener = bind(path).map_err(|why| LeaseError::StatusSocket {
            path: path.to_owned(),
            why,
        })?;
        let file = File {
            path: path.to_owned(),
            device_and_inode: identity(path)?,
        };
        let (lines, heard) = watch::channel(String::new());
        tokio::spawn(accept(listener, heard));
        let who = [
            ("service", request.service.clone()),
            ("version", request.label.clone()),
            ("instance", request.instance.clone()),
        ];
        Ok(Self {
            lines,
            who,
            _file: file,
        })
    }

    pub(super) fn valid(&self) {
        self.say("valid", None);
    }

    pub(super) fn draining(&self) {
        self.say("draining", None);
    }

    pub(super) fn lost(&self, loss: &Loss) {
        self.say("lost", Some(loss));
    }

    fn say(&self, state: &str, loss: Option<&Loss>) {
        let mut line = json!({ "state": state });
        if let Some(fields) = line.as_object_mut() {
            for (name, value) in &self.who {
                fields.insert((*name).to_owned(), value.clone().into());
            }
            if let Some(loss) = loss {
                fields.insert("reason".to_owned(), loss.to_string().into());
                fields.insert("help".to_owned(), loss.help().into());
            }
        }
        self.lines.send_replace(format!("{line}\n"));
    }
}

fn bind(path: &Path) -> Result<UnixListener, String> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let there = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
            if !there.file_type().is_socket() {
                return Err(
                    "there is a file of that name already, and it is no socket: name another path"
                        .to_owned(),
                );
            }
            match Blocking::connect(path) {
                // An agent that was killed has left it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Ok(_) => {
                    return Err(
                        "another agent is using it: give each instance a path of its own"
                            .to_owned(),
                    );
                }
                Err(error) => {
                    return Err(format!(
                        "there is one already, and whose it is cannot be seen: {error}"
                    ));
                }
            }
            fs::remove_file(path).map_err(|error| error.to_string())?;
            UnixListener::bind(path).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
        Ok(listener) => Ok(listener),
    }
}

/// Answers whoever connects, until the agent has no more to say.
async fn accept(listener: UnixListener, lines: watch::Receiver<String>) {
    const PAUSE: Duration = Duration::from_millis(100);
    let free = Arc::new(Semaphore::new(MOST));
    loop {
        // It is never closed.
        let Ok(one) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        let mut ended = lines.clone();
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(tell(stream, lines.clone(), one))),
                // Out of descriptors, for one: that passes.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            () = over(&mut ended) => return,
        }
    }
}

/// When nothing more will be said.
async fn over(lines: &mut watch::Receiver<String>) {
    while lines.changed().await.is_ok() {}
}

async fn tell(stream: UnixStream, mut lines: watch::Receiver<String>, _one: OwnedSemaphorePermit) {
    let (mut from, mut to) = stream.into_split();
    let mut ignored = [0; 64];
    loop {
        let line = lines.borrow_and_update().clone();
        if !line.is_empty() && to.write_all(line.as_bytes()).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                changed = lines.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                // Nothing is asked here; the end of what it may say is the end of the connection.
                read = from.read(&mut ignored) => if !matches!(read, Ok(1..)) {
                    return;
                },
            }
        }
    }
}
