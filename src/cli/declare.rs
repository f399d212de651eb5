//! What `migrate new NAME --rename …` declares: the words of somebody, and what the database or the files know beside them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use clap::Args;

use super::args::Global;
use super::context::Context;
use super::failure::Failure;
use super::out::{Out, note};
use crate::change::{
    Ask, Change, Kind, Known, Objection, Question, Said, Unanswered, Weight, Wish, declare, doubts,
    generate, objections, written,
};
use crate::coordinator;
use crate::project::Ground;
use crate::rehearse::standing;
use crate::sql::{Dialect, Table};

#[derive(Args)]
#[group(id = "change", multiple = false)]
pub(super) struct WishArgs {
    /// Replace a column by one of another name: users.full_name=display_name; or a table: users=people
    #[arg(long, value_name = "TABLE[.OLD]=NEW", help_heading = CHANGE)]
    rename: Option<String>,
    /// Replace a column by one of another type: users.logins=bigint, or users.logins=visits:bigint
    #[arg(long, value_name = "TABLE.COLUMN=TYPE", help_heading = CHANGE)]
    retype: Option<String>,
    /// Replace a column by two, split at the first blank: users.full_name=first_name,last_name
    #[arg(long, value_name = "TABLE.OLD=A,B", help_heading = CHANGE)]
    split: Option<String>,
    /// Replace two columns by one: users.first_name,last_name=full_name
    #[arg(long, value_name = "TABLE.A,B=NEW", help_heading = CHANGE)]
    merge: Option<String>,
    /// Move columns to a table of their own, which expand makes: users.street,city=addresses, or addresses.user_id to name its key
    #[arg(long, value_name = "TABLE.A,B=NEW", help_heading = CHANGE)]
    split_table: Option<String>,
    /// Add a column: users.phone=text
    #[arg(long, value_name = "TABLE.COLUMN=TYPE", help_heading = CHANGE)]
    add: Option<String>,
    /// Drop columns, or a table: users.legacy, or notes
    #[arg(long, value_name = "TABLE[.COLUMN]", help_heading = CHANGE)]
    drop: Option<String>,
    /// Let a column never be NULL: users.email; with --fill versions that write NULL go on
    #[arg(long, value_name = "TABLE.COLUMN", help_heading = CHANGE)]
    not_null: Option<String>,
    /// Let values be there once: users.email
    #[arg(long, value_name = "TABLE.COLUMNS", help_heading = CHANGE)]
    unique: Option<String>,
    /// Build an index: users.email
    #[arg(long, value_name = "TABLE.COLUMNS", help_heading = CHANGE)]
    add_index: Option<String>,
    /// Drop an index of a table: `users.users_phone`
    #[arg(long, value_name = "TABLE.INDEX", help_heading = CHANGE)]
    drop_index: Option<String>,
    /// Let a text be longer: users.email=varchar(200)
    #[arg(long, value_name = "TABLE.COLUMN=TYPE", help_heading = CHANGE)]
    widen: Option<String>,
    /// Give an enumeration, or the list of a CHECK, more values: orders.status=refunded
    #[arg(long, value_name = "TABLE.COLUMN=VALUES", help_heading = CHANGE)]
    add_value: Option<String>,
    /// Let a CHECK list fewer values, and give rows another one in place of one that goes: orders.status=legacy,paid:settled
    #[arg(long, value_name = "TABLE.COLUMN=VALUES", help_heading = CHANGE)]
    remove_value: Option<String>,
    /// Give a column another default: users.country="'NL'"
    #[arg(long, value_name = "TABLE.COLUMN=SQL", help_heading = CHANGE)]
    set_default: Option<String>,
    /// Let a column have no default: users.country
    #[arg(long, value_name = "TABLE.COLUMN", help_heading = CHANGE)]
    drop_default: Option<String>,
    /// Let columns lead to rows that are there: `orders.user_id=users.id`
    #[arg(long, value_name = "TABLE.COLUMN=OTHER.COLUMN", help_heading = CHANGE)]
    foreign_key: Option<String>,
    /// Let rows keep a condition: orders='price > 0'
    #[arg(long, value_name = "TABLE=CONDITION", help_heading = CHANGE)]
    check: Option<String>,
}

const CHANGE: &str = "What changes (one of these; the scripts follow from it)";
const BESIDE: &str = "Beside it";

