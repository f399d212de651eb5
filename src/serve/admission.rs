//! The admission webhook: a pod, or a template of pods, whose version may not start is refused, and one that may is registered in
//! the transaction that says so, as `migrate admit` does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::desk::Desk;
use super::newer::remark_by_label;
use super::reply::{Reply, Unanswered};
use super::review::{About, Refusal, Review, Starting, Unreadable, answer, read};
use crate::ask::{Answer, AskError, Question, Record, Wanted, placed};
use crate::coordinator::flaws_on_paper;
use crate::database::Dialect;
use crate::fleet::lease_rules;
use crate::gate::{Decision, Verdict};
use crate::lease::{Admission, AdmissionRequest, history_of};
use crate::model::InstanceState;
use crate::project::{Config, Project};

/// What is said to the API server.
pub(super) struct Judged {
    /// Of HTTP. Whatever is not 200 leaves the decision to the `failurePolicy`.
    pub status: u16,
    pub body: Value,
    /// What it came to, where it was about something of ours.
    pub verdict: Option<Verdict>,
    /// Which version was refused, and why.
    pub refused: Option<(String, String)>,
}

/// Why something may not start.
struct Refused {
    verdict: Verdict,
    message: String,
}

impl Refused {
    const fn code(&self) -> u16 {
        match self.verdict {
            Verdict::Go | Verdict::Refuse => 403,
            Verdict::Hold => 409,
            Verdict::Unknown => 503,
        }
    }
}

/// The answer to a body. Whatever cannot be answered is refused, and says so: a database that is away lets nothing start.
pub(super) async fn judged(
    body: &[u8],
    hold: Duration,
    (desk, project): (&Desk, &Arc<Project>),
) -> Judged {
    let review = match read(body, &project.config) {
        Ok(review) => review,
        Err(unreadable) => return not_understood(&unreadable),
    };
    let Review {
        uid,
        dry_run,
        about,
        mut warnings,
    } = review;
    let refused = match &about {
        About::Nothing => None,
        About::Unclear { why, help } => Some(Refused {
            verdict: Verdict::Refuse,
            message: format!(
                "phasegate: which version it would start is not certain: {why}; next: {help}"
            ),
        }),
        About::Starting(starting) if dry_run => asked(starting, desk, project).await,
        About::Starting(starting) => admitted(starting, hold, (desk, project)).await,
    };
    if let (About::Starting(starting), None) = (&about, &refused) {
        let remarks = starting.iter();
        let remarks = remarks.filter_map(|one| remark_by_label(project, &one.service, &one.label));
        warnings.extend(remarks.map(|remark| format!("phasegate: {remark}")));
    }
    let verdict = match (&about, &refused) {
        (About::Nothing, _) => None,
        (_, None) => Some(Verdict::Go),
        (_, Some(refused)) => Some(refused.verdict),
    };
    let told = match (&about, &refused) {
        (About::Starting(starting), Some(refused)) if refused.verdict == Verdict::Refuse => {
            Some((named(starting), refused.message.clone()))
        }
        _ => None,
    };
    let refusal = refused.map(|refused| Refusal {
        code: refused.code(),
        message: refused.message,
    });
    Judged {
        status: 200,
        body: answer(&uid, refusal.as_ref(), &warnings),
        verdict,
        refused: told,
    }
}

/// A review that has a name is refused under it, whatever the `failurePolicy` says: it may be a pod of ours.
fn not_understood(unreadable: &Unreadable) -> Judged {
    let Unreadable { uid, why } = unreadable;
    let message = format!(
        "phasegate: this is no AdmissionReview: {why}; next: name this address in a ValidatingWebhookConfiguration, with \
         admissionReviewVersions: [v1]"
    );
    let refusal = Refusal { code: 400, message };
    Judged {
        status: if uid.is_empty() { 400 } else { 200 },
        body: answer(uid, Some(&refusal), &[]),
        verdict: Some(Verdict::Refuse),
        refused: None,
    }
}

