//! Which path is answered by whom.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, Path, RawQuery, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::sync::watch;
use tokio::time::timeout;

use super::admission::judged;
use super::desk::Desk;
use super::files::Files;
use super::flagger::{self, Hook};
use super::guard::{Client, Guard, Turned};
use super::metrics::Metrics;
use super::newer::remark_on;
use super::notifier::Notifier;
use super::query::{self, Answering, Misused};
use super::reply::{Reply, Unanswered, without_secrets};
use super::watch::Glance;
use super::{openapi, page};
use crate::ask::{Answer, Goal, Question, Record};
use crate::gate::{Action, Verdict};
use crate::model::Step;
use crate::span::{self, End, Instrument as _};
use tracing::Span;

/// Of a review: the object and the one before it, which etcd bounds.
const LONGEST_REVIEW: usize = 8 * 1024 * 1024;
/// Of a webhook's body.
const LONGEST_BODY: usize = 64 * 1024;
/// What a request may take beside its question: to be read, and to be put into words.
const BESIDE: Duration = Duration::from_secs(5);
/// Nothing comes from elsewhere, and nobody shows this within a page of theirs.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What answers are made from.
pub(super) struct Room {
    pub desk: Desk,
    pub files: Arc<Files>,
    pub guard: Guard,
    pub seen: watch::Receiver<Glance>,
    pub metrics: Metrics,
    pub notifier: Notifier,
    pub timeout: Duration,
    pub every: Duration,
    pub admits_for: Option<Duration>,
    pub closing: watch::Receiver<bool>,
}

type Asked = State<Arc<Room>>;

impl Room {
    /// Says that a version was refused, to those who want to be told.
    fn tell(&self, answer: &Answer) {
        let Answer::Gate { decision, .. } = answer else {
            return;
        };
        let (Action::Deploy(versions), Verdict::Refuse) = (&decision.action, decision.verdict)
        else {
            return;
        };
        let each = versions
            .iter()
            .map(|one| format!("{} {}", one.service, one.version));
        let who = each.collect::<Vec<_>>().join(" and ");
        let why = decision.blockers.first().map(|blocker| blocker.message());
        self.notifier.refused(&who, &why.unwrap_or_default());
    }
}

pub(super) fn router(room: Room) -> Router {
    let room = Arc::new(room);
    let guarded = Router::new()
        .route("/", get(show_page))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(describe))
        .route("/v1/status", get(status))
        .route("/v1/fleet", get(fleet))
        .route("/v1/plan", get(plan))
        .route("/v1/rollouts", get(rollouts))
        .route("/v1/log", get(log))
        .route("/v1/gate/deploy", get(deploy))
        .route("/v1/gate/{step}/{migration}", get(step))
        .route("/v1/flagger/confirm", post(confirm))
        .route("/v1/flagger/rollback", post(rollback))
        .fallback(nothing_here)
        .layer(from_fn_with_state(Arc::clone(&room), admit));
    let open = match room.admits_for {
        Some(_) => Router::new().route("/admission/v1", post(admission)),
        None => Router::new(),
    };
    open
        // Without a token: they say nothing of the database, and a browser that asks for one has to find its way.
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/assets/page.css", get(style))
        .route("/assets/page.js", get(script))
        .merge(guarded)
        .layer(from_fn_with_state(Arc::clone(&room), measured))
        .with_state(room)
}

