//! Concrete rows under random histories that the gate allows: the abstraction is not used here, so
//! it cannot excuse itself.

use proptest::prelude::*;

use super::properties::{any_declaration, any_version};
use crate::gate::{Action, Evidence, Verdict, decide};
use crate::model::testing::{declaration, live, snapshot};
use crate::model::{Behaviour, Fill, Live, MigrationState, Phase, Rows, Schema, Step, Sync};

/// One row: in each format the value's generation, or nothing.
#[derive(Clone, Debug, Default)]
struct Row {
    old: Option<u32>,
    new: Option<u32>,
    latest: u32,
    /// Whether the backfill that runs has still to pass over it.
    is_due: bool,
}

/// What happens next; the numbers choose among what is possible.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Begin(u8),
    /// The step under way goes on by one statement or batch, or ends.
    Continue,
    Finish,
    Admit(u8),
    Retire(u8),
    Insert(u8),
    Update(u8, u8),
    /// The coordinator gives a contract up.
    StepBack,
}

pub(super) fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => any::<u8>().prop_map(Event::Begin),
        2 => Just(Event::Continue),
        3 => Just(Event::Finish),
        4 => any::<u8>().prop_map(Event::Admit),
        3 => any::<u8>().prop_map(Event::Retire),
        4 => any::<u8>().prop_map(Event::Insert),
        5 => any::<(u8, u8)>().prop_map(|(who, row)| Event::Update(who, row)),
        1 => Just(Event::StepBack),
    ]
}

/// How backfill.sql treats a row that has a new value already.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Statement {
    Overwrites,
    FillsOnly,
}

struct Simulation {
    evidence: Evidence,
    live: Vec<Live>,
    rows: Vec<Row>,
    sync: Sync,
    /// As its author declares it; the gate refuses it where it would be wrong.
    statement: Statement,
    generation: u32,
    log: Vec<String>,
    /// Who was let in and would not be again, though nobody has come or gone.
    shut_out: Option<Live>,
    order: Order,
}

/// How what is recorded follows those who come.
#[derive(Clone, Debug)]
enum Order {
    /// One by one, each with whoever is live then.
    OneByOne,
    /// Wrongly: all that have come since the record was made, as if they had been live together.
    AllAtOnce {
        recorded: Box<MigrationState>,
        since: Vec<Live>,
    },
}

impl Simulation {
    fn new(state: MigrationState, rows: usize, habit: Statement) -> Self {
        let mut state = state;
        state.declaration.fill = match habit {
            Statement::Overwrites => Fill::Overwrites,
            Statement::FillsOnly => Fill::Unsaid,
        };
        let declaration = &state.declaration;
        let expanded = state.expand_is_done();
        let mut simulation = Self {
            sync: if expanded {
                declaration.sync
            } else {
                Sync::None
            },
            rows: Vec::new(),
            evidence: Evidence::default(),
            live: Vec::new(),
            statement: habit,
            generation: 0,
            log: Vec::new(),
            shut_out: None,
            order: Order::OneByOne,
        };
        if declaration.has_old() {
            simulation.rows = vec![
                Row {
                    old: Some(0),
                    ..Row::default()
                };
                rows
            ];
        }
        let carries = expanded && declaration.has_new() && !declaration.parts.backfill;
        if carries && declaration.sync.refreshes_new() {
            simulation.fill_all();
        }
        simulation.evidence.schema = Schema::new(vec![state]);
        simulation.observe();
        simulation
    }

    fn state(&self) -> &MigrationState {
        &self.evidence.schema.migrations()[0]
    }

    fn set(&mut self, state: MigrationState) {
        self.log.push(format!("-> {} {}", state.phase, state.kinds));
        if let Order::AllAtOnce { recorded, since } = &mut self.order {
            **recorded = state.clone();
            since.clone_from(&self.live);
        }
        self.evidence.schema = Schema::new(vec![state]);
    }

    fn observe(&mut self) {
        self.evidence.snapshot = snapshot(&self.live);
    }

    fn fill_all(&mut self) {
        for row in &mut self.rows {
            row.new = row.old;
        }
    }

