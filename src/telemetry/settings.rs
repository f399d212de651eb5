//! What the environment says of where traces go. The names and their meaning are those of OpenTelemetry's specification.

use std::path::PathBuf;
use std::time::Duration;

/// How long one request may take where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    /// Something that cannot be done; why, and what to do.
    Impossible(String),
    Traces(Settings),
}

/// What is read here of a collector. The rest (where it is, headers, sampler, limits, resource) is read by those who send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Of one request.
    pub timeout: Duration,
    /// Who signs for the collector; none: whom this machine trusts.
    pub ca: Option<PathBuf>,
}

impl Wanted {
    /// Reads it, by `get` of a variable.
    pub(super) fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        // What is empty is not set, by the specification.
        let set = |name: &str| {
            let value = get(name).map(|value| value.trim().to_owned());
            value.filter(|value| !value.is_empty())
        };
        // What is for traces alone wins.
        let either = |rest: &str| {
            let of_traces = set(&format!("OTEL_EXPORTER_OTLP_TRACES_{rest}"));
            of_traces.or_else(|| set(&format!("OTEL_EXPORTER_OTLP_{rest}")))
        };
        let is_off =
            set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let exporters = set("OTEL_TRACES_EXPORTER");
        let names_ours = exporters
            .as_deref()
            .map(|names| names.split(',').any(|name| name.trim() == "otlp"));
        let is_wanted = names_ours.unwrap_or_else(|| either("ENDPOINT").is_some());
        if is_off || !is_wanted {
            return Self::Nothing;
        }
        let cannot = |what: String, instead: &str| Self::Impossible(format!("{what}: {instead}"));
        if let Some(protocol) = either("PROTOCOL").filter(|protocol| protocol != "http/protobuf") {
            return cannot(
                format!(
                    "OTEL_EXPORTER_OTLP_PROTOCOL is `{protocol}`, and http/protobuf is what migrate speaks"
                ),
                "set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://HOST:4318/v1/traces",
            );
        }
        if let Some(compression) = either("COMPRESSION").filter(|one| one != "none") {
            return cannot(
                format!(
                    "OTEL_EXPORTER_OTLP_COMPRESSION is `{compression}`, and migrate does not compress"
                ),
                "set OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=none",
            );
        }
        if either("CLIENT_CERTIFICATE").is_some() || either("CLIENT_KEY").is_some() {
            return cannot(
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is set, and migrate shows no certificate"
                    .to_owned(),
                "send to a collector beside it that asks for none, or that asks for a header",
            );
        }
        let timeout = match either("TIMEOUT").map(|text| text.parse()) {
            None => TIMEOUT,
            Some(Ok(milliseconds)) => Duration::from_millis(milliseconds),
            Some(Err(_)) => {
                return cannot(
                    "OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds".to_owned(),
                    "write for example 10000",
                );
            }
        };
        Self::Traces(Settings {
            timeout,
            ca: either("CERTIFICATE").map(PathBuf::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Wanted {
        Wanted::read(|name| {
            let mut all = variables.iter();
            all.find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    const AT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn nothing_is_sent_unless_somebody_says_where_to() {
        for variables in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[("OTEL_SERVICE_NAME", "deploys")],
            &[AT, ("OTEL_SDK_DISABLED", "True")],
            &[AT, ("OTEL_TRACES_EXPORTER", "none")],
            &[AT, ("OTEL_TRACES_EXPORTER", "console")],
        ] {
            assert_eq!(read(variables), Wanted::Nothing, "{variables:?}");
        }
    }

    #[test]
    fn what_is_for_traces_wins() {
        let of = |variables: &[(&str, &str)]| match read(variables) {
            Wanted::Traces(settings) => settings,
            other => panic!("{other:?}"),
        };
        let usual = Settings {
            timeout: TIMEOUT,
            ca: None,
        };
        assert_eq!(of(&[AT]), usual);
        assert_eq!(of(&[AT, ("OTEL_SDK_DISABLED", "false")]), usual);
        assert_eq!(
            of(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x/")]),
            usual
        );
        // At the place that the specification names.
        assert_eq!(of(&[("OTEL_TRACES_EXPORTER", "console,otlp")]), usual);
        let set = of(&[
            AT,
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "500"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/ca.pem"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ]);
        assert_eq!(set.timeout, Duration::from_millis(500));
        assert_eq!(set.ca, Some(PathBuf::from("/etc/ca.pem")));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key.pem"),
        ] {
            let wanted = read(&[AT, (name, value)]);
            assert!(
                matches!(wanted, Wanted::Impossible(_)),
                "{name}: {wanted:?}"
            );
        }
    }
}
