//! Traces for OpenTelemetry: what a collector is told of a command, and that a collector is never in the way of one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, KeyValue};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

use crate::serve::client::Server;
use crate::support::backend::Db;
use crate::support::http::{Answer, Request, serve};
use crate::support::project::Output;
use crate::support::shop::{EXPAND, NAME, Shop, said};
use crate::support::wait::{GENEROUS, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const SERVICE: &str = "[services.web]\nmin_instances = 0\n";
/// Nobody waits for that by chance.
const NEVER: Duration = Duration::from_secs(1800);

#[derive(Clone, Debug)]
struct Span {
    name: String,
    trace: String,
    id: String,
    parent: String,
    is_error: bool,
    attributes: BTreeMap<String, String>,
}

impl Span {
    #[track_caller]
    fn says(&self, key: &str) -> &str {
        let found = self.attributes.get(key);
        found.unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }
}

/// What a collector was sent.
#[derive(Default)]
struct Received {
    requests: Vec<Request>,
    spans: Vec<Span>,
    resource: BTreeMap<String, String>,
}

/// A collector that the test is.
struct Collector {
    url: String,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    fn start() -> Self {
        let received = Arc::new(Mutex::new(Received::default()));
        let held = Arc::clone(&received);
        let url = serve(
            None,
            Arc::new(move |request| {
                held.lock().expect("nobody panicked").take(request);
                Answer::text(200, "")
            }),
        );
        Self { url, received }
    }

    /// Has every later run of `migrate` send here.
    fn of(&self, shop: &Shop) {
        shop.project.env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url);
    }

    /// What has come since this was asked the last time.
    fn take(&self) -> Received {
        std::mem::take(&mut *self.received.lock().expect("nobody panicked"))
    }
}

impl Received {
    fn take(&mut self, request: &Request) {
        let read = ExportTraceServiceRequest::decode(request.bytes.as_slice());
        for of_resource in read.expect("an export request").resource_spans {
            self.resource = attributes(&of_resource.resource.expect("a resource").attributes);
            for span in of_resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
            {
                self.spans.push(Span {
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    is_error: span
                        .status
                        .is_some_and(|status| status.code() == StatusCode::Error),
                    attributes: attributes(&span.attributes),
                });
            }
        }
        self.requests.push(request.clone());
    }

    #[track_caller]
    fn one(&self, name: &str) -> &Span {
        let found: Vec<&Span> = self.named(name).collect();
        match found[..] {
            [one] => one,
            _ => panic!("{} spans are called {name}: {:#?}", found.len(), self.spans),
        }
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(move |span| span.name == name)
    }

    /// Whether a span is below another one, however far.
    fn is_below(&self, span: &Span, above: &Span) -> bool {
        let mut spans = self.spans.iter();
        span.parent == above.id
            || spans
                .find(|one| one.id == span.parent)
                .is_some_and(|parent| self.is_below(parent, above))
    }
}

