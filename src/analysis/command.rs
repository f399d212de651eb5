//! A program that ends with 0 where all is well. What it prints may be a figure.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Asked, Bad, Kind, Measure, has_limits};
use crate::program::{Program, Unanswered};
use crate::row::{LONGEST_WAIT, Place, Row};
use crate::text::shown::shortened;

pub(super) const KIND: Kind = Kind {
    kind: "command",
    has_figure: false,
    read: made,
};

/// Characters of what it has printed that are told.
const LONGEST_TOLD: usize = 100;

#[derive(Debug)]
struct Command {
    /// The program and its arguments.
    run: Vec<String>,
    timeout: Duration,
    /// What of the environment that leads into the database it is given.
    env: Vec<String>,
    /// Whether it has to print a figure: it has limits.
    wants_figure: bool,
}

fn made(row: &mut dyn Row) -> Option<Arc<dyn Measure>> {
    const EXAMPLE: &str = "run = [\"./smoke-test.sh\"]";
    let timeout = row.duration("timeout", LONGEST_WAIT);
    let env = row.variables();
    if !row.has("run") {
        row.missing("run", EXAMPLE);
    }
    let run = row.texts("run", EXAMPLE)?;
    if run.is_empty() {
        row.refuse(
            Place::Key("run"),
            "empty-value",
            "`run` names no program".to_owned(),
            format!("write for example `{EXAMPLE}`"),
        );
        return None;
    }
    let wants_figure = has_limits(row);
    Some(Arc::new(Command {
        run,
        timeout: timeout.unwrap_or(Duration::from_mins(1)),
        env,
        wants_figure,
    }))
}

#[async_trait]
impl Measure for Command {
    async fn measure(&self, asked: &Asked<'_>) -> Result<Option<f64>, Bad> {
        let variables = [
            ("PHASEGATE_SERVICE".to_owned(), asked.service.to_owned()),
            ("PHASEGATE_TO".to_owned(), asked.to.to_owned()),
            ("PHASEGATE_STEP".to_owned(), asked.step.to_string()),
        ];
        let program = Program {
            run: &self.run,
            env: &self.env,
            variables: &variables,
            database_url: asked.database_url,
            timeout: self.timeout,
            interrupt: asked.interrupt,
        };
        let printed = program.output().await.map_err(|why| match why {
            Unanswered::Ended(why) => Bad::Wrong(why),
            Unanswered::Failed(why) => Bad::Unknown(why),
        })?;
        if !self.wants_figure {
            return Ok(None);
        }
        let text = printed.trim();
        let figure = text.parse::<f64>().map_err(|_| {
            let program = self.run.first().map_or("", String::as_str);
            let text = shortened(text, LONGEST_TOLD);
            Bad::Unknown(format!("`{program}` has printed no number, but `{text}`"))
        })?;
        Ok(Some(figure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;

    async fn measured(script: &str, wants_figure: bool) -> Result<Option<f64>, Bad> {
        let command = Command {
            run: ["sh", "-c", script].map(str::to_owned).to_vec(),
            timeout: Duration::from_secs(20),
            env: Vec::new(),
            wants_figure,
        };
        let asked = Asked {
            service: "web",
            to: "1.1.0",
            step: 10,
            database_url: None,
            interrupt: Interrupt::default(),
        };
        command.measure(&asked).await
    }

    #[tokio::test]
    async fn a_program_says_yes_no_or_a_figure() {
        assert_eq!(measured("echo fine", false).await, Ok(None));
        assert_eq!(measured("echo ' 0.02 '", true).await, Ok(Some(0.02)));
        let told = "test \"$PHASEGATE_SERVICE $PHASEGATE_TO $PHASEGATE_STEP\" = 'web 1.1.0 10'";
        assert_eq!(measured(told, false).await, Ok(None));
        let no = measured("echo 'the smoke test fails' >&2; exit 3", false).await;
        let Err(Bad::Wrong(why)) = no else {
            panic!("{no:?}")
        };
        assert!(
            why.ends_with("exit status: 3: the smoke test fails"),
            "{why}"
        );
        assert_eq!(
            measured("echo many", true).await,
            Err(Bad::Unknown(
                "`sh` has printed no number, but `many`".to_owned()
            ))
        );
    }
}
