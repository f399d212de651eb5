//! How the server carries out the actions of an `ALTER TABLE`: the worst of them decides for all.

use super::super::release::Release;
use super::super::words::Words;
use super::Server;

/// From what is over at once to what keeps writers out for as long as the table is large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// The catalogue alone.
    Instant,
    /// It takes its time beside those who write, and leaves the table where it is.
    Online,
    /// It leaves the table where it is, and keeps writers out.
    NoWrites,
    /// The table is built anew beside those who write.
    Rebuild,
    /// The table is built anew, and writers are kept out.
    RebuildNoWrites,
    /// At once or by a copy: which stands in no file.
    Depends,
    /// A copy that also looks whether each row satisfies something.
    Checks,
    /// Row by row into another table, and writers are kept out.
    Copy,
}

impl Way {
    /// What all the actions come to.
    pub fn of(words: &Words<'_>, server: Server) -> Self {
        let pieces = words.pieces();
        let drops_key = pieces
            .iter()
            .any(|piece| piece.is(&["drop", "primary", "key"]));
        let adds_key = pieces.iter().any(|piece| adds(piece, &["primary", "key"]));
        let ways = pieces.iter().map(|piece| match action(*piece, server) {
            // One takes the place of the other.
            Way::Copy if drops_key && adds_key && piece.is(&["drop", "primary"]) => Way::Rebuild,
            way => way,
        });
        let worst = ways.max().unwrap_or(Way::Instant);
        // Each is gentle alone; together the server builds the table anew.
        let has_column = pieces.iter().any(is_of_column);
        let has_index = worst == Way::Online;
        if has_column && has_index {
            Way::Rebuild
        } else {
            worst
        }
    }

    pub fn of_index(kind: Option<&str>, server: Server) -> Self {
        match (kind, server) {
            // The first one of a table adds a hidden column.
            (Some("fulltext"), _) => Way::RebuildNoWrites,
            (Some(_), _) => Way::NoWrites,
            (None, _) => Way::Online,
        }
    }
}

/// Whether it adds or drops a column.
fn is_of_column(piece: &Words<'_>) -> bool {
    const OTHERS: &[&str] = &[
        "constraint",
        "primary",
        "unique",
        "foreign",
        "check",
        "fulltext",
        "spatial",
        "vector",
        "index",
        "key",
        "partition",
        "system",
        "period",
    ];
    let mut rest = *piece;
    (rest.eat(&["add"]) || rest.eat(&["drop"])) && !OTHERS.iter().any(|word| rest.is(&[word]))
}

fn adds(piece: &Words<'_>, what: &[&str]) -> bool {
    let mut rest = *piece;
    if !rest.eat(&["add"]) {
        return false;
    }
    if rest.eat(&["constraint"]) && !rest.is(what) {
        let _ = rest.part();
    }
    rest.is(what)
}

fn since(server: Server, mysql: Release, mariadb: Release) -> bool {
    match server {
        Server::Mysql(release) => release >= mysql,
        Server::Mariadb(release) => release >= mariadb,
    }
}

fn action(mut piece: Words<'_>, server: Server) -> Way {
    let anywhere = since(server, Release::new(8, 0, 29), Release::new(10, 4, 0));
    if piece.eat(&["add"]) {
        return added(piece, server, anywhere);
    }
    if piece.eat(&["drop"]) {
        return dropped(piece, anywhere);
    }
    if piece.eat(&["modify"]) {
        return Way::Depends;
    }
    if piece.eat(&["change"]) {
        return Way::Depends;
    }
    if piece.eat(&["convert"]) {
        return Way::Copy;
    }
    if piece.eat(&["engine"]) {
        piece.eat_sign("=");
        return if piece.is(&["innodb"]) {
            Way::Rebuild
        } else {
            Way::Copy
        };
    }
    if piece.is(&["force"])
        || piece.is(&["row_format"])
        || piece.is(&["key_block_size"])
        || piece.is(&["encryption"])
        || piece.is(&["encrypted"])
        || piece.is(&["page_compressed"])
    {
        return Way::Rebuild;
    }
    if piece.is(&["order", "by"])
        || piece.is(&["partition", "by"])
        || piece.holds(&["partition", "by"])
        || piece.is(&["remove", "partitioning"])
        || piece.is(&["reorganize"])
        || piece.is(&["coalesce"])
        || piece.is(&["rebuild", "partition"])
        || piece.is(&["optimize", "partition"])
        || piece.is(&["tablespace"])
    {
        return Way::Copy;
    }
    Way::Instant
}

