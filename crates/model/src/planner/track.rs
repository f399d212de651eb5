//! One migration's track: the states that it can be in while services are rolled out.
//!
//! To a migration versions differ only in what they do with its formats, so it is asked about one
//! version of each behaviour, and every answer is remembered.

use std::collections::HashMap;

use crate::model::{
    Behaviour, Declaration, Format, Live, MigrationState, Phase, RowKind, RowKinds, Step,
};

/// Which versions of one service are live: those of the start, or all of one behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    /// None or several, as they were at the start.
    Start,
    Class(usize),
}

/// How the versions of one service look to one migration.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// Its position among the services of the problem.
    pub service: usize,
    /// One version of each behaviour.
    pub classes: Vec<Live>,
    /// What the versions of each class do, under each reading.
    behaviours: Vec<Vec<Behaviour>>,
    /// The class of each release.
    pub class_of: Vec<usize>,
    pub start: Vec<Live>,
    pub at_start: Place,
    /// Where it has to end; none where it stays as it is.
    pub goal: Option<usize>,
}

/// What a migration can tell apart of a lane: of two with the same shape it makes the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    behaviours: Vec<Vec<Behaviour>>,
    /// The class of each version that is live at the start.
    start: Vec<usize>,
    at_start: Place,
    goal: Option<usize>,
}

/// What one service is asked to do.
#[derive(Clone, Debug)]
pub(super) struct Journey {
    pub service: String,
    pub start: Vec<Live>,
    /// What it may be at, the start and the goal among them.
    pub releases: Vec<Live>,
    /// The position of the goal among the releases; none where it stays as it is.
    pub goal: Option<usize>,
}

impl Journey {
    /// The release that is live at the start, if it is exactly one.
    pub fn at_start(&self) -> Option<usize> {
        let [only] = self.start.as_slice() else {
            return None;
        };
        self.releases.iter().position(|release| release == only)
    }
}

impl Lane {
    pub fn new(service: usize, journey: &Journey, declaration: &Declaration) -> Self {
        let mut behaviours = Vec::new();
        let mut classes = Vec::new();
        // What is live comes first, so that it is what messages name.
        let class_of = journey
            .releases
            .iter()
            .map(|release| {
                let does = declaration.behaviours(&release.service, &release.version);
                behaviours
                    .iter()
                    .position(|other| *other == does)
                    .unwrap_or_else(|| {
                        behaviours.push(does);
                        classes.push(release.clone());
                        classes.len() - 1
                    })
            })
            .collect::<Vec<_>>();
        let at_start = journey
            .at_start()
            .map_or(Place::Start, |release| Place::Class(class_of[release]));
        Self {
            service,
            classes,
            behaviours,
            start: journey.start.clone(),
            at_start,
            goal: journey.goal.map(|goal| class_of[goal]),
            class_of,
        }
    }

    pub fn shape(&self) -> Shape {
        // The releases begin with what is live at the start.
        let start = self.class_of.iter().take(self.start.len());
        Shape {
            behaviours: self.behaviours.clone(),
            start: start.copied().collect(),
            at_start: self.at_start,
            goal: self.goal,
        }
    }

    /// Whether the migration is where it has to end as far as this service goes.
    fn is_at_goal(&self, place: Place) -> bool {
        self.goal.is_none_or(|goal| place == Place::Class(goal))
    }
}

/// A state that a migration can be in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// Where each of its services is.
    pub places: Vec<Place>,
    pub phase: Phase,
    pub kinds: RowKinds,
}

/// What is asked of a migration in the end, as far as the versions wanted allow it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finish {
    pub backfill: bool,
    pub contract: bool,
}

impl Finish {
    pub fn new(declaration: &Declaration, live: &[Live]) -> Self {
        let parts = declaration.parts;
        let filled = MigrationState {
            declaration: declaration.clone(),
            phase: Phase::Backfilled,
            kinds: RowKinds::EMPTY.with(RowKind::BOTH_FRESH),
        };
        let contract = parts.contract
            && !live
                .iter()
                .any(|who| filled.is_touched_by(who, Format::Old));
        Self {
            backfill: parts.backfill && (contract || filled.reachable(live).all_new_fresh()),
            contract,
        }
    }
}

/// One migration's states and the steps between them, found as they are asked for.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// The migration at the start. Asking it about another state changes phase and kinds only.
    state: MigrationState,
    pub lanes: Vec<Lane>,
    finish: Finish,
    pub nodes: Vec<Node>,
    ids: HashMap<Node, usize>,
    rolls: HashMap<(usize, usize, usize), Option<usize>>,
    fills: HashMap<usize, Option<usize>>,
}

/// The node that every track starts at.
pub(super) const START: usize = 0;

impl Track {
    pub fn new(state: &MigrationState, lanes: Vec<Lane>, finish: Finish) -> Self {
        let mut track = Self {
            state: state.clone(),
            finish,
            nodes: Vec::new(),
            ids: HashMap::new(),
            rolls: HashMap::new(),
            fills: HashMap::new(),
            lanes,
        };
        track.node(Node {
            places: track.lanes.iter().map(|lane| lane.at_start).collect(),
            phase: state.phase,
            kinds: state.kinds,
        });
        track
    }

