//! Whether this server follows another one, which knows better what holds.
//!
//! A server that was told to follow is a replica, whether it does so at the moment or not: its threads stop with an error, or
//! for a backup, and then nothing but its own configuration shows it. Only who may ask for that sees it, so whoever may not goes by
//! what the ledger says of the server that it was written on last.

use std::sync::Once;

use sqlx::mysql::MySqlRow;
use sqlx::{Column as _, Row as _};

use super::{Flavour, Mysql};
use crate::database::{DatabaseError, ErrorKind, Server};

/// What every user sees of it.
pub(super) struct Shown {
    /// Its threads apply what another server writes.
    pub runs: bool,
    /// It has followed another server some time: a promoted one has as well.
    pub has_followed: bool,
}

/// A server that this one was told to follow.
#[derive(Debug)]
struct Leader {
    /// Its number, where it was reached since this server was started.
    number: Option<String>,
    link: Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It follows, or was stopped: what it holds may be old.
    Made,
    /// The other server is not there. Of two that follow each other the one that is left goes on.
    Seeking,
}

/// Who follows this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    /// One of those that it follows.
    ByLeader,
    /// Perhaps: this user may not ask who it is.
    Unknown,
    /// Nobody, or others than those that it follows.
    NotByLeader,
}

/// On which server the ledger was written last, as it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Here,
    Elsewhere,
    /// There is no ledger, or it says nothing of it.
    Unsaid,
}

/// The replication of MySQL's groups, whose members are one server here. Its own channels follow nobody.
const OF_A_GROUP: &str = "group_replication_";

impl Leader {
    fn read(row: &MySqlRow) -> Option<Self> {
        let channel = named(row, &["Channel_Name"]);
        if channel.is_some_and(|name| name.starts_with(OF_A_GROUP)) {
            return None;
        }
        let reads = named(row, &["Slave_IO_Running", "Replica_IO_Running"]);
        let applies = named(row, &["Slave_SQL_Running", "Replica_SQL_Running"]);
        let number = named(row, &["Master_Server_Id", "Source_Server_Id"]);
        Some(Self {
            number: number.filter(|number| number != "0"),
            link: match (reads.as_deref(), applies.as_deref()) {
                (Some("Connecting"), Some("Yes")) => Link::Seeking,
                _ => Link::Made,
            },
        })
    }
}

/// What the first of these columns that is there holds: a number or a text.
fn named(row: &MySqlRow, names: &[&str]) -> Option<String> {
    let column = row
        .columns()
        .iter()
        .position(|column| names.contains(&column.name()))?;
    let number: Option<u64> = row.try_get(column).ok();
    number
        .map(|number| number.to_string())
        .or_else(|| row.try_get_unchecked(column).ok().flatten())
}

/// Whether a server that was told to follow these is the primary all the same.
fn leads(leaders: &[Leader], followed: Followed, written: Written) -> bool {
    let all_are_away = leaders.iter().all(|leader| leader.link == Link::Seeking);
    match followed {
        Followed::ByLeader => true,
        Followed::Unknown => written == Written::Here,
        Followed::NotByLeader => all_are_away && written == Written::Here,
    }
}

impl Mysql {
    /// Refuses a writable server that follows another one. Of two that follow each other the one that may be written is the
    /// primary: it is followed as well.
    pub(super) async fn refuse_follower(
        &mut self,
        server: Server,
        shown: Shown,
    ) -> Result<(), DatabaseError> {
        let Some(leaders) = self.leaders().await? else {
            return self.by_what_is_shown(server, shown).await;
        };
        if leaders.is_empty() {
            return Ok(());
        }
        let followed = self.followed(&leaders, server).await?;
        let written = match followed {
            Followed::ByLeader => return Ok(()),
            Followed::Unknown | Followed::NotByLeader => self.written().await?,
        };
        if leads(&leaders, followed, written) {
            return Ok(());
        }
        if let Ok(lag) = self.lag().await {
            let behind = format!("this is a replica, {} s behind", lag.as_secs());
            let circle = match followed {
                Followed::Unknown => format!(
                    " (whether the server that it follows follows it as well cannot be seen: {})",
                    self.grant(Looking::Followers)
                ),
                Followed::ByLeader | Followed::NotByLeader => String::new(),
            };
            return Err(standby(format!("{behind}{circle}")));
        }
        Err(standby(
            "this server was told to follow another one, and does not at the moment, so what it holds may be old. If it was promoted, \
             tell it so: `STOP REPLICA; RESET REPLICA ALL`, after which it can be asked at once",
        ))
    }

