//! Where scratch databases are: files of a directory of our own, or databases of a server that the project names for it.
//!
//! Invariant: nothing is dropped but what this very rehearsal has made, and what one that is no more has left ([`left`]).

mod left;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::RehearseError;
use super::tongue::{Tongue, tongue};
use super::world::World;
use crate::database::{ConnectOptions, Connection, DatabaseError, LockTimeout, Target, connect};
use crate::interrupt::Interrupt;
use crate::sql::Dialect;
use left::Held;

/// What databases of ours begin with, so that whoever lists a server's knows whose they are. Eight hexadecimal digits of the
/// rehearsal come after it, and then the number of the database.
pub(super) const PREFIX: &str = "phasegate_rehearsal_";

enum Place {
    Directory(PathBuf),
    Server(Target),
}

pub(super) struct Scratch {
    pub dialect: Dialect,
    pub interrupt: Interrupt,
    place: Place,
    name: String,
    next: Cell<u32>,
    made: RefCell<Vec<String>>,
    /// What says to others that this rehearsal is at work.
    held: Held,
}

/// A database of ours, by the name that it was made with.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub target: Target,
    name: String,
}

impl Scratch {
    /// A place of its own, after what killed rehearsals have left in such places is gone.
    ///
    /// # Errors
    /// There is no place for scratch databases of this kind.
    pub async fn new(
        dialect: Dialect,
        server: Option<&Target>,
        interrupt: Interrupt,
    ) -> Result<Self, RehearseError> {
        let name = format!("{PREFIX}{:08x}", fastrand::u32(..));
        let (place, held) = match (dialect, server) {
            (Dialect::Sqlite, _) => {
                let parent = std::env::temp_dir();
                left::remove_directories(&parent);
                let directory = directory(&parent, &name)?;
                let held = left::hold_directory(&directory)
                    .map_err(|error| unwritable(&directory, &error))?;
                (Place::Directory(directory), held)
            }
            (_, Some(target)) => {
                let connection = log_in(target, interrupt).await?;
                let held = left::hold(connection, tongue(dialect), &name).await?;
                (Place::Server(target.clone()), held)
            }
            (_, None) => {
                let scheme = if dialect == Dialect::Mysql {
                    "mysql"
                } else {
                    "postgres"
                };
                return Err(RehearseError::cannot(
                    format!(
                        "no server is named on which {} could be tried",
                        dialect.title()
                    ),
                    format!(
                        "name one that holds nothing of value, and a user that may create databases there: `url = \
                         \"{scheme}://user@127.0.0.1/{scheme}\"` under `[rehearse]` in migrate.toml"
                    ),
                ));
            }
        };
        Ok(Self {
            dialect,
            interrupt,
            place,
            name,
            next: Cell::new(0),
            made: RefCell::default(),
            held,
        })
    }

    fn tongue(&self) -> &'static Tongue {
        tongue(self.dialect)
    }

    fn fresh_name(&self) -> String {
        let number = self.next.get();
        self.next.set(number + 1);
        format!("{}_{number}", self.name)
    }

    /// A database with nothing in it.
    pub async fn empty(&self) -> Result<Made, RehearseError> {
        let name = self.fresh_name();
        let target = match &self.place {
            Place::Directory(directory) => file(directory, &name)?,
            Place::Server(server) => {
                tell(server, self.interrupt, &(self.tongue().create)(&name, None)).await?;
                self.made.borrow_mut().push(name.clone());
                server.with_database(&name)
            }
        };
        Ok(Made { target, name })
    }

    /// A database that is like this one, which nobody has open; `None` if that cannot be had at once.
    pub async fn like(&self, other: &Made) -> Result<Option<Made>, RehearseError> {
        let name = self.fresh_name();
        match &self.place {
            Place::Directory(directory) => {
                let target = file(directory, &name)?;
                if let (Some(from), Some(to)) = (other.target.path(), target.path()) {
                    fs::copy(from, to).map_err(|error| unwritable(directory, &error))?;
                }
                Ok(Some(Made { target, name }))
            }
            Place::Server(server) if self.dialect == Dialect::Postgres => {
                let create = (self.tongue().create)(&name, Some(&other.name));
                // A session that has just been closed is still seen for a moment.
                let mut told = tell(server, self.interrupt, &create).await;
                for _ in 0..100 {
                    let is_in_use = |error: &DatabaseError| error.code.as_deref() == Some("55006");
                    if !told.as_ref().is_err_and(is_in_use) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    told = tell(server, self.interrupt, &create).await;
                }
                told?;
                self.made.borrow_mut().push(name.clone());
                Ok(Some(Made {
                    target: server.with_database(&name),
                    name,
                }))
            }
            Place::Server(_) => Ok(None),
        }
    }

    pub async fn open(&self, made: &Made) -> Result<World, RehearseError> {
        Ok(World {
            connection: self.connect(&made.target).await?,
            dialect: self.dialect,
            tongue: self.tongue(),
            is_measured: false,
            ran: Vec::new(),
        })
    }

    /// A connection to a scratch database, whose rows nobody misses after a crash: nothing waits for the disk.
    pub async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, DatabaseError> {
        let mut connection = log_in(target, self.interrupt).await?;
        if let Some(statement) = self.tongue().careless {
            connection.run(statement).await?;
        }
        Ok(connection)
    }

    /// Drops what was made, whatever came before: also where somebody wanted the program to stop.
    pub async fn end(self) {
        let Self {
            place, held, made, ..
        } = self;
        if let Place::Directory(directory) = &place {
            if let Err(error) = fs::remove_dir_all(directory) {
                tracing::warn!("{} could not be removed: {error}", directory.display());
            }
            return;
        }
        let Place::Server(server) = &place else {
            return;
        };
        let calm = Interrupt::default();
        for name in made.take() {
            let drop = (tongue(self.dialect).drop)(&name);
            let mut dropped = tell(server, calm, &drop).await;
            for _ in 0..100 {
                if dropped.is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                dropped = tell(server, calm, &drop).await;
            }
            if let Err(error) = dropped {
                tracing::warn!("the scratch database {name} could not be dropped: {error}");
            }
        }
        held.release().await;
    }
}

async fn log_in(
    target: &Target,
    interrupt: Interrupt,
) -> Result<Box<dyn Connection>, DatabaseError> {
    let options = ConnectOptions {
        create: true,
        interrupt,
        ..ConnectOptions::default()
    };
    connect(target, options).await
}

async fn tell(server: &Target, interrupt: Interrupt, statement: &str) -> Result<(), DatabaseError> {
    let mut connection = log_in(server, interrupt).await?;
    let told = connection
        .run_own(statement, LockTimeout(Duration::from_secs(10)))
        .await;
    connection.close().await;
    told
}

fn directory(parent: &Path, name: &str) -> Result<PathBuf, RehearseError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let directory = parent.join(name);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .map_err(|error| unwritable(&directory, &error))?;
    Ok(directory)
}

fn file(directory: &Path, name: &str) -> Result<Target, RehearseError> {
    Ok(Target::parse(&format!("sqlite://{name}.db"), directory)?)
}

fn unwritable(directory: &Path, error: &std::io::Error) -> RehearseError {
    RehearseError::cannot(
        format!("{} cannot be written: {error}", directory.display()),
        "set TMPDIR to a directory with room in it",
    )
}
