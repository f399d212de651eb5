//! `migration.toml`: what a migration declares.

use std::collections::BTreeMap;
use std::ops::Range as Span;
use std::time::Duration;

use crate::model::{
    Format, Range, Rows, Step, Sync, Touched, Usage, Usages, Version, names_this, with_release,
};
use crate::sql::Key;

use super::backfill::{self, BackfillRules};
use super::change::{self, Declared};
use super::places;
use super::probes::{self, Probes};
use super::query::Query;
use super::question;

use super::reader::{Located, Table};
use super::section::Section;
use super::source::Source;
use super::syntax;
use super::this;

/// Its name in a migration's directory.
pub const MANIFEST_FILE: &str = "migration.toml";

/// What has to hold before the old format is removed, beyond the invariant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContractRules {
    /// How long no version that touches the old format may have been live.
    pub soak: Option<Duration>,
    /// How long nobody may have been seen to use what goes.
    pub unused: Option<UnusedRule>,
    /// Queries that must return 0, asked in the contract's transaction.
    pub require: Vec<Query>,
    /// Whether the backfill's `check` has to find nothing once more, behind the fence.
    pub check: Recheck,
}

/// How long no statement that names what goes may have been counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedRule {
    pub lasts: Duration,
    /// How statements begin that do not matter.
    pub except: Vec<String>,
    /// Where it stands.
    pub span: std::ops::Range<usize>,
}

/// Whether a contract asks the `check` of its backfill again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recheck {
    #[default]
    No,
    Yes,
}

/// A statement in a script that somebody vouches for.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    pub step: Step,
    /// How the statement begins.
    pub statement: Located<String>,
    pub by: Voucher,
}

/// Who vouches for a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voucher {
    /// Whoever wrote it into the file.
    Author,
    /// The declared change that the statement follows from; whether it is needed is nobody's business.
    Change,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Manifest {
    pub description: String,
    pub services: Usages,
    pub service_names: Vec<Located<String>>,
    /// Statements of the versions of a service, for a rehearsal.
    pub probes: BTreeMap<String, Probes>,
    /// Where each format is declared for a service.
    pub formats: Vec<Located<Format>>,
    pub sync: Option<Located<Sync>>,
    pub rows: Rows,
    /// Why a new format needs no statement.
    pub nothing_to_do: Option<Located<String>>,
    pub allow: Vec<Allowance>,
    /// Whether there is a `[change]`, right or wrong.
    pub is_of_a_change: bool,
    /// What its scripts follow from, if they do.
    pub change: Option<Declared>,
    pub backfill: Option<Section<BackfillRules>>,
    pub contract: Option<Section<ContractRules>>,
    /// The steps that another migration tool carries out.
    pub revisions: BTreeMap<Step, Named>,
}

/// Revisions of another migration tool, as they are named.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub names: Vec<Located<String>>,
    /// Somebody's word for what they do.
    pub judged: Option<Located<String>>,
}

impl Manifest {
    /// Where `format` is first declared.
    pub fn declares(&self, format: Format) -> Option<Span<usize>> {
        let declared = self.formats.iter().find(|found| found.value == format);
        declared.map(|found| found.span.clone())
    }

    /// The table whose rows the backfill fills, and its key, where that could be read.
    pub fn backfilled_key(&self) -> Option<Key<'_>> {
        let rules = self.backfill.as_ref()?.rules.as_ref()?;
        Some(Key {
            table: &rules.table,
            columns: &rules.key,
        })
    }
}

const LONGEST_SOAK: Duration = Duration::from_hours(24 * 365);

