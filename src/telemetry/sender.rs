//! The thread that sends, from when there is something to send.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanProcessor};

use super::post::Poster;
use super::settings::Settings;
use super::told::{Telling, Told};

/// How often a batch that was not taken is sent again. The last one is waited for.
const RETRIES: usize = 2;

/// Hands spans over to a thread that sends them in batches. The thread begins with the first of them: the agent becomes two processes
/// before that, which no thread survives.
#[derive(Debug)]
pub(super) struct Sender {
    pub settings: Settings,
    pub told: Told,
    pub resource: Resource,
    /// `None` if it could not be started, which was said.
    pub batches: OnceLock<Option<BatchSpanProcessor>>,
}

impl Sender {
    fn batches(&self) -> Option<&BatchSpanProcessor> {
        let started = self.batches.get_or_init(|| match self.start() {
            Ok(started) => Some(started),
            Err(why) => {
                tracing::warn!("no traces are sent: {why}");
                None
            }
        });
        started.as_ref()
    }

    fn start(&self) -> Result<BatchSpanProcessor, String> {
        let poster = Poster {
            ca: self.settings.ca.clone(),
            timeout: self.settings.timeout,
            told: self.told.clone(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(poster)
            .with_retry_policy(RetryPolicy::recommended().with_max_retries(RETRIES))
            .build();
        let exporter = Telling {
            exporter: exporter.map_err(|error| error.to_string())?,
            told: self.told.clone(),
        };
        let resource = self.resource.clone();
        // Where no thread can be started, it would panic: there, and not here.
        let starting = std::thread::Builder::new().spawn(move || {
            let mut batches = BatchSpanProcessor::builder(exporter).build();
            batches.set_resource(&resource);
            batches
        });
        let starting = starting.map_err(|error| error.to_string())?;
        let started = starting.join();
        started.map_err(|_| "its thread could not be started".to_owned())
    }
}

impl SpanProcessor for Sender {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if let Some(batches) = self.batches() {
            self.told.ended();
            batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        match self.batches.get() {
            Some(Some(batches)) => batches.force_flush(),
            _ => Ok(()),
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        match self.batches.get() {
            Some(Some(batches)) => batches.shutdown_with_timeout(timeout),
            _ => Ok(()),
        }
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.clone();
    }
}