    /// For who may not ask whom it follows. Nobody is kept from a server that was promoted because of rights that are missing;
    /// that the ledger comes from another server is said.
    async fn by_what_is_shown(
        &mut self,
        server: Server,
        shown: Shown,
    ) -> Result<(), DatabaseError> {
        // MySQL shows nothing of it.
        let may_follow = shown.runs || shown.has_followed || matches!(self.flavour, Flavour::MySql);
        if !may_follow {
            return Ok(());
        }
        let refuses = shown.runs && server == Server::Primary;
        match self.written().await? {
            Written::Elsewhere if refuses => Err(standby(format!(
                "this server follows another one, on which the ledger was written last. Where it is the primary all the same (two that follow \
                 each other), let this user see that: {}; {}",
                self.grant(Looking::Leaders),
                self.grant(Looking::Followers)
            ))),
            Written::Elsewhere => {
                let grant = self.grant(Looking::Leaders);
                ONCE.call_once(|| {
                    tracing::warn!(
                        "the ledger was written last on another server, and this user may not see whether this one follows it, as a replica \
                         that has stopped would: {grant}. It is taken for one that was promoted; the next command that acts here records that it is"
                    );
                });
                Ok(())
            }
            Written::Here | Written::Unsaid if refuses && self.dumps().await? == 0 => {
                Err(standby("this server follows another one"))
            }
            Written::Here | Written::Unsaid => Ok(()),
        }
    }

    /// The servers that it was told to follow. `None` where this user may not ask.
    async fn leaders(&mut self) -> Result<Option<Vec<Leader>>, DatabaseError> {
        // Of MariaDB's connections, which have names, the other statement shows one.
        let look = match self.flavour {
            Flavour::MariaDb => "SHOW ALL SLAVES STATUS",
            Flavour::MySql => "SHOW REPLICA STATUS",
        };
        let rows = self.if_it_may(look).await?;
        Ok(rows.map(|rows| rows.iter().filter_map(Leader::read).collect()))
    }

    async fn followed(
        &mut self,
        leaders: &[Leader],
        server: Server,
    ) -> Result<Followed, DatabaseError> {
        let look = match self.flavour {
            Flavour::MariaDb => "SHOW REPLICA HOSTS",
            Flavour::MySql => "SHOW REPLICAS",
        };
        if let Some(rows) = self.if_it_may(look).await? {
            let followers: Vec<String> = rows
                .iter()
                .filter_map(|row| named(row, &["Server_id", "Server_Id"]))
                .collect();
            let is_circle = leaders
                .iter()
                .filter_map(|leader| leader.number.as_ref())
                .any(|number| followers.contains(number));
            return Ok(if is_circle {
                Followed::ByLeader
            } else {
                Followed::NotByLeader
            });
        }
        // An instance sees its own sessions alone.
        let may_be = server == Server::Writable || self.dumps().await? > 0;
        Ok(if may_be {
            Followed::Unknown
        } else {
            Followed::NotByLeader
        })
    }

