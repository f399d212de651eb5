//! Rolls a workload of a Kubernetes cluster: sets its image and its version label together, and follows its controller.

mod change;
mod part;
mod pause;
mod progress;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::steps;
use super::{Called, Driver, DriverFailure, Kind, Shift, Shifted};
use crate::cluster::{Access, Cluster, Controller, Pod, Resource, Trouble, hindrance};
use crate::row::{LONGEST_WAIT, Place, Row};
use change::{Change, MANAGER, Where};
use part::Part;
use progress::{Progress, judged};

pub(super) const KIND: Kind = Kind {
    kind: "kubernetes",
    read: made,
};

/// The kinds of workloads, as `kubectl` calls them.
const WORKLOADS: [Resource; 4] = [
    Resource::DEPLOYMENT,
    Resource::STATEFUL_SET,
    Resource::DAEMON_SET,
    Resource::ROLLOUT,
];

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a workload is looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// How many looks in a row may fail before it is given up.
const MOST_FAILURES: u32 = 20;
/// How many pods that are hindered are told one by one.
const MOST_TOLD: usize = 3;

#[derive(Debug)]
struct Kubernetes {
    cluster: Cluster,
    namespace: Option<String>,
    /// `deployment/web`, with `{service}`.
    workload: String,
    place: Where,
    /// Whether fields are taken from whoever has set them before.
    force: bool,
    /// Whether a workload with steps of its own is told to go on.
    promote: bool,
    timeout: Duration,
    /// How much of a Deployment is to be of the new version after each call, in percent: rising, and 100 at the end.
    steps: Vec<u8>,
}

fn made(row: &mut dyn Row) -> Option<Arc<dyn Driver>> {
    const WORKLOAD: &str = "workload = \"deployment/{service}\"";
    const IMAGE: &str = "image = \"registry.example.com/web:{to}\"";
    let access = Access::read(row);
    let namespace = row.text("namespace", "namespace = \"shop\"");
    let workload = row.text("workload", WORKLOAD);
    let container = row.text("container", "container = \"web\"");
    let image = row.text("image", IMAGE);
    let label = row.text("label", "label = \"app.kubernetes.io/version\"");
    let force = row.flag("force").unwrap_or(false);
    let promote = row.flag("promote").unwrap_or(false);
    let timeout = row.duration("timeout", LONGEST_WAIT);
    let steps = steps::read(row);
    let workload = workload.unwrap_or_else(|| "deployment/{service}".to_owned());
    let Some((kind, _)) = resource(&workload) else {
        let kinds = WORKLOADS.map(|resource| format!("`{}/NAME`", resource.short));
        row.refuse(
            Place::Value("workload"),
            "bad-workload",
            format!("`{workload}` is no workload"),
            format!("it can be {}", kinds.join(", ")),
        );
        return None;
    };
    if let Some((message, help)) = no_steps(&steps, kind, force) {
        row.refuse(Place::Value("steps"), "bad-steps", message, help);
        return None;
    }
    if let Some(image) = image.as_ref().filter(|image| !image.contains("{to}")) {
        row.refuse(
            Place::Value("image"),
            "image-without-version",
            format!("`{image}` would be the same for each version"),
            format!("write for example `{IMAGE}`"),
        );
        return None;
    }
    let usual = Where::default();
    Some(Arc::new(Kubernetes {
        cluster: Cluster::new(access),
        namespace,
        workload,
        place: Where {
            container,
            image,
            label: label.unwrap_or(usual.label),
        },
        force,
        promote,
        timeout: timeout.unwrap_or(Duration::from_mins(10)),
        steps,
    }))
}

