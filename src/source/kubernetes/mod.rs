//! The pods of a Kubernetes cluster, as its API server tells, and what the cluster starts by itself.

mod pods;
mod settings;
mod shown;
mod templates;
mod wanted;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join, try_join_all};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Asked, Instance, Kind, LONGEST_NAME, Observation, Source, SourceFailure};
use crate::cluster::{Cluster, Controller, Pod, Resource, Said, Trouble};
use crate::model::{About, InstanceState};
use crate::text::image::tag;
use settings::made;
pub use shown::{Pods, Rule};
pub use wanted::NAME_LABEL;

pub(super) const KIND: Kind = Kind {
    kind: "kubernetes",
    read: made,
    twice: "give it a `name` of its own",
};

/// How many pods are told of one by one.
const MOST_TOLD: usize = 5;

#[derive(Debug)]
pub(super) struct Kubernetes {
    cluster: Cluster,
    pods: Pods,
    /// Whether what makes pods is looked at as well.
    templates: bool,
    timeout: Duration,
}

/// Every namespace there is.
pub const ALL: &str = "*";

/// What is in one namespace.
struct Found {
    namespace: Option<String>,
    pods: Vec<(usize, Pod)>,
    controllers: Vec<(Resource, Controller)>,
}

#[async_trait]
impl Source for Kubernetes {
    async fn observe(&self, asked: &Asked<'_>) -> Result<Observation, SourceFailure> {
        asked.unless_interrupted(self.look(asked)).await
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn covers(&self, service: &str) -> bool {
        self.pods.look_for(service)
    }

    fn tells_readiness(&self) -> bool {
        true
    }

    fn reading_of_pods(&self) -> Option<&Pods> {
        Some(&self.pods)
    }
}

impl Kubernetes {
    async fn look(&self, asked: &Asked<'_>) -> Result<Observation, SourceFailure> {
        let deadline = Instant::now() + self.timeout;
        let failed = |trouble: Trouble| SourceFailure(trouble.to_string());
        let found = self.find(deadline).await.map_err(failed)?;
        if self.templates {
            self.none_is_mistaken(&found)?;
            Self::none_is_hidden(&found)?;
        }
        Ok(self.put_together(found, asked.is_service, Timestamp::now()))
    }

    async fn find(&self, deadline: Instant) -> Result<Vec<Found>, Trouble> {
        let usual;
        let usual = if self.pods.namespaces.is_empty() {
            usual = [self.cluster.namespace(deadline).await?];
            &usual[..]
        } else {
            &self.pods.namespaces
        };
        let mut asked = BTreeMap::<&str, Vec<usize>>::new();
        for (at, wanted) in self.pods.wanted.iter().enumerate() {
            let own = wanted.namespaces.as_deref().unwrap_or(usual);
            for namespace in own {
                asked.entry(namespace).or_default().push(at);
            }
        }
        let each = asked.into_iter().map(|(name, wanted)| {
            let namespace = (name != ALL).then_some(name);
            async move {
                let (pods, controllers) = join(
                    self.pods(namespace, &wanted, deadline),
                    self.controllers(namespace, deadline),
                )
                .await;
                Ok::<_, Trouble>(Found {
                    namespace: namespace.map(ToOwned::to_owned),
                    pods: pods?,
                    controllers: controllers?,
                })
            }
        });
        try_join_all(each).await
    }

