//! The rules of scripts: what each finds, why that hurts, and what to write instead. One row each; `docs/rules.md` and
//! `migrate check --explain` are made of them.

use crate::model::Step;
use crate::sql::Dialect;

use super::super::severity::Severity;

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The `code` of what it finds.
    pub code: &'static str,
    pub severity: Severity,
    /// What it finds, in one line.
    pub finds: &'static str,
    /// Why that hurts.
    pub why: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    pub dialects: &'static [Dialect],
    pub steps: &'static [Step],
}

const EXPAND: &[Step] = &[Step::Expand];
const AFTERWARDS: &[Step] = &[Step::Contract, Step::Revert];
const SCRIPTS: &[Step] = &[Step::Expand, Step::Contract, Step::Revert];
const EVERY: &[Step] = &Step::ALL;
const ALL: &[Dialect] = Dialect::ALL;
const POSTGRES: &[Dialect] = &[Dialect::Postgres];
/// Those on which a foreign key brings no index.
const KEYS_ALONE: &[Dialect] = &[Dialect::Sqlite, Dialect::Postgres];
const SERVERS: &[Dialect] = &[Dialect::Postgres, Dialect::Mysql];

const fn error(code: &'static str, steps: &'static [Step]) -> Rule {
    Rule {
        code,
        severity: Severity::Error,
        finds: "",
        why: "",
        instead: "",
        dialects: ALL,
        steps,
    }
}

const fn warning(code: &'static str, steps: &'static [Step]) -> Rule {
    Rule {
        severity: Severity::Warning,
        ..error(code, steps)
    }
}

