//! The checker's side: what may happen next, and what has to hold in every state.

use phasegate::gate::{BlockerKind, Verdict};
use phasegate::model::{Format, Phase, Step};
use stateright::{Model, Property};

use super::fleet::Event;
use super::rows;
use super::scenario::Scenario;
use super::state::{Baton, Coordinator, Health, Process, Renewal, State, Tables, Work, bit};

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    Tick,
    Instance(usize, Event),
    Begin(usize, Step),
    Advance(usize),
    KillCoordinator(usize),
    /// The coordinator's lease is not renewed in time.
    BatonExpires,
    /// Connections break, and with them every answer that was under way.
    Restart,
    SourceTurns(Health),
}

impl Model for Scenario {
    type State = State;
    type Action = Happening;

    fn init_states(&self) -> Vec<State> {
        let row = super::state::Row {
            old: Some(0),
            ..Default::default()
        };
        let processes = self.slots.iter().map(|slot| match slot.unregistered {
            true => Process::Unregistered,
            false => Process::Off,
        });
        vec![State {
            ticks: 0,
            tables: Tables {
                old: true,
                new: false,
                synced: false,
            },
            rows: vec![row; self.rows],
            record: None,
            arrivals: Vec::new(),
            cursor: false,
            leases: Vec::new(),
            baton: Baton::Free,
            processes: processes.collect(),
            coordinators: vec![
                Coordinator {
                    is_current: false,
                    work: Work::Idle,
                };
                self.coordinators
            ],
            health: Health::Fresh,
            left: self.left,
            wrong: None,
            reverted: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Happening>) {
        if state.left.ticks > 0 {
            actions.push(Happening::Tick);
        }
        let mut events = Vec::new();
        self.fleet_events(state, &mut events);
        let happenings = events
            .into_iter()
            .map(|(slot, event)| Happening::Instance(slot, event));
        actions.extend(happenings);
        for (who, coordinator) in state.coordinators.iter().enumerate() {
            if coordinator.work == Work::Idle {
                if state.left.runs > 0 {
                    let steps = self.steps.iter();
                    actions.extend(steps.map(|step| Happening::Begin(who, *step)));
                }
            } else {
                actions.push(Happening::Advance(who));
                if state.left.takeovers > 0 {
                    actions.push(Happening::KillCoordinator(who));
                }
            }
        }
        if state.left.takeovers > 0 && state.baton == Baton::Held {
            actions.push(Happening::BatonExpires);
        }
        if state.left.restarts > 0 {
            actions.push(Happening::Restart);
        }
        if state.left.turns > 0 && self.has_list() {
            let all = [Health::Fresh, Health::Stale, Health::Failed];
            let others = all.into_iter().filter(|health| *health != state.health);
            actions.extend(others.map(Happening::SourceTurns));
        }
    }

    fn next_state(&self, last: &State, action: Happening) -> Option<State> {
        let mut state = last.clone();
        match action {
            Happening::Tick => self.tick(&mut state),
            Happening::Instance(slot, event) => self.happens(&mut state, slot, &event)?,
            Happening::Begin(who, step) => self.begin(&mut state, who, step)?,
            Happening::Advance(who) => self.advance(&mut state, who)?,
            Happening::KillCoordinator(who) => {
                state.left.takeovers -= 1;
                state.coordinators[who].work = Work::Idle;
                if state.coordinators[who].is_current {
                    // In time.
                    state.baton = Baton::Expired;
                }
            }
            Happening::BatonExpires => {
                state.left.takeovers -= 1;
                state.baton = Baton::Expired;
            }
            Happening::Restart => {
                state.left.restarts -= 1;
                for coordinator in &mut state.coordinators {
                    coordinator.work = Work::Idle;
                }
                if state.baton == Baton::Held {
                    state.baton = Baton::Expired;
                }
                for process in &mut state.processes {
                    if let Process::Running { renewal, .. } = process {
                        *renewal = None::<Renewal>;
                    }
                }
            }
            Happening::SourceTurns(health) => {
                state.left.turns -= 1;
                state.health = health;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = always();
        let reached = sometimes()
            .into_iter()
            .filter(|property| self.reaches.contains(&property.name));
        properties.extend(reached);
        let met = blocked()
            .into_iter()
            .filter(|(kind, _)| self.blockers.contains(kind))
            .map(|(_, property)| property);
        properties.extend(met);
        properties
    }
}

/// What has to hold in every state.
fn always() -> Vec<Property<Scenario>> {
    vec![
        Property::<Scenario>::always(
            "whoever runs reads what was written last",
            |model, state| {
                acting(model, state).all(|slot| {
                    model.behaviours(slot).iter().all(|behaviour| {
                        let seen = |row| rows::read(row, *behaviour);
                        state
                            .rows
                            .iter()
                            .all(|row| seen(row).is_none_or(|found| found == Some(row.latest)))
                    })
                })
            },
        ),
        Property::<Scenario>::always(
            "whoever runs finds the formats that it uses",
            |model, state| {
                acting(model, state).all(|slot| {
                    model.behaviours(slot).iter().all(|behaviour| {
                        (state.tables.old || !behaviour.touches(Format::Old))
                            && (state.tables.new || !behaviour.touches(Format::New))
                    })
                })
            },
        ),
        Property::<Scenario>::always("no row is lost", |_, state| {
            state.rows.iter().all(|row| {
                row.old == Some(row.latest) && state.tables.old
                    || row.new == Some(row.latest) && state.tables.new
            })
        }),
        Property::<Scenario>::always(
            "nobody who uses a format that is gone is admitted",
            |model, state| {
                let uses_what_is_gone = |slot: usize| {
                    model.behaviours(slot).iter().any(|behaviour| {
                        !state.tables.old && behaviour.touches(Format::Old)
                            || !state.tables.new && behaviour.touches(Format::New)
                    })
                };
                let mut admitted = state.leases.iter().map(|lease| lease.slot);
                !admitted.any(uses_what_is_gone)
            },
        ),
        Property::<Scenario>::always(
            "one coordinator's changes take effect at a time",
            |_, state| state.wrong.is_none(),
        ),
        Property::<Scenario>::always("a holder stops before its lease ends", |model, state| {
            model.deadlines_hold(state)
        }),
        Property::<Scenario>::always("the ledger says what is there", |model, state| {
            is_true(model, state)
        }),
        Property::<Scenario>::always("every row is of a kind that may exist", |model, state| {
            // What statements make of the rows one by one is recorded at the end of them.
            let present = model.present(state);
            matches!(present.phase, Phase::Expanding | Phase::Contracting) && model.in_statements
                || state
                    .rows
                    .iter()
                    .all(|row| present.reachable.contains(rows::kind(row)))
        }),
        Property::<Scenario>::always(
            "backfilled is what a contract can start from",
            |model, state| {
                let present = model.present(state);
                present.phase != Phase::Backfilled || present.reachable.all_new_fresh()
            },
        ),
    ]
}

/// The instances that can touch the database right now.
fn acting<'a>(model: &'a Scenario, state: &'a State) -> impl Iterator<Item = usize> + 'a {
    (0..state.processes.len()).filter(|slot| model.acts(state, *slot))
}

fn is_true(model: &Scenario, state: &State) -> bool {
    match model.present(state).phase {
        Phase::Pending => state.tables.old && !state.tables.new,
        Phase::Expanding => state.tables.old,
        Phase::Contracting if model.in_statements => state.tables.new,
        Phase::Expanded | Phase::Backfilling | Phase::Contracting | Phase::Reverting => {
            state.tables.old && state.tables.new
        }
        Phase::Backfilled => {
            let filled = |row: &super::state::Row| row.new == Some(row.latest);
            state.tables.old && state.tables.new && state.rows.iter().all(filled)
        }
        Phase::Contracted => !state.tables.old && state.tables.new,
    }
}

/// What has to be possible.
fn sometimes() -> Vec<Property<Scenario>> {
    vec![
        Property::<Scenario>::sometimes("the contract is reached", |_, state| {
            state.phase() == Phase::Contracted
        }),
        Property::<Scenario>::sometimes(
            "a rollback after the backfill succeeds",
            |model, state| {
                let went_back = |(slot, process): (usize, &Process)| {
                    let behaviours = model.behaviours(slot);
                    matches!(process, Process::Running { .. })
                        && behaviours.iter().all(|b| !b.touches(Format::New))
                };
                state.phase() == Phase::Backfilled
                    && !state.arrivals.is_empty()
                    && state.processes.iter().enumerate().any(went_back)
            },
        ),
        Property::<Scenario>::sometimes("a rollback undoes the backfill", |model, state| {
            state.phase() == Phase::Backfilled && model.present(state).phase == Phase::Expanded
        }),
        Property::<Scenario>::sometimes(
            "whoever came when the one before had gone may come again",
            |model, state| {
                let came_alone = |slot| state.arrivals.contains(&bit(slot));
                came_alone(0)
                    && came_alone(1)
                    && state.leases.is_empty()
                    && model
                        .may_deploy(model.knowledge(state, None, None), 1)
                        .verdict
                        == Verdict::Go
            },
        ),
        Property::<Scenario>::sometimes("expand is taken back", |_, state| state.reverted),
        Property::<Scenario>::sometimes("a fence is left up by the dead", |_, state| {
            state.phase() == Phase::Contracting
                && state.coordinators.iter().all(|c| c.work == Work::Idle)
        }),
        Property::<Scenario>::sometimes("two coordinators believe to be the one", |_, state| {
            let at_work = state.coordinators.iter().filter(|c| c.work != Work::Idle);
            at_work.count() > 1
        }),
        Property::<Scenario>::sometimes(
            "a process sleeps past the end of its lease",
            |_, state| {
                state.processes.iter().enumerate().any(|(slot, process)| {
                    matches!(process, Process::Running { paused: true, .. })
                        && state.leases.iter().all(|lease| lease.slot != slot)
                })
            },
        ),
        Property::<Scenario>::sometimes("a lease outlives its process", |_, state| {
            state
                .leases
                .iter()
                .any(|lease| state.processes[lease.slot] == Process::Off)
        }),
        Property::<Scenario>::sometimes("a write falls between two batches", |_, state| {
            state.cursor
                && state.rows.iter().any(|row| row.due)
                && state.rows.iter().any(|row| row.latest > 0)
        }),
    ]
}

macro_rules! blocked {
    ($($kind:ident),+) => {
        /// A refusal for each kind of blocker.
        fn blocked() -> Vec<(BlockerKind, Property<Scenario>)> {
            vec![$((
                BlockerKind::$kind,
                Property::<Scenario>::sometimes(concat!("blocked: ", stringify!($kind)), |model, state| {
                    model.meets(state, BlockerKind::$kind)
                }),
            )),+]
        }
    };
}

blocked!(
    LiveVersion,
    ExpandFirst,
    BackfillFirst,
    OldFormatGone,
    UnreadableRows,
    DataLoss,
    UndecidableRows,
    Incompatible,
    Order,
    NoSuchPhase,
    WrongPhase,
    Requirement,
    Soak,
    Source,
    MissingInstances,
    UnplacedVersion
);

impl Scenario {
    /// Whether somebody who asked now would meet a blocker of this kind.
    fn meets(&self, state: &State, kind: BlockerKind) -> bool {
        let seen = self.look(state);
        let remaining = [None, Some(rows::remaining(state))];
        let of_steps = Step::ALL.into_iter().any(|step| {
            remaining.iter().any(|remaining| {
                let knowledge = self.knowledge(state, Some(seen), *remaining);
                let of_neighbour = |step| {
                    let answer = self.neighbour_may_take(knowledge.clone(), step);
                    !self.neighbours.is_empty() && answer.kinds.contains(&kind)
                };
                of_neighbour(step) || self.may_take(knowledge.clone(), step).kinds.contains(&kind)
            })
        });
        of_steps
            || (0..self.slots.len()).any(|slot| {
                let knowledge = self.knowledge(state, None, None);
                self.may_deploy(knowledge, slot).kinds.contains(&kind)
            })
    }
}