#[derive(Args)]
pub(super) struct BesideArgs {
    /// A unique key of the table, where neither the database nor the files tell: id, or tenant,id
    #[arg(long, value_name = "COLUMNS", help_heading = BESIDE, requires = "change")]
    key: Option<String>,
    /// The type of the column that is there, where neither the database nor the files tell
    #[arg(long = "type", value_name = "TYPE", help_heading = BESIDE, requires = "change")]
    kind: Option<String>,
    /// What stands in place of NULL, or in a column that versions no longer write, as SQL
    #[arg(long, value_name = "SQL", help_heading = BESIDE, requires = "change")]
    fill: Option<String>,
    /// The default of an added column, which is NOT NULL then, as SQL
    #[arg(long, value_name = "SQL", help_heading = BESIDE, requires = "add")]
    default: Option<String>,
    /// The service whose versions are meant; the only one of migrate.toml if it has one
    #[arg(long, value_name = "NAME", help_heading = BESIDE, requires = "change")]
    service: Option<String>,
    /// Its versions that use what is there now: '<1.2.0'
    #[arg(long, value_name = "RANGE", help_heading = BESIDE, requires = "change")]
    old: Option<String>,
    /// Its versions that use what comes: '>=1.1.0'
    #[arg(long, value_name = "RANGE", help_heading = BESIDE, requires = "change")]
    new: Option<String>,
}

impl WishArgs {
    fn given(&self) -> Option<(Ask, &str)> {
        let all = [
            (Ask::Rename, &self.rename),
            (Ask::Retype, &self.retype),
            (Ask::Split, &self.split),
            (Ask::Merge, &self.merge),
            (Ask::SplitTable, &self.split_table),
            (Ask::Add, &self.add),
            (Ask::Drop, &self.drop),
            (Ask::NotNull, &self.not_null),
            (Ask::Unique, &self.unique),
            (Ask::Index, &self.add_index),
            (Ask::DropIndex, &self.drop_index),
            (Ask::Widen, &self.widen),
            (Ask::AddValue, &self.add_value),
            (Ask::RemoveValue, &self.remove_value),
            (Ask::SetDefault, &self.set_default),
            (Ask::DropDefault, &self.drop_default),
            (Ask::ForeignKey, &self.foreign_key),
            (Ask::Check, &self.check),
        ];
        all.into_iter()
            .find_map(|(ask, text)| Some((ask, text.as_deref()?)))
    }

    /// # Errors
    /// What does not say what changes.
    pub(super) fn wish(&self) -> Result<Option<Wish>, Failure> {
        let Some((ask, text)) = self.given() else {
            return Ok(None);
        };
        let wish = ask.read(text);
        wish.map(Some)
            .map_err(|wrong| Failure::new(wrong.message).help(wrong.help).usage())
    }
}

/// A declaration as `migration.toml` has it, and what is still to be said in it.
pub(super) struct Declared {
    pub manifest: String,
    /// The service of which nobody has said which versions use what.
    pub open: Option<String>,
}

