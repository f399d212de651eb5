//! Everything that is anywhere at one moment: the database, the processes, and what is on its way between them.

use phasegate::model::{Phase, RowKinds, Step};

/// One row, with its real contents: each format holds the number of the write that it came from, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Row {
    pub old: Option<u8>,
    pub new: Option<u8>,
    /// The number of the last write to this row: what every reader has to see.
    pub latest: u8,
    /// Whether the backfill that runs has still to pass over it.
    pub due: bool,
}

/// What the user's statements have made of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tables {
    pub old: bool,
    pub new: bool,
    /// Whether the triggers that `sync` declares are installed.
    pub synced: bool,
}

/// The migration's row in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    pub phase: Phase,
    pub kinds: RowKinds,
    pub step_back: Option<Phase>,
}

/// The coordinator's row in the ledger. Only whether a coordinator has its token matters, not which number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Baton {
    Free,
    Held,
    /// Not renewed in time; its holder may be dead, or only slow.
    Expired,
}

/// A row of the ledger's leases that has not run out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseRow {
    pub slot: usize,
    /// Milliseconds, by the database's clock.
    pub expires_at: i64,
    pub draining: bool,
}

/// A renewal on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Renewal {
    Sent {
        asked_at: u64,
    },
    /// The database has done it; the answer is under way.
    Done {
        asked_at: u64,
    },
}

/// The process of one instance. Times are milliseconds by its own clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    Off,
    /// Its admission is committed, and the answer under way.
    Admitted {
        asked_at: u64,
    },
    Running {
        /// When the renewal was asked for that its deadline counts from.
        asked_at: u64,
        renewal: Option<Renewal>,
        draining: bool,
        paused: bool,
    },
    /// One that never registered, and runs from the start.
    Unregistered,
}

/// How the source beside the leases does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    Fresh,
    Stale,
    Failed,
}

/// What the source beside the leases said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    pub health: Health,
    /// The unregistered instances that it named, by their slots.
    pub slots: u8,
}

/// What a coordinator does next. Each is one transaction, or one look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    Idle,
    /// The gate has said go.
    Decided {
        step: Step,
        seen: Seen,
        was: Phase,
    },
    /// The fence is up.
    Fenced {
        step: Step,
        from: Phase,
        seen: Seen,
    },
    /// The gate has said go from behind the fence.
    Cleared {
        step: Step,
        from: Phase,
        seen: Seen,
    },
    /// Statement by statement: the gate has said go, and nothing is asked again.
    Removing {
        seen: Seen,
    },
    /// It gives up, and takes the fence down.
    Lowering {
        from: Phase,
    },
    /// The backfill is recorded, and its last key is not fixed yet.
    Ranging,
    Batching,
    /// `remaining` counted nothing.
    Counted,
    Finishing {
        seen: Seen,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    /// Whether the token that it was given is the latest.
    pub is_current: bool,
    pub work: Work,
}

/// How often things may still happen: what makes the number of states finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Left {
    pub ticks: u8,
    pub writes: u8,
    pub inserts: u8,
    pub admissions: u8,
    pub crashes: u8,
    pub pauses: u8,
    pub renewals: u8,
    pub drains: u8,
    pub runs: u8,
    /// Coordinators that are killed, and leases of coordinators that end too early.
    pub takeovers: u8,
    pub restarts: u8,
    pub turns: u8,
}

/// What must never have happened; kept, because it may leave no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// A change of a coordinator took effect after another one had taken over.
    Superseded,
    /// A phase's statements ran where they had run already.
    Twice,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub ticks: u8,
    pub tables: Tables,
    pub rows: Vec<Row>,
    /// None while nothing is recorded.
    pub record: Option<Record>,
    /// The slots whose versions were live whenever there were more of them, since the record was made, in order.
    pub arrivals: Vec<u8>,
    /// Whether the cursor of a backfill is recorded; the rows say where it is.
    pub cursor: bool,
    pub leases: Vec<LeaseRow>,
    pub baton: Baton,
    pub processes: Vec<Process>,
    pub coordinators: Vec<Coordinator>,
    pub health: Health,
    pub left: Left,
    pub wrong: Option<Wrong>,
    /// Whether a revert was carried out.
    pub reverted: bool,
}

impl State {
    /// Writes down that these are live, unless the moment before tells of them all.
    pub fn arrive(&mut self, live: u8) {
        let is_news = self.arrivals.last().is_none_or(|last| live & !last != 0);
        if self.record.is_some() && is_news {
            self.arrivals.push(live);
        }
    }

    /// The slots whose leases have not run out.
    pub fn leased(&self) -> u8 {
        self.leases
            .iter()
            .fold(0, |all, lease| all | bit(lease.slot))
    }

    pub fn phase(&self) -> Phase {
        self.record
            .as_ref()
            .map_or(Phase::Pending, |record| record.phase)
    }
}

pub fn bit(slot: usize) -> u8 {
    1 << slot
}
