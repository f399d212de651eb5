//! Other names of versions that are given on the command line.

use super::args::Global;
use super::failure::Failure;
use crate::project::Config;

impl Global {
    /// Adds the names of versions that were given on the command line.
    pub(super) fn name_versions(&self, config: &mut Config) -> Result<(), Failure> {
        for alias in &self.alias {
            config.add_alias(alias).map_err(|why| {
                Failure::new(format!("--alias: {why}"))
                    .help(
                        "leave it out, or mend it: SERVICE:NAME=VERSION, such as web:a1b2c3d=1.2.0",
                    )
                    .usage()
            })?;
        }
        Ok(())
    }
}
