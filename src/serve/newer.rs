//! What is said with a *go* of a version that a server's files do not reach. Pure.
//!
//! The command asks with the files of the release that it is about; a server asks with those where it runs, whoever is to start. Where they name
//! releases and the version is after all of them, migrations of its own would not be among those that the answer was given by.
//!
//! Invariant: this refuses nothing. `releases` are those that a plan may go through, and nobody has to list every release there: a refusal
//! would stop each patch of a project that does not.

use crate::ask::{Answer, placed};
use crate::gate::{Action, Verdict};
use crate::model::Version;
use crate::project::Project;

/// Adds to an answer what its reader should know before taking it for a yes.
pub(super) fn remark_on(answer: &mut Answer, project: &Project) {
    let Answer::Gate { decision, .. } = answer else {
        return;
    };
    let (Action::Deploy(versions), Verdict::Go) = (&decision.action, decision.verdict) else {
        return;
    };
    let remarks = versions
        .iter()
        .filter_map(|one| beyond(project, &one.service, &one.version));
    let remarks: Vec<String> = remarks.collect();
    decision.notes.extend(remarks);
}

/// The same of a version by what it is called in a cluster.
pub(super) fn remark_by_label(project: &Project, service: &str, label: &str) -> Option<String> {
    let version = placed(&project.config, service, label).ok()?;
    beyond(project, service, &version)
}

/// What is said of a version after all that the files name.
fn beyond(project: &Project, service: &str, version: &Version) -> Option<String> {
    let last = project
        .config
        .services
        .get(service)?
        .releases
        .iter()
        .max()?;
    let mut usages = project
        .declarations()
        .filter_map(|declaration| declaration.services.get(service));
    // Whoever wrote a migration for such a version was further than the list.
    let is_reached =
        version <= last || usages.any(|usage| usage.bounds().any(|bound| bound >= version));
    (!is_reached).then(|| {
        format!(
            "this server's files name no release of {service} after {last}: if {version} brings migrations, it was answered without them, so \
             the server has to have its files first"
        )
    })
}