/// Why a workload of this kind is not rolled in these steps, and what to write instead.
fn no_steps(steps: &[u8], kind: Resource, is_forced: bool) -> Option<(String, String)> {
    let (_, before) = steps.split_last()?;
    let highest = before.last()?;
    if kind != Resource::DEPLOYMENT {
        let message = format!("a {} is not rolled in `steps`", kind.kind);
        let help = "leave them out: an Argo Rollout has steps of its own; of the others only a Deployment can be held at a part".to_owned();
        return Some((message, help));
    }
    if *highest > part::MOST {
        let message =
            format!("a step of {highest} % would take more new pods than there are others");
        let help = format!(
            "a step before the last puts new pods beside all that are there, and is at most {} %: write for example `steps = [10, 50, 100]`",
            part::MOST
        );
        return Some((message, help));
    }
    (!is_forced).then(|| {
        let message =
            "`steps` take the image, the label and the strategy over from whoever has set them"
                .to_owned();
        let help =
            "say `force = true` as well, once whatever applies the Deployment leaves them out"
                .to_owned();
        (message, help)
    })
}

/// `deployment/web` taken apart.
fn resource(workload: &str) -> Option<(Resource, &str)> {
    let (kind, name) = workload.split_once('/')?;
    let found = WORKLOADS
        .into_iter()
        .find(|resource| resource.short == kind || resource.plural == kind)?;
    (!name.is_empty() && !name.contains('/')).then_some((found, name))
}

#[async_trait]
impl Driver for Kubernetes {
    fn steps(&self) -> &[u8] {
        &self.steps
    }

    async fn shift(
        &self,
        shift: &Shift<'_>,
        called: &Called<'_>,
    ) -> Result<Shifted, DriverFailure> {
        let rolled = tokio::select! {
            rolled = self.roll(shift, called) => rolled,
            () = called.interrupt.due() => return Err(DriverFailure::Interrupted),
        };
        rolled.map_err(DriverFailure::Failed)
    }

    async fn is_unfinished(&self, service: &str) -> bool {
        let workload = self.workload.replace("{service}", service);
        let Some((Resource::DEPLOYMENT, name)) = resource(&workload) else {
            return false;
        };
        let asked = async {
            let namespace = self.namespace().await?;
            let at = At {
                resource: Resource::DEPLOYMENT,
                namespace: &namespace,
                name,
            };
            self.look(at).await
        };
        // Where it cannot be asked, the call itself says why.
        asked.await.is_ok_and(|found| part::is_held(&found))
    }
}

/// How much of a workload is to be of the new version.
#[derive(Clone, Copy)]
enum Aim {
    Whole,
    Part(Part),
}

impl Aim {
    fn judged(self, resource: Resource, workload: &Controller) -> Progress {
        match self {
            Self::Whole => judged(resource, workload),
            Self::Part(part) => part.judged(workload),
        }
    }

    /// Whether nothing holds it at the part that is wanted.
    fn is_past(self, workload: &Controller) -> bool {
        match self {
            Self::Whole => false,
            Self::Part(_) => !part::is_held(workload),
        }
    }
}

/// A workload, and where it is.
#[derive(Clone, Copy)]
struct At<'a> {
    resource: Resource,
    namespace: &'a str,
    name: &'a str,
}

