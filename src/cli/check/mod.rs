//! `migrate check`: the files alone, and beside what is applied where that is asked for.

mod changed;
mod report;

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::args::{Format, Global};
use super::context::Context;
use super::failure::Failure;
use super::out::{Out, note};
use super::text::count;
use crate::coordinator::weighed;
use crate::database::Target;
use crate::model::{Phase, Sequence, Step};
use crate::project::{Problem, Problems, Project, RULES, Rule, Severity, rule};
use report::Report;

pub(super) use report::is_of_findings;

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Compare with what is applied in the database as well: migrations below what is applied, and
    /// applied files that were edited
    #[arg(long)]
    pub applied: bool,
    /// Judge only what was changed since COMMIT and the present one parted: for pull requests, with `origin/main`. A new
    /// revision of another migration tool that no migration names is judged as well
    #[arg(long, value_name = "COMMIT")]
    pub changed_since: Option<String>,
    /// Have the project's migration tool print the revisions that it carries out, and hold them against the rules as well
    #[arg(long)]
    pub printed: bool,
    /// List the rules of scripts instead
    #[arg(long, conflicts_with_all = ["applied", "explain", "changed_since", "printed"])]
    pub rules: bool,
    /// Say of one rule what it finds, why, and what to write instead
    #[arg(long, value_name = "RULE", conflicts_with_all = ["applied", "changed_since", "printed"])]
    pub explain: Option<String>,
}

impl CheckArgs {
    /// Whether it looks at the project, and does not tell of the rules.
    pub(super) const fn finds(&self) -> bool {
        !self.rules && self.explain.is_none()
    }
}

/// What comparing with a database found.
#[derive(Default)]
struct Beside {
    notes: Vec<String>,
    errors: Vec<String>,
}

async fn beside(global: &Global, out: &Out) -> Result<Beside, Failure> {
    let context = Context::load(global, out)?;
    let situation = context.observe().await?;
    let schema = &situation.evidence.schema;
    let mut beside = Beside {
        errors: situation.drift.iter().map(ToString::to_string).collect(),
        ..Beside::default()
    };
    for state in schema.migrations() {
        let Some(later) = schema.applied_before_its_turn(state.id()) else {
            continue;
        };
        let said = format!(
            "{id} comes after {} in this database, and before it on a new one; `migrate renumber {id}` gives it the next free number",
            later.id(),
            id = state.id(),
        );
        match schema.order() {
            Sequence::Any => beside.notes.push(said),
            Sequence::Strict => beside.errors.push(said),
        }
    }
    if let Some(mut connection) = context.connect().await? {
        for state in schema.migrations() {
            let mut steps = Vec::new();
            if !state.phase.expand_is_done() {
                steps.push(Step::Expand);
            }
            if state.phase != Phase::Contracted {
                steps.push(Step::Contract);
            }
            for step in steps {
                let (project, connected) = (&context.project, connection.as_mut());
                let weighed = weighed(project, state.id(), step, connected).await;
                beside.notes.extend(weighed.costs);
            }
        }
        connection.close().await;
    }
    Ok(beside)
}

fn as_json(rule: &Rule) -> serde_json::Value {
    let scripts: Vec<&str> = rule.steps.iter().map(|step| step.name()).collect();
    let databases: Vec<&str> = rule.dialects.iter().map(|dialect| dialect.name()).collect();
    json!({
        "rule": rule.code,
        "severity": rule.severity,
        "finds": rule.finds,
        "why": rule.why,
        "instead": rule.instead,
        "scripts": scripts,
        "databases": databases,
    })
}

fn list(out: &Out) -> u8 {
    if out.is_json() {
        let rules: Vec<_> = RULES.iter().map(as_json).collect();
        out.json(&json!({ "rules": rules }));
        return 0;
    }
    for rule in RULES {
        out.line(format!(
            "{:<21} {:<8} {}",
            rule.code,
            rule.severity_name(),
            rule.finds
        ));
    }
    0
}

fn explain(code: &str, out: &Out) -> Result<u8, Failure> {
    let Some(rule) = rule(code) else {
        return Err(Failure::new(format!("there is no rule `{code}`"))
            .help("`migrate check --rules` lists them")
            .usage());
    };
    if out.is_json() {
        out.json(&as_json(rule));
        return Ok(0);
    }
    out.line(format!("{} ({})", rule.code, rule.severity_name()));
    out.line(format!("finds    {}", rule.finds));
    out.line(format!(
        "in       {}, for {}",
        rule.scripts(),
        rule.databases()
    ));
    out.line(format!("why      {}", rule.why));
    out.line(format!("instead  {}", rule.instead));
    Ok(0)
}

