//! The whole of what the ledger knows, read in a handful of queries however long its history is.

use super::arrivals::{self, Arrivals, History, Kept};
use super::groups::{CountedLeases, all_serving, counted, live_groups, read_leases, summed};
use super::looks::{self, Asker, Memory};
use super::names;
use super::rules::LeaseRules;
use super::{AppliedFile, CoordinatorRow, Ledger, LedgerError, all};
use crate::database::{Access, Connection, ErrorKind, Row};
use crate::model::{
    Ending, LEASES, Label, Live, LiveGroup, MigrationId, MigrationState, Moved, Phase, Settling,
    Snapshot, SourceReport, SourceStatus, Twins, Version, tear,
};

/// A migration of which something has been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// As recorded, and then widened by what was live at each moment since.
    pub state: MigrationState,
    /// The phase that is recorded, where versions admitted since have undone a backfill.
    pub recorded_phase: Phase,
    /// The number of admissions that the recorded row kinds take into account.
    pub seq: i64,
    pub step_back: Option<Phase>,
    /// Milliseconds since the epoch.
    pub changed_at: i64,
}

impl Applied {
    /// Widens what is recorded by whoever has come since.
    fn follow(&mut self, history: &History) {
        self.state = history.follow(&self.state, self.seq);
    }
}

/// A version that was live at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub service: String,
    pub label: Label,
    /// Milliseconds since the epoch.
    pub last_seen_at: i64,
    /// The number of its latest admission; 0 where it was only seen.
    pub seq: i64,
}

/// What the ledger knows at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Milliseconds since the epoch, by the database's clock.
    pub now: i64,
    /// In the order of their numbers.
    pub applied: Vec<Applied>,
    pub sightings: Vec<Sighting>,
    pub arrivals: Arrivals,
    /// What looks at other sources have shown.
    pub memory: Memory,
    /// The live leases.
    pub groups: Vec<LiveGroup>,
    /// Who is live though no lease says so, as far as the ledger knows.
    pub remembered: Vec<LiveGroup>,
    /// Instances that have not stayed long enough yet.
    pub settling: Vec<Settling>,
    /// Names that several processes go by.
    pub twins: Vec<Twins>,
    /// Leases that nobody renews.
    pub ending: Vec<Ending>,
    /// Whether the ledger was on another server before; only where that was asked.
    pub moved: Option<Moved>,
    /// Of which leases the groups count the instances.
    pub counts: Counts,
    pub coordinator: CoordinatorRow,
}

/// Whether all leases are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counts {
    #[default]
    All,
    /// Only as many as a decision that may be go has to know of.
    AsFarAsNeeded,
}

/// What the tables hold at one moment, before anything is concluded from it.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Milliseconds since the epoch, by the database's clock.
    pub now: i64,
    /// As recorded, in the order of their numbers.
    pub applied: Vec<Applied>,
    pub sightings: Vec<Sighting>,
    pub arrivals: Arrivals,
    pub memory: Memory,
    pub leases: Vec<CountedLeases>,
    pub coordinator: CoordinatorRow,
}

impl View {
    /// Concludes what is live, and what the versions admitted since have made of each migration.
    #[must_use]
    pub fn of(contents: Contents) -> Self {
        let Contents {
            now,
            mut applied,
            mut sightings,
            arrivals,
            memory,
            leases,
            coordinator,
        } = contents;
        let groups = live_groups(leases, now, &mut sightings);
        let history = History::of(&arrivals, &sightings);
        for migration in &mut applied {
            migration.follow(&history);
        }
        let mut view = Self {
            now,
            applied,
            sightings,
            arrivals,
            memory,
            groups,
            remembered: Vec::new(),
            settling: Vec::new(),
            twins: Vec::new(),
            ending: Vec::new(),
            moved: None,
            counts: Counts::All,
            coordinator,
        };
        view.remembered = view.recall(&Asker::Door { sources: &[] });
        view
    }

