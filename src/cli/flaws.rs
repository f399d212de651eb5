//! What is wrong with the project's files, told below an answer that does without them.

use crate::project::Problem;

/// How many problems are told one by one.
const MOST: usize = 10;

/// The lines for standard error; empty if the files are in order.
pub(super) fn told<'p>(flaws: impl IntoIterator<Item = &'p Problem>) -> Vec<String> {
    let flaws: Vec<&Problem> = flaws.into_iter().collect();
    let mut lines = match flaws.len() {
        0 => return Vec::new(),
        1 => vec!["the project's files have a problem, and this was answered without:".to_owned()],
        count => vec![format!(
            "the project's files have {count} problems, and this was answered without:"
        )],
    };
    for problem in flaws.iter().take(MOST) {
        lines.push(format!("error: {}", problem.one_line()));
        lines.push(format!("  {}", problem.help));
    }
    if flaws.len() > MOST {
        lines.push(format!("… and {} more", flaws.len() - MOST));
    }
    lines.push("`migrate check` shows each in its place".to_owned());
    lines
}
