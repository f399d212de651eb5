//! Where everything is applied as it stands, nobody needs more of the files than what they declare. What asks so is mostly asked
//! then, by every deployment and by every pipeline; whether it is so turns out when the ledger was read.

use std::path::Path;

use super::args::Global;
use super::context::{Context, named_target};
use super::failure::Failure;
use super::out::{Out, note};
use crate::ask::{Answer, AskError, Question, Record};
use crate::coordinator::Situation;
use crate::project::Project;

/// The answer by what the files declare; where that is not enough, by all that they say.
pub(super) async fn ask(
    question: &Question,
    global: &Global,
    out: &Out,
) -> Result<(Context, Answer), Failure> {
    if may_do(question)
        && let Some(context) = read(global)?
    {
        match context.ask(question).await {
            Ok(answer) => {
                tell_warnings(&context.project, global);
                return Ok((context, answer));
            }
            Err(AskError::Unjudged) => {}
            Err(error) => {
                // Beside what failed, whatever is wrong with the files is told as ever.
                Context::load(global, out)?;
                return Err(error.into());
            }
        }
    }
    let context = Context::load(global, out)?;
    let answer = context.ask(question).await?;
    Ok((context, answer))
}

/// Whether what is declared may be enough: what a step runs has to be judged, and what a look writes down rests on the whole.
const fn may_do(question: &Question) -> bool {
    let (Question::Status { record }
    | Question::Fleet { record }
    | Question::Deploy { record, .. }) = question
    else {
        return false;
    };
    matches!(record, Record::Nothing)
}

/// What is known, where everything that the files hold is applied as it stands; `None` where more of them has to be read. Nothing of
/// it is told yet.
pub(super) async fn observe(
    global: &Global,
    out: &Out,
) -> Result<Option<(Context, Situation)>, Failure> {
    let Some(context) = read(global)? else {
        return Ok(None);
    };
    match context.observe().await {
        Ok(situation) if situation.is_enough => Ok(Some((context, situation))),
        Ok(_) => Ok(None),
        Err(failure) => {
            Context::load_to_act(global, out)?;
            Err(failure)
        }
    }
}

fn read(global: &Global) -> Result<Option<Context>, Failure> {
    let given = global.database_url()?;
    let url = given.as_ref().map(|given| given.url.as_str());
    let Some(mut project) = Project::declared(Path::new("."), url) else {
        return Ok(None);
    };
    global.name_versions(&mut project.config)?;
    let Ok(target) = named_target(global, &project.config, &project.root) else {
        return Ok(None);
    };
    // Nothing is applied in a file that is not there.
    if target.path().is_some_and(|path| !path.exists()) {
        return Ok(None);
    }
    Ok(Some(Context::of(project, target, global)))
}

pub(super) fn tell_warnings(project: &Project, global: &Global) {
    if !global.quiet {
        for warning in &project.warnings {
            note(&warning.one_line());
        }
    }
}
