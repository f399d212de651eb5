//! What a new column costs.

use super::super::super::postgres::is_pure;
use super::super::super::{Object, ObjectKind, Place, Script, Verb};
use super::super::release::Release;
use super::super::toll::{Level, Toll};
use super::super::words::Words;
use super::super::{DomainChecks, Known, Work};

const SERIAL: &[&str] = &[
    "serial",
    "bigserial",
    "smallserial",
    "serial2",
    "serial4",
    "serial8",
];

/// Each row gets another value of these.
const VOLATILE: &[&str] = &[
    "clock_timestamp",
    "currval",
    "gen_random_bytes",
    "gen_random_uuid",
    "gen_salt",
    "lastval",
    "nextval",
    "random",
    "random_normal",
    "setval",
    "timeofday",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
];

/// The same for a whole transaction, and no functions to the list of those that only compute.
const OF_THE_TIME: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "now",
    "statement_timestamp",
    "transaction_timestamp",
];

/// What comes behind an expression in the definition of a column.
const CONSTRAINTS: &[&str] = &[
    "check",
    "collate",
    "compression",
    "constraint",
    "deferrable",
    "generated",
    "not",
    "primary",
    "references",
    "storage",
    "unique",
];

const NO_EQUALITY: &[&str] = &["json", "xml", "point", "polygon", "line", "path"];

pub(super) fn added(
    script: &Script,
    place: &Place,
    mut words: Words<'_>,
    known: &Known<'_>,
    toll: &mut Toll,
) {
    let table = &place.table;
    let Some(name) = words.part() else {
        return;
    };
    let typ = words.until(CONSTRAINTS).until(&["default"]);
    let typed = {
        let mut typ = typ;
        typ.place().map_or_else(String::new, |name| name.table)
    };
    let mut rewrites = |why: &str, instead: &str| {
        toll.cost(
            Work::Rewrites,
            Some(place),
            format!("this writes every row of `{table}` anew ({why}), and nobody reads or writes it meanwhile"),
            instead,
        );
    };
    let fill = "add a nullable column without a default, fill it in backfill.sql, and set the default for new rows by `ALTER COLUMN … SET DEFAULT`";
    let generated = words.behind(&["generated"]);
    if let Some(generated) = generated.filter(|generated| !generated.has(&["identity"])) {
        // From 18 on a column is computed when it is read unless it says otherwise.
        let is_stored = generated.has(&["stored"])
            || !generated.has(&["virtual"]) && known.servers.postgres() < Release::new(18, 0, 0);
        if is_stored {
            rewrites(
                "a stored column",
                "add a plain column that triggers keep up, and fill it in backfill.sql",
            );
        }
    } else if SERIAL.contains(&typed.as_str()) || generated.is_some() {
        rewrites(
            "each gets a number",
            "add a nullable column, `SET DEFAULT nextval(…)` of a sequence for new rows, and number those that are there in backfill.sql",
        );
    }
    let default = words
        .behind(&["default"])
        .map(|value| value.until(CONSTRAINTS));
    if let Some(default) = default {
        let calls = default.calls();
        if let Some(function) = calls.iter().find(|call| VOLATILE.contains(&call.as_str())) {
            rewrites(&format!("`{function}` gives each another value"), fill);
        } else if let Some(function) = calls.iter().find(|call| {
            !is_pure(call) && !OF_THE_TIME.contains(&call.as_str()) && !is_stable(script, call)
        }) {
            rewrites(&format!("unless `{function}` is STABLE or IMMUTABLE"), fill);
        } else if known.servers.postgres() < Release::new(11, 0, 0) && !default.is(&["null"]) {
            rewrites("before PostgreSQL 11 a default is written to each", fill);
        }
    }
    let is_known = |name: &str| {
        let before = known.before.iter().rev();
        let mut scripts = std::iter::once(script).chain(before.copied());
        scripts
            .find_map(|script| checks_of_domain(script, name))
            .or_else(|| (known.domain)(name))
    };
    if is_known(&typed) == Some(DomainChecks::EachValue) {
        rewrites(
            &format!("`{typed}` is a domain with a constraint"),
            "use the plain type, and add a CHECK that is NOT VALID",
        );
    }
    if words.has(&["unique"]) || words.has(&["primary", "key"]) {
        let say =
            format!("this builds an index of `{table}`, and nobody reads or writes it meanwhile");
        let instead = format!(
            "add the column alone, and its index by `CREATE UNIQUE INDEX CONCURRENTLY`, {}; a constraint takes it over by `ADD CONSTRAINT … UNIQUE USING INDEX`",
            super::OF_ITS_OWN
        );
        toll.cost(Work::LocksOut, Some(place), say, instead);
    }
    if words.has(&["check"]) {
        toll.cost(
            Work::Scans,
            Some(place),
            format!("this checks every row of `{table}`, and nobody reads or writes it meanwhile"),
            "add the column alone, then the constraint `NOT VALID`, and `VALIDATE CONSTRAINT` it in another transaction",
        );
    }
    // A default that is NULL is looked up as well: the server asks whether there is one.
    let has_value = default.is_some();
    for (_, parent) in references(&words) {
        toll.lock(&parent, Level::Writes);
        if has_value {
            toll.cost(
                Work::Scans,
                Some(place),
                format!("this looks up every row of `{table}` in `{}`, and nobody writes to either meanwhile", parent.table),
                "add the column alone, then the foreign key `NOT VALID`, and `VALIDATE CONSTRAINT` it in another transaction",
            );
        }
    }
    if NO_EQUALITY.contains(&typed.as_str()) {
        toll.cost(
            Work::NoEquality,
            Some(place),
            format!("`{name}` is of the type `{typed}`, which has no `=`: SELECT DISTINCT, GROUP BY and UNION over all columns of `{table}` fail from here on"),
            match typed.as_str() {
                "json" => "use `jsonb`",
                _ => "make sure that no version reads the table by `SELECT DISTINCT *` or the like",
            },
        );
    }
}

/// The tables that foreign keys refer to, with the column where it stands beside one.
pub(super) fn references(words: &Words<'_>) -> Vec<(Option<String>, Place)> {
    let pieces = words.pieces().into_iter();
    pieces
        .filter_map(|piece| {
            let parent = piece.behind(&["references"])?.place()?;
            let mut start = piece;
            Some((start.part(), parent))
        })
        .collect()
}

/// Whether the script itself makes the function, and says that it gives the same value for all.
fn is_stable(script: &Script, function: &str) -> bool {
    let is_it = |object: &Object| {
        object.kind == ObjectKind::Function
            && object.verb == Verb::Create
            && object.name == function
    };
    script.statements.iter().any(|statement| {
        statement.objects().any(is_it) && {
            let words = statement.words(script.dialect);
            words
                .iter()
                .any(|word| word == "stable" || word == "immutable")
        }
    })
}

/// Whether the script makes a domain of this name, and what of.
pub(in super::super::super) fn checks_of_domain(
    script: &Script,
    name: &str,
) -> Option<DomainChecks> {
    script.statements.iter().rev().find_map(|statement| {
        let mut objects = statement.objects();
        let is_it = objects.any(|object| {
            object.kind == ObjectKind::Type && object.verb == Verb::Create && object.name == name
        });
        if !is_it {
            return None;
        }
        let words = statement.words(script.dialect);
        let is_domain = words.iter().any(|word| word == "domain");
        let has_check = words.iter().any(|word| word == "check")
            || words.windows(2).any(|pair| pair == ["not", "null"]);
        Some(match is_domain && has_check {
            true => DomainChecks::EachValue,
            false => DomainChecks::Nothing,
        })
    })
}
