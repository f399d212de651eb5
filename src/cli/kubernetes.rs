//! `migrate kubernetes`: what a cluster keeps to by itself.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::{Global, ServiceVersion};
use super::context::{Context, refuse_drift};
use super::failure::Failure;
use super::gate::wanted;
use super::out::{Out, note};
use crate::ask::{Answer, Question, Record, Status, Unlisted, candidate, range, startable};
use crate::gate::{Decision, Evidence};
use crate::model::{Live, Phase, Step};
use crate::serve::{PolicyError, PolicySettings, certificates, policy, policy_words};

pub(super) const KUBERNETES_HELP: &str = "\
  migrate kubernetes policy --namespace shop | kubectl apply -f -
  migrate kubernetes policy --namespace shop --contracting 0002 | kubectl apply -f -
                            before `migrate contract 0002`: what its fence keeps out starts no more

  migrate kubernetes certificates --namespace shop > secret.yaml && kubectl apply -f secret.yaml

A list is as old as its printing, and registers nothing: print it anew after every change of a phase.
`migrate serve --admission` asks each time instead.";

#[derive(Args)]
pub(super) struct KubernetesArgs {
    #[command(subcommand)]
    pub command: KubernetesCommand,
}

#[derive(Subcommand)]
pub(super) enum KubernetesCommand {
    /// Print a ValidatingAdmissionPolicy that lets in what may start now, for a cluster that runs no
    /// server of ours
    Policy(PolicyArgs),
    /// Print a Secret with a certificate for the admission webhook, for a cluster in which nothing
    /// else makes one. It holds the key, and the CA that signed it; the CA's own key is kept nowhere
    Certificates(CertificatesArgs),
}

#[derive(Args)]
pub(super) struct CertificatesArgs {
    /// The Service that the API server asks
    #[arg(long, value_name = "NAME", default_value = "phasegate", value_parser = object_name)]
    pub service: String,
    /// Its namespace
    #[arg(long, value_name = "NAMESPACE", value_parser = object_name)]
    pub namespace: String,
    /// What the Secret is called; the Service's name with -tls if it is left out
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub secret: Option<String>,
    /// How long it is valid. Nothing renews it
    #[arg(long, value_name = "DAYS", default_value_t = 3650, value_parser = clap::value_parser!(u16).range(1..=36500))]
    pub days: u16,
}

#[derive(Args)]
pub(super) struct PolicyArgs {
    /// Versions that have to be in the list, before all others, and the way in for a pre-release
    #[arg(value_name = "SERVICE=VERSION")]
    pub versions: Vec<ServiceVersion>,
    /// List what may start once the contract of this migration has begun, by its number or name.
    /// Refused if something live may not
    #[arg(long, value_name = "ID")]
    pub contracting: Vec<String>,
    /// The same for its revert
    #[arg(long, value_name = "ID")]
    pub reverting: Vec<String>,
    /// Where the pods are, if the source `kubernetes` in migrate.toml does not say so
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Vec<String>,
    /// What the policy is called. Another one for each database
    #[arg(long, value_name = "NAME", default_value = "phasegate", value_parser = object_name)]
    pub name: String,
}

/// A name that an API server takes for an object.
fn object_name(text: &str) -> Result<String, String> {
    if crate::project::is_object_name(text) {
        return Ok(text.to_owned());
    }
    Err("write lower case letters, digits, `-` and `.`".to_owned())
}

pub(super) async fn run(args: &KubernetesArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    match &args.command {
        KubernetesCommand::Policy(args) => print_policy(args, global, out).await,
        KubernetesCommand::Certificates(args) => print_certificates(args, global, out),
    }
}

fn print_certificates(args: &CertificatesArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let CertificatesArgs {
        service,
        namespace,
        secret,
        days,
    } = args;
    let name = secret.clone().unwrap_or_else(|| format!("{service}-tls"));
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    // A clock that is a little slow has not come to today yet.
    let from = today.saturating_sub(jiff::Span::new().days(1));
    let until = today.saturating_add(jiff::Span::new().days(i64::from(*days)));
    let host = format!("{service}.{namespace}.svc");
    let made = certificates(&host, (from, until)).map_err(|error| {
        Failure::new(format!("no certificate for {host} can be made: {error}"))
            .help("the names of the Service and its namespace have to be those of the cluster")
    })?;
    let data = |text: &str| BASE64.encode(text);
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name, "namespace": namespace },
        "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": data(&made.certificate),
            "tls.key": data(&made.key),
            "ca.crt": data(&made.ca),
        },
    });
    if out.is_json() {
        out.json(&object);
    } else {
        out.verbatim(&as_yaml(&[object])?);
    }
    if !global.quiet {
        note(&format!(
            "{host}, until {until}: nothing renews it. The webhook's `caBundle` is `ca.crt` of it, as it stands there"
        ));
    }
    Ok(0)
}

