//! What each release sends, in every state of the schema: what it needs there, and what the ranges of its service say of that.

use super::recorded;
use super::states::{Brought, Denied, States, ask, control};
use super::told::shortened;
use crate::model::{Behaviour, Format, Formats, Usage};
use crate::rehearse::RehearseError;
use crate::rehearse::derived::{Blind, Derived, Shown, derived};
use crate::rehearse::names::Names;
use crate::rehearse::report::{Finding, masked};
use crate::rehearse::stage::Stage;
use crate::sql::Sent;

/// What a statement brought in each state.
struct Found {
    before: Brought,
    between: Brought,
    filled: Brought,
    after: Option<Brought>,
}

/// How a statement uses a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Reads,
    Writes,
    Unclear,
}

impl How {
    const fn verb(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Unclear => "uses",
        }
    }
}

/// The first statement that shows something of a version.
struct Proof {
    how: How,
    format: Format,
    said: String,
    statement: String,
}

/// One version on its way through the states.
struct Version<'v> {
    service: &'v str,
    shown: Shown,
    proofs: Vec<Proof>,
    /// Queries that need one format alone.
    old_alone: bool,
    new_alone: bool,
    broken: Vec<(String, String)>,
    changed: Vec<(&'static str, String)>,
    /// Those that run nowhere.
    nowhere: usize,
}

pub(super) async fn run(stage: &mut Stage<'_>) -> Result<Vec<Derived>, RehearseError> {
    let services = &stage.base.settings.project.config.services;
    let recorded = services
        .iter()
        .filter(|(_, config)| !config.statements.is_empty());
    let recorded: Vec<_> = recorded.collect();
    if recorded.is_empty() {
        return Ok(Vec::new());
    }
    let Some(mut states) = States::open(stage).await? else {
        return Ok(Vec::new());
    };
    let names = Names::of(&stage.before, &stage.between, &stage.after);
    let blind = blind(stage, &states);
    let mut all = Vec::new();
    let mut times = 0;
    for (service, config) in recorded {
        let mut versions = Vec::new();
        for (version, path) in &config.statements {
            let whose = format!("`{service}` {version}");
            let statements = recorded::statements(stage, &whose, path)?;
            times += statements.len();
            let mut version = Version::of(service, version.clone());
            for statement in &statements {
                let found = asked(stage, &mut states, statement).await?;
                version.look(stage, &names, statement, &found);
            }
            version.shown.reads_apart = version.old_alone && version.new_alone;
            version.tell(stage);
            if version.nowhere > 0 {
                let what = format!("statements of {whose} that run in no state, and tell nothing");
                stage.tried(what, version.nowhere);
            }
            versions.push(version.shown);
        }
        all.push(derived(service, versions, &config.releases, blind));
    }
    stage.tried("statements of releases, in each state", times);
    states.close().await;
    Ok(all)
}

/// What no statement can show of this migration.
fn blind(stage: &Stage<'_>, states: &States) -> Blind {
    let has_contract = stage.files().contract.is_some();
    let of_old = if states.after.is_none() {
        Some("the contract could not be carried out, so nothing shows who needs what it takes away")
    } else if !has_contract && stage.migration().declaration.has_old() {
        Some("nothing is taken away, so no statement shows who uses the old format")
    } else {
        None
    };
    Blind {
        of_old,
        is_in_place: stage.shape.old.iter().any(|surface| surface.is_in_place),
    }
}

async fn asked(
    stage: &Stage<'_>,
    states: &mut States,
    statement: &str,
) -> Result<Found, RehearseError> {
    let before = control(stage, &mut states.before, statement).await?;
    let between = ask(stage, &mut states.between, statement).await?;
    let filled = control(stage, &mut states.filled, statement).await?;
    let after = match &mut states.after {
        Some(after) => Some(ask(stage, after, statement).await?),
        None => None,
    };
    Ok(Found {
        before,
        between,
        filled,
        after,
    })
}

/// Whether a query found other rows; one that takes whatever columns there are is held to running alone.
fn differs(statement: &str, wanted: &Brought, found: &Brought) -> bool {
    let lists_its_columns = !statement
        .to_lowercase()
        .replace("count(*)", "")
        .contains('*');
    match (wanted, found) {
        (Ok(Some(wanted)), Ok(Some(found))) => lists_its_columns && wanted != found,
        _ => false,
    }
}