fn added(mut piece: Words<'_>, server: Server, anywhere: bool) -> Way {
    if piece.eat(&["constraint"])
        && !["primary", "unique", "foreign", "check"]
            .iter()
            .any(|word| piece.is(&[word]))
    {
        let _ = piece.part();
    }
    if piece.is(&["primary", "key"]) {
        return Way::Rebuild;
    }
    if piece.is(&["foreign", "key"]) || piece.is(&["check"]) {
        return if piece.has(&["not", "enforced"]) {
            Way::Instant
        } else {
            Way::Checks
        };
    }
    if piece.is(&["fulltext"]) || piece.is(&["spatial"]) {
        let kind = if piece.is(&["fulltext"]) {
            "fulltext"
        } else {
            "spatial"
        };
        return Way::of_index(Some(kind), server);
    }
    if piece.is(&["unique"]) || piece.is(&["index"]) || piece.is(&["key"]) || piece.is(&["vector"])
    {
        return Way::Online;
    }
    if piece.eat(&["partition"]) {
        // With more of them each row belongs elsewhere: by HASH or KEY, where they are counted or have no bounds.
        let is_by_hash = piece.holds(&["partitions"])
            || piece.holds(&["partition"]) && !piece.holds(&["values"]);
        return if is_by_hash { Way::Copy } else { Way::Instant };
    }
    if piece.is(&["system"]) || piece.is(&["period"]) {
        return Way::Copy;
    }
    piece.eat(&["column"]);
    piece.eat_condition();
    match piece.inside() {
        Some(several) => several
            .pieces()
            .into_iter()
            .map(|one| column(one, server, anywhere))
            .max()
            .unwrap_or(Way::Instant),
        None => column(piece, server, anywhere),
    }
}

/// The same for each row, so that the catalogue alone may keep it.
const OF_THE_TIME: &[&str] = &[
    "curdate",
    "current_date",
    "current_time",
    "current_timestamp",
    "curtime",
    "localtime",
    "localtimestamp",
    "now",
    "unix_timestamp",
    "utc_date",
    "utc_time",
    "utc_timestamp",
];

fn column(mut piece: Words<'_>, server: Server, anywhere: bool) -> Way {
    let _ = piece.part();
    if piece.has(&["auto_increment"]) || piece.is(&["serial"]) {
        return Way::RebuildNoWrites;
    }
    if piece.has(&["stored"]) || piece.has(&["persistent"]) {
        return Way::Copy;
    }
    let default = piece.behind(&["default"]);
    let calls = default.map(|value| {
        value
            .until(&["comment", "check", "references", "on"])
            .calls()
    });
    let is_computed = calls.is_some_and(|calls| {
        calls
            .iter()
            .any(|call| !OF_THE_TIME.contains(&call.as_str()))
    });
    let is_expression = default.is_some_and(|value| value.is_sign("("));
    if is_computed || is_expression && matches!(server, Server::Mysql(_)) {
        return Way::Copy;
    }
    // MySQL reads past it; MariaDB makes a foreign key of it.
    if piece.has(&["references"]) && matches!(server, Server::Mariadb(_)) {
        return Way::Checks;
    }
    if piece.has(&["check"]) && matches!(server, Server::Mysql(_)) {
        return Way::Checks;
    }
    let is_first = piece.has(&["first"]) || piece.has(&["after"]);
    let is_instant = since(server, Release::new(8, 0, 12), Release::new(10, 3, 2));
    let way = if is_instant && (anywhere || !is_first) {
        Way::Instant
    } else {
        Way::Rebuild
    };
    let is_indexed = piece.has(&["unique"]) || piece.has(&["key"]);
    if is_indexed {
        way.max(Way::Rebuild)
    } else {
        way
    }
}

fn dropped(mut piece: Words<'_>, anywhere: bool) -> Way {
    if piece.is(&["primary", "key"]) {
        return Way::Copy;
    }
    let is_other = [
        "index",
        "key",
        "foreign",
        "constraint",
        "check",
        "partition",
    ]
    .iter()
    .any(|word| piece.is(&[word]));
    if is_other {
        return Way::Instant;
    }
    if piece.is(&["system"]) || piece.is(&["period"]) {
        return Way::Copy;
    }
    piece.eat(&["column"]);
    if anywhere { Way::Instant } else { Way::Rebuild }
}
