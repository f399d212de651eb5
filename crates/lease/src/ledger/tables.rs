//! The ledger's tables, and how their names are put into statements.

use super::{FORMAT, LedgerError, apart, checks, columns, indexes, rights, shape};
use crate::database::{Access, Capabilities, Connection, DatabaseError, Ddl, ErrorKind, Owners};

/// Every table: its name and its columns. Those that came later are in [`columns::ADDED`].
const TABLES: &[(&str, &str)] = &[
    (
        "meta",
        // The head of the event log stands here so that appending need not look for it.
        "id {key_int} PRIMARY KEY, format BIGINT NOT NULL, events BIGINT NOT NULL, head {key_text} NOT NULL",
    ),
    (
        "admission",
        // The row on which admissions and phase changes wait for each other.
        "id {key_int} PRIMARY KEY CHECK (id = 1), seq BIGINT NOT NULL",
    ),
    (
        "coordinator",
        "id {key_int} PRIMARY KEY, token BIGINT NOT NULL, holder {text} NOT NULL, \
         doing {text} NOT NULL, expires_at BIGINT NOT NULL",
    ),
    (
        "migrations",
        // What begins with `backfill` is of earlier versions of this program, which kept one checkpoint here.
        "number {key_int} PRIMARY KEY, id {key_text} NOT NULL, phase {key_text} NOT NULL, \
         kinds {key_text} NOT NULL, declaration {text} NOT NULL, \
         seq BIGINT NOT NULL, step_back {key_text}, changed_at BIGINT NOT NULL, \
         backfill_after {text}, backfill_upto {text}, backfill_rows BIGINT NOT NULL",
    ),
    (
        "backfills",
        // `run` is the `changed_at` of the migration when the backfill began, and `sha256` that of its statement.
        "number {key_int} PRIMARY KEY, run BIGINT NOT NULL, sha256 {key_text} NOT NULL, paused BIGINT NOT NULL, pace BIGINT, \
         total BIGINT NOT NULL, rate BIGINT NOT NULL, held_by {text} NOT NULL, \
         started_at BIGINT NOT NULL, beat_at BIGINT NOT NULL",
    ),
    (
        "backfill_ranges",
        "number BIGINT NOT NULL, position BIGINT NOT NULL, begins {key_text} NOT NULL, \
         key_from {text} NOT NULL, key_upto {text} NOT NULL, seen BIGINT NOT NULL, changed BIGINT NOT NULL, \
         batches BIGINT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (number, position)",
    ),
    (
        "files",
        "number BIGINT NOT NULL, phase {key_text} NOT NULL, path {key_text} NOT NULL, \
         sha256 {key_text} NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (number, phase, path)",
    ),
    (
        "steps",
        "number BIGINT NOT NULL, phase {key_text} NOT NULL, position BIGINT NOT NULL, \
         sha256 {key_text} NOT NULL, state {key_text} NOT NULL, statement {text} NOT NULL, \
         started_at BIGINT NOT NULL, done_at BIGINT, PRIMARY KEY (number, phase, position, sha256)",
    ),
    (
        "failures",
        // The last failure of each migration, and beside it those of its other steps; what was recorded of it since shows that
        // it was mended.
        "number {key_int} PRIMARY KEY, id {key_text} NOT NULL, step {key_text} NOT NULL, message {text} NOT NULL, \
         actor {text} NOT NULL, at BIGINT NOT NULL",
    ),
    (
        "leases",
        // Any instance may write here. What makes no sense is refused, and read as nothing of the kind where it is not.
        "id {key_text} PRIMARY KEY, service {key_text} NOT NULL, version {key_text} NOT NULL, \
         instance {text} NOT NULL, state BIGINT NOT NULL CHECK (state BETWEEN 0 AND 2), \
         registered_at BIGINT NOT NULL CHECK (registered_at BETWEEN 0 AND 4503599627370496), \
         renewed_at BIGINT NOT NULL CHECK (renewed_at BETWEEN 0 AND 4503599627370496), \
         renew_ms BIGINT NOT NULL CHECK (renew_ms BETWEEN 1 AND 604800000), \
         expires_at BIGINT NOT NULL CHECK (expires_at BETWEEN 0 AND 4503599627370496)",
    ),
    (
        "sightings",
        "service {key_text} NOT NULL, version {key_text} NOT NULL, placed {key_text}, \
         first_seen_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL, seq BIGINT NOT NULL, \
         PRIMARY KEY (service, version)",
    ),
    (
        "looks",
        // When each source other than the leases has last told all there is of a service; 0 where never yet.
        "source {key_text} NOT NULL, service {key_text} NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (source, service)",
    ),
    (
        "seen",
        // What such a source has shown, and no later look at it shows to be gone.
        "source {key_text} NOT NULL, service {key_text} NOT NULL, version {key_text} NOT NULL, \
         instances BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (source, service, version)",
    ),
    (
        // After the two before it: where it is, they are.
        "arrivals",
        // One row whenever there are more live versions than before: `seq` is the number of that admission or
        // record, `live` all of them, `strays` whom an earlier version of this program admitted meanwhile.
        "seq {key_int} PRIMARY KEY, at BIGINT NOT NULL, live {text} NOT NULL, strays {text} NOT NULL",
    ),
    (
        "rollouts",
        // At most one is open.
        "id {key_int} PRIMARY KEY, goal {text} NOT NULL, state {key_text} NOT NULL, began_by {text} NOT NULL, \
         began_at BIGINT NOT NULL, ended_at BIGINT, stopped {text} NOT NULL",
    ),
    (
        "rollout_steps",
        "rollout BIGINT NOT NULL, position BIGINT NOT NULL, action {text} NOT NULL, state {key_text} NOT NULL, \
         reached BIGINT NOT NULL, started_at BIGINT, done_at BIGINT, PRIMARY KEY (rollout, position)",
    ),
    (
        // What the server's counters have shown of statements that name what a contract takes away.
        "uses",
        "number {key_int} PRIMARY KEY, subject {text} NOT NULL, counters {text} NOT NULL, evicted BIGINT NOT NULL, \
         since BIGINT NOT NULL, began {text} NOT NULL, at BIGINT NOT NULL, statements {text} NOT NULL",
    ),
    (
        "events",
        "seq {key_int} PRIMARY KEY, at BIGINT NOT NULL, actor {text} NOT NULL, kind {key_text} NOT NULL, \
         migration {key_text}, detail {text} NOT NULL, previous {key_text} NOT NULL, hash {key_text} NOT NULL",
    ),
];