impl<'v> Version<'v> {
    fn of(service: &'v str, version: crate::model::Version) -> Self {
        Self {
            service,
            shown: Shown::of(version),
            proofs: Vec::new(),
            old_alone: false,
            new_alone: false,
            broken: Vec::new(),
            changed: Vec::new(),
            nowhere: 0,
        }
    }

    fn look(&mut self, stage: &Stage<'_>, names: &Names, statement: &str, found: &Found) {
        if found.before.is_err() && found.filled.is_err() {
            self.nowhere += 1;
            return;
        }
        let sent = stage.dialect().sent(statement);
        match sent {
            Some(Sent::Query) => self.shown.queries += 1,
            _ => self.shown.changes += 1,
        }
        let shown = masked(&shortened(stage, statement));
        if found.before.is_ok() {
            let broken = [&found.between, &found.filled].into_iter();
            if let Some(denied) = broken.filter_map(|found| found.as_ref().err()).next() {
                self.broken.push((denied.said.clone(), shown));
                return;
            }
            for (state, brought) in [
                ("after expand", &found.between),
                ("after the backfill", &found.filled),
            ] {
                if differs(statement, &found.before, brought) {
                    self.changed.push((state, shown.clone()));
                    return;
                }
            }
        }
        let needs_new = found.before.as_ref().err();
        if let Some(denied) = needs_new {
            self.needs(names, Format::New, sent.as_ref(), denied, &shown);
        }
        let wanted = found
            .before
            .as_ref()
            .ok()
            .map_or(&found.filled, |_| &found.before);
        let other = Denied {
            said: "it finds other rows than before".to_owned(),
            is_of_a_row: false,
        };
        let needs_old = match &found.after {
            Some(Err(denied)) => Some(denied),
            Some(after) if differs(statement, wanted, after) => Some(&other),
            _ => None,
        };
        if let Some(denied) = needs_old {
            self.needs(names, Format::Old, sent.as_ref(), denied, &shown);
        }
        if sent == Some(Sent::Query) {
            self.old_alone |= needs_old.is_some() && needs_new.is_none();
            self.new_alone |= needs_new.is_some() && needs_old.is_none();
        }
    }

    fn needs(
        &mut self,
        names: &Names,
        format: Format,
        sent: Option<&Sent>,
        denied: &Denied,
        statement: &str,
    ) {
        let hows = match sent {
            Some(Sent::Query) => vec![How::Reads],
            Some(Sent::Write { .. }) if denied.is_of_a_row => vec![How::Writes],
            Some(Sent::Write {
                table,
                columns,
                reads,
            }) => {
                let mut hows = Vec::new();
                if names.writes(format, table, columns.as_deref()) {
                    hows.push(How::Writes);
                }
                if names.reads(format, reads) {
                    hows.push(How::Reads);
                }
                hows
            }
            None => Vec::new(),
        };
        let hows = if hows.is_empty() {
            vec![How::Unclear]
        } else {
            hows
        };
        let of = match format {
            Format::Old => Formats::OLD,
            Format::New => Formats::NEW,
        };
        for how in hows {
            let formats = match how {
                How::Reads => &mut self.shown.reads,
                How::Writes => &mut self.shown.writes,
                How::Unclear => &mut self.shown.unclear,
            };
            *formats = formats.union(of);
            let is_told = |proof: &Proof| proof.how == how && proof.format == format;
            if !self.proofs.iter().any(is_told) {
                self.proofs.push(Proof {
                    how,
                    format,
                    said: denied.said.clone(),
                    statement: statement.to_owned(),
                });
            }
        }
    }

