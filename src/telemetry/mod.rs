//! Traces for OpenTelemetry: the spans of [`crate::span`] are sent to a collector, if the environment names one.
//!
//! Invariant: it is never in the way. Spans are handed to a thread of their own, over a queue that drops what does not fit; a command
//! waits for the collector at its end alone, and there for [`LAST_WAIT`] at most; and what could not be sent changes neither result nor
//! exit code. Where no collector is named there is no thread and no span.

mod post;
mod sender;
mod settings;
mod told;

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};

use sender::Sender;
use settings::Wanted;
use told::Told;

/// How long the end of a command may take longer because of a collector.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Traces that are being sent.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    told: Told,
}

impl Traces {
    /// What the environment asks for; `None` if that is nothing.
    ///
    /// # Errors
    /// What it asks for and cannot be done, with the way out.
    pub fn wanted() -> Result<Option<Self>, String> {
        let wanted = Wanted::read(|name| std::env::var(name).ok());
        let settings = match wanted {
            Wanted::Nothing => return Ok(None),
            Wanted::Impossible(why) => return Err(format!("no traces are sent: {why}")),
            Wanted::Traces(settings) => settings,
        };
        let told = Told::default();
        let resource = resource();
        let sender = Sender {
            settings,
            told: told.clone(),
            resource: resource.clone(),
            batches: OnceLock::new(),
        };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(sender)
            .with_resource(resource)
            .build();
        Ok(Some(Self { provider, told }))
    }

    /// What turns the spans of [`crate::span`] into those of a trace.
    #[must_use]
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s>,
    {
        // Where in the sources a span begins is nobody's concern.
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("phasegate"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
    }

    /// Ends the span of the command, and sends what is left, as long as that takes no longer than a moment.
    pub fn finish(self, command: &Span) {
        // A driver of a database may have the span for a little longer, on a thread of its own.
        command.context().span().end();
        let _ = self.provider.shutdown_with_timeout(LAST_WAIT);
        self.told.given_up(LAST_WAIT);
    }
}

/// Whose traces these are. The environment knows better.
fn resource() -> Resource {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ours = [
        KeyValue::new("service.name", "phasegate"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("telemetry.sdk.language", "rust"),
        KeyValue::new("telemetry.sdk.name", "opentelemetry"),
    ];
    let resource = Resource::builder_empty()
        .with_attributes(ours)
        .with_detector(Box::new(EnvResourceDetector::new()));
    match named("OTEL_SERVICE_NAME") {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// Makes a span part of the trace that whoever called this program has begun, by `TRACEPARENT` and `TRACESTATE`.
pub fn continue_by_environment(span: &Span) {
    continue_by(span, &Environment);
}

/// The same by the headers of a request.
pub fn continue_by_headers(span: &Span, headers: &http::HeaderMap) {
    continue_by(span, &HeaderExtractor(headers));
}

fn continue_by(span: &Span, carrier: &dyn Extractor) {
    if !span.is_disabled() {
        // Where there is no such trace it begins its own.
        let _ = span.set_parent(TraceContextPropagator::new().extract(carrier));
    }
}

/// The environment of this process, whose names are written large.
struct Environment;

const NAMES: [(&str, &str); 2] = [("traceparent", "TRACEPARENT"), ("tracestate", "TRACESTATE")];

impl Extractor for Environment {
    fn get(&self, key: &str) -> Option<&str> {
        static VALUES: OnceLock<[Option<String>; 2]> = OnceLock::new();
        let values = VALUES.get_or_init(|| NAMES.map(|(_, name)| std::env::var(name).ok()));
        let at = NAMES.iter().position(|(known, _)| *known == key)?;
        values.get(at)?.as_deref()
    }

    fn keys(&self) -> Vec<&str> {
        NAMES.iter().map(|(key, _)| *key).collect()
    }
}