impl Kubernetes {
    async fn roll(&self, shift: &Shift<'_>, called: &Called<'_>) -> Result<Shifted, String> {
        let workload = self.workload.replace("{service}", shift.service);
        let Some((resource, name)) = resource(&workload) else {
            return Err(format!("`{workload}` is no workload"));
        };
        let namespace = self.namespace().await;
        let namespace = namespace.map_err(|trouble| trouble.to_string())?;
        let at = At {
            resource,
            namespace: &namespace,
            name,
        };
        let began = Instant::now();
        let found = self.look(at).await.map_err(|trouble| trouble.to_string())?;
        let change = Change::to(shift.to, &self.place, shift.service, &found)
            .map_err(|why| format!("{workload}: {why}"))?;
        let is_made = change.is_made(found.spec.template.as_ref());
        let is_held = resource == Resource::DEPLOYMENT && part::is_held(&found);
        let part = match shift.step {
            100 => None,
            step => Some(Part::of(step, &found)),
        };
        let aim = match part {
            Some(None) => {
                (called.progress)(&format!("{workload} has no pods: the last step changes it"));
                return Ok(Shifted::Done);
            }
            // All of it may be on its way already. A step would make what is there wait.
            Some(Some(_)) if is_made && !is_held => Aim::Whole,
            Some(Some(part)) => Aim::Part(part),
            None => Aim::Whole,
        };
        let (is_asked, words) = match aim {
            Aim::Whole => (is_made && !is_held, String::new()),
            Aim::Part(part) => (
                is_made && part.is_asked(&found),
                format!(", {}", part.words()),
            ),
        };
        if is_asked {
            (called.progress)(&format!(
                "{workload} is to run {} already{words}",
                change.image
            ));
        } else {
            (called.progress)(&format!(
                "{workload} is to run {} as {}{words}",
                change.image, change.label
            ));
            self.make(at, &change, &found, aim).await?;
        }
        self.follow(at, &change, aim, (began, called)).await
    }

    async fn namespace(&self) -> Result<String, Trouble> {
        match &self.namespace {
            Some(namespace) => Ok(namespace.clone()),
            None => self.cluster.namespace(Instant::now() + PATIENCE).await,
        }
    }

    async fn look(&self, at: At<'_>) -> Result<Controller, Trouble> {
        let of = (at.resource, Some(at.namespace), at.name);
        self.cluster.get(of, Instant::now() + PATIENCE).await
    }

    async fn make(
        &self,
        at: At<'_>,
        change: &Change,
        found: &Controller,
        aim: Aim,
    ) -> Result<(), String> {
        let others = match aim {
            Aim::Part(part) => Some(part.ask(found)),
            Aim::Whole if at.resource == Resource::DEPLOYMENT && part::is_held(found) => {
                Some(part::let_go(found))
            }
            Aim::Whole => None,
        };
        let (content, query, body) = match others {
            Some(others) => {
                let others =
                    others.map_err(|why| format!("{}/{}: {why}", at.resource.short, at.name))?;
                (
                    "application/json-patch+json",
                    format!("?fieldManager={MANAGER}"),
                    change.with(others, found),
                )
            }
            None => change.asked((at.resource, at.name), found, self.force),
        };
        let patched = self.patch(at, (content, &query), &body).await;
        let Err(trouble) = patched else {
            return Ok(());
        };
        Err(match (trouble.code(), trouble.said()) {
            (Some(409), Some(said)) if !trouble.is_denied() => format!(
                "{}/{} was not changed: {said}; whoever else sets its image and label has to leave them out from now on (what applies \
                 them would take them back), and `force = true` in the driver takes them over",
                at.resource.short, at.name
            ),
            _ => trouble.to_string(),
        })
    }