    /// The versions whose writes count: those that hold a lease, and those that other sources saw.
    #[must_use]
    pub fn live_with(&self, others: &[Live]) -> Vec<Live> {
        let leases = Snapshot {
            groups: self.groups.clone(),
            remembered: self.remembered.clone(),
            ..Snapshot::default()
        };
        let mut live = leases.live();
        live.extend(others.iter().cloned());
        live
    }

    /// The migration as it stands now, declared as it was when it was decided on.
    #[must_use]
    pub fn present(&self, decided_on: &MigrationState) -> MigrationState {
        let found = self
            .applied
            .iter()
            .find(|applied| applied.state.id() == decided_on.id());
        let state = found.map_or(decided_on, |applied| &applied.state);
        MigrationState {
            declaration: decided_on.declaration.clone(),
            ..state.clone()
        }
    }

    /// The snapshot with the leases as they are now, and everything else as it was seen before.
    #[must_use]
    pub fn refresh(&self, snapshot: &Snapshot) -> Snapshot {
        let mut fresh = snapshot.clone();
        fresh.taken_at = self.now;
        fresh.groups.retain(|group| !group.is_leased());
        let mut leases = self.groups.clone();
        fresh.settling.clone_from(&self.settling);
        tear(&mut leases, &mut fresh.settling, &snapshot.torn);
        fresh.groups.extend(leases);
        fresh.twins.clone_from(&self.twins);
        fresh.ending.clone_from(&self.ending);
        // When the look was taken counts, not when the leases were looked at again.
        fresh.remembered = self.recall(&Asker::Looker(snapshot));
        fresh
    }

    /// What the leases say, as a source.
    #[must_use]
    pub fn lease_report(&self) -> SourceReport {
        SourceReport {
            name: LEASES.to_owned(),
            status: SourceStatus::Fresh,
            instances: match self.counts {
                Counts::All => Some(crate::model::count(&self.groups)),
                Counts::AsFarAsNeeded => None,
            },
            age_ms: 0,
            notes: Vec::new(),
        }
    }
}

/// The queries of a view, without the leases.
const fn queries() -> [&'static str; 3] {
    [
        super::coordinator::SELECT,
        "SELECT service, version, CASE WHEN {octets}(placed) <= 1024 THEN placed END, last_seen_at, seq FROM {sightings} ORDER BY service, version",
        "SELECT phase, kinds, declaration, seq, step_back, changed_at \
         FROM {migrations} ORDER BY number",
    ]
}

impl View {
    /// The queries of a view without the leases, about this migration alone, of a ledger that is complete.
    pub(super) fn queries_about(id: &MigrationId) -> [String; 3] {
        let [_, sightings, applied] = queries();
        let one = format!(" WHERE number = {} ORDER BY number", id.number());
        [
            sightings.to_owned(),
            arrivals::select(),
            applied.replace(" ORDER BY number", &one),
        ]
    }

    /// What the ledger knows at the moment of `coordinator`, from the answers about sightings, arrivals, leases and
    /// migrations.
    pub(super) fn read(
        coordinator: CoordinatorRow,
        kept: Kept,
        answers: [Vec<Row>; 4],
        memory: &[Vec<Row>; 3],
        rules: &LeaseRules,
    ) -> Result<Self, LedgerError> {
        let [sightings, arrivals, leases, applied] = answers;
        let sightings = sightings
            .iter()
            .map(|row| read_sighting(row, rules))
            .collect::<Result<Vec<_>, _>>()?;
        let arrivals = arrivals::read(kept, &arrivals, &sightings)?;
        let leases = leases.iter().map(read_leases).collect::<Result<_, _>>()?;
        let applied = applied.iter().map(read_applied).collect::<Result<_, _>>()?;
        Ok(Self::of(Contents {
            now: coordinator.now,
            applied,
            sightings,
            arrivals,
            memory: looks::read(memory)?,
            leases,
            coordinator,
        }))
    }
}

