//! Sessions in the database that belong to nobody who is known.

/// What becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionRule {
    /// What cannot be taken back waits until they are accounted for.
    #[default]
    Strict,
    /// They are told.
    Note,
    /// Nobody looks.
    Off,
}

/// Sessions that are alike, and that no instance, no exception and no program of ours accounts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unaccounted {
    pub user: String,
    /// As the application has named its session; may be empty.
    pub application: String,
    /// Empty where the client is on the same machine; `None` if we may not see it.
    pub address: Option<String>,
    pub whereabouts: Whereabouts,
    /// When the first of them began, in milliseconds since the epoch, where that is known.
    pub since: Option<i64>,
    pub sessions: u64,
}

/// Where sessions are that may touch what is in this database.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whereabouts {
    /// In this database.
    #[default]
    Here,
    /// In another one of the same server: a statement may name this one.
    Database(String),
    /// In none: their statements name one.
    Nowhere,
}

/// What a look at the database's sessions has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionCheck {
    pub rule: SessionRule,
    pub unaccounted: Vec<Unaccounted>,
    /// Why the database did not list them all.
    pub unseen: Option<String>,
}

impl Unaccounted {
    /// That they belong to nobody who is known.
    #[must_use]
    pub fn belong_to_nobody(&self) -> String {
        let belong = if self.sessions == 1 {
            "belongs"
        } else {
            "belong"
        };
        format!("{} {belong} to no instance that is known", self.describe())
    }

    /// Who they are.
    #[must_use]
    pub fn describe(&self) -> String {
        // Whoever opens a session names it as they like.
        let shortened = |text: &str| text.chars().take(80).collect::<String>();
        // Where nobody names a session, some drivers give it the user's name.
        let named = if self.application.is_empty() || self.application == self.user {
            String::new()
        } else {
            format!(" named `{}`", shortened(&self.application))
        };
        let from = match self.address.as_deref() {
            Some("") => " on the database's own machine".to_owned(),
            Some(address) => format!(" from {}", shortened(address)),
            None => " from an address that we may not see".to_owned(),
        };
        let place = match &self.whereabouts {
            Whereabouts::Here => String::new(),
            Whereabouts::Database(name) => format!(", in the database `{}`", shortened(name)),
            Whereabouts::Nowhere => ", in no database".to_owned(),
        };
        let (count, plural) = (self.sessions, if self.sessions == 1 { "" } else { "s" });
        format!(
            "{count} session{plural} of the user `{}`{named}{from}{place}",
            shortened(&self.user)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_is_spoken_of_as_one() {
        let group = |sessions, application: &str| Unaccounted {
            user: "root".into(),
            application: application.into(),
            address: Some("10.0.0.5".into()),
            whereabouts: Whereabouts::Here,
            since: None,
            sessions,
        };
        assert_eq!(
            group(1, "root").belong_to_nobody(),
            "1 session of the user `root` from 10.0.0.5 belongs to no instance that is known"
        );
        assert_eq!(
            group(2, "psql").belong_to_nobody(),
            "2 sessions of the user `root` named `psql` from 10.0.0.5 belong to no instance that is known"
        );
    }
}
