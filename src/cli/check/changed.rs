//! `migrate check --changed-since`: what a pull request touches, as git tells it.

use std::path::Path;
use std::process::Command;

use super::super::args::Global;
use super::super::context::named_target;
use super::super::failure::Failure;
use super::super::out::note;
use crate::adopt::{Asked, Judged, Kind, judge};
use crate::model::Step;
use crate::project::{Broken, Changed, Migration, Problem, Project, Touched, waits_for_a_release};
use crate::runner::{Runner, finish_url};
use crate::sql::Dialect;

/// What is said of what a change touches.
pub(super) async fn touched(
    since: &str,
    project: &Project,
    global: &Global,
) -> Result<Touched, Failure> {
    let changed = changed(&project.root, since)?;
    let mut touched = project.touched(&changed);
    // Its release is made of what is merged: nothing runs until then, and no merge has to wait for it.
    let problems = std::mem::take(&mut touched.problems).into_iter();
    touched.problems = problems
        .map(|problem| match waits_for_a_release(&problem) {
            true => problem.into_warning(),
            false => problem,
        })
        .collect();
    let Some(runner) = &project.config.runner else {
        return Ok(touched);
    };
    let url = url_for(project, runner, global);
    let asked = asked(project, runner, url.as_deref(), global);
    for revision in &touched.unnamed {
        let judged = judge(&asked, revision).await?;
        let problem = unnamed_revision(runner.kind(), &judged);
        touched.problems.push(problem);
    }
    let is_touched = |migration: &Migration| touched.migrations.contains(migration.id());
    let printed = of_printed(&asked, is_touched).await?;
    touched.problems.extend(printed);
    Ok(touched)
}

/// What the project's migration tool prints of the revisions that somebody has judged, held against the rules.
pub(super) async fn printed(project: &Project, global: &Global) -> Result<Vec<Problem>, Failure> {
    let Some(runner) = &project.config.runner else {
        return Ok(Vec::new());
    };
    let url = url_for(project, runner, global);
    of_printed(&asked(project, runner, url.as_deref(), global), |_| true).await
}

fn asked<'a>(
    project: &'a Project,
    runner: &'a Runner,
    database_url: Option<&'a str>,
    global: &Global,
) -> Asked<'a> {
    Asked {
        project,
        runner,
        database_url,
        interrupt: global.interrupt,
        progress: &|_| {},
    }
}

async fn of_printed(
    asked: &Asked<'_>,
    is_meant: impl Fn(&Migration) -> bool,
) -> Result<Vec<Problem>, Failure> {
    let project = asked.project;
    let known = asked.runner.revisions(&project.root).unwrap_or_default();
    let broken = project.flaws.migrations.iter().map(Broken::as_read);
    let mut problems = Vec::new();
    for migration in project.migrations.iter().chain(broken) {
        let files = migration.files.values().next();
        let Some(files) = files.filter(|_| is_meant(migration)) else {
            continue;
        };
        for step in [Step::Expand, Step::Backfill] {
            // What stands in a file is judged with all other scripts.
            let revisions = files.revisions.get(&step);
            let Some(revisions) = revisions.filter(|revisions| revisions.script.is_none()) else {
                continue;
            };
            for revision in known
                .iter()
                .filter(|one| revisions.names.contains(&one.name))
            {
                let judged = judge(asked, revision).await?;
                problems.extend(otherwise(asked.runner.kind(), (migration, step), &judged));
            }
        }
    }
    Ok(problems)
}

/// Somebody's word is on the record, and it may be right: what is printed beside it is told.
fn otherwise(
    tool: &str,
    (migration, step): (&Migration, Step),
    judged: &Judged,
) -> Option<Problem> {
    let name = &judged.pending.revision.name;
    let (message, help) = match (judged.pending.kind, &judged.unread) {
        (Kind::Takes | Kind::Both, _) => (
            format!(
                "the revision `{name}` is named under [{}], and live versions may not survive what {tool} prints of it: it {}",
                step.name(),
                judged.pending.told.join("; ")
            ),
            "name what takes away under [contract], in a revision of its own; where `judged` says why live versions survive it, leave it",
        ),
        (_, Some(why)) => (
            format!("what the revision `{name}` of {tool} does could not be printed: {why}"),
            "run this where the tool works; until then the word of `judged` is all there is",
        ),
        _ => return None,
    };
    let manifest = migration.manifest.path.display().to_string();
    Some(Problem::about(manifest.as_str(), "printed-otherwise", message, help).into_warning())
}

