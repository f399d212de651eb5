//! Columns that move to a table of their own: both tables stay in step, whoever writes, until one of them has the columns alone.

use std::collections::BTreeMap;

use super::users::{VALUES, literal};
use crate::support::backend::{Db, Ledger};
use crate::support::connection::Connection;
use crate::support::shop::Shop;

const SERVICES: &str = "[services.web]\nold = \"<1.2.0\"\nnew = \">=1.2.0\"\n";

fn manifest(backend: &str, services: &str) -> String {
    // SQLite gives out keys of this type alone.
    let key = if backend == "sqlite" {
        "integer"
    } else {
        "bigint"
    };
    format!(
        "description = \"Addresses\"\n{services}[change]\nkind = \"split-table\"\ntable = \"users\"\nkey = \"id\"\nto = \"addresses\"\n\
         link = \"user_id\"\nnew = {{ user_id = \"{key}\", street = \"varchar(200)\", city = \"varchar(200)\" }}\n"
    )
}

/// A shop whose users have two columns that move.
fn shop(db: Db) -> Shop {
    let shop = Shop::new(db);
    shop.db.execute(
        "ALTER TABLE users ADD COLUMN street varchar(200); ALTER TABLE users ADD COLUMN city varchar(200)",
    );
    shop.db
        .execute("UPDATE users SET street = 'High St', city = full_name WHERE full_name < 'C'");
    let text = manifest(shop.db.backend.name, SERVICES);
    shop.project
        .migration("0001_addresses", &[("migration.toml", &text)]);
    shop.run(&["generate"], 0);
    let checked = shop.run(&["check"], 0);
    assert_eq!(checked.stderr, "", "{checked:?}");
    shop
}

