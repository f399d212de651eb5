//! What a figure may be: pure.

use super::Bad;

/// What a figure may be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    pub least: Option<f64>,
    pub most: Option<f64>,
    /// At most so many times the figure before the step.
    pub most_times_before: Option<f64>,
}

impl Limits {
    /// Whether a figure is within them. `before` is the figure before the step, where one is known: a comparison says nothing
    /// without it, nor beside a zero, which is why it never stands alone.
    ///
    /// # Errors
    /// That it is beyond them, or no number that could be.
    pub fn judge(&self, figure: f64, before: Option<f64>) -> Result<(), Bad> {
        if figure.is_nan() {
            return Err(Bad::Unknown("it is no number (0 / 0?)".to_owned()));
        }
        // Beyond any limit, be there one above or not.
        if figure.is_infinite() {
            return Err(Bad::Wrong(format!("{figure} is beyond every limit")));
        }
        let is_beyond = self.least.is_some_and(|least| figure < least)
            || self.most.is_some_and(|most| figure > most)
            || self
                .bound_by(before)
                .is_some_and(|(_, bound)| figure > bound);
        if is_beyond {
            return Err(Bad::Wrong(format!("{figure} is beyond its limits")));
        }
        Ok(())
    }

    /// The figure before, and the bound that follows from it.
    fn bound_by(&self, before: Option<f64>) -> Option<(f64, f64)> {
        let (times, before) = (self.most_times_before?, before?);
        (before > 0.0).then_some((before, before * times))
    }

    /// ` (at most 0.01; 0.001 before, and at most 2 times that)`; empty where nothing is asked of it.
    #[must_use]
    pub fn in_words(&self, before: Option<f64>) -> String {
        let mut parts = Vec::new();
        if let Some(least) = self.least {
            parts.push(format!("at least {least}"));
        }
        if let Some(most) = self.most {
            parts.push(format!("at most {most}"));
        }
        match (self.bound_by(before), before) {
            (Some((before, _)), _) => {
                let times = self.most_times_before.unwrap_or(1.0);
                parts.push(format!("{before} before, and at most {times} times that"));
            }
            (None, Some(before)) => parts.push(format!("{before} before")),
            (None, None) => {}
        }
        if parts.is_empty() {
            return String::new();
        }
        format!(" ({})", parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_within_its_limits_or_it_is_said_why_not() {
        let at_most = Limits {
            most: Some(0.01),
            ..Limits::default()
        };
        let compared = Limits {
            most: Some(1.0),
            most_times_before: Some(2.0),
            ..Limits::default()
        };
        let at_least = Limits {
            least: Some(100.0),
            ..Limits::default()
        };
        let beyond = |figure: f64| Err(Bad::Wrong(format!("{figure} is beyond its limits")));
        let endless = |figure: f64| Err(Bad::Wrong(format!("{figure} is beyond every limit")));
        let none = Err(Bad::Unknown("it is no number (0 / 0?)".to_owned()));
        for (limits, figure, before, judged) in [
            (at_most, 0.01, None, Ok(())),
            (at_most, 0.010_1, None, beyond(0.010_1)),
            (at_most, f64::INFINITY, None, endless(f64::INFINITY)),
            (at_least, f64::INFINITY, None, endless(f64::INFINITY)),
            (
                Limits::default(),
                f64::NEG_INFINITY,
                None,
                endless(f64::NEG_INFINITY),
            ),
            (at_most, f64::NAN, None, none.clone()),
            (Limits::default(), f64::NAN, None, none),
            (at_least, 99.0, None, beyond(99.0)),
            (at_least, 100.0, Some(1000.0), Ok(())),
            (compared, 0.2, Some(0.1), Ok(())),
            (compared, 0.21, Some(0.1), beyond(0.21)),
            // What was zero before is compared with nothing, and neither is what nobody has measured: `most` holds.
            (compared, 0.5, Some(0.0), Ok(())),
            (compared, 0.5, None, Ok(())),
            (compared, 1.5, None, beyond(1.5)),
            (compared, 0.5, Some(f64::NAN), Ok(())),
        ] {
            assert_eq!(
                limits.judge(figure, before),
                judged,
                "{limits:?} {figure} {before:?}"
            );
        }
        assert_eq!(at_most.in_words(None), " (at most 0.01)");
        assert_eq!(
            compared.in_words(Some(0.1)),
            " (at most 1; 0.1 before, and at most 2 times that)"
        );
        assert_eq!(Limits::default().in_words(None), "");
    }
}
