//! Changelogs of Liquibase in XML, YAML and JSON, with all that they name beside their changesets: `sh tests/runners.sh`.

use super::adopt::unadopted;
use super::elsewhere::{adopted, alone, past_the_gate};
use super::node::{LIQUIBASE, liquibase_program};
use super::projects::{Tool, bare, by_hand, has_column, history, project};
use super::steps::rolls;
use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::said;

const XML: Tool = Tool {
    revisions: [
        "db/changelog/all.xml::1::dev",
        "db/changelog/more/title.xml::2::dev",
        "db/changelog/all.xml::3::dev",
    ],
    write: |project, db| {
        liquibase_program(project, db, "db/changelog/all.xml");
        let set = |id: u32, change: &str| {
            format!("<changeSet id=\"{id}\" author=\"dev\">{change}</changeSet>\n")
        };
        let create = "<createTable tableName=\"shop\"><column name=\"id\" type=\"int\"><constraints primaryKey=\"true\"/></column>\
                      <column name=\"name\" type=\"${text}\"/></createTable>";
        let text = "<property name=\"text\" value=\"varchar(100)\"/>\n";
        let include = "<include file=\"more/title.xml\" relativeToChangelogFile=\"true\"/>\n";
        // What a changeset is in another file for.
        let drop = "<sqlFile path=\"more/drop.sql\" relativeToChangelogFile=\"true\"/>";
        let all = [text, &set(1, create), include, &set(3, drop)].concat();
        project.file("db/changelog/all.xml", &xml(&all));
        project.file("db/changelog/more/drop.sql", super::projects::DROP);
        let add = "<addColumn tableName=\"shop\"><column name=\"title\" type=\"varchar(100)\"/></addColumn>";
        project.file("db/changelog/more/title.xml", &xml(&set(2, add)));
    },
    ..LIQUIBASE
};

fn xml(text: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<databaseChangeLog xmlns=\"http://www.liquibase.org/xml/ns/dbchangelog\"\n\
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://www.liquibase.org/xml/ns/dbchangelog\n\
         http://www.liquibase.org/xml/ns/dbchangelog/dbchangelog-latest.xsd\">\n{text}</databaseChangeLog>\n"
    )
}

const YAML: Tool = Tool {
    revisions: [
        "db/changelog/all.yaml::1::dev",
        "db/changelog/all.yaml::2::dev",
        "db/changelog/all.yaml::3::dev",
    ],
    write: |project, db| {
        liquibase_program(project, db, "db/changelog/all.yaml");
        project.file("db/changelog/all.yaml", CHANGES);
    },
    ..LIQUIBASE
};

const CHANGES: &str = "\
databaseChangeLog:
  - property:
      name: text
      value: varchar(100)
  - changeSet:
      id: 1
      author: dev
      changes:
        - createTable:
            tableName: shop
            columns:
              - column: { name: id, type: int, constraints: { primaryKey: true } }
              - column: { name: name, type: '${text}' }
  - changeSet:
      id: 2
      author: dev
      changes:
        - addColumn:
            tableName: shop
            columns:
              - column: { name: title, type: '${text}' }
  - changeSet:
      id: 3
      author: dev
      changes:
        - dropColumn: { tableName: shop, columnName: name }
";