/// Reads the file; `None` if its syntax is broken. What else is wrong is reported to `source`.
pub(super) fn read(source: &Source) -> Option<Manifest> {
    let document = syntax::parse(source)?;
    let mut top = Table::top(source, &document);
    let mut manifest = Manifest::default();
    if let Some(text) = top.required_string("description", "description = \"Split users.name\"") {
        text.value.trim().clone_into(&mut manifest.description);
    }
    let sync = [Sync::Both, Sync::ToNew, Sync::ToOld, Sync::None].map(|sync| (sync.name(), sync));
    let span = top.value_span("sync");
    if let (Some(value), Some(span)) = (top.choice("sync", &sync), span) {
        manifest.sync = Some(Located { value, span });
    }
    let rows = [
        ("mutable", Rows::Mutable),
        ("append-only", Rows::AppendOnly),
    ];
    manifest.rows = top.choice("rows", &rows).unwrap_or_default();
    for (name, mut table) in top.named_tables("services") {
        if let Some(probes) = table.table("probes").map(probes::read) {
            manifest.probes.insert(name.value.to_owned(), probes);
        }
        let usage = read_usage(source, &name, table, &mut manifest.formats);
        manifest.services.insert(name.value.to_owned(), usage);
        manifest.service_names.push(name.map(str::to_owned));
    }
    if let Some(table) = top.table("expand") {
        read_expand(source, table, &mut manifest);
    }
    let change = top.table("change");
    let follows = change.is_some();
    manifest.is_of_a_change = follows;
    manifest.change = change.and_then(|table| change::read(source, table));
    manifest.backfill = top.table("backfill").map(|mut table| {
        read_allow(source, &mut table, Step::Backfill, &mut manifest.allow);
        read_revisions(source, &mut table, Step::Backfill, &mut manifest.revisions);
        backfill::read(source, table, follows)
    });
    manifest.contract = top.table("contract").map(|table| {
        let span = table.key_span("require_check");
        let (allow, revisions) = (&mut manifest.allow, &mut manifest.revisions);
        let section = read_contract(source, table, allow, revisions);
        let backfill = manifest.backfill.as_ref();
        let has_check =
            follows || backfill.is_some_and(|backfill| !backfill.range_queries.is_empty());
        if let (Some(span), false) = (span, has_check) {
            source.error(
                "no-check",
                span,
                "`require_check` needs a `check` in `[backfill]`",
                "write one, such as `check = \"SELECT id FROM users WHERE id > :after AND id <= :upto AND name <> full_name\"`, or remove this",
            );
        }
        section
    });
    if let Some(mut table) = top.table("revert") {
        read_allow(source, &mut table, Step::Revert, &mut manifest.allow);
        table.finish(places::MANIFEST);
    }
    top.finish(places::MANIFEST);
    Some(manifest)
}

fn read_usage(
    source: &Source,
    name: &Located<&str>,
    mut table: Table<'_>,
    formats: &mut Vec<Located<Format>>,
) -> Usage {
    let short = ["old", "new"].into_iter().find(|key| table.has(key));
    let long = ["reads", "writes"].into_iter().find(|key| table.has(key));
    match (short, long) {
        (Some(short), Some(long)) => source.error(
            "mixed-forms",
            table.key_span(short).unwrap_or_else(|| table.span()),
            format!("`{short}` and `{long}` cannot stand side by side for one service"),
            "use either `old` and `new`, for versions that both read and write, or `reads = { old = …, new = … }` and `writes = { old = …, new = … }`",
        ),
        (None, None) => source.error(
            "empty-usage",
            name.span.clone(),
            format!("nothing says which versions of `{}` use the old or the new format", name.value),
            "write for example `old = \"<1.2.0\"` and `new = \">=1.1.0\"`, or leave the service out if it does not touch this",
        ),
        _ => {}
    }
    let written = table.parsed::<Version>("this", "bad-version", "this = \"1.3.0\"");
    let of = Of {
        source,
        service: name.value,
        release: match (written, &source.tags) {
            (Some(written), _) => Ok(written),
            (None, Some(tags)) => this::release_of(name.value, tags),
            (None, None) => Err("nothing tells of it".to_owned()),
        },
    };
    let both = read_touched(&of, &mut table, formats);
    let mut side = |key| {
        let mut table = table.table(key)?;
        let touched = read_touched(&of, &mut table, formats);
        if touched == Touched::default() && !table.has("old") && !table.has("new") {
            let help =
                format!("write for example `{key} = {{ old = \"<1.2.0\", new = \">=1.1.0\" }}`");
            source.error(
                "empty-usage",
                table.span(),
                format!("`{key}` names no version"),
                help,
            );
        }
        table.finish(places::MANIFEST);
        Some(touched)
    };
    let (reads, writes) = (side("reads"), side("writes"));
    table.finish(places::MANIFEST);
    if long.is_some() {
        Usage {
            reads: reads.unwrap_or_default(),
            writes: writes.unwrap_or_default(),
        }
    } else {
        Usage {
            reads: both.clone(),
            writes: both,
        }
    }
}

/// Whose ranges they are.
struct Of<'a> {
    source: &'a Source,
    service: &'a str,
    /// The first that contains the migration, or why it is not known.
    release: Result<Version, String>,
}

fn read_touched(of: &Of<'_>, table: &mut Table<'_>, formats: &mut Vec<Located<Format>>) -> Touched {
    let Of {
        source, service, ..
    } = of;
    let mut range = |key, format, example| {
        if let Some(span) = table.value_span(key) {
            let text = table.text(key).unwrap_or_default();
            let value = format;
            formats.push(Located {
                value,
                span: span.clone(),
            });
            if question::is_open(text) {
                table.known(key);
                question::ask_for_range(source, span, service, format);
                return None;
            }
            if names_this(text) {
                table.known(key);
                return read_this(of, text, span);
            }
        }
        table.parsed::<Range>(key, "bad-range", example)
    };
    Touched {
        old: range("old", Format::Old, "old = \"<1.2.0\""),
        new: range("new", Format::New, "new = \">=1.1.0\""),
    }
}

