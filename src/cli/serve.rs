//! `migrate serve`: the gate over HTTP, metrics, and a page.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::Context;
use super::duration::{duration, lease_duration};
use super::failure::Failure;
use super::out::{Out, note};
use crate::serve::{Notifies, ServeError, Settings, TlsFiles, run as serve};

pub(super) const SERVE_HELP: &str = "\
  migrate serve                                    http://127.0.0.1:8787: the page, for this machine alone
  migrate serve --listen 0.0.0.0:8787 --token-file token
  curl -H \"Authorization: Bearer $(cat token)\" 'http://HOST:8787/v1/gate/deploy?web=1.2.0'

Nothing is decided here, and nothing written but what --admission lets in: every answer is that of
the same command. A database that is
away makes answers unknown (503); /healthz, /readyz and /metrics go on meanwhile.";

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Where to listen. Beyond this machine it wants --token-file, or --client-ca
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,
    /// Answer those who show a token of this file, one a line; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Speak TLS, with this certificate and those that lead to its root, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Answer those who show a certificate that one of these has signed, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub client_ca: Option<PathBuf>,
    /// How many questions are looked up at once, each over a connection of its own
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub askers: u16,
    /// How long an answer may take before it is unknown. Argo Rollouts and Flagger wait 10s
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "8s")]
    pub timeout: Duration,
    /// Answer the admission webhook of Kubernetes at /admission/v1, which registers what it lets in
    #[arg(long)]
    pub admission: bool,
    /// For how long what it lets in counts as live, until its instance shows up
    #[arg(long, value_name = "DURATION", value_parser = lease_duration, default_value = "10m", requires = "admission")]
    pub admit_for: Duration,
    /// Post no notices: another server of this database tells those whom [notify] names
    #[arg(long)]
    pub no_notify: bool,
    /// Post notices of what this server itself refuses, which no other one knows; another one tells the rest
    #[arg(long, conflicts_with = "no_notify")]
    pub notify_refusals: bool,
    /// How often the page and the metrics look at the database and the sources
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub refresh: Duration,
}

pub(super) fn run(args: &ServeArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    if !global.alias.is_empty() {
        return Err(Failure::new("--alias holds for one command, and a server reads its files again")
            .help("write the name into migrate.toml: [services.NAME] aliases, or a file that `aliases_file` names")
            .usage());
    }
    let context = if args.admission {
        // Which pods are ours stands there.
        Context::load_to_act(global, out)?
    } else {
        Context::load(global, out)?
    };
    out.tell_flaws();
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: args.client_ca.clone(),
        }),
        _ => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    if tls.is_none() && !args.listen.ip().is_loopback() && !global.quiet {
        note(
            "note: tokens come in clear text without --tls-cert: let something that speaks TLS stand before it",
        );
    }
    let settings = Settings {
        root: PathBuf::from("."),
        database_url: global.database_url()?.map(|given| given.url),
        project: context.project,
        target: context.target,
        listen: args.listen,
        token_file: args.token_file.clone(),
        tls,
        askers: args.askers.into(),
        timeout: args.timeout,
        admits_for: args.admission.then_some(args.admit_for),
        notifies: match (args.no_notify, args.notify_refusals) {
            (true, _) => Notifies::Nothing,
            (false, true) => Notifies::OwnRefusals,
            (false, false) => Notifies::Everything,
        },
        every: args.refresh,
        interrupt: context.interrupt,
    };
    let ready = |address: SocketAddr| {
        if out.is_json() {
            out.json(&json!({ "listening": format!("{scheme}://{address}/") }));
        } else {
            out.line(format!("listening on {scheme}://{address}/"));
        }
    };
    serve(settings, ready)?;
    Ok(0)
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let failure = Self::new(error.to_string()).help(error.help());
        match error {
            ServeError::Open { .. } => failure.usage(),
            _ => failure,
        }
    }
}
