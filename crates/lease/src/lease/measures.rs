//! What becomes of a lease, in numbers: by the facade `metrics`, where the application has asked for it.

use std::time::Duration;

/// What became of one attempt to renew.
#[derive(Clone, Copy)]
pub(super) enum Attempt {
    Renewed,
    /// The database did not know the lease any more, and has admitted the instance anew.
    Readmitted,
    Refused,
    Failed,
}

#[cfg(feature = "metrics")]
mod said {
    use std::sync::Once;

    use metrics::{
        Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    };

    use super::{Attempt, Duration};

    const VALID: &str = "phasegate_lease_valid";
    const VALID_FOR: &str = "phasegate_lease_valid_seconds";
    const RENEWALS: &str = "phasegate_lease_renewals_total";
    const RENEWAL: &str = "phasegate_lease_renewal_seconds";
    const LOST: &str = "phasegate_lease_lost_total";

    /// It is held, for so long without a renewal.
    pub(in crate::lease) fn held(service: &str, valid_for: Duration) {
        static DESCRIBED: Once = Once::new();
        DESCRIBED.call_once(|| {
            describe_gauge!(
                VALID,
                "1 while the process may use the database, 0 once its lease is lost or released"
            );
            describe_gauge!(
                VALID_FOR,
                Unit::Seconds,
                "how long the lease lasted without another renewal, when it was renewed last or could not be"
            );
            describe_counter!(
                RENEWALS,
                "attempts to renew the lease, by what became of them"
            );
            describe_histogram!(
                RENEWAL,
                Unit::Seconds,
                "how long an attempt to renew the lease took"
            );
            describe_counter!(LOST, "leases that were lost");
        });
        gauge!(VALID, "service" => service.to_owned()).set(1.0);
        left(service, valid_for);
    }

    pub(in crate::lease) fn left(service: &str, valid_for: Duration) {
        gauge!(VALID_FOR, "service" => service.to_owned()).set(valid_for.as_secs_f64());
    }

    pub(in crate::lease) fn attempted(service: &str, attempt: Attempt, took: Duration) {
        let outcome = match attempt {
            Attempt::Renewed => "renewed",
            Attempt::Readmitted => "readmitted",
            Attempt::Refused => "refused",
            Attempt::Failed => "failed",
        };
        counter!(RENEWALS, "service" => service.to_owned(), "outcome" => outcome).increment(1);
        histogram!(RENEWAL, "service" => service.to_owned()).record(took.as_secs_f64());
    }

    pub(in crate::lease) fn lost(service: &str) {
        counter!(LOST, "service" => service.to_owned()).increment(1);
        over(service);
    }

    /// It is released or lost.
    pub(in crate::lease) fn over(service: &str) {
        gauge!(VALID, "service" => service.to_owned()).set(0.0);
        left(service, Duration::ZERO);
    }
}

#[cfg(not(feature = "metrics"))]
mod said {
    use super::{Attempt, Duration};

    pub(in crate::lease) const fn held(_: &str, _: Duration) {}
    pub(in crate::lease) const fn left(_: &str, _: Duration) {}
    pub(in crate::lease) const fn attempted(_: &str, _: Attempt, _: Duration) {}
    pub(in crate::lease) const fn lost(_: &str) {}
    pub(in crate::lease) const fn over(_: &str) {}
}

pub(super) use said::{attempted, held, left, lost, over};

#[cfg(all(test, feature = "metrics", feature = "sqlite"))]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, Instant};

    use metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
        Recorder, SharedString, Unit,
    };

    use crate::lease::Lease;
    use crate::lease::blocking::block_on;
    use crate::process::ONE_SIGN;

    /// What was said last of each, with its labels.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<BTreeMap<String, f64>>>);

    struct One(Heard, String);

    impl One {
        fn change(&self, change: impl FnOnce(f64) -> f64) {
            let mut heard = self.0.0.lock().unwrap();
            let value = heard.entry(self.1.clone()).or_default();
            *value = change(*value);
        }
    }

    impl CounterFn for One {
        fn increment(&self, value: u64) {
            self.change(|before| before + f64::from(u32::try_from(value).unwrap()));
        }

        fn absolute(&self, _: u64) {}
    }

    impl GaugeFn for One {
        fn increment(&self, _: f64) {}

        fn decrement(&self, _: f64) {}

        fn set(&self, value: f64) {
            self.change(|_| value);
        }
    }

    impl HistogramFn for One {
        fn record(&self, _: f64) {
            self.change(|before| before + 1.0);
        }
    }

    impl Heard {
        fn one(&self, key: &Key) -> Arc<One> {
            let mut name = key.name().to_owned();
            for label in key.labels() {
                name.push_str(&format!(" {}={}", label.key(), label.value()));
            }
            Arc::new(One(self.clone(), name))
        }

        fn value(&self, name: &str) -> Option<f64> {
            self.0.lock().unwrap().get(name).copied()
        }
    }

    impl Recorder for Heard {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.one(key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.one(key))
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.one(key))
        }
    }

    fn eventually(what: impl Fn() -> bool) {
        let began = Instant::now();
        while !what() {
            assert!(began.elapsed() < Duration::from_secs(30), "it never came");
            std::thread::yield_now();
        }
    }

    #[test]
    fn renewals_are_counted_and_the_end_is_seen() {
        let _alone = ONE_SIGN.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = Heard::default();
        metrics::set_global_recorder(heard.clone())
            .map_err(drop)
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.db");
        std::fs::write(&file, "").unwrap();
        let lease = Lease::builder(format!("sqlite://{}", file.display()), "measured", "1.0.0")
            .lease(Duration::from_secs(60))
            .renew(Duration::from_millis(50))
            .acquire_blocking()
            .unwrap();
        let valid = || heard.value("phasegate_lease_valid service=measured");
        assert_eq!(valid(), Some(1.0));
        let left = heard.value("phasegate_lease_valid_seconds service=measured");
        assert!(
            left.is_some_and(|left| left > 40.0 && left < 60.0),
            "{left:?}"
        );
        eventually(|| {
            let renewed = "phasegate_lease_renewals_total service=measured outcome=renewed";
            heard.value(renewed).is_some_and(|count| count >= 1.0)
        });
        // How long it took is told after that it was renewed.
        eventually(|| {
            let timed = heard.value("phasegate_lease_renewal_seconds service=measured");
            timed.is_some_and(|count| count >= 1.0)
        });
        block_on(lease.release()).unwrap();
        assert_eq!(valid(), Some(0.0));
    }
}