const JSON: Tool = Tool {
    revisions: [
        "db/changelog/all.json::1::dev",
        "db/changelog/all.json::2::dev",
        "db/changelog/all.json::3::dev",
    ],
    write: |project, db| {
        liquibase_program(project, db, "db/changelog/all.json");
        let changes: serde_json::Value =
            yaml_serde::from_str(CHANGES).expect("one is as good as the other");
        project.file("db/changelog/all.json", &changes.to_string());
    },
    ..LIQUIBASE
};

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn xml_rolls() {
    rolls(&XML, &Db::on("postgres"));
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn yaml_rolls() {
    rolls(&YAML, &Db::on("postgres"));
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn json_rolls() {
    rolls(&JSON, &Db::on("postgres"));
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn xml_past_the_gate() {
    past_the_gate(&XML);
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn yaml_applies_that_one_alone() {
    alone(&YAML);
}

/// By what `update-sql` prints of each.
#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn what_is_no_sql_is_brought_in_by_what_liquibase_prints() {
    for tool in [&XML, &YAML, &JSON] {
        assert_eq!(adopted(tool), ["adds", "takes"], "{:?}", tool.revisions);
    }
}

/// The word that somebody has given of a changeset is held against what it prints, applied or not.
#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn what_is_printed_is_held_against_the_word_for_it() {
    let db = Db::on("postgres");
    let project = project(&XML, &db);
    let [_, add, drop] = XML.revisions;
    let swapped = super::projects::manifest(drop, add)
        .replace("[contract]", "judged = \"harmless\"\n[contract]")
        + "judged = \"what goes\"\n";
    project.file("0001_title/migration.toml", &swapped);
    project.migrate(&["check"]).expect_code(0);
    let told = |project: &Project| {
        let checked = project.migrate(&["check", "--printed"]);
        assert!(
            said(&checked).contains("live versions may not survive what liquibase prints of it"),
            "{checked:?}"
        );
    };
    told(&project);
    by_hand(&project, XML.all);
    told(&project);
}

/// Contexts leave it out: that it prints nothing does not say that it does nothing.
#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn what_is_left_out_is_not_taken_for_harmless() {
    let db = Db::on("postgres");
    let project = unadopted(&YAML, &db);
    let changes = CHANGES.replace("id: 3\n", "id: 3\n      context: other\n");
    project.file("db/changelog/all.yaml", &changes);
    let properties = "changelog-file: db/changelog/all.yaml\ncontexts: ours\n";
    project.file("liquibase.properties", properties);
    let adopted = project.migrate(&["adopt"]).expect_code(0);
    assert!(
        said(&adopted).contains("prints nothing of it"),
        "{adopted:?}"
    );
}

/// Liquibase would leave the word as it stands.
#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn what_another_changelog_sets_is_not_lost_unseen() {
    let db = Db::on("postgres");
    let project = project(&XML, &db);
    let file = "db/changelog/more/title.xml";
    let title = std::fs::read_to_string(project.path().join(file)).expect("it was written");
    project.file(file, &title.replace("varchar(100)", "${text}"));
    let refused = project.migrate(&["expand", "1"]).expect_code(1);
    for part in ["uses `${text}`", "db/changelog/all.xml sets", "set it in"] {
        assert!(said(&refused).contains(part), "{part} in {refused:?}");
    }
    assert!(!has_column(&db, "title"));
    assert_eq!(history(&XML, &db).len(), 1);
    // As it says.
    let set = "<property name=\"text\" value=\"varchar(100)\"/>\n<changeSet";
    let title = title
        .replace("varchar(100)", "${text}")
        .replace("<changeSet", set);
    project.file(file, &title);
    project.migrate(&["expand", "1"]).expect_code(0);
    assert!(has_column(&db, "title"));
}

/// What cannot be read one by one is not applied with others.
#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn a_changelog_that_cannot_be_taken_apart_is_not_applied() {
    let db = Db::on("postgres");
    let project = bare(&YAML, &db);
    by_hand(&project, YAML.first);
    let flow: serde_json::Value = yaml_serde::from_str(CHANGES).expect("it is YAML");
    project.file("db/changelog/all.yaml", &flow.to_string());
    let refused = project.migrate(&["expand", "1"]).expect_code(1);
    assert!(
        said(&refused).contains("on a line of its own"),
        "{refused:?}"
    );
    assert!(!has_column(&db, "title"));
    let doubtful = CHANGES.replace("id: 2\n", "id: 02\n");
    project.file("db/changelog/all.yaml", &doubtful);
    let refused = project.migrate(&["check"]).expect_code(1);
    assert!(said(&refused).contains("in quotes"), "{refused:?}");
}