/// The name of each.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// The hash before the first event.
pub(super) const GENESIS: &str = "";

/// Puts the names of tables and the database's own expressions into a statement.
pub(super) fn render(capabilities: &Capabilities, sql: &str) -> String {
    let mut result = String::with_capacity(sql.len() + 64);
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('{') {
        result.push_str(before);
        let Some((word, after)) = after.split_once('}') else {
            result.push('{');
            rest = after;
            continue;
        };
        match word {
            "now" => result.push_str(capabilities.now_ms),
            "for_update" => result.push_str(capabilities.for_update),
            "key_int" => result.push_str(capabilities.key_int),
            "key_text" => result.push_str(capabilities.key_text),
            "text" => result.push_str(capabilities.text),
            "octets" => result.push_str(capabilities.octets),
            "client_address" => result.push_str(capabilities.client_address),
            "client_session" => result.push_str(capabilities.client_session),
            "client_user" => result.push_str(capabilities.client_user),
            table => {
                result.push_str(&capabilities.ledger_prefix);
                result.push_str(table);
            }
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Whether the ledger is there, asked inside an open transaction.
pub(super) async fn exist(connection: &mut dyn Connection) -> Result<bool, LedgerError> {
    exists(connection, "meta").await
}

/// Whether this table of the ledger is there, asked inside an open transaction, where a query that fails may
/// end it.
pub(super) async fn exists(
    connection: &mut dyn Connection,
    table: &str,
) -> Result<bool, LedgerError> {
    let sql = connection
        .capabilities()
        .ledger_exists
        .replace("{table}", table);
    let rows = connection.query(&sql, &[]).await?;
    Ok(super::first(&rows)?.int(0)? > 0)
}

/// Looks at the tables where nobody has yet, in the open transaction, which is over where something speaks against them.
pub(super) async fn look(
    connection: &mut dyn Connection,
    owners: Option<Owners>,
) -> Result<(), LedgerError> {
    let Some(owners) = owners else {
        return Ok(());
    };
    let found = inspect(connection, owners).await;
    if found.is_err() {
        // What has gone wrong matters, and not whether it could be given up in good order.
        let _ = connection.rollback().await;
    }
    found
}

/// Looks at the tables before anything is read from them or written to them.
///
/// Invariant: nothing is read from or written to a table of somebody else's, one that was altered, or where code of somebody's
/// would run.
async fn inspect(connection: &mut dyn Connection, owners: Owners) -> Result<(), LedgerError> {
    let names: Vec<&str> = names().collect();
    let mut against = connection.against_ledger(&names, owners).await?;
    let capabilities = connection.capabilities();
    let query = shape::query(&capabilities.ledger_columns, &names);
    let found = connection.query(&query, &[]).await?;
    let prefix = &capabilities.ledger_prefix;
    let compared = shape::compared(&found, &as_made(), prefix)?;
    against.extend(compared.against);
    if against.is_empty() && !compared.lacking.is_empty() {
        // A ledger of before lacks what it does not say that it has.
        let recorded = recorded(connection).await?;
        let lacking = compared.lacking.into_iter();
        let lacking = lacking.filter(|(table, name)| recorded.has(table, name));
        against = lacking
            .map(|(table, name)| shape::no_column(prefix, table, name))
            .collect();
    }
    if against.is_empty() {
        return Ok(());
    }
    Err(LedgerError::Foreign(against))
}

/// Every column, as this program makes it.
fn as_made() -> Vec<shape::Column> {
    let with_tables = TABLES
        .iter()
        .flat_map(|(table, columns)| shape::of_table(table, columns));
    let later = columns::ADDED
        .iter()
        .map(|column| shape::added(column.table, column.name, column.kind));
    with_tables.chain(later).collect()
}

/// Which of the columns that came later the ledger says that it has.
async fn recorded(connection: &mut dyn Connection) -> Result<columns::Columns, LedgerError> {
    if !exist(connection).await? {
        return Ok(columns::Columns::new(0));
    }
    let sql = format!("SELECT {}", columns::LEVEL);
    let sql = render(&connection.capabilities(), &sql);
    let rows = connection.query(&sql, &[]).await?;
    Ok(columns::Columns::new(super::first(&rows)?.int(0)?))
}

/// Creates the ledger where there is none.
pub(super) async fn ensure(connection: &mut dyn Connection) -> Result<(), LedgerError> {
    // Two programs may create it at the same moment; the loser finds it there the next time.
    const ATTEMPTS: u32 = 5;
    for attempt in 1.. {
        connection.begin(Access::Read).await?;
        let exists = exist(connection).await;
        connection.rollback().await?;
        if exists? {
            return Ok(());
        }
        match create(connection).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                connection.rollback().await?;
                let LedgerError::Database(error) = error else {
                    return Err(error);
                };
                let lost_a_race = matches!(
                    error.kind,
                    ErrorKind::Statement
                        | ErrorKind::NoTable
                        | ErrorKind::Conflict
                        | ErrorKind::Locked
                        | ErrorKind::Timeout
                );
                if !lost_a_race || attempt >= ATTEMPTS {
                    return Err(error.into());
                }
            }
        }
    }
    Ok(())
}

/// Creates the tables that are missing in a ledger that is there.
pub(super) async fn create_missing(connection: &mut dyn Connection) -> Result<(), LedgerError> {
    let capabilities = connection.capabilities();
    let statements = TABLES
        .iter()
        .map(|(name, columns)| table(&capabilities, name, columns));
    match capabilities.ddl {
        Ddl::Transactional => {
            connection.begin(Access::Write).await?;
            let mut made = Vec::new();
            for (name, sql) in names().zip(statements) {
                if !exists(connection, name).await? {
                    connection.execute(&sql, &[]).await?;
                    made.push(name);
                }
            }
            rights::take_back(connection, &made).await?;
            Ok(connection.commit().await?)
        }
        Ddl::CommitsImplicitly => {
            for sql in statements {
                connection.run_own(&sql, columns::WAIT).await?;
            }
            Ok(())
        }
    }
}

/// The rows that are always there: a table, its columns and their values.
const ROWS: &[(&str, &str, &str)] = &[
    ("admission", "id, seq", "1, 0"),
    (
        "coordinator",
        "id, token, holder, doing, expires_at",
        "1, 0, '', '', 0",
    ),
];

async fn create(connection: &mut dyn Connection) -> Result<(), LedgerError> {
    match connection.capabilities().ddl {
        Ddl::Transactional => create_at_once(connection).await,
        Ddl::CommitsImplicitly => {
            apart::prepare(connection).await?;
            Ok(create_step_by_step(connection).await?)
        }
    }
}

async fn create_at_once(connection: &mut dyn Connection) -> Result<(), LedgerError> {
    let capabilities = connection.capabilities();
    connection.begin(Access::Write).await?;
    // Not even an insert before it is known whose they are.
    inspect(connection, Owners::Trusted).await?;
    for statement in capabilities.ledger_setup {
        connection.execute(statement, &[]).await?;
    }
    for (name, columns) in TABLES {
        let sql = table(&capabilities, name, columns);
        connection.execute(&sql, &[]).await?;
    }
    for index in indexes::all(&capabilities) {
        let sql = index.create(&capabilities);
        connection
            .execute(&render(&capabilities, &sql), &[])
            .await?;
    }
    let (meta, head) = first_of_meta();
    let added = columns::row();
    let rows = [("meta", meta, head.as_str()), ("meta", meta, &added)];
    for (table, columns, values) in ROWS.iter().copied().chain(rows) {
        let sql = format!("INSERT INTO {{{table}}} ({columns}) VALUES ({values})");
        connection
            .execute(&render(&capabilities, &sql), &[])
            .await?;
    }
    let names: Vec<&str> = names().collect();
    rights::take_back(connection, &names).await?;
    // Somebody may have made a part of it a moment ago, or long before.
    inspect(connection, Owners::Trusted).await?;
    crate::crash::point("ledger.created");
    Ok(connection.commit().await?)
}

/// Where each table is there as soon as it is created. The one that says that there is a ledger is made under
/// another name, and renamed when everything else is in place: so there is a whole ledger or none, whenever
/// this is interrupted.
async fn create_step_by_step(connection: &mut dyn Connection) -> Result<(), DatabaseError> {
    let capabilities = connection.capabilities();
    for (name, holds) in TABLES {
        let (name, mut holds) = match *name {
            "meta" => ("meta_new", (*holds).to_owned()),
            name => (name, (*holds).to_owned()),
        };
        if name == "leases" {
            for index in indexes::all(&capabilities) {
                holds.push_str(&format!(", INDEX {} {}", index.name, index.of));
            }
        }
        let sql = table(&capabilities, name, &holds);
        connection.run_own(&sql, columns::WAIT).await?;
        crate::crash::point("ledger.table");
    }
    let (meta, head) = first_of_meta();
    let added = columns::row();
    let of = capabilities.apart.as_ref().map(apart::row);
    let rows = [
        ("meta_new", meta, head.as_str()),
        ("meta_new", meta, &added),
    ];
    let rows = rows
        .into_iter()
        .chain(of.as_deref().map(|of| ("meta_new", meta, of)));
    connection.begin(Access::Write).await?;
    for (table, columns, values) in ROWS.iter().copied().chain(rows) {
        // An earlier attempt may have come this far.
        let id = values.split(',').next().unwrap_or(values);
        let sql = format!(
            "INSERT INTO {{{table}}} ({columns}) SELECT {values} FROM (SELECT 1) AS one \
             WHERE NOT EXISTS (SELECT 1 FROM {{{table}}} WHERE id = {id})"
        );
        connection
            .execute(&render(&capabilities, &sql), &[])
            .await?;
    }
    connection.commit().await?;
    crate::crash::point("ledger.created");
    let publish = render(&capabilities, "RENAME TABLE {meta_new} TO {meta}");
    let published = connection.run_own(&publish, columns::WAIT).await;
    if published.is_err() {
        // Somebody else was faster; what is there now is whole.
        let clear = render(&capabilities, "DROP TABLE IF EXISTS {meta_new}");
        connection.run_own(&clear, columns::WAIT).await?;
    }
    published
}

fn table(capabilities: &Capabilities, name: &str, columns: &str) -> String {
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {{{name}}} ({}{})",
        columns::with_added(name, columns),
        checks::of_new(name)
    );
    let mut sql = render(capabilities, &sql) + capabilities.table_options;
    if columns.contains("PRIMARY KEY (") {
        sql.push_str(capabilities.composite_key_options);
    }
    sql
}

/// The columns and the values of the ledger's own row.
fn first_of_meta() -> (&'static str, String) {
    (
        "id, format, events, head",
        format!("1, {FORMAT}, 0, '{GENESIS}'"),
    )
}
