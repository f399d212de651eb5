//! The database's URL as it is given from outside of the project: by an option, a file or the environment.

use std::path::{Path, PathBuf};

use super::args::Global;
use super::failure::Failure;
use crate::database::{DatabaseError, Target, read_url};

impl Global {
    /// The URL that was given from outside, by the first that names one.
    pub(super) fn database_url(&self) -> Result<Option<GivenUrl>, Failure> {
        if let Some(url) = &self.database_url {
            return Ok(Some(GivenUrl::literal(url)));
        }
        if let Some(file) = &self.database_url_file {
            return GivenUrl::read(file.clone()).map(Some);
        }
        if let Some(url) = std::env::var_os(URL_VARIABLE) {
            let url = url.into_string().map_err(|_| {
                Failure::new(format!("{URL_VARIABLE} is not UTF-8"))
                    .help("write what is not ASCII percent-encoded")
            })?;
            return Ok(Some(GivenUrl::literal(&url)));
        }
        let file = std::env::var_os(URL_FILE_VARIABLE);
        file.map(|file| GivenUrl::read(file.into())).transpose()
    }
}

/// The environment variables that name the database.
const URL_VARIABLE: &str = "DATABASE_URL";
const URL_FILE_VARIABLE: &str = "DATABASE_URL_FILE";

/// A database's URL from outside of the project.
pub(super) struct GivenUrl {
    pub url: String,
    /// Where it was read, and is read again.
    file: Option<PathBuf>,
}

impl GivenUrl {
    /// What a variable or a line of a shell has around it is no part of it.
    fn literal(url: &str) -> Self {
        Self {
            url: url.trim().to_owned(),
            file: None,
        }
    }

    fn read(file: PathBuf) -> Result<Self, Failure> {
        Ok(Self {
            url: read_url(&file)?,
            file: Some(file),
        })
    }

    pub(super) fn target(&self, base: &Path) -> Result<Target, DatabaseError> {
        match &self.file {
            Some(file) => Target::from_file(file, base),
            None => Target::parse(&self.url, base),
        }
    }
}
