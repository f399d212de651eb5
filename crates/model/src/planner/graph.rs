//! One migration's graph of states: those that it can be in while services are rolled out.
//!
//! To a migration versions differ only in what they do with its formats, so it is asked about one
//! version of each behaviour, and every answer is remembered.

use std::collections::HashMap;

use crate::model::{
    Behaviour, Declaration, Format, Live, MigrationId, MigrationState, Phase, RowKind, RowKinds,
    Step,
};

/// Which versions of one service are live: those of the start, or all of one behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum VersionClass {
    /// None or several, as they were at the start.
    Start,
    Class(usize),
}

/// How the versions of one service look to one migration.
#[derive(Clone, Debug)]
pub(super) struct ServiceAxis {
    /// Its position among the services of the problem.
    pub service: usize,
    /// One version of each behaviour.
    pub classes: Vec<Live>,
    /// What the versions of each class do, under each reading.
    behaviours: Vec<Vec<Behaviour>>,
    /// The class of each release.
    pub class_of: Vec<usize>,
    pub start: Vec<Live>,
    pub at_start: VersionClass,
    /// Where it has to end; `None` if it stays as it is.
    pub goal: Option<usize>,
}

/// What a migration can tell apart of an axis: of two with the same shape it makes the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    behaviours: Vec<Vec<Behaviour>>,
    /// The class of each version that is live at the start.
    start: Vec<usize>,
    at_start: VersionClass,
    goal: Option<usize>,
}

/// What one service is asked to do.
#[derive(Clone, Debug)]
pub(super) struct ServicePath {
    pub service: String,
    pub start: Vec<Live>,
    /// What it may be at, the start and the goal among them.
    pub releases: Vec<Live>,
    /// The position of the goal among the releases; `None` if it stays as it is.
    pub goal: Option<usize>,
}

impl ServicePath {
    /// The release that is live at the start, if it is exactly one.
    pub fn at_start(&self) -> Option<usize> {
        let [only] = self.start.as_slice() else {
            return None;
        };
        self.releases.iter().position(|release| release == only)
    }
}

impl ServiceAxis {
    pub fn new(service: usize, path: &ServicePath, declaration: &Declaration) -> Self {
        let mut behaviours = Vec::new();
        let mut classes = Vec::new();
        // What is live comes first, so that it is what messages name.
        let class_of = path
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
        let at_start = path.at_start().map_or(VersionClass::Start, |release| {
            VersionClass::Class(class_of[release])
        });
        Self {
            service,
            classes,
            behaviours,
            start: path.start.clone(),
            at_start,
            goal: path.goal.map(|goal| class_of[goal]),
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
    fn is_at_goal(&self, place: VersionClass) -> bool {
        self.goal
            .is_none_or(|goal| place == VersionClass::Class(goal))
    }
}

/// A state that a migration can be in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// Where each of its services is.
    pub places: Vec<VersionClass>,
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
    pub const NOTHING: Self = Self {
        backfill: false,
        contract: false,
    };

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

/// One migration's states and the steps between them, found as they are asked for. Migrations that differ in nothing but their names
/// share one.
#[derive(Clone, Debug)]
pub(super) struct StateGraph {
    /// The places in the schema of the migrations whose graph it is.
    pub of: Vec<usize>,
    /// The migration at the start. Asking it about another state changes phase and kinds only.
    state: MigrationState,
    pub axes: Vec<ServiceAxis>,
    finish: Finish,
    pub nodes: Vec<Node>,
    ids: HashMap<Node, usize>,
    rolls: HashMap<(usize, usize, usize), Option<usize>>,
    fills: HashMap<usize, Option<usize>>,
}

/// The node that every graph starts at.
pub(super) const START: usize = 0;

impl StateGraph {
    pub fn new(state: &MigrationState, axes: Vec<ServiceAxis>, finish: Finish) -> Self {
        let mut graph = Self {
            of: Vec::new(),
            state: state.clone(),
            finish,
            nodes: Vec::new(),
            ids: HashMap::new(),
            rolls: HashMap::new(),
            fills: HashMap::new(),
            axes,
        };
        graph.node(Node {
            places: graph.axes.iter().map(|axis| axis.at_start).collect(),
            phase: state.phase,
            kinds: state.kinds,
        });
        graph
    }

    /// Whether it is that of another migration as well.
    pub fn is_of(&self, other: &MigrationState) -> bool {
        let own = &self.state;
        let (one, two) = (&own.declaration, &other.declaration);
        // Everything but the names.
        (own.phase, own.kinds) == (other.phase, other.kinds)
            && (one.sync, one.rows, one.parts, one.fill)
                == (two.sync, two.rows, two.parts, two.fill)
            && one.services == two.services
    }

    /// How many migrations share it: what one of them takes, each of them does.
    pub fn count(&self) -> u32 {
        u32::try_from(self.of.len()).unwrap_or(u32::MAX)
    }

    /// Tells it as that of one of the migrations whose graph it is.
    pub fn named(mut self, id: &MigrationId) -> Self {
        self.state.declaration.id = id.clone();
        self
    }

    /// The same migration with some of its services left out. Fewer live versions never block
    /// more, so what is impossible here is impossible with all of them.
    pub fn with_axes(&self, axes: &[usize]) -> Self {
        let axes = axes.iter().map(|axis| self.axes[*axis].clone());
        Self::new(&self.state, axes.collect(), self.finish)
    }

    pub fn declaration(&self) -> &Declaration {
        &self.state.declaration
    }

    /// How many combinations of places its services have at most.
    pub fn size(&self) -> usize {
        let places = self.axes.iter().map(|axis| match axis.goal {
            Some(_) => axis.classes.len() + 1,
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
        let mut live = Vec::with_capacity(self.axes.len());
        for (axis, place) in self.axes.iter().zip(&self.nodes[node].places) {
            match place {
                VersionClass::Start => live.extend(axis.start.iter().cloned()),
                VersionClass::Class(class) => live.push(axis.classes[*class].clone()),
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

    /// Rolls one service to a version of this class; `None` if the rule forbids it.
    pub fn roll(&mut self, node: usize, axis: usize, class: usize) -> Option<usize> {
        if let Some(known) = self.rolls.get(&(node, axis, class)) {
            return *known;
        }
        let live = self.live(node);
        let candidate = [self.axes[axis].classes[class].clone()];
        let state = self.at(node);
        let after = state
            .breaches_of_admitting(&candidate, &live)
            .is_empty()
            .then(|| state.admitting(&crate::model::beside(&live, &candidate)));
        let reached = after.map(|after| {
            let mut places = self.nodes[node].places.clone();
            places[axis] = VersionClass::Class(class);
            self.node(Node {
                places,
                phase: after.phase,
                kinds: after.kinds,
            })
        });
        self.rolls.insert((node, axis, class), reached);
        reached
    }

    /// Runs the backfill; `None` if there is nothing to fill or the rule forbids it.
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

    /// How many steps are left once every service is where it ends; `None` if something else
    /// has to come first.
    pub fn finish(&mut self, node: usize) -> Option<u32> {
        let places = self.axes.iter().zip(&self.nodes[node].places);
        if !places
            .into_iter()
            .all(|(axis, place)| axis.is_at_goal(*place))
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
    pub fn lower_bound(&self, node: usize) -> u32 {
        let phase = self.nodes[node].phase;
        let filled = matches!(
            phase,
            Phase::Backfilled | Phase::Contracting | Phase::Contracted
        );
        u32::from(self.finish.backfill && !filled)
            + u32::from(self.finish.contract && phase != Phase::Contracted)
    }
}