/// All of them, by their codes.
pub const RULES: &[Rule] = &[
    Rule {
        finds: "a condition of a query that is the same for every row: a column in quotes that make it a text, a comparison with NULL, count(c) of rows where c is NULL, or no table at all",
        why: "It counts nothing, whatever is in the rows, and a query that is always 0 lets the contract take what was never carried over. MySQL takes double quotes for a text.",
        instead: "Write the column without quotes, IS NULL in place of = NULL, and count(*).",
        ..error("alike-for-all", &[Step::Backfill, Step::Contract])
    },
    Rule {
        finds: "a backfill that does not name the table whose keys the batches go along",
        why: "Its rows would be bounded by the keys of another table: some are never filled, and some more than once.",
        instead: "Name the table that is updated as `table` under `[backfill]`.",
        ..error("another-table", &[Step::Backfill])
    },
    Rule {
        finds: "code of a trigger that turns a text which live versions write into another type",
        why: "A text that is none of that type makes the write fail that fires it. Only the rows tell whether there are such texts.",
        instead: "Let the code look first (`CASE WHEN … THEN … END`), and put NULL there otherwise; `migrate rehearse` tries awkward values.",
        dialects: SERVERS,
        ..warning("code-may-fail", EXPAND)
    },
    Rule {
        finds: "a statement that live versions may not survive",
        why: "While the rollout goes on, versions that know nothing of the migration run against what expand.sql leaves: what it drops, renames, narrows or fills, and what triggers do to their rows, they meet at once.",
        instead: "Move it to contract.sql, which waits until nobody uses the old format.",
        ..error("destructive-expand", EXPAND)
    },
    Rule {
        finds: "one statement that gives the rows of a table their values, or removes them",
        why: "It is one transaction: whoever would change one of these rows waits until it is done (on SQLite whoever writes at all), a crash near its end begins it anew, and replicas and VACUUM wait as well.",
        instead: "Let backfill.sql do it, which goes over the table in batches; remove rows in portions before.",
        dialects: ALL,
        ..warning("fills-at-once", SCRIPTS)
    },
    Rule {
        finds: "a backfill that writes other columns than those that expand.sql adds",
        why: "Live versions use what is in them, and nothing brings the values back.",
        instead: "Fill the new columns alone. A change of others is a migration of its own.",
        ..error("fills-too-much", &[Step::Backfill])
    },
    Rule {
        finds: "a temporary table that bears the name of one that another script uses",
        why: "What comes after it in the script goes to the temporary table, and the real one stays as it was.",
        instead: "Give it a name that no table has.",
        dialects: POSTGRES,
        ..error("hidden-table", SCRIPTS)
    },
    Rule {
        finds: "a statement that takes long while its script still holds a lock",
        why: "A lock is kept until the transaction ends: what follows it in the script makes it longer for everybody who waits.",
        instead: "Let the long statement stand in a transaction of its own: before the one that locks, in a script whose first line is `-- migrate: no-transaction`, or in backfill.sql.",
        dialects: POSTGRES,
        ..warning("holds-lock", SCRIPTS)
    },
    Rule {
        finds: "a concurrent index that may be there already",
        why: "A concurrent build that was interrupted leaves an index that is invalid. `IF NOT EXISTS` is content with that one: every write keeps it up, and no query uses it.",
        instead: "Leave `IF NOT EXISTS` away. Each statement of such a script is recorded before and after it runs, and one that was interrupted is done again.",
        dialects: POSTGRES,
        ..warning("keeps-invalid", SCRIPTS)
    },
    Rule {
        finds: "a comparison with `:after` or `:upto` that has not the columns of the key",
        why: "The range would not be one, and rows would be passed over.",
        instead: "Write `(a, b) > :after AND (a, b) <= :upto` with the columns of `key` in their order.",
        ..error("key-width", &[Step::Backfill])
    },
    Rule {
        finds: "a statement that names Phasegate's own tables, or the database of their own in which they are",
        why: "What they record is what every answer rests on.",
        instead: "Remove it: `migrate status --output json` and `migrate log` tell what is recorded.",
        ..error("ledger", EVERY)
    },
    Rule {
        finds: "code of expand.sql that still names what contract.sql or revert.sql takes away",
        why: "Most databases look at the text of a trigger or a function only when it runs: every write would fail afterwards.",
        instead: "Drop or replace it first: first the trigger, then the column.",
        ..error("left-behind", AFTERWARDS)
    },
    Rule {
        finds: "a statement that waits for, and then keeps out, whoever reads or writes the table",
        why: "Under ACCESS EXCLUSIVE nobody reads; and while it waits for its lock, everybody who comes after waits behind it.",
        instead: "Use the form that is `CONCURRENTLY`, in a script of its own whose first line is `-- migrate: no-transaction`; build the index of a constraint first, and let the constraint take it over by `USING INDEX`; on MySQL and MariaDB write `LOCK=NONE`.",
        dialects: SERVERS,
        ..warning("locks-out", SCRIPTS)
    },
    Rule {
        finds: "an index of a table in use that is built while writers wait",
        why: "Until it is built nobody writes to the table.",
        instead: "Write `CREATE INDEX CONCURRENTLY`, in a script whose first line is `-- migrate: no-transaction`; on MySQL and MariaDB `LOCK=NONE`, so that the server refuses what would keep writers out.",
        dialects: ALL,
        ..warning("locks-writes", SCRIPTS)
    },
    Rule {
        finds: "an index over a column for long texts of a table that was there",
        why: "An entry of a B-tree holds about 2,700 bytes. A row whose value is longer, and does not compress, is refused from then on, whoever writes it.",
        instead: "Index `md5(a)` or `left(a, 200)`, write `USING hash (a)`, or let a CHECK bound its length first.",
        dialects: POSTGRES,
        ..warning("long-keys", SCRIPTS)
    },
    Rule {
        finds: "rows or values that go, outside of what a contract is for",
        why: "Versions that live use them, and nothing brings them back.",
        instead: "Leave rows to a version of the application that no longer needs them; fill the new format in backfill.sql; copy a table as a whole where another takes its place.",
        ..error("loses-rows", SCRIPTS)
    },
    Rule {
        finds: "a statement that its database refuses inside a transaction",
        why: "The script would fail as a whole.",
        instead: "Make `-- migrate: no-transaction` the first line of the file.",
        ..error("needs-no-transaction", SCRIPTS)
    },
    Rule {
        finds: "a script that uses a value of an enum which it has only just added",
        why: "PostgreSQL refuses that in one transaction.",
        instead: "Use it in a later migration, or in backfill.sql.",
        dialects: POSTGRES,
        ..error("new-enum-value", SCRIPTS)
    },
    Rule {
        finds: "a new column of a type that has no `=`",
        why: "SELECT DISTINCT, GROUP BY and UNION over all columns of the table fail from then on, in versions that know nothing of the column.",
        instead: "Use `jsonb` instead of `json`; for other types make sure that no version reads all columns so.",
        dialects: POSTGRES,
        ..warning("no-equality", SCRIPTS)
    },
    Rule {
        finds: "a change that writes every row of the table anew",
        why: "Until the last row is written nobody writes to the table, on PostgreSQL nobody reads it either; it needs its space once more, and replicas repeat it.",
        instead: "Add what is new beside what is there, without a value that differs from row to row, and fill it in backfill.sql; on MySQL and MariaDB write `ALGORITHM=INSTANT`, or `ALGORITHM=INPLACE, LOCK=NONE`, so that the server refuses rather than copies.",
        dialects: ALL,
        ..warning("rewrites-table", SCRIPTS)
    },
    Rule {
        finds: "a constraint that is checked for every row under its lock",
        why: "The table is read from end to end, and nobody writes meanwhile; for CHECK and NOT NULL on PostgreSQL nobody reads either.",
        instead: "Add the constraint `NOT VALID`, and `VALIDATE CONSTRAINT` it in another transaction; for NOT NULL, validate `CHECK (a IS NOT NULL)` first. On MySQL and MariaDB no form checks later: add it while the table is small.",
        dialects: SERVERS,
        ..warning("scans-under-lock", SCRIPTS)
    },
    Rule {
        finds: "a setting that would outlive the script",
        why: "The connection goes back to a pool, and something else uses it next.",
        instead: "Remove it, or write `SET LOCAL`, which ends with the transaction.",
        ..error("session-setting", SCRIPTS)
    },
    Rule {
        finds: "a `SET LOCAL` or `SET CONSTRAINTS` in a script whose statements run one by one",
        why: "Each runs in a transaction of its own, and with it the setting ends.",
        instead: "Name in each statement what the setting was for.",
        dialects: POSTGRES,
        ..error("set-without-effect", SCRIPTS)
    },
    Rule {
        finds: "a statement that loses what nobody named",
        why: "REPLACE, IGNORE, CASCADE, a disabled trigger or a USING that cuts take away more than they say, and no error tells of it.",
        instead: "Write what is meant, row by row or name by name.",
        ..error("silent-loss", SCRIPTS)
    },
    Rule {
        finds: "a contract that takes away a column which is NOT NULL without a default",
        why: "A contract waits until nobody uses the column any more, so the versions that no longer know it are live before: each of their INSERTs leaves it out, and is refused until then.",
        instead: "Let expand.sql say what stands in it until then (SET DEFAULT, or a BEFORE INSERT trigger), with `new` for the versions that leave it out and `sync = \"both\"`; `migrate new NAME --drop users.a --fill \"'-'\"` writes all of it. On SQLite build the table anew with a default in a migration before.",
        ..error("still-required", &[Step::Contract])
    },
    Rule {
        finds: "a contract or a revert that takes away what does not belong to its format",
        why: "What expand.sql added, what another migration needs, or what nothing here carries over is still used.",
        instead: "Name what belongs to the old format, or leave it to a migration whose expand.sql says so.",
        ..error("takes-too-much", AFTERWARDS)
    },
    Rule {
        finds: "a value that versions which may be live are declared not to read, as a default or in rows",
        why: "An earlier migration lets it in and says who reads it. A default is written by every version that leaves the column out, also by those that then cannot read their own rows.",
        instead: "Put it into a contract.sql that waits for these versions (`old` under `[services.NAME]`).",
        ..error(
            "too-new-value",
            &[Step::Expand, Step::Backfill, Step::Contract],
        )
    },
    Rule {
        finds: "a BEGIN, a COMMIT, or what else ends or changes the transaction",
        why: "The transaction keeps the ledger true: what is done and what is recorded commit together.",
        instead: "Remove it.",
        ..error("transaction-control", SCRIPTS)
    },
    Rule {
        finds: "a `DROP TABLE` where foreign keys are not put aside",
        why: "Rows that refer to the table by ON DELETE CASCADE go with it.",
        instead: "Leave the script to run in one transaction, or empty what refers to the table first.",
        dialects: &[Dialect::Sqlite],
        ..error("unguarded-drop", SCRIPTS)
    },
    Rule {
        finds: "a foreign key of a new column that no index begins with",
        why: "Whoever deletes a row of the table that it refers to, or changes its key, has the server look for rows that refer to it: without an index it reads the whole table, once for each row. MySQL and MariaDB make the index themselves.",
        instead: "Write `CREATE INDEX` for the column: where the table is new, in the same script; otherwise `CONCURRENTLY`, in a migration of its own.",
        dialects: KEYS_ALONE,
        ..warning("unindexed-key", SCRIPTS)
    },
    Rule {
        finds: "a statement of which it cannot be told what it does",
        why: "A procedure, dynamic SQL, a function of an author's own and most DO blocks may do anything, and what is not understood is never taken for harmless. A DO block that makes one type or schema, or adds columns without a condition, is read: with `IF` over the catalogue, or `EXCEPTION WHEN duplicate_object`, around it.",
        instead: "Write out what it does, or let the function stand in a file of the project.",
        ..error("unknown-effect", EVERY)
    },
    Rule {
        finds: "a concurrent index without a name",
        why: "Whether it was built before a crash can be seen by its name alone.",
        instead: "Name it: `CREATE INDEX CONCURRENTLY users_name ON users (name)`.",
        dialects: POSTGRES,
        ..error("unnamed-index", SCRIPTS)
    },
    Rule {
        finds: "a column that may hold more from expand.sql on, where nothing says which versions cannot read that",
        why: "As far as the declaration goes the version that first writes NULL, or the new value, starts beside those before it, and they read what they do not know.",
        instead: "Let a release that reads it come before the one that writes it: `reads = { old = \"<1.1.0\", new = \">=1.1.0\" }`, `writes = { old = \"<1.2.0\", new = \">=1.2.0\" }` and `sync = \"to-new\"`; `migrate new NAME --add-value orders.status=refunded` writes all of it.",
        ..warning("widens-unsaid", EXPAND)
    },
    Rule {
        finds: "a backfill in which the database also writes when a row was changed last",
        why: "`ON UPDATE CURRENT_TIMESTAMP`, or a trigger of an earlier migration, sets that column in every row that is filled: caches, exports and whoever asks for what has changed see the whole table as new, and it cannot be undone.",
        instead: "On MySQL and MariaDB add `updated_at = updated_at` to the UPDATE. Let a trigger run where the columns of the application change: `BEFORE UPDATE OF name, email`.",
        ..warning("writes-along", &[Step::Backfill])
    },
];

