//! The indexes of the leases: what is asked of a large fleet is found by them.

use crate::database::{Capabilities, Ddl, Senseless};

/// Rows that may make no sense, whenever that is asked: an index holds them alone.
///
/// Invariant: what makes no sense now and is none of them ends later than any lease may.
pub(super) const SENSELESS: &str = "state NOT BETWEEN 0 AND 2 OR renew_ms NOT BETWEEN 1 AND 604800000 \
     OR renewed_at < 0 OR registered_at < 0 OR renewed_at > expires_at OR registered_at > expires_at";

/// An index of the leases.
pub(super) struct Index {
    pub(super) name: &'static str,
    /// What stands after the table's name.
    pub(super) of: String,
}

/// Every one that the leases have on this database.
pub(super) fn all(capabilities: &Capabilities) -> Vec<Index> {
    let index = |name, of: &str| Index {
        name,
        of: of.to_owned(),
    };
    let mut all = vec![
        index("leases_version", "(service, version)"),
        index("leases_expiry", "(expires_at)"),
        index("leases_instance", capabilities.many_leases.by_instance),
    ];
    match capabilities.many_leases.senseless {
        Senseless::OwnIndex => all.push(index(
            "leases_senseless",
            &format!("(expires_at) WHERE {SENSELESS}"),
        )),
        Senseless::ByColumn => all.extend([
            index("leases_state", "(state, renew_ms)"),
            index("leases_renewed", "(renewed_at)"),
            index("leases_registered", "(registered_at)"),
        ]),
    }
    all
}

impl Index {
    /// The statement that makes it where a name of an index stands beside those of tables.
    pub(super) fn create(&self, capabilities: &Capabilities) -> String {
        format!(
            "CREATE INDEX IF NOT EXISTS {} ON {{leases}} {}",
            self.full_name(capabilities),
            self.of
        )
    }

    fn full_name(&self, capabilities: &Capabilities) -> String {
        let prefix = capabilities.ledger_prefix.trim_end_matches(['.', '_']);
        format!("{prefix}_{}", self.name)
    }
}

/// How many of them the ledger has, as a query.
pub(super) fn count(capabilities: &Capabilities) -> String {
    count_of(capabilities, &all(capabilities))
}

pub(super) fn count_of(capabilities: &Capabilities, indexes: &[Index]) -> String {
    let names = indexes.iter().map(|index| match capabilities.ddl {
        Ddl::Transactional => format!("'{}'", index.full_name(capabilities)),
        // There an index is named within its table.
        Ddl::CommitsImplicitly => format!("'{}'", index.name),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    capabilities.many_leases.indexes.replace("{names}", &names)
}