/// A range that speaks of the release which contains the migration.
fn read_this(of: &Of<'_>, text: &str, span: Span<usize>) -> Option<Range> {
    let release = match &of.release {
        Ok(release) => release,
        Err(why) => {
            question::ask_for_release(of.source, span, of.service, why);
            return None;
        }
    };
    match with_release(text, release).parse() {
        Ok(range) => Some(range),
        Err(error) => {
            let help = "write for example `old = \"<this\"`";
            of.source.error("bad-range", span, format!("{error}"), help);
            None
        }
    }
}

fn read_expand(source: &Source, mut table: Table<'_>, manifest: &mut Manifest) {
    let reason = table.string(
        "nothing_to_do",
        "nothing_to_do = \"the column takes any text already\"",
    );
    manifest.nothing_to_do = reason.map(|reason| reason.map(str::to_owned));
    read_allow(source, &mut table, Step::Expand, &mut manifest.allow);
    read_revisions(source, &mut table, Step::Expand, &mut manifest.revisions);
    table.finish(places::MANIFEST);
}

fn read_revisions(
    source: &Source,
    table: &mut Table<'_>,
    step: Step,
    revisions: &mut BTreeMap<Step, Named>,
) {
    let span = table.key_span("revisions");
    let names = table.strings("revisions", "revisions = [\"3f2a91c0\"]");
    let judged = table.string(
        "judged",
        "judged = \"adds the column `status`, which has a default\"",
    );
    let owned = |text: Located<&str>| text.map(str::to_owned);
    match (names, judged) {
        (Some(names), _) if names.is_empty() => source.error(
            "empty-value",
            span.unwrap_or_default(),
            "`revisions` names none",
            "name those that carry out this phase, in their order, or remove it",
        ),
        (Some(names), judged) => {
            let names = names.into_iter().map(owned).collect();
            let judged = judged.map(owned);
            if let Some(open) = judged.as_ref().filter(|word| question::is_open(&word.value)) {
                question::ask_for_word(source, open, step);
            }
            revisions.insert(step, Named { names, judged });
        }
        (None, Some(judged)) if span.is_none() => source.error(
            "judged-without-revisions",
            judged.span,
            "`judged` is a word for `revisions`, and none are named here",
            "name the revisions, or remove this; a statement of our own is vouched for with `allow`",
        ),
        (None, _) => {}
    }
}

fn read_allow(source: &Source, table: &mut Table<'_>, step: Step, allowed: &mut Vec<Allowance>) {
    for mut allow in table.tables("allow").unwrap_or_default() {
        let statement = allow.required_string("statement", "statement = \"DROP INDEX old_name\"");
        allow.required_string(
            "reason",
            "reason = \"no version has used this index since 1.0\"",
        );
        allow.finish(places::MANIFEST);
        let Some(statement) = statement else { continue };
        if statement
            .value
            .trim()
            .trim_end_matches(';')
            .trim()
            .is_empty()
        {
            let help = "write how the statement begins, for example \"DROP INDEX old_name\"";
            source.error(
                "empty-value",
                statement.span,
                "this names no statement",
                help,
            );
            continue;
        }
        allowed.push(Allowance {
            step,
            statement: statement.map(str::to_owned),
            by: Voucher::Author,
        });
    }
}

fn read_contract(
    source: &Source,
    mut table: Table<'_>,
    allowed: &mut Vec<Allowance>,
    revisions: &mut BTreeMap<Step, Named>,
) -> Section<ContractRules> {
    read_allow(source, &mut table, Step::Contract, allowed);
    read_revisions(source, &mut table, Step::Contract, revisions);
    let soak = table.duration("soak", LONGEST_SOAK);
    let unused_for = table.duration("unused_for", LONGEST_SOAK);
    let except = table.strings("unused_except", "unused_except = [\"COPY public.users\"]");
    if let (None, Some(first)) = (&unused_for, except.as_ref().and_then(|all| all.first())) {
        source.error(
            "without-effect",
            first.span.clone(),
            "`unused_except` says what does not count, and nothing is counted",
            "write `unused_for = \"7d\"` beside it, or delete it",
        );
    }
    let except = except.unwrap_or_default().into_iter();
    let except = except.map(|text| text.value.to_owned()).collect();
    let queries: Vec<Located<String>> = table
        .strings(
            "require",
            "require = [\"SELECT count(*) FROM users WHERE first_name = ''\"]",
        )
        .unwrap_or_default()
        .into_iter()
        .map(|text| text.map(str::to_owned))
        .collect();
    let header = table.span();
    let check = table.flag("require_check").unwrap_or_default();
    table.finish(places::MANIFEST);
    Section {
        header,
        rules: Some(ContractRules {
            check: if check { Recheck::Yes } else { Recheck::No },
            soak: soak.map(|soak| soak.value),
            unused: unused_for.map(|lasts| UnusedRule {
                lasts: lasts.value,
                span: lasts.span,
                except,
            }),
            require: queries
                .iter()
                .map(|query| Query::from(query.value.as_str()))
                .collect(),
        }),
        queries,
        range_queries: Vec::new(),
    }
}
