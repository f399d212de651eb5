//! The rows that every trial begins with: the user's own, or awkward ones of every type.

use super::RehearseError;
use super::report::Finding;
use super::rows::{Maker, Writer};
use super::shape::Surface;
use super::stage::{Stage, parsed, refuse_lost, stored};
use crate::model::Sync;

/// Rows of a table that others lead to.
const PARENTS: u64 = 3;
/// Rows of one surface at most: what comes after shows nothing new.
const MOST: usize = 40;

/// Makes the rows, and keeps the statements that made them.
pub(super) async fn sow(stage: &mut Stage<'_>) -> Result<(), RehearseError> {
    let mut world = stage.base.fresh().await?;
    let settings = stage.base.settings;
    if let Some((path, text)) = &settings.seed {
        stage.is_seeded = true;
        let script = parsed(stage.dialect(), path, text)?;
        for statement in &script.statements {
            world.execute(&statement.text).await.map_err(|error| {
                RehearseError::cannot(
                    format!("{path}:{}: {error}", statement.line),
                    "write rows that the schema before the migration takes",
                )
            })?;
            stage.seeds.push(statement.text.clone());
        }
    }
    for surface in stage.shape.old.clone() {
        let catalogue = stage.before.clone();
        for relation in catalogue.with_parents(&surface.relation.sql) {
            let is_own = relation.sql == surface.relation.sql;
            let there = world.dump(&catalogue, &relation.sql, &relation.key).await;
            let is_filled = there.is_ok_and(|there| !there.rows.is_empty());
            if !is_filled {
                let changing: &[String] = if is_own { &surface.changing } else { &[] };
                let as_surface = Surface {
                    relation: relation.clone(),
                    changing: changing.to_vec(),
                    is_in_place: false,
                };
                let maker = Maker {
                    relation,
                    changing,
                    parents: &stage.parents,
                };
                let count = if is_own { maker.enough() } else { PARENTS };
                let writer = Writer {
                    dialect: stage.dialect(),
                    surface: &as_surface,
                };
                let mut refused = None;
                let mut seeds = Vec::new();
                for number in 1..=count {
                    for tuple in [maker.row(number), maker.plain_row(number)] {
                        let statement = writer.insert(&tuple);
                        match world.execute(&statement).await {
                            Ok(_) => {
                                seeds.push(statement);
                                break;
                            }
                            Err(error) => {
                                refuse_lost(&error)?;
                                refused = Some(error);
                            }
                        }
                    }
                }
                if let (true, Some(error)) = (seeds.is_empty(), refused) {
                    let message = format!(
                        "no row of `{}` could be made up, so nothing was tried with its rows: {error}",
                        relation.shown
                    );
                    let help = "write some rows as your application does into seed.sql, beside migration.toml";
                    let migration = stage.migration();
                    let is_carried =
                        migration.backfill.is_some() || migration.declaration.sync != Sync::None;
                    // Whether rows are carried from one format to the other is what it is about.
                    stage.find(if is_own && is_carried {
                        Finding::untried("no-rows", message, help)
                    } else {
                        Finding::doubt("no-rows", None, message, help)
                    });
                }
                stage.seeds.extend(seeds);
            }
            for column in &relation.columns {
                let keys = world
                    .dump(
                        &catalogue,
                        &relation.sql,
                        std::slice::from_ref(&column.name),
                    )
                    .await?;
                let mut keys: Vec<String> = keys.rows.into_iter().flatten().collect();
                keys.retain(|key| key != "NULL");
                keys.truncate(MOST);
                let place = (relation.sql.clone(), column.name.clone());
                stage.parents.insert(place, keys);
            }
        }
        let mut rows = world
            .dump(&catalogue, &surface.relation.sql, &stored(&surface))
            .await?;
        rows.rows.truncate(MOST);
        stage.old_rows.push(rows);
    }
    world.close().await;
    Ok(())
}
