//! What instances do: they are admitted, renew, drain, crash, stand still, and write.

use std::time::Duration;

use phasegate::gate::Verdict;
use phasegate::lease::{Held, Moment, Terms};
use phasegate::model::Behaviour;

use super::mutation::Mutation;
use super::rows;
use super::scenario::Scenario;
use super::state::{LeaseRow, Process, Renewal, Row, State, bit};

/// Of true time, in milliseconds. A lease lasts four of them.
pub const TICK: u64 = 25_000;
const LEASE: u64 = 100_000;

/// The database's clock runs this many thousandths as fast as true time: up to one in a hundred too fast, which together
/// with a holder's clock that is as much too slow is just what the margin of a fiftieth of the lease covers.
const DATABASE_RATE: u64 = 1010;

/// What an instance may do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Admit,
    Start,
    SendRenewal,
    CommitRenewal,
    HearOfRenewal,
    Drain,
    Exit,
    Crash,
    Pause,
    Resume,
    Update { row: usize, behaviour: usize },
    Insert { due: bool, behaviour: usize },
}

pub fn terms() -> Terms {
    let lease = Duration::from_millis(LEASE);
    Terms::new(lease, lease / 10, Duration::from_secs(1)).expect("terms that are allowed")
}

impl Scenario {
    pub fn database_now(&self, state: &State) -> i64 {
        let true_ms = u64::from(state.ticks) * TICK;
        i64::try_from(true_ms * DATABASE_RATE / 1000).expect("a short time")
    }

    /// The clock of the machine that runs this instance.
    pub fn holder_now(&self, state: &State, slot: usize) -> u64 {
        u64::from(state.ticks) * TICK * self.slots[slot].rate / 1000
    }

    /// The holder's moment on the database's clock, rounded up: a deadline may only be early.
    fn on_the_databases_clock(&self, slot: usize, holder_ms: u64) -> i64 {
        let rate = self.slots[slot].rate;
        i64::try_from((holder_ms * DATABASE_RATE).div_ceil(rate)).expect("a short time")
    }

    /// What its holder knows, as production keeps it.
    fn held(&self, asked_at: u64, now: u64) -> Held {
        let mut held = Held::admitted(Moment::from_millis(asked_at), &terms());
        held.expire(Moment::from_millis(now));
        held
    }

    fn is_dead(&self, asked_at: u64, now: u64) -> bool {
        Moment::from_millis(now) >= self.held(asked_at, now).deadline.kill_at()
    }

    /// Whether the process can touch the database at this moment.
    pub fn acts(&self, state: &State, slot: usize) -> bool {
        match &state.processes[slot] {
            Process::Off | Process::Admitted { .. } => false,
            Process::Unregistered => true,
            Process::Running { paused, .. } => !paused,
        }
    }

    /// What its version may really do: two things, where a pre-release is ambiguous.
    pub fn behaviours(&self, slot: usize) -> &[Behaviour] {
        &self.slots[slot].behaviours
    }

    pub fn fleet_events(&self, state: &State, events: &mut Vec<(usize, Event)>) {
        for slot in 0..self.slots.len() {
            let mut add = |event| events.push((slot, event));
            let left = &state.left;
            match &state.processes[slot] {
                Process::Off => {
                    if left.admissions > 0 && !self.slots[slot].unregistered {
                        add(Event::Admit);
                    }
                    continue;
                }
                Process::Admitted { .. } => {
                    add(Event::Start);
                    continue;
                }
                Process::Running { paused: true, .. } => {
                    add(Event::Resume);
                    continue;
                }
                Process::Unregistered => add(Event::Exit),
                Process::Running {
                    renewal, draining, ..
                } => {
                    add(Event::Exit);
                    if left.crashes > 0 {
                        add(Event::Crash);
                    }
                    if left.pauses > 0 {
                        add(Event::Pause);
                    }
                    if left.drains > 0 && !draining {
                        add(Event::Drain);
                    }
                    match renewal {
                        None if left.renewals > 0 => add(Event::SendRenewal),
                        None => {}
                        Some(Renewal::Sent { .. }) => add(Event::CommitRenewal),
                        Some(Renewal::Done { .. }) => add(Event::HearOfRenewal),
                    }
                }
            }
            for (behaviour, what) in self.behaviours(slot).iter().enumerate() {
                if what.writes.is_empty() || left.writes == 0 {
                    continue;
                }
                if rows::are_mutable(&self.declaration) {
                    for row in 0..state.rows.len() {
                        add(Event::Update { row, behaviour });
                    }
                }
                if left.inserts > 0 {
                    add(Event::Insert {
                        due: false,
                        behaviour,
                    });
                    if state.rows.iter().any(|row| row.due) {
                        add(Event::Insert {
                            due: true,
                            behaviour,
                        });
                    }
                }
            }
        }
    }

