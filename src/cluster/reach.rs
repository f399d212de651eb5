//! Reaching a cluster: what its settings say is read, and a client is made of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube_client::Client;
use kube_client::client::{AuthError, ClientBuilder};
use kube_client::config::{Config, ExecInteractiveMode, KubeConfigOptions, Kubeconfig};

use super::access::{Access, at_home};
use super::words::in_words;
use super::{Reached, Trouble};
use crate::process::credentials;
use crate::text::secret;
use crate::text::shown::shortened;

/// Where a pod finds its token.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// As much of what a program says as is told.
const LONGEST_SAID: usize = 300;

/// How long a connection may take to be made; how long an answer may take is for whoever asks.
const CONNECT: Duration = Duration::from_secs(10);

/// The three ways.
enum Way {
    File(PathBuf),
    /// As `kubectl` merges them.
    Environment,
    Pod,
}

impl Access {
    fn way(&self) -> Result<Way, Trouble> {
        if let Some(path) = &self.kubeconfig {
            return Ok(Way::File(path.clone()));
        }
        if std::env::var_os("KUBECONFIG").is_some_and(|value| !value.is_empty()) {
            return Ok(Way::Environment);
        }
        let is_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
            && Path::new(SERVICE_ACCOUNT).exists();
        // A context is one of a file.
        if is_pod && self.context.is_none() {
            return Ok(Way::Pod);
        }
        let usual = at_home("~/.kube/config");
        if usual.exists() {
            return Ok(Way::File(usual));
        }
        Err(Trouble::Settings(format!(
            "there is no kubeconfig ({} does not exist) and this is no pod with a service account: set KUBECONFIG, or name one \
             with `kubeconfig = \"…\"`",
            usual.display()
        )))
    }

    /// Reads it all anew: tokens, authorities and addresses may have changed.
    pub(super) async fn reach(&self) -> Result<Reached, Trouble> {
        let settings = |of: &str, error: &(dyn std::error::Error + 'static)| {
            Trouble::Settings(format!("{of}: {}", in_words(error)))
        };
        let mut config = match self.way()? {
            Way::Pod => Config::incluster()
                .map_err(|error| settings("the service account of this pod", &error))?,
            Way::File(path) => {
                let of = format!("the kubeconfig {}", path.display());
                let read = Kubeconfig::read_from(&path).map_err(|error| settings(&of, &error))?;
                self.of_kubeconfig(read)
                    .await
                    .map_err(|error| settings(&of, &error))?
            }
            Way::Environment => {
                let of = "the kubeconfig that KUBECONFIG names";
                let read = Kubeconfig::from_env().map_err(|error| settings(of, &error))?;
                self.of_kubeconfig(read.unwrap_or_default())
                    .await
                    .map_err(|error| settings(of, &error))?
            }
        };
        config.connect_timeout = Some(CONNECT);
        // Whoever asks sees to what is asked once more, and says so.
        config.default_retry = false;
        let program = config.auth_info.exec.as_ref();
        let program = program.and_then(|exec| exec.command.clone());
        if let Some(exec) = &mut config.auth_info.exec {
            use std::io::IsTerminal as _;
            // Nobody is there whom it could ask.
            if exec.interactive_mode != Some(ExecInteractiveMode::Always)
                && !std::io::stdin().is_terminal()
            {
                exec.interactive_mode = Some(ExecInteractiveMode::Never);
            }
            // A program that gets a token needs no database.
            exec.drop_env = Some(credentials());
        }
        let server = config.cluster_url.to_string();
        let server = server.trim_end_matches('/').to_owned();
        let namespace = config.default_namespace.clone();
        // A program that gets a token may take its time, or never end: it has a thread of its own, for which nobody waits.
        let (send, built) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let started = std::thread::Builder::new().spawn(move || {
            let _runtime = runtime.enter();
            // Whoever has asked may have given up.
            let _ = send.send(ClientBuilder::try_from(config).map(ClientBuilder::build));
        });
        started.map_err(|error| settings(&self.to_string(), &error))?;
        let client: Client = match built.await {
            Ok(Ok(client)) => client,
            Ok(Err(kube_client::Error::Auth(AuthError::AuthExecRun { out, .. }))) => {
                let said = String::from_utf8_lossy(&out.stderr);
                let said = said.trim().lines().next_back().unwrap_or_default();
                return Err(Trouble::Settings(format!(
                    "the program that gets a token for {self} ({}) ended with {}: {}; run it by hand and see what it says",
                    program.unwrap_or_default(),
                    out.status,
                    secret::masked(&shortened(said, LONGEST_SAID))
                )));
            }
            Ok(Err(error)) => return Err(settings(&self.to_string(), &error)),
            Err(error) => return Err(settings(&self.to_string(), &error)),
        };
        Ok(Reached {
            client,
            server,
            namespace,
        })
    }

    async fn of_kubeconfig(
        &self,
        read: Kubeconfig,
    ) -> Result<Config, kube_client::config::KubeconfigError> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        Config::from_custom_kubeconfig(read, &options).await
    }
}
