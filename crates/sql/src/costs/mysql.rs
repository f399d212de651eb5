//! MySQL and MariaDB: which `ALTER TABLE` changes the catalogue alone, which builds beside writers, and which copies the table
//! while nobody writes. The table of `way` is asked of a MariaDB server in the suite, clause by clause.

mod way;

use super::super::{Dialect, Place, Script};
use super::release::Release;
use super::toll::{IN_PORTIONS, Toll};
use super::words::{Words, tokens};
use super::{Known, Servers, Work};
use way::Way;

/// Which of the two servers, and how old it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Mysql(Release),
    Mariadb(Release),
}

impl Server {
    const fn name(self) -> &'static str {
        match self {
            Self::Mysql(_) => "MySQL",
            Self::Mariadb(_) => "MariaDB",
        }
    }
}

/// Those that a project runs on: both, where it does not say.
fn servers(given: Servers) -> Vec<Server> {
    let mysql = given.mysql.map(Server::Mysql);
    let mariadb = given.mariadb.map(Server::Mariadb);
    let named: Vec<Server> = mysql.into_iter().chain(mariadb).collect();
    if !named.is_empty() {
        return named;
    }
    vec![
        Server::Mysql(Release::new(8, 0, 36)),
        Server::Mariadb(Release::new(10, 6, 0)),
    ]
}

pub(super) fn toll(script: &Script, index: usize, known: &Known<'_>) -> Toll {
    let given = known.servers;
    let mut toll = Toll::default();
    let Some(statement) = script.statements.get(index) else {
        return toll;
    };
    let tokens = tokens(Dialect::Mysql, statement);
    let mut words = Words::new(Dialect::Mysql, &statement.text, &tokens);
    if words.eat(&["alter"]) {
        while words.eat_any(&["online", "ignore"]) {}
        if words.eat(&["table"]) {
            altered(words, given, &mut toll);
        }
    } else if words.eat(&["create"]) {
        created(words, known, &mut toll);
    } else if words.eat(&["drop", "index"]) {
        words.eat_condition();
        let _ = words.part();
        if words.eat(&["on"])
            && let Some(place) = words.place()
        {
            let ways = servers(given).into_iter();
            let forced = Forced::of(&words);
            judged(
                &place,
                &forced,
                ways.map(|server| (server, Way::Instant)),
                &mut toll,
            );
        }
    } else if words.eat(&["optimize"]) {
        words.eat_any(&["local", "no_write_to_binlog"]);
        words.eat_any(&["table", "tables"]);
        for mut piece in words.pieces() {
            if let Some(place) = piece.place() {
                said(&place, &[(Way::Rebuild, servers(given))], &mut toll);
            }
        }
    } else {
        rows(words, known, &mut toll);
    }
    toll
}

fn created(mut words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    words.eat(&["or", "replace"]);
    words.eat_any(&["temporary"]);
    if words.eat(&["table"]) {
        words.eat_condition();
        let Some(place) = words.place() else {
            return;
        };
        if words.has(&["select"]) {
            copied(&place, words, known, toll);
        }
        toll.makes.push(place);
        return;
    }
    let kind = ["fulltext", "spatial"]
        .into_iter()
        .find(|kind| words.is(&[kind]));
    words.eat_any(&["unique", "fulltext", "spatial", "vector"]);
    if words.eat(&["index"])
        && let Some(mut on) = words.behind(&["on"])
        && let Some(place) = on.place()
    {
        let forced = Forced::of(&words);
        let ways = servers(known.servers)
            .into_iter()
            .map(|server| (server, Way::of_index(kind, server)));
        judged(&place, &forced, ways, toll);
    }
}

/// What ALGORITHM and LOCK demand: the server refuses rather than do it in another way.
#[derive(Default)]
struct Forced {
    algorithm: Option<String>,
    lock: Option<String>,
}

impl Forced {
    fn of(words: &Words<'_>) -> Self {
        let of = |word: &str| {
            let mut rest = words.behind(&[word])?;
            rest.eat_sign("=");
            Some(rest.part()?.to_lowercase()).filter(|value| value != "default")
        };
        Self {
            algorithm: of("algorithm"),
            lock: of("lock"),
        }
    }

    /// Whether the server would refuse to go this way, or its author asks for it by name.
    fn settles(&self, way: Way) -> bool {
        let by_algorithm = match self.algorithm.as_deref() {
            Some("instant") => way > Way::Instant,
            Some("nocopy") => way > Way::NoWrites,
            // Who asks for it knows that a rebuild may be part of it.
            Some("inplace") => way == Way::Copy || way == Way::Depends || way == Way::Rebuild,
            _ => false,
        };
        let blocks = matches!(
            way,
            Way::NoWrites | Way::RebuildNoWrites | Way::Copy | Way::Depends
        );
        by_algorithm || self.lock.as_deref() == Some("none") && blocks
    }
}

fn altered(mut words: Words<'_>, given: Servers, toll: &mut Toll) {
    words.eat_condition();
    let Some(place) = words.place() else {
        return;
    };
    if words.eat(&["wait"]) {
        words.skip(1);
    }
    words.eat(&["nowait"]);
    let forced = Forced::of(&words);
    let ways = servers(given)
        .into_iter()
        .map(|server| (server, Way::of(&words, server)));
    judged(&place, &forced, ways, toll);
}