async fn print_policy(args: &PolicyArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    // Which pods are ours stands in migrate.toml.
    let context = Context::load_to_act(global, out)?;
    let config = &context.project.config;
    let named: Result<Vec<Live>, _> = args
        .versions
        .iter()
        .map(|argument| candidate(&wanted(argument), config))
        .collect();
    let mut wanted = named?;
    let status = look(&context).await?;
    let situation = &status.looked.situation;
    refuse_drift(situation)?;
    // As the gate has it: a mistyped path must not let everything in.
    if let Some(why) = &status.looked.nothing_yet {
        return Err(
            Failure::new(format!("which versions may start is not known: {why}")).unknown(),
        );
    }
    let mut evidence = situation.evidence.clone();
    for id in &args.contracting {
        begin(Step::Contract, &context, id, &mut evidence).await?;
    }
    for id in &args.reverting {
        begin(Step::Revert, &context, id, &mut evidence).await?;
    }
    let live = evidence.snapshot.live();
    let live: Vec<Live> = live
        .into_iter()
        .filter(|one| config.services.contains_key(&one.service))
        .collect();
    if !args.contracting.is_empty() || !args.reverting.is_empty() {
        wanted.extend(live.iter().cloned());
    }
    let found = startable(config.services.keys(), &wanted, &evidence).map_err(unlisted)?;
    let taken_at = jiff::Timestamp::from_millisecond(evidence.snapshot.taken_at);
    let taken_at = taken_at.map_or_else(|_| String::new(), |moment| format!("{moment:.0}"));
    let settings = PolicySettings {
        name: &args.name,
        namespaces: &args.namespace,
        taken_at: &taken_at,
    };
    let objects = policy(config, &found, settings)?;
    if out.is_json() {
        out.json(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }));
    } else {
        out.verbatim(&as_yaml(&objects)?);
    }
    if !global.quiet {
        for service in config.services.keys() {
            note(&format!(
                "{service}: listed: {}",
                policy_words(&found, service)
            ));
        }
        for (service, stretch) in &found.left_out {
            let why = stretch.reasons.first().map_or("", String::as_str);
            note(&format!(
                "note: {service} {} may start alone, and is not listed: nobody registers what a list lets in, and beside what is listed {why}",
                range(stretch)
            ));
        }
    }
    for one in live.iter().filter(|one| !found.takes(one)) {
        note(&format!(
            "warning: {} {} is live and not listed: a pod of it that ends does not come again under this policy; `migrate gate deploy {}={}` says why",
            one.service, one.version, one.service, one.version
        ));
    }
    Ok(0)
}

async fn look(context: &Context) -> Result<Box<Status>, Failure> {
    let record = Record::Nothing;
    match context.ask(&Question::Status { record }).await? {
        Answer::Status(status) => Ok(status),
        other => Err(Failure::unasked(&other)),
    }
}

/// As if the fence of this step were up.
async fn begin(
    step: Step,
    context: &Context,
    wanted: &str,
    evidence: &mut Evidence,
) -> Result<(), Failure> {
    let id = context.find(wanted).await?;
    let Some(state) = evidence.schema.get_mut(&id) else {
        return Err(Failure::new(format!("{id} is not known to the database"))
            .help("`migrate status` lists the migrations"));
    };
    let parts = &state.declaration.parts;
    let (has_it, behind_it) = match step {
        Step::Revert => (parts.expand, Phase::Reverting),
        _ => (parts.contract, Phase::Contracting),
    };
    let why = if !has_it {
        Some(format!("has no {}", step.name()))
    } else if !state.expand_is_done() {
        Some("is not expanded".to_owned())
    } else {
        None
    };
    if let Some(why) = why {
        return Err(Failure::new(format!("{id} {why}, so no {} of it begins", step.name()))
            .help("`migrate status` shows the phase of each migration; leave out what does not apply to this one")
            .refused());
    }
    if state.phase != Phase::Contracted {
        state.phase = behind_it;
    }
    Ok(())
}

fn as_yaml(objects: &[Value]) -> Result<String, Failure> {
    let mut documents = Vec::new();
    for object in objects {
        let text = yaml_serde::to_string(object)
            .map_err(|error| Failure::new(format!("the policy cannot be written: {error}")))?;
        documents.push(text);
    }
    Ok(documents.join("---\n"))
}

fn unlisted(why: Unlisted) -> Failure {
    let message = |decision: &Decision, why: &str| {
        let first = decision.blockers.first();
        let reason = first.map_or_else(String::new, crate::gate::Blocker::message);
        let help = first.map_or_else(String::new, crate::gate::Blocker::help);
        Failure::new(format!("{why}: {reason}")).help(help)
    };
    match why {
        Unlisted::Refused(decision) => {
            message(&decision, "what has to be in the list may not start").refused()
        }
        Unlisted::Unknown(decision) => {
            message(&decision, "which versions may start is not known").unknown()
        }
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        let failure = Self::new(error.to_string()).help(error.help());
        match error {
            PolicyError::NoNamespace => failure.usage(),
            PolicyError::Patterns { .. } | PolicyError::ManyAliases { .. } => failure,
        }
    }
}