impl Ledger<'_> {
    /// Reads everything that a decision needs.
    ///
    /// # Errors
    /// A database error, or contents that this program did not write.
    pub async fn view(&mut self) -> Result<View, LedgerError> {
        self.view_where(String::new()).await
    }

    /// As [`Ledger::view`], of this migration alone: `applied` holds no other.
    ///
    /// # Errors
    /// As of [`Ledger::view`].
    pub async fn view_of(&mut self, id: &MigrationId) -> Result<View, LedgerError> {
        self.view_where(format!(" WHERE number = {}", id.number()))
            .await
    }

    /// The phase that a migration is in, with what the versions admitted since have made of it.
    ///
    /// # Errors
    /// As of [`Ledger::view`].
    pub async fn phase_of(&mut self, id: &MigrationId) -> Result<Phase, LedgerError> {
        let [sightings, arrivals, applied] = self.query_all(View::queries_about(id)).await?;
        let sightings: Vec<Sighting> = sightings
            .iter()
            .map(|row| read_sighting(row, &self.rules))
            .collect::<Result<_, _>>()?;
        let arrivals = arrivals::read(Kept::Yes, &arrivals, &sightings)?;
        let Some(row) = applied.first() else {
            return Ok(Phase::Pending);
        };
        let mut applied = read_applied(row)?;
        applied.follow(&History::of(&arrivals, &sightings));
        Ok(applied.state.phase)
    }

    async fn view_where(&mut self, condition: String) -> Result<View, LedgerError> {
        let (columns, moment) = (self.columns().await?, self.as_of().await?.to_string());
        let leases = [
            counted(&moment, columns, &self.rules),
            names::settling(&moment, columns, &self.rules),
            names::twins(&moment, columns),
            names::ending(&moment, columns),
        ];
        let (mut view, [settling, twins, ending]) = self.view_with(condition, leases).await?;
        view.settling = names::read_settling(&settling)?;
        view.twins = names::read_twins(&twins)?;
        view.ending = names::read_ending(&ending)?;
        Ok(view)
    }

    /// What the ledger knows of the migrations of this condition and, by the first of these queries, of the leases; and the
    /// answers to the others.
    pub(super) async fn view_with(
        &mut self,
        condition: String,
        [leases, first, second, third]: [String; 4],
    ) -> Result<(View, [Vec<Row>; 3]), LedgerError> {
        let [coordinator, sightings, applied] = queries().map(ToOwned::to_owned);
        let applied = applied.replace(" ORDER BY number", &(condition + " ORDER BY number"));
        let as_of = self.as_of().await?;
        let kept = self.keeps_arrivals().await?;
        let arrivals = match kept {
            Kept::Yes => arrivals::select(),
            Kept::No => arrivals::SELECT_NOTHING.to_owned(),
        };
        let [looks, seen, admitted] = looks::queries(&as_of.to_string());
        let (looks, seen) = match kept {
            Kept::Yes => (looks, seen),
            Kept::No => {
                let nothing = arrivals::SELECT_NOTHING;
                (nothing.to_owned(), nothing.to_owned())
            }
        };
        let [
            coordinator,
            sightings,
            arrivals,
            leases,
            applied,
            looks,
            seen,
            admitted,
            first,
            second,
            third,
        ] = self
            .query_all([
                coordinator,
                sightings,
                arrivals,
                leases,
                applied,
                looks,
                seen,
                admitted,
                first,
                second,
                third,
            ])
            .await?;
        let coordinator = super::coordinator::read(&coordinator)?;
        let view = View::read(
            CoordinatorRow {
                now: as_of,
                ..coordinator
            },
            kept,
            [sightings, arrivals, leases, applied],
            &[looks, seen, admitted],
            &self.rules,
        )?;
        Ok((view, [first, second, third]))
    }

    /// As [`Ledger::view`], with every file of every applied phase, in a transaction of its own and
    /// one round trip; `None` where the database has no ledger.
    ///
    /// # Errors
    /// A database error, a ledger of a newer program, or contents that this program did not write.
    pub async fn survey(
        connection: &mut dyn Connection,
        rules: &LeaseRules,
    ) -> Result<Option<(View, Vec<AppliedFile>)>, LedgerError> {
        connection.begin(Access::Read).await?;
        let first = connection.looks_first(Access::Read);
        super::tables::look(connection, first).await?;
        let [_, sightings, applied] = queries();
        let capabilities = connection.capabilities();
        let queries = [
            super::coordinator::SELECT_WITH_FORMAT,
            sightings,
            &arrivals::select(),
            &summed(rules),
            applied,
            super::record::SELECT_FILES,
            looks::SELECT_LOOKED,
            looks::SELECT_SEEN,
        ]
        .map(|sql| super::tables::render(&capabilities, sql));
        let answers = match connection.query_last(&queries).await {
            Ok(answers) => answers,
            // Asked one by one it would wait as long again.
            Err(error) if error.kind == ErrorKind::Locked => {
                connection.rollback().await?;
                return Err(error.into());
            }
            Err(error) => {
                connection.rollback().await?;
                // Asked one by one it turns out why: no ledger, one of an earlier version that has not been
                // completed, or a newer one.
                let Some(mut ledger) = Ledger::read(connection).await? else {
                    return Ok(None);
                };
                let kept = ledger.keeps_arrivals().await?;
                let is_of_before = !ledger.columns().await?.has("leases", "superseded");
                ledger.rollback().await?;
                if kept == Kept::No || is_of_before {
                    return Self::survey_one_by_one(connection, rules).await;
                }
                return Err(error.into());
            }
        };
        let [
            coordinator,
            sightings,
            arrivals,
            leases,
            applied,
            files,
            looks,
            seen,
        ] = all(answers)?;
        let row = super::first(&coordinator)?;
        super::understood(row.int(5)?)?;
        let recorded = row.optional_text(6)?;
        if let Some(apart) = &connection.capabilities().apart {
            super::apart::is_of_here(connection, apart, recorded).await?;
        }
        super::place::is_here(connection, recorded).await?;
        let now = row.int(4)?;
        if !all_serving(&leases, now)? {
            return Self::survey_one_by_one(connection, rules).await;
        }
        let coordinator = super::coordinator::read(&coordinator)?;
        let answers = [sightings, arrivals, leases, applied];
        // No lease has run out.
        let memory = [looks, seen, Vec::new()];
        let mut view = View::read(coordinator, Kept::Yes, answers, &memory, rules)?;
        view.moved = super::place::moved(row, 7, connection.server(), now)?;
        Ok(Some((view, super::record::read_files(&files)?)))
    }

    /// As [`Ledger::survey`], judging each lease by itself.
    async fn survey_one_by_one(
        connection: &mut dyn Connection,
        rules: &LeaseRules,
    ) -> Result<Option<(View, Vec<AppliedFile>)>, LedgerError> {
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(None);
        };
        ledger.judge_by(rules);
        let mut view = ledger.view().await?;
        view.moved = ledger.moved().await?;
        let files = ledger.query(super::record::SELECT_FILES, &[]).await?;
        ledger.rollback().await?;
        Ok(Some((view, super::record::read_files(&files)?)))
    }
}