pub(super) async fn run(args: &CheckArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    if args.rules {
        return Ok(list(out));
    }
    if let Some(code) = &args.explain {
        return explain(code, out);
    }
    let given = global.database_url()?;
    let url = given.as_ref().map(|given| given.url.as_str());
    let format = global.output;
    if let Some(since) = &args.changed_since {
        let project = Project::load_as_far_as_possible(Path::new("."), url);
        let touched = changed::touched(since, &project, global).await?;
        changed::tell(since, &touched);
        if !is_of_findings(format) && touched.problems.iter().any(Problem::is_error) {
            return Err(Problems(touched.problems).into());
        }
        let beside = compared(args, global, out).await?;
        return Ok(told(&project, &touched.problems, Some(since), &beside, out));
    }
    let mut project = match Project::load(Path::new("."), url) {
        Ok(project) => project,
        Err(problems) if is_of_findings(format) => {
            let project = Project::load_as_far_as_possible(Path::new("."), url);
            let found = problems.0.iter().collect();
            return Ok(reported(&project, found, &Beside::default(), format, out));
        }
        Err(problems) => return Err(problems.into()),
    };
    urls_can_be_used(global, &project)?;
    if args.printed {
        let printed = changed::printed(&project, global).await?;
        project.warnings.extend(printed);
    }
    let beside = compared(args, global, out).await?;
    Ok(told(&project, &project.warnings, None, &beside, out))
}

async fn compared(args: &CheckArgs, global: &Global, out: &Out) -> Result<Option<Beside>, Failure> {
    match args.applied {
        true => beside(global, out).await.map(Some),
        false => Ok(None),
    }
}

/// Tells what was found, where none of it is an error or the format shows errors as well; the exit code.
fn told(
    project: &Project,
    found: &[Problem],
    since: Option<&str>,
    compared: &Option<Beside>,
    out: &Out,
) -> u8 {
    let nothing = Beside::default();
    let beside = compared.as_ref().unwrap_or(&nothing);
    if is_of_findings(out.format) {
        return reported(project, found.iter().collect(), beside, out.format, out);
    }
    let databases: Vec<&str> = project
        .config
        .database
        .dialects
        .iter()
        .map(|dialect| dialect.name())
        .collect();
    let code = u8::from(!beside.errors.is_empty());
    if out.is_json() {
        let mut value = json!({
            "migrations": project.migrations.len(),
            "databases": databases,
            "problems": [],
            "warnings": found,
        });
        if let Some(object) = value.as_object_mut() {
            if compared.is_some() {
                let applied = json!({ "notes": beside.notes, "errors": beside.errors });
                object.insert("applied".into(), applied);
            }
            if let Some(since) = since {
                object.insert("changed_since".into(), since.into());
            }
        }
        out.json(&value);
        return code;
    }
    for warning in found {
        note(&warning.one_line());
    }
    for said in &beside.notes {
        note(&format!("note: {said}"));
    }
    for said in &beside.errors {
        note(&format!("error: {said}"));
    }
    let databases = databases.join(" and ");
    out.well(match since {
        Some(since) => format!("what was changed since {since} is in order, for {databases}"),
        None => {
            let migrations = u64::try_from(project.migrations.len()).unwrap_or(u64::MAX);
            format!(
                "{} in order, for {databases}",
                count(migrations, "migration")
            )
        }
    });
    code
}

fn report<'a>(project: &Project, problems: Vec<&'a Problem>, beside: &'a Beside) -> Report<'a> {
    let errors = beside
        .errors
        .iter()
        .map(|text| (Severity::Error, text.as_str()));
    let notes = beside
        .notes
        .iter()
        .map(|text| (Severity::Warning, text.as_str()));
    Report {
        problems,
        migrations: project.ids().map(ToString::to_string).collect(),
        beside: errors.chain(notes).collect(),
        base: report::base(),
    }
}

/// Writes it in a format that others read; the exit code.
fn reported(
    project: &Project,
    problems: Vec<&Problem>,
    beside: &Beside,
    format: Format,
    out: &Out,
) -> u8 {
    let whole = report(project, problems, beside);
    whole.write(format, out);
    if format == Format::Github
        && let Err(error) = report::add_to_summary(&whole)
    {
        note(&format!(
            "warning: the summary of the job cannot be written: {error}"
        ));
    }
    u8::from(whole.count(Severity::Error) > 0)
}

/// No database is asked; but a URL that every other command would refuse is a mistake in the files.
fn urls_can_be_used(global: &Global, project: &Project) -> Result<(), Failure> {
    let config = &project.config;
    if config.database_url.is_some() {
        super::context::named_target(global, config, &project.root)?;
    }
    for replica in &config.database.replicas {
        Target::parse(replica, &project.root)
            .map_err(|error| Failure::from(error).at("a URL in `replicas`"))?;
    }
    Ok(())
}
