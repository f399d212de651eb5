//! A table with a key of any kind, and the migration that fills a column of it.

use crate::support::backend::Db;
use crate::support::project::Project;

pub const CONFIG: &str = "\
[services.web]
min_instances = 0
[database]
lock_timeout = \"1s\"
[fleet]
coordinator_lease = \"200ms\"
";

/// A project whose one migration copies `items.label` into `items.name`, and counts in `touched` how often.
pub struct Items {
    pub db: Db,
    pub project: Project,
    key: Vec<String>,
}

impl Items {
    /// `columns` are those of the key, as they stand in CREATE TABLE.
    pub fn new(db: Db, columns: &str, key: &[&str]) -> Self {
        let list = key.join(", ");
        db.execute(&format!(
            "CREATE TABLE items ({columns}, label varchar(40), touched integer NOT NULL DEFAULT 0, PRIMARY KEY ({list}))"
        ));
        let project = Project::new(&db, &["web"]);
        project.file("migrate.toml", CONFIG);
        let items = Self {
            db,
            project,
            key: key.iter().map(ToString::to_string).collect(),
        };
        items.declare("batch = 2", "touched = touched + 1, name = label");
        items
    }

    /// With a key that is a number, for these many rows.
    pub fn numbered(db: Db, rows: usize) -> Self {
        let items = Self::new(db, "id bigint NOT NULL", &["id"]);
        let keys: Vec<String> = (1..=rows).map(|id| id.to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        items.fill(&keys);
        items
    }

    /// Writes the migration with more lines under `[backfill]`, and what its statement sets.
    pub fn declare(&self, rules: &str, set: &str) -> &Self {
        let names: Vec<String> = self.key.iter().map(|name| format!("{name:?}")).collect();
        let compared = match self.key.as_slice() {
            [one] => one.clone(),
            several => format!("({})", several.join(", ")),
        };
        let manifest = format!(
            "description = \"Copy the label\"\nrows = \"append-only\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
             [backfill]\ntable = \"items\"\nkey = [{}]\n\
             remaining = \"SELECT count(*) FROM items WHERE name IS NULL\"\n{rules}\n",
            names.join(", ")
        );
        let statement =
            format!("UPDATE items SET {set} WHERE {compared} > :after AND {compared} <= :upto;\n");
        self.project.migration(
            "0001_name",
            &[
                ("migration.toml", &manifest),
                (
                    "expand.sql",
                    "ALTER TABLE items ADD COLUMN name varchar(40);\n",
                ),
                ("backfill.sql", &statement),
                ("contract.sql", "ALTER TABLE items DROP COLUMN label;\n"),
            ],
        );
        self
    }

    /// Adds rows with these keys, each as it stands in VALUES.
    pub fn fill(&self, keys: &[&str]) -> &Self {
        let rows: Vec<String> = keys
            .iter()
            .enumerate()
            .map(|(number, key)| format!("({key}, 'label {number}')"))
            .collect();
        self.db.execute(&format!(
            "INSERT INTO items ({}, label) VALUES {}",
            self.key.join(", "),
            rows.join(", ")
        ));
        self
    }

    pub fn expanded(&self) -> &Self {
        self.project.migrate(&["expand"]).expect_code(0);
        self
    }

    /// Fails unless every row was filled exactly once.
    #[track_caller]
    pub fn assert_filled_once(&self) {
        let wrong = self
            .db
            .query("SELECT * FROM items WHERE touched <> 1 OR name IS NULL OR name <> label");
        assert_eq!(wrong, Vec::<Vec<String>>::new());
    }

    /// What `status` says of the backfill.
    #[track_caller]
    pub fn progress(&self) -> serde_json::Value {
        let status = self.project.migrate(&["status", "--output", "json"]);
        status.expect_code(0).json()["migrations"][0]["backfill"].clone()
    }
}
