//! The policies of clusters that a project names: written by the list of what may start, and looked at.
//!
//! Invariant: it is renewed only if the API server has it as it was written.

mod difference;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::time::Instant;

use self::difference::{Difference, difference};
use super::policy::{PolicySettings, policy};
use crate::ask::{Unlisted, startable};
use crate::cluster::{Access, Cluster, Resource};
use crate::coordinator::{Lists, Unrenewed};
use crate::gate::{Blocker, Decision, Evidence};
use crate::interrupt::Interrupt;
use crate::model::Live;
use crate::project::{Config, PolicyConfig};
use crate::text::shown::shown;

/// Whose the objects are, for the server.
const MANAGER: &str = "phasegate";

/// The policies of a project, each in its cluster.
pub struct Policies {
    config: Config,
    each: Vec<One>,
}

struct One {
    config: PolicyConfig,
    cluster: Cluster,
    /// The objects as they were written last.
    written: Mutex<Vec<Value>>,
}

impl Policies {
    /// Those that migrate.toml names; `None` if there are none.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let each: Vec<One> = config
            .policies
            .iter()
            .map(|one| One {
                cluster: Cluster::new(Access::named(
                    one.kubeconfig.as_deref(),
                    one.context.as_deref(),
                )),
                config: one.clone(),
                written: Mutex::default(),
            })
            .collect();
        (!each.is_empty()).then(|| Self {
            config: config.clone(),
            each,
        })
    }
}

#[async_trait::async_trait]
impl Lists for Policies {
    async fn renew(&self, evidence: &Evidence, wanted: &[Live]) -> Result<(), Unrenewed> {
        let found = startable(self.config.services.keys(), wanted, evidence).map_err(unlisted)?;
        let taken_at = jiff::Timestamp::from_millisecond(evidence.snapshot.taken_at);
        let taken_at = taken_at.map_or_else(|_| String::new(), |moment| format!("{moment:.0}"));
        for one in &self.each {
            let settings = PolicySettings {
                name: &one.config.name,
                namespaces: &one.config.namespaces,
                taken_at: &taken_at,
            };
            let objects = policy(&self.config, &found, settings).map_err(|error| Unrenewed {
                message: error.to_string(),
                help: error.help().to_owned(),
            })?;
            one.write(objects).await?;
        }
        Ok(())
    }

    async fn settled(&self, interrupt: Interrupt) -> Result<(), Unrenewed> {
        let longest = self.each.iter().map(|one| one.config.settle).max();
        if interrupt.pause(longest.unwrap_or_default()).await {
            return Err(Unrenewed {
                message: "interrupted while the API servers took a new list over".to_owned(),
                help: "nothing was begun; run the same command again".to_owned(),
            });
        }
        for one in &self.each {
            one.is_there().await?;
        }
        Ok(())
    }
}

impl One {
    async fn write(&self, objects: [Value; 2]) -> Result<(), Unrenewed> {
        self.written().clear();
        for (resource, object) in RESOURCES.into_iter().zip(objects) {
            let deadline = Instant::now() + self.config.timeout;
            let query = format!("?fieldManager={MANAGER}&force=true");
            let content = ("application/apply-patch+yaml", &object);
            let of = (resource, None, self.config.name.as_str());
            let stored: Result<Value, _> = self.cluster.patch(of, &query, content, deadline).await;
            let stored = stored.map_err(|trouble| self.unrenewed(&trouble.to_string()))?;
            self.compare(resource, &object, &stored)?;
            self.written().push(object);
        }
        Ok(())
    }

    async fn is_there(&self) -> Result<(), Unrenewed> {
        let written = self.written().clone();
        for (resource, object) in RESOURCES.into_iter().zip(written) {
            let deadline = Instant::now() + self.config.timeout;
            let of = (resource, None, self.config.name.as_str());
            let stored: Result<Value, _> = self.cluster.get(of, deadline).await;
            let stored = stored.map_err(|trouble| self.unrenewed(&trouble.to_string()))?;
            self.compare(resource, &object, &stored)?;
        }
        Ok(())
    }

    fn compare(&self, resource: Resource, ours: &Value, stored: &Value) -> Result<(), Unrenewed> {
        let (kind, name) = (resource.kind, &self.config.name);
        if !stored["metadata"]["deletionTimestamp"].is_null() {
            return Err(Unrenewed {
                message: format!("the {kind} `{name}` is being deleted"),
                help: "find out who deletes it, and run the same command again: it makes what is gone anew".to_owned(),
            });
        }
        let Some(difference) = difference(&stored["spec"], &ours["spec"], "spec") else {
            return Ok(());
        };
        let written = "is not as it was written a moment ago";
        Err(match difference {
            Difference::Other(at) => Unrenewed {
                message: format!(
                    "the {kind} `{name}` {written}, at `{}`: somebody else writes it as well",
                    shown(&at)
                ),
                help: "take it out of whatever applies it again and again (a GitOps repository, a job), and run the same command again".to_owned(),
            },
            Difference::Added(at) => Unrenewed {
                message: format!(
                    "the {kind} `{name}` {written}: `{}` was added by somebody else, and may let pods past it",
                    shown(&at)
                ),
                help: format!(
                    "it stays there however often the policy is written: take it out with `kubectl edit {} {name}`, and out of whatever applies it; then run the same command again",
                    resource.plural
                ),
            },
        })
    }

    fn unrenewed(&self, why: &str) -> Unrenewed {
        Unrenewed {
            message: format!("the policy `{}` cannot be renewed: {why}", self.config.name),
            help: format!(
                "[policy] in migrate.toml says that it is in {}; without that section nothing is renewed, and docs/admission.md tells what has to be done by hand instead",
                Access::named(
                    self.config.kubeconfig.as_deref(),
                    self.config.context.as_deref()
                )
            ),
        }
    }

    fn written(&self) -> MutexGuard<'_, Vec<Value>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In the order in which [`policy`] gives them: without the binding a policy holds nobody.
const RESOURCES: [Resource; 2] = [Resource::ADMISSION_POLICY, Resource::ADMISSION_BINDING];

fn unlisted(why: Unlisted) -> Unrenewed {
    let told = |decision: &Decision, what: &str| {
        let first = decision.blockers.first();
        Unrenewed {
            message: format!(
                "{what}: {}",
                first.map_or_else(String::new, Blocker::message)
            ),
            help: first.map_or_else(String::new, Blocker::help),
        }
    };
    match why {
        Unlisted::Refused(decision) => {
            told(&decision, "what is live may not start by the new list")
        }
        Unlisted::Unknown(decision) => told(&decision, "which versions may start is not known"),
    }
}