type Pair = [Option<&'static str>; 2];

const NOTHING: Pair = [None, None];

/// What stands in both tables, as it should.
struct Both {
    connection: Connection,
    users: BTreeMap<u64, Pair>,
    addresses: BTreeMap<u64, Pair>,
    random: fastrand::Rng,
    backend: &'static str,
    /// Whether a row that another takes the place of goes unnoticed: SQLite fires no triggers for it unless they may answer
    /// themselves, and forgets what belongs to it where it minds no foreign keys.
    replaces_in_silence: bool,
    next: u64,
}

impl Both {
    fn pair(&mut self) -> Pair {
        if self.random.u8(0..6) == 0 {
            return NOTHING;
        }
        [0, 1].map(|_| *self.random.choice(VALUES).expect("there are some"))
    }

    fn new_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// What a write of the old format leaves in the new table.
    fn wrote_old(&mut self, id: u64, pair: Pair) {
        self.users.insert(id, pair);
        let is_empty = self.addresses.get(&id) == Some(&NOTHING);
        if pair != NOTHING {
            self.addresses.insert(id, pair);
        } else if !is_empty {
            self.addresses.remove(&id);
        }
    }

    fn wrote_new(&mut self, id: u64, pair: Pair) {
        self.addresses.insert(id, pair);
        self.users.insert(id, pair);
    }

    fn do_it(&mut self, sql: &str) {
        self.connection.execute(sql);
    }

    /// `ON CONFLICT …`, with what is set.
    fn instead(&self, key: &str, [street, city]: Pair) -> String {
        let set = format!("street = {}, city = {}", literal(street), literal(city));
        match self.backend {
            "mysql" => format!("ON DUPLICATE KEY UPDATE {set}"),
            _ => format!("ON CONFLICT ({key}) DO UPDATE SET {set}"),
        }
    }

    fn of_users(&mut self, event: u8, id: u64) {
        let pair = self.pair();
        let [street, city] = pair.map(literal);
        match event {
            0 => {
                let (one, other) = (self.new_id(), self.new_id());
                self.do_it(&format!(
                    "INSERT INTO users (id, full_name, street, city) VALUES ({one}, 'x', {street}, {city}), ({other}, 'y', {city}, {street})"
                ));
                self.wrote_old(one, pair);
                self.wrote_old(other, [pair[1], pair[0]]);
            }
            1 => {
                let one = self.new_id();
                self.do_it(&format!(
                    "INSERT INTO users (id, full_name) VALUES ({one}, 'x')"
                ));
                self.wrote_old(one, NOTHING);
            }
            2 => {
                let one = self.new_id();
                self.do_it(&format!(
                    "INSERT INTO users (id, full_name, street, city) SELECT {one}, full_name, {street}, {city} FROM users WHERE id = {id}"
                ));
                self.wrote_old(one, pair);
            }
            3 => {
                self.do_it(&format!("UPDATE users SET city = {city} WHERE id = {id}"));
                let there = self.users[&id][0];
                self.wrote_old(id, [there, pair[1]]);
            }
            4 => self.do_it(&format!("UPDATE users SET full_name = 'z' WHERE id = {id}")),
            5 => {
                // A key that changes, alone or with what moves.
                let to = self.new_id();
                let is_alone = self.random.bool();
                let set = match is_alone {
                    true => String::new(),
                    false => format!(", street = {street}, city = {city}"),
                };
                self.do_it(&format!("UPDATE users SET id = {to}{set} WHERE id = {id}"));
                let was = self.users.remove(&id).expect("it is there");
                if let Some(row) = self.addresses.remove(&id) {
                    self.addresses.insert(to, row);
                }
                self.users.insert(to, was);
                if !is_alone && pair != was {
                    self.wrote_old(to, pair);
                }
            }
            6 => {
                self.do_it(&format!("DELETE FROM users WHERE id = {id}"));
                self.users.remove(&id);
                self.addresses.remove(&id);
            }
            7 => {
                let id = if self.random.bool() {
                    id
                } else {
                    self.new_id()
                };
                let instead = self.instead("id", pair);
                self.do_it(&format!(
                    "INSERT INTO users (id, full_name, street, city) VALUES ({id}, 'u', {street}, {city}) {instead}"
                ));
                if self.users.get(&id) != Some(&pair) {
                    self.wrote_old(id, pair);
                }
            }
            8 if self.backend != "postgres" => {
                // The row that was there goes, with what belongs to it.
                self.do_it(&format!(
                    "REPLACE INTO users (id, full_name, street, city) VALUES ({id}, 'r', {street}, {city})"
                ));
                if !self.replaces_in_silence {
                    self.addresses.remove(&id);
                }
                self.wrote_old(id, pair);
            }
            9 => {
                // All keys at once, and on MySQL each to the one that the row before it leaves.
                let (by, order) = match self.backend {
                    "mysql" => (1, " ORDER BY id DESC"),
                    _ => (1000, ""),
                };
                self.do_it(&format!("UPDATE users SET id = id + {by}{order}"));
                let up = |rows: &BTreeMap<u64, Pair>| {
                    rows.iter().map(|(id, pair)| (id + by, *pair)).collect()
                };
                (self.users, self.addresses) = (up(&self.users), up(&self.addresses));
                self.next += by;
            }
            _ => {
                self.do_it(&format!(
                    "UPDATE users SET street = {street}, city = {city} WHERE id = {id}"
                ));
                if self.users[&id] != pair {
                    self.wrote_old(id, pair);
                }
            }
        }
    }

    fn of_addresses(&mut self, event: u8, id: u64) {
        let pair = self.pair();
        let [street, city] = pair.map(literal);
        let is_there = self.addresses.contains_key(&id);
        match event {
            0 | 1 if !is_there => {
                self.do_it(&format!(
                    "INSERT INTO addresses (user_id, street, city) VALUES ({id}, {street}, {city})"
                ));
                self.wrote_new(id, pair);
            }
            2 => {
                self.do_it(&format!("DELETE FROM addresses WHERE user_id = {id}"));
                self.addresses.remove(&id);
                self.users.insert(id, NOTHING);
            }
            3 => {
                let instead = self.instead("user_id", pair);
                self.do_it(&format!(
                    "INSERT INTO addresses (user_id, street, city) VALUES ({id}, {street}, {city}) {instead}"
                ));
                self.wrote_new(id, pair);
            }
            4 if is_there => {
                let free = self.users.keys().copied();
                let free = free.filter(|other| !self.addresses.contains_key(other));
                let free: Vec<u64> = free.collect();
                let Some(to) = self.random.choice(free) else {
                    return;
                };
                self.do_it(&format!(
                    "UPDATE addresses SET user_id = {to}, street = {street} WHERE user_id = {id}"
                ));
                let was = self.addresses.remove(&id).expect("it is there");
                self.users.insert(id, NOTHING);
                self.wrote_new(to, [pair[0], was[1]]);
            }
            5 if self.backend != "postgres" => {
                self.do_it(&format!(
                    "REPLACE INTO addresses (user_id, street, city) VALUES ({id}, {street}, {city})"
                ));
                self.wrote_new(id, pair);
            }
            6 => {
                self.do_it(&format!(
                    "UPDATE addresses SET city = {city} WHERE street IS NULL"
                ));
                let all = self.addresses.clone();
                for (id, [street, _]) in all.into_iter().filter(|(_, pair)| pair[0].is_none()) {
                    self.wrote_new(id, [street, pair[1]]);
                }
            }
            _ => {
                self.do_it(&format!(
                    "UPDATE addresses SET street = {street}, city = {city} WHERE user_id = {id}"
                ));
                if is_there {
                    self.wrote_new(id, pair);
                }
            }
        }
    }

    fn step(&mut self) {
        let ids: Vec<u64> = self.users.keys().copied().collect();
        let event = self.random.u8(0..12);
        match self.random.choice(ids) {
            None => self.of_users(0, 0),
            Some(id) if self.random.bool() => self.of_users(event, id),
            Some(id) => self.of_addresses(event, id),
        }
    }

    #[track_caller]
    fn compare(&mut self, after: &str) {
        for (sql, wanted) in [
            (
                "SELECT id, street, city FROM users ORDER BY id",
                &self.users,
            ),
            (
                "SELECT user_id, street, city FROM addresses ORDER BY user_id",
                &self.addresses,
            ),
        ] {
            let found = self.connection.query(sql);
            let found: Vec<String> = found.into_iter().map(|row| row.join("|")).collect();
            let wanted = wanted.iter().map(|(id, pair)| {
                let [street, city] = pair.map(|value| value.unwrap_or("NULL"));
                format!("{id}|{street}|{city}")
            });
            assert_eq!(found, wanted.collect::<Vec<_>>(), "{after}: {sql}");
        }
    }
}

scenario!(
    fn both_tables_stay_in_step_whoever_writes(db: Db) {
        let shop = shop(db);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let filled = "SELECT user_id, street, city FROM addresses ORDER BY 1";
        assert_eq!(
            shop.db.query(filled),
            [["1", "High St", "Ann"], ["2", "High St", "Bob"]]
        );
        let mut connection = shop.db.connect();
        connection.execute("DELETE FROM users");
        let seed = fastrand::u64(..);
        let mut both = Both {
            connection,
            users: BTreeMap::new(),
            addresses: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
            backend: shop.db.backend.name,
            replaces_in_silence: false,
            next: 10,
        };
        for index in 0..400 {
            // What a connection to SQLite wants of it, and whether its triggers may answer themselves.
            if both.backend == "sqlite" && index % 100 == 0 {
                both.replaces_in_silence = true;
                for what in ["foreign_keys", "recursive_triggers"] {
                    let on = both.random.bool();
                    both.do_it(&format!("PRAGMA {what} = {on}"));
                    both.replaces_in_silence &= !on;
                }
            }
            both.step();
            if index % 10 == 9 {
                both.compare(&format!("seed {seed}, {index} events"));
            }
        }
        let rows = shop.db.query(filled);
        drop(both);
        let output = shop.run(&["contract"], 0);
        assert!(output.stdout.contains("contracted"), "{output:?}");
        assert_eq!(shop.db.query(filled), rows, "the new table is as it was");
        assert!(shop.db.try_execute("SELECT street FROM users").is_err());
        shop.db
            .execute("INSERT INTO users (id, full_name) VALUES (9000, 'after')");
        shop.db
            .execute("INSERT INTO addresses (user_id, city) VALUES (9000, 'after')");
    }
);

scenario!(
    fn a_table_that_was_split_is_whole_again_after_a_revert(db: Db) {
        let shop = shop(db);
        let before = shop.db.dump(Ledger::Excluded);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.db.execute(
            "INSERT INTO addresses (user_id, street, city) VALUES (3, 'from', 'the new one')",
        );
        shop.run(&["revert", "1"], 0);
        assert_eq!(
            shop.db.query("SELECT street, city FROM users WHERE id = 3"),
            [["from", "the new one"]]
        );
        shop.db
            .execute("UPDATE users SET street = NULL, city = NULL WHERE id = 3");
        assert_eq!(shop.db.dump(Ledger::Excluded), before);
    }
);

scenario!(
    fn writers_of_both_tables_beside_each_other(db: Db) {
        const WRITERS: usize = 4;
        const WRITES: usize = 60;
        let shop = shop(db);
        shop.run(&["expand"], 0);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let db = &shop.db;
                scope.spawn(move || {
                    let mut connection = db.connect();
                    for round in 0..WRITES {
                        let id = (writer + round) % 5 + 1;
                        let value = format!("W{writer} R{round}");
                        let sql = match (writer % 2, round % 4) {
                            (0, 0) => format!(
                                "UPDATE users SET street = NULL, city = NULL WHERE id = {id}"
                            ),
                            (0, _) => {
                                format!("UPDATE users SET street = '{value}' WHERE id = {id}")
                            }
                            (_, 0) => format!("DELETE FROM addresses WHERE user_id = {id}"),
                            (_, 1) => format!(
                                "INSERT INTO addresses (user_id, city) VALUES ({id}, '{value}')"
                            ),
                            _ => format!(
                                "UPDATE addresses SET city = '{value}' WHERE user_id = {id}"
                            ),
                        };
                        // Somebody else may have made the row, or wait for this one: that is said, and nothing is half done.
                        let _refused = connection.try_execute(&sql);
                    }
                });
            }
            // Rows that the backfill meets are written meanwhile.
            shop.run(&["backfill"], 0);
        });
        shop.run(&["backfill"], 0);
        let apart = "SELECT count(*) FROM users LEFT JOIN addresses ON user_id = id \
            WHERE coalesce(users.street, '-') <> coalesce(addresses.street, '-') OR coalesce(users.city, '-') <> coalesce(addresses.city, '-')";
        assert_eq!(shop.db.value(apart), "0");
        shop.run(&["contract"], 0);
    }
);