    /// What the ranges say of it, and its statements deny.
    fn tell(&self, stage: &mut Stage<'_>) {
        let who = format!("`{}` {}", self.service, self.shown.version);
        if let Some((said, statement)) = self.broken.first() {
            stage.find(Finding::wrong(
                "release-breaks",
                None,
                format!(
                    "after expand a statement of {who} fails that runs before it{}: {said}; in: {statement}",
                    more(self.broken.len())
                ),
                "no range can allow that: a version that runs before expand is live after it as well, until another one has taken its place",
            ));
        }
        if let Some((state, statement)) = self.changed.first() {
            stage.find(Finding::wrong(
                "release-differs",
                None,
                format!(
                    "{state} a statement of {who} finds other rows than before{}: {statement}",
                    more(self.changed.len())
                ),
                "the same rows have to be found as long as a version with this statement may be live",
            ));
        }
        let declared = &stage.migration().declaration.services;
        let usage = declared.get(self.service).cloned();
        let denied: Vec<Finding> = self
            .proofs
            .iter()
            .filter(|proof| !allows(usage.as_ref(), &self.shown.version, proof))
            .map(|proof| self.denied(&who, usage.as_ref(), proof))
            .collect();
        for finding in denied {
            stage.find(finding);
        }
        if let Some(missing) = usage.and_then(|usage| self.unseen(&usage)) {
            stage.find(Finding::doubt(
                "range-unseen",
                None,
                format!(
                    "{who} is declared as writing both formats, and of its statements those that write need the {} one alone",
                    other(missing)
                ),
                "where it writes only one, readers of the other meet stale rows: say so with `writes`, or record what is missing",
            ));
        }
    }

    fn denied(&self, who: &str, usage: Option<&Usage>, proof: &Proof) -> Finding {
        let Proof {
            how,
            format,
            said,
            statement,
        } = proof;
        let when = match format {
            Format::Old => "after the contract",
            Format::New => "before expand",
        };
        let says = usage.map_or_else(
            || format!("the migration does not name `{}`", self.service),
            |usage| format!("{} says otherwise", ranges(usage, *how, *format)),
        );
        let danger = match format {
            Format::Old => "the contract would be allowed while it is live",
            Format::New => "it would be let in where the new format is not there yet",
        };
        Finding::wrong(
            "range-denied",
            None,
            format!(
                "{who} {} the {format} format, and {says}: {when} a statement fails: {said}; in: {statement}",
                how.verb()
            ),
            format!("{danger}: let the range hold it; `migrate rehearse --derive` proposes ranges"),
        )
    }

    /// A format that it is said to write, where it was seen to write the other one alone.
    fn unseen(&self, usage: &Usage) -> Option<Format> {
        let seen = self.shown.writes;
        let is_clear = self.shown.unclear.is_empty();
        let says_both = usage
            .behaviours(&self.shown.version)
            .iter()
            .all(|behaviour| behaviour.writes == Formats::BOTH);
        match seen {
            Formats::OLD if is_clear && says_both => Some(Format::New),
            Formats::NEW if is_clear && says_both => Some(Format::Old),
            _ => None,
        }
    }
}

fn allows(usage: Option<&Usage>, version: &crate::model::Version, proof: &Proof) -> bool {
    let does = |behaviour: &Behaviour| match proof.how {
        How::Reads => behaviour.reads.contains(proof.format),
        How::Writes => behaviour.writes.contains(proof.format),
        How::Unclear => behaviour.touches(proof.format),
    };
    usage.is_some_and(|usage| usage.behaviours(version).iter().any(does))
}

/// The range that denies it, as it is written.
fn ranges(usage: &Usage, how: How, format: Format) -> String {
    let is_short = usage.reads == usage.writes;
    let touched = match how {
        How::Writes => &usage.writes,
        How::Reads | How::Unclear => &usage.reads,
    };
    let range = match format {
        Format::Old => &touched.old,
        Format::New => &touched.new,
    };
    let key = match how {
        _ if is_short => format.to_string(),
        How::Writes => format!("writes.{format}"),
        How::Reads | How::Unclear => format!("reads.{format}"),
    };
    match range {
        Some(range) => format!("`{key} = \"{range}\"`"),
        None => format!("no range for `{key}`"),
    }
}

const fn other(format: Format) -> Format {
    match format {
        Format::Old => Format::New,
        Format::New => Format::Old,
    }
}

fn more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        2 => " (and 1 more statement likewise)".to_owned(),
        _ => format!(" (and {} more statements likewise)", count - 1),
    }
}
