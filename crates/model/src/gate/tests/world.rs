//! A schema and a fleet that change only by what the gate allows.

use crate::gate::{Action, BlockerKind, Decision, Evidence, Verdict, decide};
use crate::model::testing::{declaration, live, snapshot};
use crate::model::{Live, MigrationState, Schema, Step};

#[derive(Clone, Debug)]
pub(super) struct World {
    pub evidence: Evidence,
    pub live: Vec<Live>,
}

impl World {
    /// Several migrations are separated by `|`, live versions by `,`.
    pub fn new(declarations: &str, fleet: &str) -> Self {
        let states = declarations
            .split('|')
            .map(|text| MigrationState::pending(declaration(text)))
            .collect();
        let mut world = Self {
            evidence: Evidence {
                schema: Schema::new(states),
                ..Evidence::default()
            },
            live: versions(fleet),
        };
        world.observe();
        world
    }

    fn observe(&mut self) {
        self.evidence.snapshot = snapshot(&self.live);
    }

    pub fn state(&self) -> &MigrationState {
        &self.evidence.schema.migrations()[0]
    }

    pub fn state_mut(&mut self) -> &mut MigrationState {
        let id = self.state().id().clone();
        self.evidence.schema.get_mut(&id).unwrap()
    }

    /// The action in words: `expand`, `contract 0002_b`, `roll 1.1.0`, `admit worker 1.1.0`.
    fn action(&self, words: &str) -> Action {
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        if matches!(verb, "roll" | "admit") {
            return Action::Deploy(versions(rest));
        }
        let step = Step::ALL.into_iter().find(|step| step.name() == verb);
        let migration = match rest {
            "" => self.state().id().clone(),
            id => id.parse().unwrap(),
        };
        Action::Step {
            step: step.expect("a step"),
            migration,
        }
    }

    pub fn ask(&self, words: &str) -> Decision {
        decide(self.action(words), &self.evidence)
    }

    /// Does what the words say, whether or not the gate allows it.
    pub fn force(&mut self, words: &str) {
        match self.action(words) {
            Action::Step { step, migration } => {
                let live = self.live.clone();
                let state = self.evidence.schema.get_mut(&migration).unwrap();
                *state = state.after(step, &live);
            }
            Action::Deploy(candidates) => {
                for who in &candidates {
                    if !self.live.contains(who) {
                        self.live.push(who.clone());
                    }
                }
                self.record();
                if words.starts_with("roll") {
                    let stays = |who: &Live| {
                        candidates.contains(who)
                            || candidates.iter().all(|c| c.service != who.service)
                    };
                    self.live.retain(stays);
                }
            }
        }
        self.observe();
    }

    fn record(&mut self) {
        let ids: Vec<_> = self
            .evidence
            .schema
            .migrations()
            .iter()
            .map(|s| s.id().clone())
            .collect();
        for id in ids {
            let state = self.evidence.schema.get_mut(&id).unwrap();
            *state = state.admitting(&self.live);
        }
    }

    /// Does each of the actions, separated by `;`, and fails where one is not `go`.
    pub fn walk(&mut self, plan: &str) -> &mut Self {
        for words in plan.split(';').map(str::trim) {
            let decision = self.ask(words);
            assert_eq!(decision.verdict, Verdict::Go, "{words}: {decision:#?}");
            self.force(words);
            let breaches = self.state().breaches(&self.live);
            assert_eq!(breaches, [], "after {words}");
        }
        self
    }

    pub fn retire(&mut self, fleet: &str) -> &mut Self {
        let gone = versions(fleet);
        self.live.retain(|who| !gone.contains(who));
        self.observe();
        self
    }

    /// The verdict, and each blocker's kind with the service and version it names.
    pub fn verdict(&self, words: &str) -> String {
        let decision = self.ask(words);
        let mut text = decision.verdict.name().to_owned();
        for blocker in decision.blockers {
            text += &format!(", {}", blocker.kind().name());
            if blocker.kind() != BlockerKind::Source
                && let (Some(service), Some(version)) = (blocker.service(), blocker.version())
            {
                text += &format!(" {service} {version}");
            }
        }
        text
    }

    pub fn expect(&self, words: &str, verdict: &str) -> &Self {
        assert_eq!(
            self.verdict(words),
            verdict,
            "{words}: {:#?}",
            self.ask(words)
        );
        self
    }
}

/// `1.0.0, worker 2.0.0`: a version without a service is one of web.
fn versions(text: &str) -> Vec<Live> {
    text.split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| match text.split_once(' ') {
            Some(_) => live(text),
            None => live(&format!("web {text}")),
        })
        .collect()
}