/// Whether somebody is there who can answer.
fn may_ask(out: &Out) -> bool {
    !out.is_json() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// A line from whoever sits there; `None` if nothing was written.
fn answer(question: &str) -> Option<String> {
    let mut error = std::io::stderr().lock();
    let _ = write!(error, "{question}: ");
    let _ = error.flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let line = line.trim().to_owned();
    (read.is_ok() && !line.is_empty()).then_some(line)
}

pub(super) async fn declared(
    wish: &Wish,
    beside: &BesideArgs,
    number: &str,
    global: &Global,
    out: &Out,
) -> Result<Declared, Failure> {
    let root = Path::new(".");
    let given = global.database_url()?;
    let ground = Ground::of(
        root,
        given.as_ref().map(|given| given.url.as_str()),
        &wish.table,
    )?;
    let by_files = ground.tables.clone();
    let mut known = Known {
        dialects: ground.config.database.dialects.clone(),
        by_files: ground.tables.clone(),
        tables: ground.tables,
        said: Said {
            key: beside.key.as_deref().map(listed),
            kind: beside.kind.clone(),
            fill: beside.fill.clone(),
            default: beside.default.clone(),
        },
    };
    look(wish, &mut known, global, out).await?;
    let change = loop {
        match declare(wish, &known) {
            Ok(change) => break change,
            Err(Unanswered::Wrong(wrong)) => {
                return Err(Failure::new(wrong.message).help(wrong.help));
            }
            Err(Unanswered::Asks(question)) => ask(&question, &mut known.said, out)?,
        }
    };
    can_follow(&change, &known, number)?;
    agrees_with_files(&change, &by_files)?;
    let doubts = doubts(wish, &known, &change);
    for alike in doubts.chunk_by(|one, next| one.help == next.help) {
        for doubt in alike {
            note(&format!("warning: {}", doubt.message));
        }
        if let Some(doubt) = alike.first() {
            note(&format!("  help: {}", doubt.help));
        }
    }
    if let Kind::Columns(columns) = &change.kind {
        for name in &columns.drop_constraints {
            note(&format!(
                "warning: the constraint `{name}` goes with its column at the contract, and nothing refuses then what it refused"
            ));
            note(
                "  help: where it has to hold for the new columns, declare it in a migration of its own after this one, whose contract may come first: `--foreign-key`, `--check`",
            );
        }
        for name in &columns.drop_indexes {
            note(&format!(
                "note: the index `{name}` goes with its column: where the new columns need one, declare it under `[change.indexes]`"
            ));
        }
    }
    let services: Vec<&String> = ground.config.services.keys().collect();
    let service = match (&beside.service, services.as_slice()) {
        (Some(service), _) => Some(service.clone()),
        (None, [one]) => Some((*one).clone()),
        (None, _) => None,
    };
    if let Some(service) = beside
        .service
        .as_ref()
        .filter(|name| !services.contains(name))
    {
        return Err(
            Failure::new(format!("migrate.toml has no service `{service}`"))
                .help("name one that it has, or add `[services.NAME]` there")
                .usage(),
        );
    }
    Ok(manifest(&change, service.as_deref(), beside, out))
}

fn listed(names: &str) -> Vec<String> {
    let names = names.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The table as it stands in the database, if one is named and can be asked: it knows better than the files.
async fn look(wish: &Wish, known: &mut Known, global: &Global, out: &Out) -> Result<(), Failure> {
    // Without a database the files tell.
    let Ok(context) = Context::load(global, out) else {
        return Ok(());
    };
    out.drop_flaws();
    let dialect = context.target.dialect();
    if !known.dialects.contains(&dialect) {
        return Ok(());
    }
    let mut connection = match context.reader().await {
        Ok(connection) => connection,
        Err(error) if coordinator::is_nothing_yet(&error, &context.target) => return Ok(()),
        Err(error) => {
            note(&format!(
                "note: the database could not be asked what `{}` is, and the migrations were read in its place: {error}",
                wish.table
            ));
            return Ok(());
        }
    };
    let found = standing(connection.as_mut(), dialect, &wish.table).await;
    connection.close().await;
    if let Some(table) = found? {
        known.tables.insert(dialect, table);
    }
    Ok(())
}

fn ask(question: &Question, said: &mut Said, out: &Out) -> Result<(), Failure> {
    let (words, option, example) = match question {
        Question::Key { table } => (format!("a unique key of `{table}`"), "--key", "id"),
        Question::Type { column, on } => {
            let on: Vec<&str> = on.iter().map(|dialect| dialect.title()).collect();
            (
                format!("the type of `{column}` on {}", on.join(" and ")),
                "--type",
                "'varchar(200)'",
            )
        }
    };
    let given = match may_ask(out) {
        true => answer(&format!("{words} (for example {example})")),
        false => None,
    };
    let Some(given) = given else {
        return Err(Failure::new(format!("{words} is not known"))
            .help(format!(
                "neither a database that could be asked nor an earlier migration tells: add `{option} {example}`"
            )));
    };
    match question {
        Question::Key { .. } => said.key = Some(listed(&given)),
        Question::Type { .. } => said.kind = Some(given),
    }
    Ok(())
}

/// Before anything is written.
fn can_follow(change: &Change, known: &Known, number: &str) -> Result<(), Failure> {
    let mut lost = Vec::new();
    for dialect in &known.dialects {
        if let Some(table) = known.tables.get(dialect) {
            for Objection { weight, wrong } in objections(change, *dialect, table) {
                match weight {
                    Weight::Error | Weight::Unseen => {
                        return Err(Failure::new(wrong.message).help(wrong.help));
                    }
                    Weight::ConstraintGoes | Weight::MayBeRefused => lost.push(wrong),
                    // `check` says it.
                    Weight::IndexGoes => {}
                }
            }
        }
        generate(change, *dialect, number)
            .map_err(|wrong| Failure::new(wrong.message).help(wrong.help))?;
    }
    lost.dedup();
    for wrong in lost {
        note(&format!("warning: {}", wrong.message));
        note(&format!("  help: {}", wrong.help));
    }
    Ok(())
}

/// The files are all that `check` and `generate` go by, so that what speaks against the change there would stay.
fn agrees_with_files(change: &Change, by_files: &BTreeMap<Dialect, Table>) -> Result<(), Failure> {
    for (dialect, table) in by_files {
        let mut against = objections(change, *dialect, table).into_iter();
        if let Some(first) =
            against.find(|objection| matches!(objection.weight, Weight::Error | Weight::Unseen))
        {
            if first.weight == Weight::Unseen {
                return Err(Failure::new(first.wrong.message).help(first.wrong.help));
            }
            return Err(Failure::new(format!(
                "by the scripts of the migrations, {}",
                first.wrong.message
            ))
            .help(format!(
                "{}; where the database has more than they make, write a migration that makes it first",
                first.wrong.help
            )));
        }
    }
    Ok(())
}

/// `migration.toml`, with what is said of the versions, or where to say it.
fn manifest(change: &Change, service: Option<&str>, beside: &BesideArgs, out: &Out) -> Declared {
    let mut text = format!("description = {}\n\n", quoted(&change.described()));
    let mut is_open = false;
    let mut lines = String::new();
    if change.kind.is_read_before_written() {
        let (said, is_all) = long_form(change, beside);
        lines.push_str(&said);
        is_open |= !is_all;
    }
    let short = change.versions();
    let short = short
        .into_iter()
        .filter(|_| !change.kind.is_read_before_written());
    for (format, who) in short {
        let said = match format {
            "old" => beside.old.clone(),
            _ => beside.new.clone(),
        };
        let example = if format == "old" { "<1.2.0" } else { ">=1.1.0" };
        let said = said.or_else(|| {
            let service = service.filter(|_| may_ask(out))?;
            answer(&format!(
                "{service}: {who} (for example {example}; nothing to say it later)"
            ))
        });
        let _ = match said {
            Some(range) => writeln!(lines, "{format} = {}  # {who}", quoted(&range)),
            None => {
                is_open = true;
                writeln!(lines, "# {format} = \"{example}\"  # {who}")
            }
        };
    }
    let name = service.unwrap_or("NAME");
    if service.is_none() {
        is_open = true;
    }
    // A section that says nothing is none.
    let hash = if lines.lines().all(|line| line.starts_with('#')) {
        "# "
    } else {
        ""
    };
    let _ = writeln!(text, "{hash}[services.{}]", key(name));
    text.push_str(&lines);
    text.push('\n');
    text.push_str(&written(change));
    Declared {
        manifest: text,
        open: is_open.then(|| name.to_owned()),
    }
}

/// `reads` and `writes` apart: `--old` are versions that do not know the new format, `--new` those that write it. And whether
/// both are said.
fn long_form(change: &Change, beside: &BesideArgs) -> (String, bool) {
    let unknowing = beside.old.as_deref().unwrap_or("<1.1.0");
    let writing = beside.new.as_deref().unwrap_or(">=1.2.0");
    let others = (all_others(unknowing), all_others(writing));
    let is_said = beside.old.is_some() && beside.new.is_some();
    let is_all = is_said && others.0.is_some() && others.1.is_some();
    let hash = if is_all { "" } else { "# " };
    let knowing = others.0.unwrap_or_else(|| "…".to_owned());
    let silent = others.1.unwrap_or_else(|| "…".to_owned());
    let mut lines = String::new();
    for (key, old, new, (_, who)) in [
        ("reads", unknowing, knowing.as_str(), first(change)),
        ("writes", silent.as_str(), writing, last(change)),
    ] {
        let _ = writeln!(
            lines,
            "{hash}{key} = {{ old = {}, new = {} }}  # {}: {who}",
            quoted(old),
            quoted(new),
            if key == "reads" { "old" } else { "new" },
        );
    }
    (lines, is_all)
}

fn first(change: &Change) -> (&'static str, String) {
    change.versions().into_iter().next().unwrap_or_default()
}

fn last(change: &Change) -> (&'static str, String) {
    change
        .versions()
        .into_iter()
        .next_back()
        .unwrap_or_default()
}

/// The range of all versions that are not in this one; `None` if it is not one bound.
fn all_others(range: &str) -> Option<String> {
    let range = range.trim();
    let (other, bound) = if let Some(bound) = range.strip_prefix(">=") {
        ("<", bound)
    } else if let Some(bound) = range.strip_prefix("<=") {
        (">", bound)
    } else if let Some(bound) = range.strip_prefix('<') {
        (">=", bound)
    } else {
        ("<=", range.strip_prefix('>')?)
    };
    let is_one = !bound.contains([',', '|', '<', '>', '=']);
    is_one.then(|| format!("{other}{}", bound.trim()))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn key(name: &str) -> String {
    let is_bare = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare {
        name.to_owned()
    } else {
        quoted(name)
    }
}