    pub fn happens(&self, state: &mut State, slot: usize, event: &Event) -> Option<()> {
        let now = self.holder_now(state, slot);
        match event {
            Event::Admit => self.admit(state, slot)?,
            Event::Start => self.start(state, slot, now),
            Event::SendRenewal => {
                state.left.renewals -= 1;
                set_renewal(state, slot, Some(Renewal::Sent { asked_at: now }));
            }
            Event::CommitRenewal => self.commit_renewal(state, slot)?,
            Event::HearOfRenewal => self.hear_of_renewal(state, slot, now),
            Event::Drain => {
                state.left.drains -= 1;
                if let Process::Running { draining, .. } = &mut state.processes[slot] {
                    *draining = true;
                }
                for lease in &mut state.leases {
                    lease.draining |= lease.slot == slot;
                }
                state.leases.sort();
            }
            Event::Exit => {
                state.processes[slot] = Process::Off;
                state.leases.retain(|lease| lease.slot != slot);
            }
            Event::Crash => {
                state.left.crashes -= 1;
                state.processes[slot] = Process::Off;
            }
            Event::Pause => {
                state.left.pauses -= 1;
                set_paused(state, slot, true);
            }
            Event::Resume => {
                set_paused(state, slot, false);
                // Whoever wakes up looks at its deadline before anything else.
                self.kill_the_late(state);
            }
            Event::Update { row, behaviour } => {
                state.left.writes -= 1;
                self.write(state, slot, *behaviour, *row)?;
            }
            Event::Insert { due, behaviour } => {
                state.left.writes -= 1;
                state.left.inserts -= 1;
                state.rows.push(Row {
                    due: *due,
                    ..Row::default()
                });
                let row = state.rows.len() - 1;
                self.write(state, slot, *behaviour, row)?;
            }
        }
        Some(())
    }

    /// One transaction, serialised with every change of phase: the gate is asked and the lease written.
    fn admit(&self, state: &mut State, slot: usize) -> Option<()> {
        if self
            .may_deploy(self.knowledge(state, None, None), slot)
            .verdict
            != Verdict::Go
        {
            return None;
        }
        state.left.admissions -= 1;
        self.register(state, slot);
        state.processes[slot] = Process::Admitted {
            asked_at: self.holder_now(state, slot),
        };
        if !self.watches_leases {
            // Where leases are not what is looked at, the answer comes at once.
            let now = self.holder_now(state, slot);
            self.start(state, slot, now);
        }
        Some(())
    }

    fn register(&self, state: &mut State, slot: usize) {
        state.leases.push(LeaseRow {
            slot,
            expires_at: self.database_now(state) + i64::try_from(LEASE).expect("a short time"),
            draining: false,
        });
        state.leases.sort();
        state.arrive(match self.mutation {
            Mutation::LiveForgotten => bit(slot),
            _ => state.leased(),
        });
    }

    fn start(&self, state: &mut State, slot: usize, now: u64) {
        let Process::Admitted { asked_at } = state.processes[slot] else {
            return;
        };
        let asked_at = match self.mutation {
            Mutation::DeadlineFromReply => now,
            _ => asked_at,
        };
        if self
            .held(asked_at, now)
            .is_valid_at(Moment::from_millis(now))
        {
            state.processes[slot] = Process::Running {
                asked_at,
                renewal: None,
                draining: false,
                paused: false,
            };
        } else {
            state.processes[slot] = Process::Off;
            state.leases.retain(|lease| lease.slot != slot);
        }
    }