/// What `gate deploy` says: nothing is registered.
async fn asked(starting: &[Starting], desk: &Desk, project: &Arc<Project>) -> Option<Refused> {
    let wanted = |starting: &Starting| Wanted {
        service: starting.service.clone(),
        label: starting.label.clone(),
    };
    let versions: Vec<Wanted> = starting.iter().map(wanted).collect();
    let record = Record::Nothing;
    let question = Question::Deploy { versions, record };
    match desk.ask(project, question).await {
        Ok(Answer::Gate { decision, .. }) => refusal(&named(starting), &decision),
        Ok(_) => Some(unanswered(&Unanswered::Closing)),
        Err(error) => Some(unanswered(&error)),
    }
}

/// One after the other. What was let in before one is refused counts as live until its time ends.
async fn admitted(
    starting: &[Starting],
    hold: Duration,
    (desk, project): (&Desk, &Arc<Project>),
) -> Option<Refused> {
    for one in starting {
        let request = match request(one, hold, (project, desk.dialect())) {
            Ok(request) => request,
            Err(error) => {
                let help = error.help().unwrap_or_default();
                return Some(Refused {
                    verdict: Verdict::Unknown,
                    message: format!("phasegate: {}: {error}; next: {help}", one.service),
                });
            }
        };
        let refused = match desk.admit(request).await {
            Ok(Admission::Admitted { .. }) => None,
            Ok(Admission::Refused(decision)) => {
                refusal(&named(std::slice::from_ref(one)), &decision)
            }
            Err(error) => Some(unanswered(&error)),
        };
        if refused.is_some() {
            return refused;
        }
    }
    None
}

fn named(starting: &[Starting]) -> String {
    let each = starting
        .iter()
        .map(|one| format!("{} {}", one.service, one.label));
    each.collect::<Vec<_>>().join(" and ")
}

fn request(
    starting: &Starting,
    hold: Duration,
    (project, dialect): (&Project, Dialect),
) -> Result<AdmissionRequest, AskError> {
    let config: &Config = &project.config;
    let Starting {
        service,
        label,
        instance,
    } = starting;
    Ok(AdmissionRequest {
        service: service.clone(),
        label: label.clone(),
        version: placed(config, service, label)?,
        instance: instance.clone(),
        // Nobody renews this one, so it is not late before it ends.
        lease: hold,
        renew: hold,
        min_ready: config
            .services
            .get(service)
            .and_then(|service| service.min_ready),
        state: InstanceState::Starting,
        pending: project.declarations().cloned().collect(),
        // They are those of the newest release: what they hide may be what this version needs.
        unread: flaws_on_paper(project),
        // The files are the server's.
        brought: None,
        made: project.made(dialect),
        history: history_of(project, dialect, |text| tracing::warn!("{text}")),
        sources: config.other_sources(),
        rules: lease_rules(config),
    })
}

/// The first reason, and what to do: `kubectl` prints it in a line.
fn refusal(who: &str, decision: &Decision) -> Option<Refused> {
    let verdict = decision.verdict;
    if verdict == Verdict::Go {
        return None;
    }
    let mut message = format!("phasegate: {who} may not start now ({})", verdict.name());
    if let Some(first) = decision.blockers.first() {
        message.push_str(": ");
        message.push_str(&first.message());
        let help = first.help();
        if !help.is_empty() {
            message.push_str("; next: ");
            message.push_str(&help);
        }
    }
    let more = decision.blockers.len().saturating_sub(1);
    if more > 0 {
        message.push_str(&format!(" (and {more} more: ask `migrate gate deploy`)"));
    }
    Some(Refused { verdict, message })
}

fn unanswered(error: &Unanswered) -> Refused {
    let reply = Reply::unanswered(error);
    let text = |path: &str| {
        let text = reply.body.pointer(path).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let (why, help) = (text("/error/message"), text("/error/help"));
    let mut message = format!("phasegate: whether it may start is not known: {why}");
    if !help.is_empty() {
        message.push_str("; next: ");
        message.push_str(&help);
    }
    Refused {
        verdict: Verdict::Unknown,
        message,
    }
}
