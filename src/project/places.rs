//! Where the keys of `migrate.toml` belong.

/// Where a key belongs that is written under the wrong header.
pub(super) const PLACES: &[(&str, &str)] = &[
    (
        "migrations",
        "at the top of the file, before the first `[…]`",
    ),
    (
        "follow_links",
        "at the top of the file, before the first `[…]`",
    ),
    ("order", "under `[project]`"),
    ("url", "under `[database]`"),
    ("database_url", "under `[database]`, as `url`"),
    ("dialects", "under `[database]`"),
    ("replicas", "under `[database]`"),
    ("password_file", "under `[database]`"),
    ("password_command", "under `[database]`"),
    ("lock_timeout", "under `[database]`"),
    ("lock_retry_for", "under `[database]`"),
    ("busy_timeout", "under `[database]`"),
    ("ledger", "under `[database]`"),
    ("lease", "under `[fleet]`"),
    ("renew", "under `[fleet]`"),
    ("coordinator_lease", "under `[fleet]`"),
    ("connection", "under `[fleet]`"),
    ("sources", "under `[fleet]`"),
    ("sessions", "under `[fleet]`"),
    (
        "allow_session",
        "under `[fleet]`, as `[[fleet.allow_session]]`",
    ),
    ("min_instances", "under `[services.NAME]`"),
    ("min_ready", "under `[services.NAME]`"),
    ("aliases", "under `[services.NAME]`"),
    ("aliases_file", "under `[services.NAME]`"),
    ("labels", "under `[services.NAME]`"),
    ("releases", "under `[services.NAME]`"),
    ("statements", "under `[services.NAME]`"),
];