fn judged(
    place: &Place,
    forced: &Forced,
    ways: impl Iterator<Item = (Server, Way)>,
    toll: &mut Toll,
) {
    let table = &place.table;
    match forced.lock.as_deref() {
        Some("exclusive") => {
            toll.cost(
                Work::LocksOut,
                Some(place),
                format!("`LOCK=EXCLUSIVE` keeps everybody out of `{table}` until this is done"),
                "write `LOCK=NONE`: where the server cannot do it so, it refuses",
            );
            return;
        }
        Some("shared") => {
            toll.cost(
                Work::LocksWrites,
                Some(place),
                format!("`LOCK=SHARED` keeps writers out of `{table}` until this is done"),
                "write `LOCK=NONE`: where the server cannot do it so, it refuses",
            );
            return;
        }
        _ => {}
    }
    if forced.algorithm.as_deref() == Some("copy") {
        toll.cost(
            Work::Rewrites,
            Some(place),
            format!("`ALGORITHM=COPY` copies `{table}` row by row, and nobody writes to it meanwhile"),
            "leave it away, or write `ALGORITHM=INPLACE, LOCK=NONE`: where the server cannot do it so, it refuses",
        );
        return;
    }
    let mut by_way: Vec<(Way, Vec<Server>)> = Vec::new();
    for (server, way) in ways {
        if forced.settles(way) || way <= Way::Online {
            continue;
        }
        match by_way.iter_mut().find(|(known, _)| *known == way) {
            Some((_, servers)) => servers.push(server),
            None => by_way.push((way, vec![server])),
        }
    }
    said(place, &by_way, toll);
}

/// The worst of what they do, with the names of those that do it where others do not.
fn said(place: &Place, by_way: &[(Way, Vec<Server>)], toll: &mut Toll) {
    let Some((way, servers)) = by_way.iter().max_by_key(|(way, _)| *way) else {
        return;
    };
    let table = &place.table;
    let all: usize = by_way.iter().map(|(_, servers)| servers.len()).sum();
    let on = match servers.as_slice() {
        [one] if all == 1 => format!(" on {}", one.name()),
        _ => String::new(),
    };
    let forced = "`ALGORITHM=INPLACE, LOCK=NONE`";
    match way {
        Way::Instant | Way::Online => {}
        Way::NoWrites => toll.cost(
            Work::LocksWrites,
            Some(place),
            format!("while this index is built nobody writes to `{table}`{on}"),
            "there is no form that lets writers go on: build it while the table is small, or when nobody writes",
        ),
        Way::Rebuild => toll.cost(
            Work::Rewrites,
            Some(place),
            format!("this builds `{table}` anew beside those who write{on}: it needs its space once more, and a replica that repeats it is behind by as long"),
            format!("write {forced}, so that the server refuses rather than let writers wait; columns and indexes that are added in statements of their own leave the table where it is; one that is too large for its replicas is changed by gh-ost or pt-online-schema-change"),
        ),
        Way::RebuildNoWrites => toll.cost(
            Work::Rewrites,
            Some(place),
            format!("this builds `{table}` anew{on}, and nobody writes to it meanwhile"),
            "add the column without AUTO_INCREMENT, and number the rows in backfill.sql",
        ),
        Way::Depends => toll.cost(
            Work::Rewrites,
            Some(place),
            format!("unless the column has this type already, or a shorter one of the same kind, this copies `{table}` row by row{on}, and nobody writes to it meanwhile"),
            format!("write {forced}, so that the server refuses rather than copies; a column of another type is added beside the old one: `[change]` with `kind = \"columns\"` writes the scripts"),
        ),
        Way::Copy => toll.cost(
            Work::Rewrites,
            Some(place),
            format!("this copies `{table}` row by row{on}, and nobody writes to it meanwhile"),
            format!("write {forced}, so that the server refuses rather than copies, and add what is new beside what is there, to be filled in backfill.sql"),
        ),
        Way::Checks => toll.cost(
            Work::Scans,
            Some(place),
            format!("this checks every row of `{table}` while it copies the table{on}, and nobody writes to it meanwhile"),
            "let the applications keep to it, or add it while the table is small: neither server has a form that checks later",
        ),
    }
}

/// Rows that are read to be written elsewhere are locked against writers until the statement is done.
fn copied(place: &Place, words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    let Some(source) = words.source().filter(|_| words.has(&["select"])) else {
        return;
    };
    let is_dual = source.table.eq_ignore_ascii_case("dual");
    let Some(weight) = words.weight(&source, known).filter(|_| !is_dual) else {
        return;
    };
    toll.weighing(
        weight,
        (Work::Fills, &source),
        format!(
            "this copies the rows of `{}` to `{}` in one statement: at the level REPEATABLE READ each of them is locked until it is done, and nobody writes to it",
            source.table, place.table
        ),
        "let backfill.sql copy them, which goes over the table in batches",
    );
}

fn rows(mut words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    words.skip_queries();
    if words.eat(&["update"]) {
        while words.eat_any(&["low_priority", "ignore"]) {}
        let Some(place) = words.place() else {
            return;
        };
        let Some(weight) = words.weight(&place, known) else {
            return;
        };
        toll.weighing(
            weight,
            (Work::Fills, &place),
            format!("this gives the rows of `{}` their values in one transaction: whoever would change one of them waits until it is done, and a replica repeats it as a whole", place.table),
            "let backfill.sql do it, which goes over the table in batches",
        );
    } else if words.eat_any(&["insert", "replace"]) {
        while words.eat_any(&["low_priority", "ignore", "into"]) {}
        if let Some(place) = words.place() {
            copied(&place, words, known, toll);
        }
    } else if words.eat(&["delete"]) {
        while words.eat_any(&["low_priority", "quick", "ignore", "from"]) {}
        let Some(place) = words.place() else {
            return;
        };
        let Some(weight) = words.weight(&place, known) else {
            return;
        };
        toll.weighing(
            weight,
            (Work::Fills, &place),
            format!("this removes the rows of `{}` in one transaction: whoever would change one of them waits until it is done, and a replica repeats it as a whole", place.table),
            IN_PORTIONS,
        );
    }
}