/// The URL of the database in the tool's words. Without a database it is one that leads nowhere: Alembic only has to know for which
/// database it prints.
fn url_for(project: &Project, runner: &Runner, global: &Global) -> Option<String> {
    let scheme = runner.url.as_ref()?.scheme.as_deref();
    if let (Some(url), Ok(target)) = (
        project.config.database_url.as_deref(),
        named_target(global, &project.config, &project.root),
    ) {
        return Some(finish_url(url, target.path(), scheme));
    }
    let nowhere = match project.config.database.dialects.first()? {
        Dialect::Sqlite => "sqlite://",
        Dialect::Postgres => "postgres://nobody@localhost/nothing",
        Dialect::Mysql => "mysql://nobody@localhost/nothing",
    };
    Some(finish_url(nowhere, None, scheme))
}

/// What nobody names is applied by whoever calls the tool, whatever is live: what takes something away must not be.
fn unnamed_revision(tool: &str, judged: &Judged) -> Problem {
    const CODE: &str = "unnamed-revision";
    let pending = &judged.pending;
    let name = &pending.revision.name;
    let file = pending.revision.file.clone().unwrap_or_default();
    let why = pending.told.join("; ");
    let problem = |message: String| {
        Problem::about(
            file.as_str(),
            CODE,
            message,
            "`migrate adopt` writes a migration that names it, with the questions that are left",
        )
    };
    match pending.kind {
        Kind::Takes | Kind::Both => problem(format!(
            "live versions may not survive the revision `{name}` of {tool}, and no migration names it: it {why}"
        )),
        Kind::Unclear => {
            let why = judged.unread.as_deref().unwrap_or(&why);
            let why = if why.is_empty() { "it is a program" } else { why };
            problem(format!(
                "what the revision `{name}` of {tool} does is not known, and no migration names it: {why}"
            ))
        }
        Kind::Adds | Kind::Rows => problem(format!(
            "no migration names the revision `{name}` of {tool}: a version that needs what it brings is let in before it is there"
        ))
        .into_warning(),
        Kind::Unnoticed => problem(format!(
            "no migration names the revision `{name}` of {tool}, which no version notices"
        ))
        .into_warning(),
    }
}

/// What was changed since this commit and HEAD parted, committed or not.
fn changed(root: &Path, since: &str) -> Result<Changed, Failure> {
    let commit = format!("{since}^{{commit}}");
    let known = git(
        root,
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ],
    );
    let Ok(known) = known? else {
        return Err(Failure::new(format!("git knows no commit `{since}` here")).help(
            "fetch it first, for example `git fetch origin main`; in GitHub Actions check out with `fetch-depth: 0`, in GitLab set \
             `GIT_DEPTH: 0`",
        ));
    };
    let base = git(root, &["merge-base", known.trim(), "HEAD"])?.map_err(|_| {
        Failure::new(format!("git finds no commit that `{since}` and HEAD have both come from"))
            .help("the checkout is not deep enough: in GitHub Actions check out with `fetch-depth: 0`, in GitLab set `GIT_DEPTH: 0`")
    })?;
    let said = |said: String| Failure::new(format!("git cannot tell what was changed: {said}"));
    let tracked = [
        "diff",
        "--name-status",
        "--no-renames",
        "--relative",
        "-z",
        base.trim(),
        "--",
    ];
    let tracked = git(root, &tracked)?.map_err(said)?;
    let others = ["ls-files", "--others", "--exclude-standard", "-z"];
    let others = git(root, &others)?.map_err(said)?;
    let mut changed = Changed::default();
    let mut words = tracked.split('\0').filter(|word| !word.is_empty());
    while let (Some(status), Some(path)) = (words.next(), words.next()) {
        changed.all.insert(path.to_owned());
        if status == "A" {
            changed.added.insert(path.to_owned());
        }
    }
    for path in others.split('\0').filter(|path| !path.is_empty()) {
        changed.all.insert(path.to_owned());
        changed.added.insert(path.to_owned());
    }
    Ok(changed)
}

/// What git prints, or else what it says is wrong.
fn git(root: &Path, arguments: &[&str]) -> Result<Result<String, String>, Failure> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| {
            Failure::new(format!("`git` cannot be started: {error}"))
                .help("install it, or leave out --changed-since: then everything is checked")
        })?;
    let text = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .trim_end_matches('\n')
            .to_owned()
    };
    if output.status.success() {
        return Ok(Ok(text(&output.stdout)));
    }
    Ok(Err(text(&output.stderr)))
}

/// How much was looked at.
pub(super) fn tell(since: &str, touched: &Touched) {
    if touched.migrations.is_empty() && touched.unnamed.is_empty() {
        note(&format!(
            "note: nothing that was changed since {since} belongs to a migration"
        ));
    }
}