/// The rule of this code.
#[must_use]
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code)
}

impl Rule {
    /// The scripts that it reads, as words.
    #[must_use]
    pub fn scripts(&self) -> String {
        let names: Vec<String> = self
            .steps
            .iter()
            .map(|step| format!("{}.sql", step.name()))
            .collect();
        names.join(", ")
    }

    /// The databases that it holds for, as words.
    #[must_use]
    pub fn databases(&self) -> String {
        let titles: Vec<&str> = self
            .dialects
            .iter()
            .map(|dialect| match dialect {
                Dialect::Mysql => "MySQL and MariaDB",
                other => other.title(),
            })
            .collect();
        titles.join(", ")
    }

    #[must_use]
    pub const fn severity_name(&self) -> &'static str {
        match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Of a look at what others have written, on one day.
    const MEASURED: &str = "
## How often each is found

In 1,745 migrations of ten public projects (chroma, davical, graphile-worker, icinga2, litellm, mediawiki, procrastinate, roundcube, synapse, tt-rss), each taken
as an expand as it stands. None was written to be one: that it drops or retypes something beside live versions is what the first row counts. Findings a file:

| rule | PostgreSQL, 918 files | MySQL and MariaDB, 314 | SQLite, 513 |
| --- | --- | --- | --- |
| `destructive-expand` | 1.16 | 1.75 | 1.17 |
| `transaction-control` | 0.33 | 0.55 | 0.01 |
| `unknown-effect` | 0.16 | 0.11 | 0 |
| `locks-writes` | 0.16 | 0 | 0 |
| `holds-lock` | 0.11 | 0 | 0 |
| `loses-rows` | 0.02 | 0.02 | 0.11 |
| `unindexed-key` | 0.06 | 0 | 0.04 |
| `fills-at-once` | 0 | 0.21 | 0.01 |
| `session-setting` | 0 | 0.03 | 0.05 |
| `rewrites-table` | 0 | 0.05 | 0 |
| `scans-under-lock` | 0.01 | 0.02 | 0 |
| `needs-no-transaction` | 0.01 | 0 | 0 |
| `locks-out` | 0.01 | 0 | 0 |

The other rules found nothing. Of 46 statements that were not read, 42 are none of that database (`AUTO_INCREMENT` in a file for SQLite, a missing `;`, a template), three
are `DELIMITER`, which is a command of the client, and one names a column twice.
";