    /// The same migration with some of its services left out. Fewer live versions never block
    /// more, so what is impossible here is impossible with all of them.
    pub fn with_lanes(&self, lanes: &[usize]) -> Self {
        let lanes = lanes.iter().map(|lane| self.lanes[*lane].clone());
        Self::new(&self.state, lanes.collect(), self.finish)
    }

    pub fn declaration(&self) -> &Declaration {
        &self.state.declaration
    }

    /// How many combinations of places its services have at most.
    pub fn size(&self) -> usize {
        let places = self.lanes.iter().map(|lane| match lane.goal {
            Some(_) => lane.classes.len() + 1,
            None => 1,
        });
        places.fold(1, usize::saturating_mul)
    }

    fn node(&mut self, node: Node) -> usize {
        if let Some(id) = self.ids.get(&node) {
            return *id;
        }
        let id = self.nodes.len();
        self.nodes.push(node.clone());
        self.ids.insert(node, id);
        id
    }

    /// The versions that are live at a node.
    pub fn live(&self, node: usize) -> Vec<Live> {
        let mut live = Vec::with_capacity(self.lanes.len());
        for (lane, place) in self.lanes.iter().zip(&self.nodes[node].places) {
            match place {
                Place::Start => live.extend(lane.start.iter().cloned()),
                Place::Class(class) => live.push(lane.classes[*class].clone()),
            }
        }
        live
    }

    /// The migration as it is at a node.
    pub fn state_at(&self, node: usize) -> MigrationState {
        MigrationState {
            phase: self.nodes[node].phase,
            kinds: self.nodes[node].kinds,
            ..self.state.clone()
        }
    }

    fn at(&mut self, node: usize) -> &MigrationState {
        self.state.phase = self.nodes[node].phase;
        self.state.kinds = self.nodes[node].kinds;
        &self.state
    }

    /// Rolls one service to a version of this class; none where the rule forbids it.
    pub fn roll(&mut self, node: usize, lane: usize, class: usize) -> Option<usize> {
        if let Some(known) = self.rolls.get(&(node, lane, class)) {
            return *known;
        }
        let live = self.live(node);
        let candidate = [self.lanes[lane].classes[class].clone()];
        let state = self.at(node);
        let after = state
            .breaches_of_admitting(&candidate, &live)
            .is_empty()
            .then(|| state.admitting(&crate::model::beside(&live, &candidate)));
        let reached = after.map(|after| {
            let mut places = self.nodes[node].places.clone();
            places[lane] = Place::Class(class);
            self.node(Node {
                places,
                phase: after.phase,
                kinds: after.kinds,
            })
        });
        self.rolls.insert((node, lane, class), reached);
        reached
    }

    /// Runs the backfill; none where there is nothing to fill or the rule forbids it.
    pub fn backfill(&mut self, node: usize) -> Option<usize> {
        if !self.declaration().parts.backfill {
            return None;
        }
        if let Some(known) = self.fills.get(&node) {
            return *known;
        }
        let live = self.live(node);
        let state = self.at(node);
        let can_run = state.expand_is_done()
            && !state.has_taken(Step::Backfill, &live)
            && state.breaches_of(Step::Backfill, &live).is_empty();
        let after = can_run.then(|| state.after(Step::Backfill, &live));
        let reached = after.map(|after| {
            let places = self.nodes[node].places.clone();
            self.node(Node {
                places,
                phase: after.phase,
                kinds: after.kinds,
            })
        });
        self.fills.insert(node, reached);
        reached
    }

    /// How many steps are left once every service is where it ends; none where something else
    /// has to come first.
    pub fn finish(&mut self, node: usize) -> Option<u32> {
        let places = self.lanes.iter().zip(&self.nodes[node].places);
        if !places
            .into_iter()
            .all(|(lane, place)| lane.is_at_goal(*place))
        {
            return None;
        }
        let live = self.live(node);
        let finish = self.finish;
        let state = self.at(node);
        let has_backfill = state.declaration.parts.backfill;
        if finish.backfill && !state.has_taken(Step::Backfill, &live) {
            return None;
        }
        if !finish.contract || state.phase == Phase::Contracted {
            return Some(0);
        }
        let filled = matches!(state.phase, Phase::Backfilled | Phase::Contracting);
        let allowed = state.expand_is_done()
            && (filled || !has_backfill)
            && state.breaches_of(Step::Contract, &live).is_empty();
        allowed.then_some(1)
    }

    /// At least how many steps are left, wherever the services are.
    pub fn at_least(&self, node: usize) -> u32 {
        let phase = self.nodes[node].phase;
        let filled = matches!(
            phase,
            Phase::Backfilled | Phase::Contracting | Phase::Contracted
        );
        u32::from(self.finish.backfill && !filled)
            + u32::from(self.finish.contract && phase != Phase::Contracted)
    }
}