    fn is_allowed(&self, action: Action) -> bool {
        decide(action, &self.evidence).verdict == Verdict::Go
    }

    fn happen(&mut self, event: &Event) {
        self.log.push(format!("{event:?}"));
        match event {
            Event::Begin(choice) => self.begin(Step::ALL[*choice as usize % 4]),
            Event::Continue => self.go_on(),
            Event::Finish => self.finish(),
            Event::Admit(choice) => self.admit(*choice),
            Event::Retire(choice) => {
                if !self.live.is_empty() {
                    let gone = self.live.remove(*choice as usize % self.live.len());
                    self.log.push(format!("{gone} is gone"));
                    self.observe();
                }
            }
            Event::Insert(who) => self.write(*who, None),
            Event::Update(who, row) => {
                if !self.rows.is_empty() && self.state().declaration.rows == Rows::Mutable {
                    self.write(*who, Some(*row as usize % self.rows.len()));
                }
            }
            Event::StepBack => {
                if self.state().phase == Phase::Contracting {
                    let parts = self.state().declaration.parts;
                    let phase = match (parts.backfill, parts.expand) {
                        (true, _) => Phase::Backfilled,
                        (false, true) => Phase::Expanded,
                        (false, false) => Phase::Pending,
                    };
                    let back = MigrationState {
                        phase,
                        ..self.state().clone()
                    };
                    self.set(back);
                }
            }
        }
    }

    fn begin(&mut self, step: Step) {
        let id = self.state().id().clone();
        let action = Action::Step {
            step,
            migration: id,
        };
        let decision = decide(action, &self.evidence);
        if decision.verdict != Verdict::Go || self.state().has_taken(step, &self.live) {
            return;
        }
        let during = self.state().states_during(step, &self.live).remove(0);
        if step == Step::Backfill {
            self.rows.iter_mut().for_each(|row| row.is_due = true);
        }
        self.log
            .push(format!("begins {step:?} {:?}", self.statement));
        self.set(during);
    }

    fn go_on(&mut self) {
        let declaration = self.state().declaration.clone();
        match self.state().phase {
            Phase::Expanding if self.sync != declaration.sync => {
                self.sync = declaration.sync;
                let fills = declaration.sync.refreshes_new() && !declaration.parts.backfill;
                if fills && declaration.has_new() {
                    self.fill_all();
                }
            }
            Phase::Reverting => self.sync = Sync::None,
            Phase::Backfilling => {
                self.fill_next();
            }
            _ => {}
        }
    }

    fn fill_next(&mut self) -> bool {
        let statement = self.statement;
        let Some(row) = self.rows.iter_mut().find(|row| row.is_due) else {
            return false;
        };
        row.is_due = false;
        if statement == Statement::Overwrites || row.new.is_none() {
            row.new = row.old;
        }
        true
    }

    fn finish(&mut self) {
        let has_new = self.state().declaration.has_new();
        let step = match self.state().phase {
            Phase::Expanding => {
                self.go_on();
                Step::Expand
            }
            Phase::Backfilling => {
                while self.fill_next() {}
                Step::Backfill
            }
            Phase::Contracting => {
                self.rows.iter_mut().for_each(|row| row.old = None);
                if !has_new {
                    self.rows.clear();
                }
                self.sync = Sync::None;
                Step::Contract
            }
            Phase::Reverting => {
                self.rows.iter_mut().for_each(|row| row.new = None);
                self.sync = Sync::None;
                Step::Revert
            }
            _ => return,
        };
        let after = self.state().after(step, &self.live);
        self.set(after);
    }

    fn admit(&mut self, choice: u8) {
        self.let_in(any_version(choice));
    }

    fn let_in(&mut self, who: Live) {
        if !self.is_allowed(Action::Deploy(vec![who.clone()])) {
            return;
        }
        self.log.push(format!("admits {who}"));
        if !self.live.contains(&who) {
            self.live.push(who.clone());
        }
        let after = match &mut self.order {
            Order::OneByOne => self.state().admitting(&self.live),
            Order::AllAtOnce { recorded, since } => {
                since.push(who.clone());
                recorded.admitting(since)
            }
        };
        self.evidence.schema = Schema::new(vec![after]);
        self.observe();
        if !self.is_allowed(Action::Deploy(vec![who.clone()])) {
            self.shut_out = Some(who);
        }
    }