    /// The page of docs/ that lists them.
    fn page() -> String {
        let mut page = "# Rules\n\n\
        What `migrate check` finds in the scripts of a migration. `migrate check --rules` lists the rules, and `migrate check --explain RULE`\n\
        prints one. An error stops every step that would run the script; a warning is said, and stops nothing. `[[expand.allow]]`, with the\n\
        beginning of the statement and a reason, excuses one statement ([files](files.md)). A warning is silenced by a comment on the line\n\
        above its statement, or behind it: `-- phasegate:allow RULE: reason`; and in the whole project by `[lint.off]`.\n\
        What a statement costs depends on the server: `[lint]` of migrate.toml says which is the oldest.\n\n\
        | rule | | finds |\n| --- | --- | --- |\n"
        .to_owned();
        for rule in RULES {
            let _ = writeln!(
                page,
                "| [`{0}`](#{0}) | {1} | {2} |",
                rule.code,
                rule.severity_name(),
                rule.finds
            );
        }
        for rule in RULES {
            let _ = write!(
                page,
                "\n## {}\n\nFinds {}. {}, in {}; {}.\n\n{}\n\n{}\n",
                rule.code,
                rule.finds,
                rule.databases(),
                rule.scripts(),
                match rule.severity {
                    Severity::Error => "an error",
                    Severity::Warning => "a warning",
                },
                rule.why,
                rule.instead
            );
        }
        page.push_str(MEASURED);
        page
    }

