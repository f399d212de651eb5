//! How a cluster is reached: by a kubeconfig and one of its contexts, or from within one of its pods.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::row::Row;

/// Which cluster a row of migrate.toml means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub(super) kubeconfig: Option<PathBuf>,
    pub(super) context: Option<String>,
}

impl Access {
    /// The keys `kubeconfig` and `context` of a row.
    pub fn read(row: &mut dyn Row) -> Self {
        let kubeconfig = row.text("kubeconfig", "kubeconfig = \"~/.kube/config\"");
        Self {
            kubeconfig: kubeconfig.map(|text| at_home(&text)),
            context: row.text("context", "context = \"production\""),
        }
    }

    /// The same from where it was read already.
    #[must_use]
    pub fn named(kubeconfig: Option<&str>, context: Option<&str>) -> Self {
        Self {
            kubeconfig: kubeconfig.map(at_home),
            context: context.map(ToOwned::to_owned),
        }
    }

    /// What `kubectl` is given to mean the same cluster.
    #[must_use]
    pub fn options(&self) -> String {
        let mut options = String::new();
        if let Some(path) = &self.kubeconfig {
            options.push_str(&format!(" --kubeconfig {}", path.display()));
        }
        if let Some(context) = &self.context {
            options.push_str(&format!(" --context {context}"));
        }
        options
    }
}

/// Which cluster it is, for people.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.context, &self.kubeconfig) {
            (Some(context), _) => write!(f, "the cluster of the context `{context}`"),
            (None, Some(path)) => write!(f, "the cluster of {}", path.display()),
            (None, None) => f.write_str("the cluster"),
        }
    }
}

/// A path, with `~` put in.
pub(super) fn at_home(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(text),
    }
}
