//! The releases of servers, as far as they change what a statement costs.

use std::fmt;
use std::str::FromStr;

/// `15`, `10.11`, `8.0.36`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    parts: [u16; 3],
}

impl Release {
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            parts: [major, minor, patch],
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.parts;
        match (minor, patch) {
            (0, 0) => write!(f, "{major}"),
            (minor, 0) => write!(f, "{major}.{minor}"),
            (minor, patch) => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

/// That it is not a number, or two or three with dots between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARelease;

impl FromStr for Release {
    type Err = NotARelease;

    fn from_str(written: &str) -> Result<Self, NotARelease> {
        let mut parts = [0; 3];
        for (count, part) in written.trim().split('.').enumerate() {
            let place = parts.get_mut(count).ok_or(NotARelease)?;
            let is_number = part.chars().all(|c| c.is_ascii_digit());
            *place = part.parse().ok().filter(|_| is_number).ok_or(NotARelease)?;
        }
        Ok(Self { parts })
    }
}

/// The oldest server of each kind that a project runs on; `None` if it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    pub postgres: Option<Release>,
    pub mysql: Option<Release>,
    pub mariadb: Option<Release>,
    /// The library that applications bring along.
    pub sqlite: Option<Release>,
}

impl Servers {
    /// What is taken for the oldest where nothing is said: the oldest that its makers still mend.
    const POSTGRES: Release = Release::new(14, 0, 0);

    /// What operating systems that are still cared for have.
    const SQLITE: Release = Release::new(3, 40, 0);

    /// The oldest library that may read the file.
    #[must_use]
    pub fn sqlite(self) -> Release {
        self.sqlite.unwrap_or(Self::SQLITE)
    }

    pub(super) fn postgres(self) -> Release {
        self.postgres.unwrap_or(Self::POSTGRES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_and_compared_by_their_numbers() {
        let read = |text: &str| text.parse::<Release>();
        assert!(read("10.11").unwrap() > read("10.6").unwrap());
        assert!(read("8.0.29").unwrap() > read("8.0.3").unwrap());
        assert_eq!(read("15"), Ok(Release::new(15, 0, 0)));
        for wrong in ["", "x", "15.", "1.2.3.4", "-1", "+1", "15beta1", "70000"] {
            assert_eq!(read(wrong), Err(NotARelease), "{wrong}");
        }
        for text in ["15", "10.11", "8.0.36"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
    }
}