    #[test]
    fn each_rule_is_explained_once_and_in_order() {
        for pair in RULES.windows(2) {
            assert!(pair[0].code < pair[1].code, "{}", pair[1].code);
        }
        for rule in RULES {
            for text in [rule.finds, rule.why, rule.instead] {
                assert!(!text.is_empty(), "{}", rule.code);
            }
            assert!(
                rule.why.ends_with('.') && rule.instead.ends_with('.'),
                "{}",
                rule.code
            );
        }
    }

    /// `PHASEGATE_WRITE=1 cargo test --lib the_page_of_the_rules` writes it anew.
    #[test]
    fn the_page_of_the_rules_is_what_they_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
        if std::env::var_os("PHASEGATE_WRITE").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(written == page(), "docs/rules.md is not what `page` writes");
    }

    /// Every code that a script can be told of is one of a rule, or says that it cannot be read at all.
    #[test]
    fn every_finding_has_a_rule() {
        const UNREADABLE: &[&str] = &["sql", "empty-script", "bad-check", "not-a-select"];
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src/project");
        let mut files = vec![
            format!("{root}/scripts.rs"),
            format!("{root}/finding.rs"),
            format!("{root}/examined.rs"),
        ];
        let mut folders = vec![format!("{root}/rules")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let found = path.display().to_string();
                if path.is_dir() {
                    folders.push(found);
                } else {
                    files.push(found);
                }
            }
        }
        let mut seen = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let squeezed = text.split_whitespace().collect::<Vec<_>>().join("");
            for part in squeezed.split("Finding::new(\"").skip(1) {
                let code = part.split('"').next().unwrap();
                assert!(
                    rule(code).is_some() || UNREADABLE.contains(&code),
                    "{file}: {code}"
                );
                seen += 1;
            }
        }
        assert!(seen > 10, "{seen}");
    }
}
