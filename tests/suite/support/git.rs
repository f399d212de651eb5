//! A project in a repository of git.

use std::process::Command;

use super::project::Project;

/// Has git do this in the project's directory, whatever the machine's own settings are.
#[track_caller]
pub fn git(project: &Project, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
        .args(arguments)
        .current_dir(project.path())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git can be started");
    assert!(output.status.success(), "{arguments:?} {output:?}");
}

/// Everything that is there, as the next commit.
#[track_caller]
pub fn commit(project: &Project) {
    git(project, &["add", "-A"]);
    git(project, &["commit", "-q", "--allow-empty", "-m", "x"]);
}