    async fn patch(
        &self,
        at: At<'_>,
        (content, query): (&'static str, &str),
        body: &Value,
    ) -> Result<Controller, Trouble> {
        let of = (at.resource, Some(at.namespace), at.name);
        let deadline = Instant::now() + PATIENCE;
        self.cluster
            .patch(of, query, (content, body), deadline)
            .await
    }

    /// Looks at it until it is complete.
    async fn follow(
        &self,
        at: At<'_>,
        change: &Change,
        aim: Aim,
        (began, called): (Instant, &Called<'_>),
    ) -> Result<Shifted, String> {
        let mut told = String::new();
        let mut failures = 0;
        loop {
            let coming = match self.look(at).await {
                Ok(workload) => {
                    failures = 0;
                    if !change.is_made(workload.spec.template.as_ref()) {
                        return Err(format!(
                            "{}/{} is not to run {} any more: somebody else has changed it meanwhile{}",
                            at.resource.short,
                            at.name,
                            change.image,
                            undone(at, &workload)
                        ));
                    }
                    if aim.is_past(&workload) {
                        return Err(format!(
                            "{}/{} is not held at a part any more: somebody else has changed its strategy or minReadySeconds meanwhile, \
                             and it may go on by itself",
                            at.resource.short, at.name
                        ));
                    }
                    match aim.judged(at.resource, &workload) {
                        Progress::Complete => return Ok(Shifted::Done),
                        Progress::Stuck(why) => {
                            let hindered = self.hindered(at, &workload, change).await;
                            return Err(with(why, &hindered));
                        }
                        Progress::Coming(words) => {
                            let held = pause::held(at.resource, &workload);
                            match held.filter(|_| self.promote) {
                                Some(hold) if called.watched != Some(&hold) => {
                                    (called.progress)(&words);
                                    return Ok(Shifted::Holds(hold));
                                }
                                Some(_) => self.promote(at, &workload).await?,
                                None => {}
                            }
                            let hindered = self.hindered(at, &workload, change).await;
                            with(words, &hindered)
                        }
                    }
                }
                Err(trouble) => {
                    failures += 1;
                    // A server that restarts, or is busy, has not given it up.
                    let passes = !matches!(trouble.code(), Some(401 | 403 | 404));
                    if failures > MOST_FAILURES || !passes {
                        return Err(trouble.to_string());
                    }
                    trouble.to_string()
                }
            };
            if coming != told {
                (called.progress)(&coming);
                told = coming;
            }
            if began.elapsed() >= self.timeout {
                let next = match aim {
                    Aim::Whole => "It goes on by itself",
                    Aim::Part(_) => "It stays a part",
                };
                return Err(format!(
                    "{told}; that is not complete after {} s. {next}; `timeout` in the driver says how long it is waited for",
                    self.timeout.as_secs_f64()
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What hinders the pods of the new version. That they cannot be asked for hinders nothing.
    async fn hindered(&self, at: At<'_>, workload: &Controller, change: &Change) -> Vec<String> {
        let labels = workload
            .spec
            .selector
            .as_ref()
            .and_then(|selector| selector.match_labels.as_ref());
        let Some(labels) = labels else {
            return Vec::new();
        };
        let own: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .chain([format!("{}={}", self.place.label, change.label)])
            .collect();
        let deadline = Instant::now() + PATIENCE;
        let namespace = Some(at.namespace);
        let selector = own.join(",");
        let pods: Result<Vec<Pod>, Trouble> = self
            .cluster
            .list(Resource::POD, namespace, Some(&selector), deadline)
            .await;
        let pods = pods.unwrap_or_default();
        let hindered = pods.iter().filter_map(|pod| {
            let why = hindrance(&pod.status)?;
            Some(format!("{}: {why}", pod.metadata.name))
        });
        hindered.take(MOST_TOLD).collect()
    }

    /// What `kubectl argo rollouts promote` does, of the very state that was seen: later it may hold at the next place.
    async fn promote(&self, at: At<'_>, seen: &Controller) -> Result<(), String> {
        let body = json!({
            "metadata": { "resourceVersion": seen.metadata.resource_version },
            "status": { "pauseConditions": null },
        });
        let of = ("application/merge-patch+json", "/status");
        match self.patch(at, of, &body).await {
            // It is looked at again.
            Err(trouble) if trouble.code() != Some(409) => Err(trouble.to_string()),
            _ => Ok(()),
        }
    }
}

/// What is left of a step where somebody has taken its template back by hand.
fn undone(at: At<'_>, workload: &Controller) -> &'static str {
    if at.resource == Resource::DEPLOYMENT && part::is_held(workload) {
        ". It is still held as for a step, and so none of its pods counts as available, though they serve: `migrate rollout abort \
         --roll-back` puts it back as it was, and `migrate rollout resume` goes on"
    } else {
        ""
    }
}

fn with(words: String, hindered: &[String]) -> String {
    if hindered.is_empty() {
        words
    } else {
        format!("{words}; {}", hindered.join("; "))
    }
}