fn read_sighting(row: &Row, rules: &LeaseRules) -> Result<Sighting, LedgerError> {
    let (service, text) = (row.text(0)?, row.text(1)?);
    let recorded = row.optional_text(2)?.unwrap_or_default();
    Ok(Sighting {
        service: service.to_owned(),
        label: Label {
            text: text.to_owned(),
            version: rules.place(service, text, recorded.parse::<Version>().ok()),
        },
        last_seen_at: row.int(3)?,
        seq: row.int(4)?,
    })
}

fn read_applied(row: &Row) -> Result<Applied, LedgerError> {
    let damaged = |error: &dyn std::fmt::Display| LedgerError::Damaged(error.to_string());
    let phase: Phase = row.text(0)?.parse().map_err(|error| damaged(&error))?;
    let kinds = row.text(1)?.parse().map_err(|error| damaged(&error))?;
    let declaration = serde_json::from_str(row.text(2)?).map_err(|error| damaged(&error))?;
    let step_back = match row.optional_text(4)?.unwrap_or_default() {
        "" => None,
        text => Some(text.parse().map_err(|error| damaged(&error))?),
    };
    Ok(Applied {
        state: MigrationState {
            declaration,
            phase,
            kinds,
        },
        recorded_phase: phase,
        seq: row.int(3)?,
        step_back,
        changed_at: row.int(5)?,
    })
}
