//! What is told beside the result while a command runs: the log on standard error, and a trace for OpenTelemetry.

use clap::CommandFactory as _;
use tracing::Span;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

use super::args::Global;
use super::command::{Cli, Command};
use super::exit::Exit;
use super::paint;
use crate::span::{self, End};
#[cfg(feature = "otlp")]
use crate::telemetry::{Traces, continue_by_environment};
use crate::text::secret;
use crate::text::shown::shown;

/// Whoever listens to a command.
pub(super) struct Logging {
    #[cfg(feature = "otlp")]
    traces: Option<Traces>,
}

impl Logging {
    /// Begins to listen.
    pub(super) fn start(global: &Global) -> Self {
        #[cfg(feature = "otlp")]
        let (traces, impossible) = match Traces::wanted() {
            Ok(traces) => (traces, None),
            Err(why) => (None, Some(why)),
        };
        let subscriber = Registry::default().with(log(global));
        #[cfg(feature = "otlp")]
        let subscriber = {
            let is_ours = |metadata: &tracing::Metadata<'_>| metadata.target() == span::TARGET;
            let filter = tracing_subscriber::filter::filter_fn(is_ours);
            let traces = traces.as_ref().map(Traces::layer);
            subscriber.with(traces.map(|layer| layer.with_filter(filter)))
        };
        // Fails only where another subscriber is set already, and then that one does the work.
        let _ = subscriber.try_init();
        #[cfg(feature = "otlp")]
        if let Some(why) = impossible {
            tracing::warn!("{why}");
        }
        Self {
            #[cfg(feature = "otlp")]
            traces,
        }
    }

    /// The span of a whole command; none of a server, each of whose requests is a trace of its own.
    pub(super) fn command(&self, command: &Command) -> Span {
        #[cfg(feature = "serve")]
        if matches!(command, Command::Serve(_)) {
            span::without_bound();
            return Span::none();
        }
        let _ = command;
        if !self.is_wanted() {
            return Span::none();
        }
        let span = span::command(&called());
        #[cfg(feature = "otlp")]
        continue_by_environment(&span);
        span
    }

    /// Says in the span how the command has ended, and has it sent.
    pub(super) fn finish(self, span: &Span, code: u8) {
        span.record("process.exit.code", code);
        match code {
            0 => {}
            _ => span::ended(span, End::Failed(Exit::name(code))),
        }
        #[cfg(feature = "otlp")]
        if let Some(traces) = self.traces {
            traces.finish(span);
        }
    }

    fn is_wanted(&self) -> bool {
        #[cfg(feature = "otlp")]
        return self.traces.is_some();
        #[cfg(not(feature = "otlp"))]
        false
    }
}

/// The command and what is below it, as it was called: `rollout status`.
fn called() -> String {
    let matches = Cli::command().try_get_matches();
    let mut names = Vec::new();
    let mut matches = matches.as_ref().ok();
    while let Some((name, below)) = matches.and_then(clap::ArgMatches::subcommand) {
        names.push(name);
        matches = Some(below);
    }
    names.join(" ")
}

/// What is written on standard error.
fn log<S>(global: &Global) -> impl Layer<S> + use<S>
where
    S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s>,
{
    let level = match (global.quiet, global.verbose) {
        // Our own only: the SQL parser logs every syntax error, which is then reported in its place in the file.
        (true, _) => "phasegate=error",
        (false, 0) => "phasegate=warn",
        (false, 1) => "phasegate=info",
        (false, 2) => "phasegate=debug",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = paint::Screen::of_remarks().has_colours();
    let silent = [
        // A line of the password file that cannot be read would be quoted.
        "sqlx_postgres::options::pgpass=off".to_owned(),
        // A line of the log says itself what it is about.
        format!("{}=off", span::TARGET),
    ];
    let filter = silent
        .iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    // What others wrote is in the values: they are data here as in every other output, and without secrets.
    let fields = tracing_subscriber::fmt::format::debug_fn(|writer, field, value| {
        let said = format!("{value:?}");
        let said = secret::masked(&said);
        let said = shown(&said);
        match field.name() {
            "message" => write!(writer, "{said}"),
            name => write!(writer, "{name}={said}"),
        }
    });
    tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .fmt_fields(fields.delimited(" "))
        // It would be told on standard error, with a panic where that cannot be written.
        .log_internal_errors(false)
        .with_filter(filter)
}