    /// How many read the log of this server, as far as this user sees them: replicas, and whatever else copies changes.
    async fn dumps(&mut self) -> Result<i64, DatabaseError> {
        let sql =
            "SELECT count(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
        let rows = self.rows(sql).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    async fn written(&mut self) -> Result<Written, DatabaseError> {
        let sql = format!(
            "SELECT head FROM {}meta WHERE id = 4",
            self.capabilities.ledger_prefix
        );
        let rows = match self.rows(&sql).await {
            Ok(rows) => rows,
            Err(error) if matches!(error.kind, ErrorKind::NoTable | ErrorKind::NoDatabase) => {
                return Ok(Written::Unsaid);
            }
            // Whoever may not read it is told so when he asks for more of it.
            Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::Statement) => {
                return Ok(Written::Unsaid);
            }
            Err(error) => return Err(error),
        };
        let recorded = rows.first().map(|row| row.text(0)).transpose()?;
        Ok(match (recorded, self.server.as_deref()) {
            (Some(recorded), Some(server)) if is_of(recorded, server) => Written::Here,
            (Some(_), Some(_)) => Written::Elsewhere,
            _ => Written::Unsaid,
        })
    }

    /// What this statement shows; `None` where this user may not ask, or the server does not know it.
    async fn if_it_may(
        &mut self,
        look: &'static str,
    ) -> Result<Option<Vec<MySqlRow>>, DatabaseError> {
        self.begin_now().await?;
        match self.fetch(sqlx::raw_sql(look)).await {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::Statement) => {
                tracing::debug!("{look}: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The statement that lets this user look.
    fn grant(&self, looking: Looking) -> String {
        let right = match (looking, self.flavour) {
            (Looking::Leaders, Flavour::MariaDb) => "SLAVE MONITOR",
            (Looking::Leaders, Flavour::MySql) => "REPLICATION CLIENT",
            (Looking::Followers, Flavour::MariaDb) => "REPLICATION MASTER ADMIN",
            (Looking::Followers, Flavour::MySql) => "REPLICATION SLAVE",
        };
        format!("`GRANT {right} ON *.* TO` its name")
    }
}

#[derive(Clone, Copy)]
enum Looking {
    Leaders,
    Followers,
}

/// A process says it once: an instance connects again and again.
static ONCE: Once = Once::new();

fn standby(what: impl Into<String>) -> DatabaseError {
    DatabaseError::new(ErrorKind::Standby, what)
}

/// Whether this is the server that is recorded: earlier builds have recorded its number alone.
fn is_of(recorded: &str, server: &str) -> bool {
    recorded == server || server.split('/').next() == Some(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(link: Link) -> Leader {
        Leader { number: None, link }
    }

    #[test]
    fn who_follows_is_a_primary_only_in_a_circle_or_alone_with_its_own_ledger() {
        for (link, followed, written, is_primary) in [
            (Link::Made, Followed::ByLeader, Written::Elsewhere, true),
            // Followed by others: a chain, or a program that reads the log.
            (Link::Made, Followed::NotByLeader, Written::Here, false),
            (Link::Made, Followed::NotByLeader, Written::Elsewhere, false),
            (Link::Made, Followed::Unknown, Written::Here, true),
            (Link::Made, Followed::Unknown, Written::Elsewhere, false),
            (Link::Made, Followed::Unknown, Written::Unsaid, false),
            (Link::Seeking, Followed::NotByLeader, Written::Here, true),
            (
                Link::Seeking,
                Followed::NotByLeader,
                Written::Elsewhere,
                false,
            ),
            (Link::Seeking, Followed::NotByLeader, Written::Unsaid, false),
        ] {
            let found = leads(&[leader(link)], followed, written);
            assert_eq!(found, is_primary, "{link:?} {followed:?} {written:?}");
        }
        let one_is_there = [leader(Link::Seeking), leader(Link::Made)];
        assert!(!leads(&one_is_there, Followed::NotByLeader, Written::Here));
    }

    #[test]
    fn a_server_is_known_by_its_number_alone_as_well() {
        assert!(is_of("7", "7/aaaa"));
        assert!(is_of("7/aaaa", "7/aaaa"));
        assert!(!is_of("7/bbbb", "7/aaaa"));
        assert!(!is_of("1", "11/aaaa"));
    }
}
