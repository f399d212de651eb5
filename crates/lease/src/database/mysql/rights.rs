//! Who may reach the tables of this database.

use std::collections::BTreeSet;

use super::{Flavour, Mysql};
use crate::database::{DatabaseError, ErrorKind};

/// What an application needs of a table or a routine, where rights are columns.
const USES: &str = "'Y' IN (Select_priv, Insert_priv, Update_priv, Delete_priv, Execute_priv)";

/// The users with rights in this database, and the roles that pass them on.
#[derive(Debug, Default)]
pub(super) struct Rights {
    /// Users and roles with a right in this database.
    granted: BTreeSet<String>,
    /// Who has which role.
    roles: Vec<(String, String)>,
    /// The user of this session, who reaches it.
    own: String,
    /// Whether all of it could be read.
    is_complete: bool,
}

impl Rights {
    pub(super) async fn of(connection: &mut Mysql) -> Result<Self, DatabaseError> {
        let own = connection
            .rows("SELECT SUBSTRING_INDEX(USER(), '@', 1)")
            .await?;
        let mut rights = Self {
            own: own.first().map_or(Ok(""), |row| row.text(0))?.to_owned(),
            is_complete: true,
            ..Self::default()
        };
        let of_database = "Db = DATABASE()";
        for sql in [
            // An account without a name is that of clients without one, who are seen to below.
            format!("SELECT DISTINCT User FROM mysql.user WHERE User <> '' AND {USES}"),
            // The name of the database is a pattern here.
            format!(
                "SELECT DISTINCT User FROM mysql.db WHERE LOWER(DATABASE()) LIKE LOWER(Db) AND {USES}"
            ),
            format!("SELECT DISTINCT User FROM mysql.tables_priv WHERE {of_database}"),
            format!("SELECT DISTINCT User FROM mysql.procs_priv WHERE {of_database}"),
        ] {
            match connection.rows(&sql).await {
                Ok(rows) => {
                    for row in &rows {
                        rights.granted.insert(row.text(0)?.to_owned());
                    }
                }
                Err(error) => rights.miss(error)?,
            }
        }
        rights.read_roles(connection).await?;
        Ok(rights)
    }

    async fn read_roles(&mut self, connection: &mut Mysql) -> Result<(), DatabaseError> {
        let sql = match connection.flavour {
            Flavour::MariaDb => "SELECT DISTINCT User, Role FROM mysql.roles_mapping",
            Flavour::MySql => "SELECT DISTINCT TO_USER, FROM_USER FROM mysql.role_edges",
        };
        match connection.rows(sql).await {
            Ok(rows) => {
                for row in &rows {
                    self.roles
                        .push((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
                }
            }
            // A server from before there were roles.
            Err(error) if error.kind == ErrorKind::NoTable => return Ok(()),
            Err(error) => self.miss(error)?,
        }
        if connection.flavour == Flavour::MySql {
            let rows = connection.rows("SELECT @@GLOBAL.mandatory_roles").await?;
            let listed = rows.first().map_or(Ok(""), |row| row.text(0))?;
            self.roles
                .extend(mandatory(listed).map(|role| (EVERYBODY.to_owned(), role)));
        }
        Ok(())
    }

    /// What we may not read leaves open who has rights.
    fn miss(&mut self, error: DatabaseError) -> Result<(), DatabaseError> {
        if error.kind != ErrorKind::Permission {
            return Err(error);
        }
        tracing::debug!("who has rights cannot be read: {error}");
        self.is_complete = false;
        Ok(())
    }

    /// Whether a user has rights in this database; `None` if that cannot be seen.
    pub(super) fn reaches(&mut self, user: &str) -> Option<bool> {
        if user == self.own || user.is_empty() {
            return Some(true);
        }
        // What is granted to everybody, by either name.
        let mut names = BTreeSet::from([user, EVERYBODY, ""]);
        loop {
            let more: Vec<&str> = self
                .roles
                .iter()
                .filter(|(member, role)| {
                    names.contains(member.as_str()) && !names.contains(role.as_str())
                })
                .map(|(_, role)| role.as_str())
                .collect();
            if more.is_empty() {
                break;
            }
            names.extend(more);
        }
        let reaches = names.iter().any(|name| self.granted.contains(*name));
        (reaches || self.is_complete).then_some(reaches)
    }
}

/// To whom MariaDB grants what everybody has.
const EVERYBODY: &str = "PUBLIC";

/// The names of roles in a list of them, as `reporting` or `'reporting'@'%'`.
fn mandatory(listed: &str) -> impl Iterator<Item = String> {
    listed.split(',').filter_map(|role| {
        let name = role.trim().split('@').next().unwrap_or_default();
        let name = name.trim_matches(['`', '\'', '"']);
        (!name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(granted: &[&str], roles: &[(&str, &str)]) -> Rights {
        let owned = |(member, role): &(&str, &str)| ((*member).to_owned(), (*role).to_owned());
        Rights {
            granted: granted.iter().map(|name| (*name).to_owned()).collect(),
            roles: roles.iter().map(owned).collect(),
            own: "migrator".into(),
            is_complete: true,
        }
    }

    #[test]
    fn rights_come_by_name_by_role_and_from_what_everybody_has() {
        let mut some = rights(
            &["app", "writers"],
            &[
                ("blog", "readers"),
                ("report", "staff"),
                ("staff", "writers"),
            ],
        );
        for (user, reaches) in [
            ("app", true),
            ("migrator", true),
            ("report", true),
            ("blog", false),
            ("App", false),
            ("", true),
        ] {
            assert_eq!(some.reaches(user), Some(reaches), "{user}");
        }
        some.is_complete = false;
        assert_eq!(some.reaches("app"), Some(true));
        assert_eq!(some.reaches("blog"), None);
        assert_eq!(rights(&["PUBLIC"], &[]).reaches("blog"), Some(true));
        assert_eq!(rights(&[""], &[]).reaches("blog"), Some(true));
        let mut circle = rights(&["x"], &[("a", "b"), ("b", "a")]);
        assert_eq!(circle.reaches("a"), Some(false));
    }

    #[test]
    fn mandatory_roles_are_named_in_several_ways() {
        let names: Vec<String> = mandatory("`a`@`%`, 'b'@'localhost',c,").collect();
        assert_eq!(names, ["a", "b", "c"]);
    }
}
