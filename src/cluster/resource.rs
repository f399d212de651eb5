//! The kinds of objects that are asked for.

/// A kind of objects, by its names in paths, rules and manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    /// As it stands in a manifest.
    pub kind: &'static str,
    /// As `kubectl` calls one.
    pub short: &'static str,
}

const fn resource(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    (kind, short): (&'static str, &'static str),
) -> Resource {
    Resource {
        group,
        version,
        plural,
        kind,
        short,
    }
}

impl Resource {
    pub const POD: Self = resource("", "v1", "pods", ("Pod", "pod"));
    pub const DEPLOYMENT: Self =
        resource("apps", "v1", "deployments", ("Deployment", "deployment"));
    pub const REPLICA_SET: Self =
        resource("apps", "v1", "replicasets", ("ReplicaSet", "replicaset"));
    pub const STATEFUL_SET: Self =
        resource("apps", "v1", "statefulsets", ("StatefulSet", "statefulset"));
    pub const DAEMON_SET: Self = resource("apps", "v1", "daemonsets", ("DaemonSet", "daemonset"));
    pub const JOB: Self = resource("batch", "v1", "jobs", ("Job", "job"));
    pub const CRON_JOB: Self = resource("batch", "v1", "cronjobs", ("CronJob", "cronjob"));
    pub const ADMISSION_POLICY: Self = resource(
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicies",
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicy"),
    );
    pub const ADMISSION_BINDING: Self = resource(
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicybindings",
        (
            "ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybinding",
        ),
    );
    /// Of Argo Rollouts, where it is installed.
    pub const ROLLOUT: Self = resource(
        "argoproj.io",
        "v1alpha1",
        "rollouts",
        ("Rollout", "rollout"),
    );

    /// As rules of RBAC name it together with its group: `deployments.apps`.
    #[must_use]
    pub fn qualified(self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// As manifests name its version.
    #[must_use]
    pub fn api_version(self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// What is done with objects, as rules of RBAC call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    List,
    Get,
    Patch,
}

impl Verb {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Patch => "patch",
        }
    }
}
