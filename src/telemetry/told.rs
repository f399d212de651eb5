//! What has become of the spans, and who was told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as Exports};
use std::time::Duration;

/// What is known of it, by all who have a part in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Spans that have ended, and those of them of which an end was made: sent, or given up.
    ended: u64,
    settled: u64,
    /// Why the last attempt failed.
    why: Option<String>,
    /// Whether somebody knows that spans are lost.
    is_said: bool,
}

impl Told {
    pub(super) fn ended(&self) {
        let mut state = self.state();
        state.ended = state.ended.saturating_add(1);
    }

    pub(super) fn because(&self, why: String) {
        self.state().why = Some(why);
    }

    fn settled(&self, spans: usize, result: &OTelSdkResult) {
        let mut state = self.state();
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        state.settled = state.settled.saturating_add(spans);
        match result {
            Ok(()) => {
                state.why = None;
                if std::mem::take(&mut state.is_said) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Err(error) => {
                let why = state.why.clone().unwrap_or_else(|| error.to_string());
                say(&mut state, &why);
            }
        }
    }

    /// Says what was not sent, when no more time is spent on it.
    pub(super) fn given_up(&self, waited: Duration) {
        let mut state = self.state();
        if state.settled < state.ended {
            let waited = format!("it did not take them within {} s", waited.as_secs_f32());
            say(&mut state, &waited);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Once: a collector that is down is no reason to fill a log.
fn say(state: &mut State, why: &str) {
    if !std::mem::replace(&mut state.is_said, true) {
        tracing::warn!(
            "spans were not sent to the collector of OpenTelemetry, and nothing else is changed by that: {why}"
        );
    }
}

/// The exporter, and who is told how it went.
#[derive(Debug)]
pub(super) struct Telling {
    pub exporter: SpanExporter,
    pub told: Told,
}

impl Exports for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.told.settled(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
