//! What a step costs those who use its tables, by what these hold now and by who is at work.
//!
//! Nothing here stops a step: how long it takes is an estimate, and how long is too long is for people to say.

use std::time::Duration;

use crate::database::{
    Access, Connection, DatabaseError, LockTimeout, OpenTransaction, Sizes, TableSize,
};
use crate::model::{MigrationId, Step};
use crate::project::{LintConfig, Priced, Project};
use crate::sql::{Place, Work};

/// What is read of a table in a second, where nothing else is known. Servers of today read more from memory, and less
/// from a disk on a network.
const READ: u64 = 500_000_000;
/// What is written, or put into an index.
const WRITTEN: u64 = 100_000_000;
/// The size of a table is asked under a lock that everybody has who reads it.
const LOCKED: LockTimeout = LockTimeout(Duration::from_millis(200));

/// What is known of a step before it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// What its statements cost on the tables that are large.
    pub costs: Vec<String>,
    /// Who has been at work for so long that a lock is waited for.
    pub busy: Option<OpenTransaction>,
}

impl Weighed {
    /// All of it, in sentences.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        let busy = self.busy.iter().map(|open| {
            format!(
                "a transaction of {} (session {}) has been open for {}: a lock on what it has used is waited for, and whoever comes \
                 after waits behind",
                open.who,
                open.session,
                span(open.open_for)
            )
        });
        self.costs.iter().cloned().chain(busy)
    }
}

/// Asks how large the tables of a step are that others wait for, and who has been at work the longest. Nothing is known where that
/// cannot be asked: it is no reason to stop.
pub async fn weighed(
    project: &Project,
    id: &MigrationId,
    step: Step,
    connection: &mut dyn Connection,
) -> Weighed {
    let dialect = connection.capabilities().dialect;
    let Some(migration) = project.as_read(id) else {
        return Weighed::default();
    };
    let priced = project.priced(migration, step, dialect);
    if priced.is_empty() && step != Step::Contract {
        return Weighed::default();
    }
    let mut places: Vec<Place> = Vec::new();
    for one in &priced {
        if !places.contains(&one.place) {
            places.push(one.place.clone());
        }
    }
    let sizes = asked(connection, &places).await;
    if let Err(error) = connection.rollback().await {
        tracing::debug!("after the sizes of tables: {error}");
    }
    match sizes {
        Ok(sizes) => said(&priced, &places, &sizes, &project.config.lint),
        Err(error) => {
            tracing::debug!("how large the tables are was not asked: {error}");
            Weighed::default()
        }
    }
}

async fn asked(connection: &mut dyn Connection, places: &[Place]) -> Result<Sizes, DatabaseError> {
    connection.begin(Access::Read).await?;
    connection.limit_lock_waits(LOCKED).await?;
    connection.sizes(places).await
}

fn said(priced: &[Priced], places: &[Place], sizes: &Sizes, lint: &LintConfig) -> Weighed {
    let size_of = |place: &Place| {
        let at = places.iter().position(|one| one == place)?;
        *sizes.tables.get(at)?
    };
    let is_large = |size: &TableSize| match size.rows {
        Some(rows) => rows >= lint.large_rows,
        // Nobody has counted: a row of a hundred bytes is none that is small.
        None => size.bytes / 100 >= lint.large_rows,
    };
    let costs = priced.iter().filter_map(|one| {
        let size = size_of(&one.place).filter(is_large)?;
        let held = match size.rows {
            Some(rows) => format!("about {rows} rows in {}", bytes(size.bytes)),
            None => bytes(size.bytes),
        };
        let table = &one.place.table;
        let how_long = match takes(one.work, size.bytes) {
            Some(time) => format!(", so about {}", span(time)),
            None => String::new(),
        };
        Some(format!(
            "{}:{}: {}; `{table}` has {held}{how_long}",
            one.path.display(),
            one.line,
            one.says
        ))
    });
    let longest = sizes.longest.as_ref();
    let longest = longest.filter(|open| open.open_for >= lint.long_transaction);
    Weighed {
        costs: costs.collect(),
        busy: longest.cloned(),
    }
}

/// About how long it takes over so many bytes, where that depends on them.
fn takes(work: Work, bytes: u64) -> Option<Duration> {
    let rate = match work {
        Work::Scans | Work::Holds => READ,
        Work::Rewrites | Work::Fills | Work::LocksWrites => WRITTEN,
        Work::LocksOut | Work::NoEquality | Work::KeepsInvalid => return None,
    };
    Some(Duration::from_millis(bytes.saturating_mul(1000) / rate))
}

/// `21 GB`, in thousands.
fn bytes(bytes: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1000, "kB"),
    ];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes < unit * 10 => {
            let tenths = bytes * 10 / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

/// `40 s`, `3 min`, `2 h`; never none at all.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => "1 s".to_owned(),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priced(work: Work) -> Priced {
        Priced {
            index: 0,
            path: "0003_x/contract.sql".into(),
            line: 3,
            place: Place {
                schema: None,
                table: "orders".into(),
            },
            work,
            says: "this reads every row of `orders`, and nobody reads or writes it meanwhile"
                .into(),
        }
    }

    fn weighed(work: Work, rows: Option<u64>, bytes: u64, open_for: u64) -> Weighed {
        let priced = [priced(work)];
        let sizes = Sizes {
            tables: vec![Some(TableSize { rows, bytes })],
            longest: Some(OpenTransaction {
                open_for: Duration::from_secs(open_for),
                who: "app (web/1.0.0)".into(),
                session: 42,
            }),
        };
        let places = [priced[0].place.clone()];
        said(&priced, &places, &sizes, &LintConfig::default())
    }

    #[test]
    fn a_large_table_is_said_with_how_long_it_takes() {
        let said = weighed(Work::Scans, Some(2_100_000), 21_000_000_000, 0);
        assert_eq!(
            said.costs,
            [
                "0003_x/contract.sql:3: this reads every row of `orders`, and nobody reads or writes it meanwhile; `orders` has about \
              2100000 rows in 21 GB, so about 42 s"
            ]
        );
        assert_eq!(said.busy, None);
        for (work, rows, bytes, end) in [
            (
                Work::Rewrites,
                Some(2_100_000),
                21_000_000_000,
                "so about 3 min",
            ),
            (
                Work::LocksOut,
                Some(2_100_000),
                21_000_000_000,
                "2100000 rows in 21 GB",
            ),
            (
                Work::Scans,
                None,
                2_500_000_000,
                "`orders` has 2.5 GB, so about 5 s",
            ),
            (
                Work::Scans,
                Some(100_000),
                9_000_000,
                "rows in 9.0 MB, so about 1 s",
            ),
        ] {
            let said = weighed(work, rows, bytes, 0);
            assert!(said.costs[0].ends_with(end), "{said:?}");
        }
    }

    #[test]
    fn a_small_table_and_a_short_transaction_are_no_news() {
        assert_eq!(
            weighed(Work::Scans, Some(99_999), 21_000_000_000, 29),
            Weighed::default()
        );
        assert_eq!(
            weighed(Work::Rewrites, None, 9_000_000, 0),
            Weighed::default()
        );
        let said = weighed(Work::Scans, Some(1), 1000, 180);
        let busy = said.notes().next().unwrap();
        assert!(
            busy.contains("app (web/1.0.0) (session 42)") && busy.contains("open for 3 min"),
            "{busy}"
        );
    }
}