    /// The database extends the lease; one that has run out has to be admitted again.
    fn commit_renewal(&self, state: &mut State, slot: usize) -> Option<()> {
        let Process::Running {
            renewal: Some(Renewal::Sent { asked_at }),
            ..
        } = state.processes[slot]
        else {
            return None;
        };
        let until = self.database_now(state) + i64::try_from(LEASE).expect("a short time");
        match state.leases.iter_mut().find(|lease| lease.slot == slot) {
            Some(lease) => lease.expires_at = until,
            None => {
                let answer = self.may_deploy(self.knowledge(state, None, None), slot);
                if answer.verdict != Verdict::Go {
                    // A loss; its deadline has passed as well, or the checker says so.
                    set_renewal(state, slot, None);
                    return Some(());
                }
                self.register(state, slot);
            }
        }
        state.leases.sort();
        set_renewal(state, slot, Some(Renewal::Done { asked_at }));
        Some(())
    }

    fn hear_of_renewal(&self, state: &mut State, slot: usize, now: u64) {
        let Process::Running {
            asked_at, renewal, ..
        } = &mut state.processes[slot]
        else {
            return;
        };
        let Some(Renewal::Done { asked_at: of_it }) = renewal.take() else {
            return;
        };
        let of_it = match self.mutation {
            Mutation::DeadlineFromReply => now,
            _ => of_it,
        };
        let now = Moment::from_millis(now);
        let mut held = Held::admitted(Moment::from_millis(*asked_at), &terms());
        if held.renew(Moment::from_millis(of_it), now, &terms()) {
            *asked_at = of_it;
        }
    }

    fn write(&self, state: &mut State, slot: usize, behaviour: usize, row: usize) -> Option<()> {
        let behaviour = self.behaviours(slot)[behaviour];
        if behaviour.writes.old && !state.tables.old || behaviour.writes.new && !state.tables.new {
            // It fails; that a live instance can come here at all is what the checker says.
            return None;
        }
        let sync = state.tables.synced.then_some(self.declaration.sync);
        rows::write(&mut state.rows[row], behaviour, sync);
        Some(())
    }

    /// Time passes: leases run out, and whoever stands past its deadline is killed.
    pub fn tick(&self, state: &mut State) {
        state.left.ticks -= 1;
        state.ticks += 1;
        let early = match self.mutation {
            Mutation::LeaseEndsEarly => i64::try_from(TICK).expect("a short time"),
            _ => 0,
        };
        let now = self.database_now(state);
        state.leases.retain(|lease| lease.expires_at - early > now);
        self.kill_the_late(state);
    }

    fn kill_the_late(&self, state: &mut State) {
        for slot in 0..self.slots.len() {
            let now = self.holder_now(state, slot);
            if let Process::Running {
                asked_at,
                paused: false,
                ..
            } = state.processes[slot]
                && self.is_dead(asked_at, now)
            {
                state.processes[slot] = Process::Off;
            }
        }
    }

    /// Whether every holder stops before the database lets its lease run out.
    pub fn deadlines_hold(&self, state: &State) -> bool {
        let lease_of = |slot: usize| {
            let own = state.leases.iter().filter(|lease| lease.slot == slot);
            own.map(|lease| lease.expires_at).max()
        };
        state.processes.iter().enumerate().all(|(slot, process)| {
            let Process::Running {
                asked_at, paused, ..
            } = process
            else {
                return true;
            };
            let deadline = self.held(*asked_at, 0).deadline;
            let kill_at = Moment::from_millis(0).until(deadline.kill_at()).as_millis();
            let kill_at = u64::try_from(kill_at).expect("a short time");
            let stops_at = self.on_the_databases_clock(slot, kill_at);
            match lease_of(slot) {
                Some(expires_at) => stops_at <= expires_at,
                // It ran out: then the process stands still, and finds its deadline passed when it wakes up.
                None => *paused && stops_at <= self.database_now(state),
            }
        })
    }
}

fn set_renewal(state: &mut State, slot: usize, to: Option<Renewal>) {
    if let Process::Running { renewal, .. } = &mut state.processes[slot] {
        *renewal = to;
    }
}

fn set_paused(state: &mut State, slot: usize, to: bool) {
    if let Process::Running { paused, .. } = &mut state.processes[slot] {
        *paused = to;
    }
}