/// A role that may write one of the tables need not have any right to the other one, and nobody else can have a trigger that
/// writes with the rights of the owner.
#[test]
fn whoever_may_write_the_table_may_write_it_as_before() {
    let shop = shop(Db::on("postgres"));
    let role = format!("writer_{:08x}", fastrand::u32(..));
    shop.db.execute(&format!(
        "CREATE ROLE {role}; GRANT INSERT ON users TO {role}; GRANT CREATE ON SCHEMA public TO {role}"
    ));
    shop.run(&["expand"], 0);
    let mut connection = shop.db.connect();
    connection.execute(&format!("SET ROLE {role}"));
    connection.execute("CREATE TEMPORARY TABLE addresses (user_id bigint, street text, city text)");
    connection.execute("SET search_path = pg_catalog");
    connection
        .execute("INSERT INTO public.users (id, full_name, city) VALUES (70, 'Old', 'There')");
    connection.execute("INSERT INTO public.users (id, full_name) VALUES (71, 'New')");
    connection.execute("INSERT INTO public.addresses (user_id, city) VALUES (71, 'Here')");
    connection.execute("CREATE TABLE public.mine (id bigint, street text, city text)");
    let refused = connection.try_execute(
        "CREATE TRIGGER mine AFTER INSERT ON public.mine FOR EACH ROW EXECUTE FUNCTION public.zz_0001_users_to_new()",
    );
    assert!(refused.is_err(), "anybody could write through it");
    connection.execute("RESET ROLE");
    assert_eq!(
        shop.db.query("SELECT u.city, a.city FROM public.users u JOIN public.addresses a ON a.user_id = u.id WHERE u.id >= 70 ORDER BY u.id"),
        [["There", "There"], ["Here", "Here"]]
    );
    drop(connection);
    shop.db
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// What the new table could not keep from anybody.
#[test]
fn a_table_with_row_level_security_is_not_split_by_generated_scripts() {
    let shop = shop(Db::on("postgres"));
    shop.db
        .execute("ALTER TABLE users ENABLE ROW LEVEL SECURITY");
    let refused = shop.run(&["expand"], 1);
    assert!(refused.stderr.contains("row level security"), "{refused:?}");
    assert!(shop.db.try_execute("SELECT * FROM addresses").is_err());
}

#[test]
fn a_release_that_writes_both_tables_is_refused() {
    let shop = Shop::new(Db::on("sqlite"));
    let services = SERVICES.replace(">=1.2.0", ">=1.1.0");
    let text = manifest("sqlite", &services);
    shop.project
        .migration("0001_addresses", &[("migration.toml", &text)]);
    let refused = shop.run(&["generate"], 1);
    assert!(
        refused.stderr.contains("1.1.0 writes both formats"),
        "{refused:?}"
    );
}
