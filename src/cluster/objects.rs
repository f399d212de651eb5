//! What is read of the objects of a cluster: of each only the fields that somebody here looks at.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// Names and their values; a list that the server leaves out, or gives as null, is empty.
pub type Pairs = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub resource_version: String,
    pub generation: i64,
    pub labels: Option<Pairs>,
    pub annotations: Option<Pairs>,
    pub creation_timestamp: Option<Timestamp>,
    /// When it has to be gone, which is some time after somebody wanted it to go.
    pub deletion_timestamp: Option<Timestamp>,
    pub deletion_grace_period_seconds: Option<i64>,
    pub owner_references: Option<Vec<Owner>>,
}

impl Metadata {
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }

    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Owner {
    pub kind: String,
    pub name: String,
    pub uid: String,
    pub controller: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    pub containers: Vec<Container>,
    pub node_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Container {
    pub name: String,
    pub image: Option<String>,
}

/// What pods are made from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Template {
    pub metadata: Metadata,
    pub spec: PodSpec,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Pod {
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: PodSpec,
    #[serde(default)]
    pub status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub phase: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub conditions: Option<Vec<Condition>>,
    pub container_statuses: Option<Vec<ContainerStatus>>,
    pub init_container_statuses: Option<Vec<ContainerStatus>>,
}

impl PodStatus {
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        let mut conditions = self.conditions.iter().flatten();
        conditions.find(|condition| condition.kind == kind)
    }

    /// Those of the containers before the others, first.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        let first = self.init_container_statuses.iter().flatten();
        first.chain(self.container_statuses.iter().flatten())
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub last_transition_time: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    pub ready: bool,
    pub restart_count: i64,
    pub state: ContainerState,
    pub last_state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    pub waiting: Option<Waiting>,
    pub running: Option<serde::de::IgnoredAny>,
    pub terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Waiting {
    pub reason: Option<String>,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    pub exit_code: i64,
    pub reason: Option<String>,
    pub message: Option<String>,
}

/// What makes pods from a template: a Deployment, a ReplicaSet, a Job, …
#[derive(Clone, Debug, Deserialize)]
pub struct Controller {
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: ControllerSpec,
    #[serde(default)]
    pub status: ControllerStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ControllerSpec {
    pub replicas: Option<i64>,
    pub paused: Option<bool>,
    pub selector: Option<LabelSelector>,
    pub update_strategy: Option<UpdateStrategy>,
    pub suspend: Option<bool>,
    pub min_ready_seconds: Option<i64>,
    pub progress_deadline_seconds: Option<i64>,
    /// Of a Deployment or an Argo `Rollout`, as it stands there.
    pub strategy: Option<serde_json::Value>,
    pub template: Option<Template>,
    /// Of an Argo `Rollout` that takes its template from something else.
    pub workload_ref: Option<WorkloadRef>,
    /// Of a `CronJob`.
    pub job_template: Option<JobTemplate>,
}

/// What has the template of an Argo `Rollout`, in its namespace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WorkloadRef {
    pub kind: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    pub match_labels: Option<Pairs>,
}

/// Of a `StatefulSet` and a `DaemonSet`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpdateStrategy {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub rolling_update: Option<RollingUpdate>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RollingUpdate {
    pub partition: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobTemplate {
    pub spec: JobSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobSpec {
    pub template: Template,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ControllerStatus {
    pub observed_generation: Option<serde_json::Value>,
    pub replicas: i64,
    pub updated_replicas: i64,
    pub ready_replicas: i64,
    pub available_replicas: i64,
    pub terminating_replicas: Option<i64>,
    pub current_replicas: i64,
    pub current_revision: Option<String>,
    pub update_revision: Option<String>,
    pub desired_number_scheduled: i64,
    pub updated_number_scheduled: i64,
    pub number_available: i64,
    /// In the words of Argo Rollouts.
    pub phase: Option<String>,
    pub message: Option<String>,
    /// Why an Argo `Rollout` has paused.
    pub pause_conditions: Option<Vec<PauseCondition>>,
    /// At which of its steps an Argo `Rollout` is.
    pub current_step_index: Option<usize>,
    pub current_pod_hash: Option<String>,
    pub conditions: Option<Vec<Condition>>,
}

/// Of an Argo `Rollout`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PauseCondition {
    pub reason: String,
}

impl ControllerStatus {
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        let mut conditions = self.conditions.iter().flatten();
        conditions.find(|condition| condition.kind == kind)
    }
}