/// Bounds a request in time, counts it, and says what a browser is to make of the answer.
async fn measured(State(room): Asked, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let _at_work = room.metrics.begins();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("other", MatchedPath::as_str).to_owned();
    let span = traced(&request, &route);
    let answering = next.run(request).instrument(span.clone());
    let answer = timeout(room.timeout + BESIDE, answering).await;
    let mut response = answer.unwrap_or_else(|_| {
        let limit = (room.timeout + BESIDE).as_secs_f32();
        json(&Reply::unanswered(&Unanswered::TooLate(limit)))
    });
    let status = response.status().as_u16();
    room.metrics.answered(&route, status, began.elapsed());
    span.record("http.response.status_code", status);
    if status >= 500 {
        span::ended(&span, End::Failed(response.status().as_str()));
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The span of a request for something that is looked up; probes and scrapes are none.
fn traced(request: &Request, route: &str) -> Span {
    let is_looked_up = route.starts_with("/v1/") || route.starts_with("/admission/");
    if !is_looked_up {
        return Span::none();
    }
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => "_OTHER",
    };
    let span = span::request(method, route);
    #[cfg(feature = "otlp")]
    crate::telemetry::continue_by_headers(&span, request.headers());
    span
}

/// Lets through whoever may ask.
async fn admit(State(room): Asked, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>();
    let client = client.copied().unwrap_or(Client::Unknown);
    match room.guard.admit(request.uri(), request.headers(), client) {
        Ok(()) => next.run(request).await,
        Err(Turned::Away) => {
            let help = "show the token of --token-file: `Authorization: Bearer TOKEN`; or a client certificate, where the server asks for one";
            let reply = Reply::error(401, "this server answers those it knows", Some(help));
            let mut response = json(&reply);
            let asks = HeaderValue::from_static("Basic realm=\"phasegate\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, asks);
            response
        }
        Err(Turned::Elsewhere) => {
            let help = "ask it as localhost or by its address, or give it a token: --token-file";
            let what = "without a token this server answers under no name but localhost";
            json(&Reply::error(403, what, Some(help)))
        }
    }
}

async fn healthy() -> &'static str {
    "ok\n"
}

/// A database that is away makes answers unknown, and no server unready: one that nobody is sent to any more could not say so.
async fn ready(State(room): Asked) -> Response {
    if *room.closing.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "closing\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

async fn style() -> Response {
    asset("text/css; charset=utf-8", page::STYLE)
}

async fn script() -> Response {
    asset("text/javascript; charset=utf-8", page::SCRIPT)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let cached = HeaderValue::from_static("max-age=300");
    (
        [
            (CONTENT_TYPE, HeaderValue::from_static(kind)),
            (CACHE_CONTROL, cached),
        ],
        text,
    )
        .into_response()
}

async fn metrics(State(room): Asked) -> Response {
    let glance = room.seen.borrow().clone();
    let text = room.metrics.text(&glance, room.notifier.counted());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

async fn describe() -> Response {
    json(&Reply {
        status: 200,
        retry_after: None,
        body: openapi::description(),
    })
}

async fn show_page(State(room): Asked, RawQuery(query): RawQuery) -> Response {
    let wanted = match page::Wanted::read(query.as_deref()) {
        Ok(wanted) => wanted,
        Err(misused) => return json(&Reply::misused(&misused)),
    };
    let plan = match &wanted.goal {
        Some(goal) => Some(drawn(&room, goal.clone()).await),
        None => None,
    };
    let glance = room.seen.borrow().clone();
    let every = room.every;
    let html =
        tokio::task::spawn_blocking(move || page::whole(&glance, &wanted, plan.as_ref(), every));
    match html.await {
        Ok(html) => {
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            ([(CONTENT_TYPE, kind)], html).into_response()
        }
        Err(error) => json(&Reply::error(500, &error.to_string(), None)),
    }
}

/// The plan that somebody wants to see.
async fn drawn(room: &Room, goal: Goal) -> page::Drawn {
    let record = Record::Nothing;
    let project = room.files.project();
    match room
        .desk
        .ask(&project, Question::Plan { goal, record })
        .await
    {
        Ok(Answer::Plan(planned)) => page::Drawn::Planned(planned),
        Ok(_) => page::Drawn::Not("an answer came to something else".to_owned()),
        Err(unanswered) => {
            let reply = Reply::unanswered(&unanswered);
            let why = reply.body.pointer("/error/message");
            let why = why.and_then(serde_json::Value::as_str);
            page::Drawn::Not(why.unwrap_or_default().to_owned())
        }
    }
}

async fn nothing_here() -> Response {
    let help = "`/` is the page, `/openapi.json` describes what can be asked";
    json(&Reply::error(404, "there is nothing here", Some(help)))
}

/// Asks, and puts the answer into words away from the threads that others wait for.
async fn told(room: Arc<Room>, question: Result<Question, Misused>) -> Response {
    let question = match question {
        Ok(question) => question,
        Err(misused) => return json(&Reply::misused(&misused)),
    };
    let project = room.files.project();
    let answer = match room.desk.ask(&project, question).await {
        Ok(answer) => answer,
        Err(unanswered) => return json(&Reply::unanswered(&unanswered)),
    };
    let worded = tokio::task::spawn_blocking(move || Reply::told(&answer, &project));
    match worded.await {
        Ok(reply) => json(&reply),
        Err(error) => json(&Reply::error(500, &error.to_string(), None)),
    }
}

async fn status(State(room): Asked, RawQuery(query): RawQuery) -> Response {
    let record = Record::Nothing;
    let question = query::plain(Question::Status { record }, query.as_deref());
    told(room, question).await
}

async fn fleet(State(room): Asked, RawQuery(query): RawQuery) -> Response {
    let record = Record::Nothing;
    let question = query::plain(Question::Fleet { record }, query.as_deref());
    told(room, question).await
}

async fn plan(State(room): Asked, RawQuery(query): RawQuery) -> Response {
    told(room, query::plan(query.as_deref())).await
}

async fn rollouts(State(room): Asked, RawQuery(query): RawQuery) -> Response {
    told(room, query::plain(Question::Rollout, query.as_deref())).await
}

async fn log(State(room): Asked, RawQuery(query): RawQuery) -> Response {
    told(room, query::log(query.as_deref(), jiff::Timestamp::now())).await
}

async fn deploy(State(room): Asked, RawQuery(query): RawQuery) -> Response {
    gate(&room, "deploy", query::deploy(query.as_deref())).await
}

async fn step(
    State(room): Asked,
    Path((step, migration)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let named = Step::ALL.into_iter().find(|known| known.name() == step);
    let Some(named) = named else {
        return nothing_here().await;
    };
    let question = query::step(named, &migration, query.as_deref());
    gate(&room, named.name(), question).await
}

async fn gate(
    room: &Room,
    action: &'static str,
    question: Result<(Question, Answering), Misused>,
) -> Response {
    let (question, way) = match question {
        Ok(question) => question,
        Err(misused) => return json(&Reply::misused(&misused)),
    };
    let project = room.files.project();
    match room.desk.ask(&project, question).await {
        Ok(mut answer) => {
            room.metrics.gave(action, answer.verdict());
            room.tell(&answer);
            remark_on(&mut answer, &project);
            json(&Reply::of_the_gate(&answer, way, &project))
        }
        Err(unanswered) => json(&Reply::unanswered(&unanswered)),
    }
}

async fn confirm(State(room): Asked, body: Body) -> Response {
    hook(&room, Hook::Confirm, body).await
}

async fn rollback(State(room): Asked, body: Body) -> Response {
    hook(&room, Hook::Rollback, body).await
}

/// What Flagger asks; the answer to its first question is the body.
async fn hook(room: &Room, hook: Hook, body: Body) -> Response {
    let body: Bytes = match to_bytes(body, LONGEST_BODY).await {
        Ok(body) => body,
        Err(error) => {
            let what = format!("the body cannot be read: {error}");
            return json(&Reply::error(413, &what, Some("Flagger's are small")));
        }
    };
    let questions = match flagger::questions(hook, &body) {
        Ok(questions) => questions,
        Err(misused) => return json(&Reply::misused(&misused)),
    };
    let project = room.files.project();
    let mut answers: Vec<Answer> = Vec::new();
    for question in questions {
        match room.desk.ask(&project, question).await {
            Ok(mut answer) => {
                remark_on(&mut answer, &project);
                answers.push(answer);
            }
            Err(unanswered) => return json(&Reply::unanswered(&unanswered)),
        }
    }
    let verdicts: Vec<_> = answers.iter().map(Answer::verdict).collect();
    let Some(first) = answers.first() else {
        return nothing_here().await;
    };
    room.metrics.gave("deploy", first.verdict());
    room.tell(first);
    let reply = Reply::of_the_gate(first, Answering::InTheBody, &project);
    json(&Reply {
        status: flagger::status(hook, &verdicts),
        ..reply
    })
}

/// What the API server of a cluster asks. It shows no token: whoever reaches this can at most hold contracts up.
async fn admission(State(room): Asked, body: Body) -> Response {
    let Some(hold) = room.admits_for else {
        return nothing_here().await;
    };
    let body: Bytes = match to_bytes(body, LONGEST_REVIEW).await {
        Ok(body) => body,
        Err(error) => {
            let what = format!("the body cannot be read: {error}");
            return json(&Reply::error(413, &what, Some("a review is of one object")));
        }
    };
    let project = room.files.in_force();
    let judged = judged(&body, hold, (&room.desk, &project)).await;
    if let Some(verdict) = judged.verdict {
        room.metrics.gave("admit", verdict);
    }
    if let Some((who, why)) = &judged.refused {
        room.notifier.refused(who, why);
    }
    json(&Reply {
        status: judged.status,
        retry_after: None,
        body: without_secrets(judged.body),
    })
}

fn json(reply: &Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static("application/json");
    let text = format!("{}\n", reply.body);
    let mut response = (status, [(CONTENT_TYPE, kind)], text).into_response();
    if let Some(seconds) = reply.retry_after {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