    async fn pods(
        &self,
        namespace: Option<&str>,
        wanted: &[usize],
        deadline: Instant,
    ) -> Result<Vec<(usize, Pod)>, Trouble> {
        let each = wanted.iter().filter_map(|at| {
            let selector = self.pods.wanted.get(*at)?.selector.text();
            Some(async move {
                let pods: Vec<Pod> = self
                    .cluster
                    .list(Resource::POD, namespace, Some(selector), deadline)
                    .await?;
                Ok::<_, Trouble>(pods.into_iter().map(move |pod| (*at, pod)))
            })
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    async fn controllers(
        &self,
        namespace: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<(Resource, Controller)>, Trouble> {
        if !self.templates {
            return Ok(Vec::new());
        }
        let each = templates::MAKERS.into_iter().map(|resource| async move {
            if resource == Resource::ROLLOUT && !self.cluster.has(resource, deadline).await? {
                return Ok(Vec::new());
            }
            let listed = self
                .cluster
                .list::<Controller>(resource, namespace, None, deadline)
                .await?;
            let each = listed.into_iter().map(move |one| (resource, one));
            Ok::<_, Trouble>(each.collect::<Vec<_>>())
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    /// A template that is not looked at may start any version.
    fn none_is_hidden(found: &[Found]) -> Result<(), SourceFailure> {
        let mut hidden = found
            .iter()
            .filter_map(|found| templates::unlisted(&found.controllers));
        let Some((rollout, kind)) = hidden.next() else {
            return Ok(());
        };
        Err(SourceFailure(format!(
            "the Rollout {}/{} takes its template from a {kind}, which is not read here: let its `workloadRef` name a Deployment or a \
             ReplicaSet, or give it a template of its own; with `templates = false` only pods that are there count",
            rollout.metadata.namespace, rollout.metadata.name
        )))
    }

    /// A server answers with an empty list where a namespace is not there, or a selector is mistyped.
    fn none_is_mistaken(&self, found: &[Found]) -> Result<(), SourceFailure> {
        for (at, wanted) in self.pods.wanted.iter().enumerate() {
            let Some(service) = wanted.service.as_deref().filter(|_| !wanted.absent) else {
                continue;
            };
            let has_pod = found
                .iter()
                .any(|found| found.pods.iter().any(|(of, _)| *of == at));
            let is_made = |controller: &Controller| {
                let spec = &controller.spec;
                let of_job = spec.job_template.as_ref().map(|job| &job.spec.template);
                let template = spec.template.as_ref().or(of_job);
                template.is_some_and(|template| {
                    wanted.selector.takes(template.metadata.labels.as_ref())
                })
            };
            let has_maker = found.iter().any(|found| {
                let mut controllers = found.controllers.iter();
                controllers.any(|(_, controller)| is_made(controller))
            });
            if has_pod || has_maker {
                continue;
            }
            let namespaces: Vec<&str> = found
                .iter()
                .map(|found| found.namespace.as_deref().unwrap_or("all namespaces"))
                .collect();
            return Err(SourceFailure(format!(
                "neither a pod nor anything that makes pods has `{}` in {}: mend the `selector` or the `namespaces` of {service}, or \
                 say `absent = true` there if it may be missing altogether",
                wanted.selector.text(),
                namespaces.join(", ")
            )));
        }
        Ok(())
    }

    fn put_together(
        &self,
        found: Vec<Found>,
        is_service: &(dyn Fn(&str) -> bool + Sync),
        now: Timestamp,
    ) -> Observation {
        let mut listed = Listed::default();
        for Found {
            pods, controllers, ..
        } in found
        {
            let unchanging = templates::unchanging(&controllers);
            for (at, pod) in &pods {
                let Some(wanted) = self.pods.wanted.get(*at) else {
                    continue;
                };
                let labels = &pod.metadata;
                let Some(service) = wanted.service_of(labels).filter(|name| is_service(name))
                else {
                    continue;
                };
                if let Some((mut instance, said)) =
                    pods::instance(pod, service, &wanted.reading, now)
                {
                    let of = |template| wanted.reading.named(service, template);
                    instance.template = templates::made_from(pod, &unchanging).and_then(of);
                    listed.add(instance, &said, &pod.metadata.namespace);
                }
            }
            for (resource, controller) in &controllers {
                let Some(template) = templates::started(*resource, controller, &controllers) else {
                    continue;
                };
                for wanted in &self.pods.wanted {
                    let metadata = &template.metadata;
                    if !wanted.selector.takes(metadata.labels.as_ref())
                        || !wanted.is_in(&self.pods.namespaces, &controller.metadata.namespace)
                    {
                        continue;
                    }
                    let service = wanted.service_of(metadata);
                    if let Some(service) = service.filter(|name| is_service(name)) {
                        let said = wanted.reading.said(service, (metadata, &template.spec));
                        listed.templates.push(Starts {
                            service: service.to_owned(),
                            name: format!("{}/{}", resource.short, controller.metadata.name),
                            namespace: controller.metadata.namespace.clone(),
                            said,
                        });
                    }
                }
            }
        }
        listed.finish()
    }
}

/// A template that pods are started from.
struct Starts {
    service: String,
    name: String,
    namespace: String,
    said: Said,
}

/// What is there, before names are told apart.
#[derive(Default)]
struct Listed {
    instances: Vec<(Instance, String)>,
    templates: Vec<Starts>,
    /// What runs and is there to stay: service, label and tag.
    running: HashSet<(String, String, Option<String>)>,
    undecided: BTreeMap<String, Vec<String>>,
}

impl Listed {
    fn add(&mut self, instance: Instance, said: &Said, namespace: &str) {
        if matches!(
            instance.state,
            InstanceState::Serving | InstanceState::Starting
        ) {
            self.running.insert(key(&instance.service, said));
        }
        if let Some(containers) = &said.undecided {
            let service = instance.service.clone();
            self.undecided
                .entry(service)
                .or_insert_with(|| containers.clone());
        }
        self.instances.push((instance, namespace.to_owned()));
    }

    fn finish(mut self) -> Observation {
        let mut notes = Vec::new();
        let hindered = self.instances.iter().filter_map(|(instance, _)| {
            let about = instance.about.as_ref()?;
            let why = about.why.as_ref()?;
            Some(format!(
                "{} ({}): {why}",
                instance.instance, instance.service
            ))
        });
        let hindered: Vec<String> = hindered.collect();
        let more = hindered.len().saturating_sub(MOST_TOLD);
        notes.extend(hindered.into_iter().take(MOST_TOLD));
        if more > 0 {
            notes.push(format!("and {more} more pods that do not serve"));
        }
        for starts in std::mem::take(&mut self.templates) {
            // Where it runs it is live already.
            let key = key(&starts.service, &starts.said);
            if !self.running.insert(key) {
                continue;
            }
            let why = "nothing of it runs, and the cluster starts it by itself".to_owned();
            notes.push(format!(
                "{} makes pods of {} {}, and none of them runs: the cluster starts them by itself",
                starts.name, starts.service, starts.said.label
            ));
            let instance = Instance {
                service: starts.service,
                instance: starts.name,
                label: starts.said.label,
                state: InstanceState::Starting,
                image: starts.said.image,
                template: None,
                age_ms: 0,
                about: Some(About {
                    phase: Some("Template".to_owned()),
                    why: Some(why),
                    ..About::default()
                }),
            };
            self.instances.push((instance, starts.namespace));
        }
        for (service, containers) in self.undecided {
            notes.push(format!(
                "which container of its pods is that of {service} is not known ({}): name it with `container`, so that its image is \
                 compared with its label",
                containers.join(", ")
            ));
        }
        Observation {
            instances: apart(self.instances),
            notes,
        }
    }
}

fn key(service: &str, said: &Said) -> (String, String, Option<String>) {
    let tag = said.image.as_deref().and_then(tag).map(ToOwned::to_owned);
    (service.to_owned(), said.label.clone(), tag)
}

/// Names are those of one namespace: where two have the same, each is called with its own.
fn apart(instances: Vec<(Instance, String)>) -> Vec<Instance> {
    let mut places = HashMap::<(String, String), BTreeSet<String>>::new();
    for (instance, namespace) in &instances {
        let name = (instance.service.clone(), instance.instance.clone());
        places.entry(name).or_default().insert(namespace.clone());
    }
    let named = instances.into_iter().map(|(mut instance, namespace)| {
        let name = (instance.service.clone(), instance.instance.clone());
        if places.get(&name).is_some_and(|places| places.len() > 1) {
            instance.instance = format!("{namespace}/{}", instance.instance);
        }
        for text in [&mut instance.instance, &mut instance.label] {
            if text.chars().nth(LONGEST_NAME).is_some() {
                *text = text.chars().take(LONGEST_NAME).collect();
            }
        }
        instance
    });
    named.collect()
}

#[cfg(test)]
mod tests;