fn attributes(of: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<Any>| match value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(AnyValue::StringValue(text)) => text.clone(),
        Some(AnyValue::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    of.iter()
        .map(|one| (one.key.clone(), text(&one.value)))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

scenario!(
    fn a_command_is_a_trace_of_its_steps_and_its_questions(db: Db) {
        let shop = Shop::with_fleet(db, SERVICE);
        let collector = Collector::start();
        collector.of(&shop);
        shop.project
            .env("TRACEPARENT", &format!("00-{TRACE}-{CALLER}-01"))
            .env("OTEL_SERVICE_NAME", "deploys")
            .env("OTEL_RESOURCE_ATTRIBUTES", "team=shop,service.name=no")
            .env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of%20the%20collector");
        shop.run(&["expand"], 0);
        let expanded = collector.take();
        for request in &expanded.requests {
            assert_eq!(request.path, "/v1/traces");
            assert_eq!(request.headers["content-type"], "application/x-protobuf");
            assert_eq!(request.headers["x-key"], "of the collector");
        }
        assert_eq!(expanded.resource["service.name"], "deploys");
        assert_eq!(expanded.resource["team"], "shop");
        let command = expanded.one("migrate expand");
        assert_eq!((&*command.trace, &*command.parent), (TRACE, CALLER));
        assert_eq!(command.says("process.exit.code"), "0");
        assert!(!command.is_error);
        let step = expanded.one("expand");
        assert_eq!(step.says("phasegate.migration"), NAME);
        assert_eq!(step.says("phasegate.verdict"), "go");
        let script = expanded.one("script");
        assert_eq!(script.says("phasegate.file"), format!("{NAME}/expand.sql"));
        assert!(expanded.is_below(script, step), "{:#?}", expanded.spans);
        assert_eq!(
            expanded
                .named("source")
                .next()
                .expect("asked")
                .says("phasegate.source"),
            "list"
        );
        for span in &expanded.spans {
            assert_eq!(span.trace, TRACE);
            assert!(
                span.id == command.id || expanded.is_below(span, command),
                "{span:?}"
            );
        }

        shop.run(&["backfill"], 0);
        let filled = collector.take();
        let batches: Vec<&Span> = filled.named("batch").collect();
        let sum = |key: &str| {
            let each = batches.iter().map(|one| one.says(key).parse::<u64>());
            each.sum::<Result<u64, _>>().expect("numbers")
        };
        assert!(batches.len() > 1, "{:#?}", filled.spans);
        assert_eq!((sum("phasegate.keys"), sum("phasegate.rows")), (5, 5));
        assert_eq!(filled.one("backfill").says("phasegate.rows"), "5");

        shop.fleet(&[("web", "a", "1.0.0")]);
        shop.run(&["contract", NAME], 11);
        let refused = collector.take();
        let command = refused.one("migrate contract");
        assert_eq!(command.says("process.exit.code"), "11");
        assert_eq!(command.says("error.type"), "refuse");
        let step = refused.one("contract");
        assert_eq!(step.says("phasegate.verdict"), "refuse");
        assert!(
            step.says("phasegate.blockers").contains("live_version"),
            "{step:?}"
        );

        // What stands in scripts and rows is nobody's business.
        for received in [expanded, filled, refused] {
            for request in received.requests {
                for private in ["ALTER", "UPDATE", "full_name", "Ann", "of the collector"] {
                    assert!(!request.body.contains(private), "{private}");
                }
            }
        }
    }
);

#[test]
fn an_error_is_told_by_its_kind_and_not_by_its_words() {
    let shop = Shop::with_fleet(Db::on("sqlite"), SERVICE);
    let collector = Collector::start();
    collector.of(&shop);
    // There is no such table.
    let wrong =
        format!("{EXPAND}ALTER TABLE no_table ADD COLUMN more VARCHAR(200) DEFAULT 'private';\n");
    shop.project.migration(NAME, &[("expand.sql", &wrong)]);
    shop.run(&["expand"], 1);
    shop.fleet_text("no json\n");
    shop.run(&["fleet"], 12);
    let received = collector.take();
    let step = received.one("expand");
    assert!(step.is_error && received.one("script").is_error);
    assert_eq!(step.says("error.type"), "statement");
    assert!(received.one("migrate expand").is_error);
    assert!(received.named("source").any(|span| span.is_error));
    for request in &received.requests {
        assert!(!request.body.contains("private") && !request.body.contains("no_table"));
    }
}

/// Whatever the collector does, the command does what it does without one.
#[test]
fn a_collector_is_never_in_the_way() {
    let has_answered = Arc::new(AtomicBool::new(false));
    let hanging = {
        let has_answered = Arc::clone(&has_answered);
        serve(
            None,
            Arc::new(move |_| {
                std::thread::park_timeout(NEVER);
                has_answered.store(true, Ordering::SeqCst);
                Answer::text(200, "")
            }),
        )
    };
    // Nobody listens on this port, and no other test is given it.
    let gone = "http://127.0.0.1:1".to_owned();
    let refusing = serve(None, Arc::new(|_| Answer::text(401, "who are you")));
    let shop = Shop::with_fleet(Db::on("sqlite"), SERVICE);
    let ask = || {
        shop.project
            .migrate(&["gate", "expand", NAME, "--output", "json"])
    };
    let told = |output: &Output| {
        let mut told = output.json();
        told["checked_at"].take();
        told["sources"].take();
        told
    };
    let without = ask().expect_code(0);
    assert_eq!(without.stderr, "");
    // The time of a request is longer than any test.
    let never = NEVER.as_millis().to_string();
    shop.project.env("OTEL_EXPORTER_OTLP_TIMEOUT", &never);
    for (url, why) in [
        (&hanging, "did not take them within 2 s"),
        (&gone, "127.0.0.1 cannot be asked"),
        (&refusing, "it answers 401"),
        (&"no url".to_owned(), "invalid endpoint"),
    ] {
        shop.project.env("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        let with = ask().expect_code(0);
        assert_eq!(told(&with), told(&without), "{url}");
        let said: Vec<&str> = with.stderr.lines().collect();
        assert!(
            matches!(said[..], [one] if one.contains(why)),
            "{url}: {said:?}"
        );
    }
    assert!(!has_answered.load(Ordering::SeqCst));
    let quiet = shop.run(&["status", "--quiet"], 0);
    assert_eq!(quiet.stderr, "");
    // Asked for in a way that is not spoken here.
    shop.project.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let said = said(&ask().expect_code(0));
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"),
        "{said}"
    );
}

#[test]
fn a_request_to_the_server_is_a_trace_or_a_part_of_one() {
    let shop = Shop::with_fleet(Db::on("sqlite"), SERVICE);
    let collector = Collector::start();
    collector.of(&shop);
    shop.project.env("OTEL_BSP_SCHEDULE_DELAY", "100");
    let server = Server::start(&shop.project, &[]);
    let header = format!("traceparent: 00-{TRACE}-{CALLER}-01\r\n");
    let asked = server.get_with("/v1/gate/deploy?web=1.1.0", &header);
    assert_eq!(asked.status, 200);
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/v1/status").status, 200);
    let mut received = Received::default();
    let is_there = |received: &Received, name: &str| received.named(name).next().is_some();
    eventually(GENEROUS, || {
        received.spans.extend(collector.take().spans);
        let all = is_there(&received, "GET /v1/status") && is_there(&received, "look");
        all.then_some(())
    });
    let gate = received.one("GET /v1/gate/deploy");
    assert_eq!((&*gate.trace, &*gate.parent), (TRACE, CALLER));
    assert_eq!(gate.says("http.response.status_code"), "200");
    assert_eq!(gate.says("phasegate.verdict"), "refuse");
    let is_of = |span: &&Span| received.is_below(span, gate);
    assert_eq!(received.named("source").filter(is_of).count(), 1);
    let status = received.one("GET /v1/status");
    assert!(
        status.parent.is_empty() && status.trace != TRACE,
        "{status:?}"
    );
    assert!(!is_there(&received, "GET /healthz"));
    server.stop();
}