    /// What an instance really does: one of the two where its pre-release is ambiguous.
    fn truth(&self, who: &Live, choice: u8) -> Behaviour {
        let behaviours = self
            .state()
            .declaration
            .behaviours(&who.service, &who.version);
        behaviours[choice as usize % behaviours.len()]
    }

    fn write(&mut self, choice: u8, row: Option<usize>) {
        if self.live.is_empty() {
            return;
        }
        let who = &self.live[choice as usize % self.live.len()];
        let written = self.truth(who, choice / 16).writes;
        if written.is_empty() {
            return;
        }
        self.log.push(format!("{who} writes {row:?}"));
        self.generation += 1;
        let index = row.unwrap_or_else(|| {
            // A new row may lie before or behind where the backfill is.
            let is_due = choice.is_multiple_of(2);
            self.rows.push(Row {
                is_due,
                ..Row::default()
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[index];
        row.latest = self.generation;
        let to_new = matches!(self.sync, Sync::Both | Sync::ToNew) && written.old;
        let to_old = matches!(self.sync, Sync::Both | Sync::ToOld) && written.new;
        if written.old || to_old {
            row.old = Some(row.latest);
        }
        if written.new || to_new {
            row.new = Some(row.latest);
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let log = || self.log.join("\n");
        prop_assert!(self.shut_out.is_none(), "{:?}\n{}", self.shut_out, log());
        let breaches = self.state().breaches(&self.live);
        prop_assert!(breaches.is_empty(), "{breaches:?}\n{}", log());
        for row in &self.rows {
            let latest = Some(row.latest);
            prop_assert!(
                row.old == latest || row.new == latest,
                "lost {row:?}\n{}",
                log()
            );
            for who in &self.live {
                for choice in 0..2 {
                    let reads = self.truth(who, choice).reads;
                    let seen = match (reads.old, reads.new) {
                        (false, false) => continue,
                        (true, false) => row.old,
                        (false, true) => row.new,
                        (true, true) => row.new.or(row.old),
                    };
                    prop_assert_eq!(seen, latest, "{} reads {:?}\n{}", who, row, log());
                }
            }
        }
        if self.state().phase == Phase::Backfilled {
            let filled = self.rows.iter().all(|row| row.new == Some(row.latest));
            prop_assert!(filled, "not filled\n{}", log());
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    #[test]
    fn no_row_is_misread_or_lost(
        declaration in any_declaration(),
        rows in 0usize..4,
        overwrites: bool,
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let habit = if overwrites { Statement::Overwrites } else { Statement::FillsOnly };
        let state = MigrationState::pending(declaration);
        let mut simulation = Simulation::new(state, rows, habit);
        simulation.check()?;
        for event in &events {
            simulation.happen(event);
            simulation.check()?;
        }
    }
}

/// Expand, then 1.0.0 comes and goes, and then 1.1.0 comes.
fn one_after_the_other(order: Order) -> Result<(), TestCaseError> {
    let state = MigrationState::pending(declaration("old <1.2.0 new >=1.1.0 backfill contract"));
    let mut simulation = Simulation::new(state, 2, Statement::FillsOnly);
    simulation.order = order;
    simulation.begin(Step::Expand);
    simulation.finish();
    simulation.let_in(live("web 1.0.0"));
    simulation.write(0, Some(0));
    simulation.happen(&Event::Retire(0));
    simulation.let_in(live("web 1.1.0"));
    simulation.write(0, Some(0));
    simulation.check()
}

#[test]
fn kinds_of_versions_that_never_met_would_be_noticed() {
    one_after_the_other(Order::OneByOne).unwrap();
    let recorded = MigrationState::pending(declaration(""));
    let at_once = Order::AllAtOnce {
        recorded: Box::new(recorded),
        since: Vec::new(),
    };
    assert!(one_after_the_other(at_once).is_err());
}

/// As many cases as are quick, or as `PROPTEST_CASES` says.
pub(super) fn cases(quick: u32) -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(quick)
}
