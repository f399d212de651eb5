//! The trials, one file each, from the schema alone to several sessions at once.

mod actors;
mod after;
mod beside;
mod drawn;
mod fill;
mod measure;
mod new;
mod old;
mod probes;
mod recorded;
mod revert;
mod said;
mod schema;
mod states;
mod told;
mod versions;
mod writes;

use super::derived::Derived;
use super::report::{Finding, Measured, Tried};
use super::scratch::Scratch;
use super::shape::Shape;
use super::stage::{Base, Stage};
use super::{RehearseError, Settings, seeds};
use crate::project::Migration;

pub(super) struct All {
    pub findings: Vec<Finding>,
    pub tried: Vec<Tried>,
    pub measured: Vec<Measured>,
    pub derived: Vec<Derived>,
}

pub(super) async fn all(
    scratch: &Scratch,
    settings: &Settings<'_>,
    migration: &Migration,
) -> Result<All, RehearseError> {
    let (base, before) = Base::new(scratch, settings, migration).await?;
    let mut stage = Stage {
        base,
        between: before.clone(),
        after: before.clone(),
        before,
        shape: Shape::default(),
        seeds: Vec::new(),
        old_rows: Vec::new(),
        parents: super::rows::Parents::new(),
        is_seeded: false,
        findings: Vec::new(),
        tried: Vec::new(),
    };
    let mut measured = Vec::new();
    let mut derived = Vec::new();
    if schema::look(&mut stage).await? {
        let backfilled = migration
            .backfill
            .as_ref()
            .map(|rules| rules.table.as_str());
        stage.shape = Shape::of(&stage.before, &stage.between, &stage.after, backfilled);
        seeds::sow(&mut stage).await?;
        if old::write(&mut stage).await? {
            beside::write(&mut stage).await?;
            new::write(&mut stage).await?;
            revert::undo(&mut stage).await?;
        }
        probes::run(&mut stage).await?;
        derived = versions::run(&mut stage).await?;
        measured = measure::all(&mut stage).await?;
    }
    Ok(All {
        findings: stage.findings,
        tried: stage.tried,
        measured,
        derived,
    })
}
