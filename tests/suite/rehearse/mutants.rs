//! The generated scripts of a rename, each with one thing wrong: a line or a statement left out, a direction, a comparison, a
//! NULL. Somebody who makes a script their own can make any of these mistakes.

use std::collections::BTreeMap;

use super::project;
use super::shop::declared;
use crate::support::backend::Db;

const DIR: &str = "0002_name";

/// What stands in place of what.
const SWAPS: &[(&str, &str)] = &[
    (" IS NULL", " IS NOT NULL"),
    ("NOT (", "("),
    (" AND ", " OR "),
    ("NEW.", "OLD."),
    ("OLD.", "NEW."),
    ("full_name", "name"),
    (" name = full_name", " name = NULL"),
    ("NEW.name", "NEW.email"),
    ("INSERT ON", "UPDATE ON"),
    ("UPDATE ON", "INSERT ON"),
    ("UPDATE OF name", "UPDATE OF full_name"),
    (" *= ", " *<> "),
    (" <=> ", " <> "),
    ("BEFORE", "AFTER"),
    (" > ", " >= "),
    (" <= ", " < "),
    ("DROP COLUMN full_name", "DROP COLUMN name"),
    ("DROP COLUMN name", "DROP COLUMN full_name"),
    ("name := ", "name := NULL; -- "),
];

struct Mutant {
    file: String,
    what: String,
    text: String,
}

/// Whether a line only spares a second write of what is there already: without it the same rows come out. Both formats of a
/// rename are one value, so that it does not matter which of them is compared with which.
fn spares(line: &str) -> bool {
    let has = |all: &[&str]| all.iter().all(|one| line.contains(one));
    has(&["NEW.full_name", "NEW.name", " IS ("])
        || has(&["NEW.full_name", "NEW.name", "<=>"])
        || has(&["OR (", "full_name", "name"])
        || line.contains("other")
        // Which of the columns has changed is asked once more, by whether they agree.
        || has(&["NEW.full_name", "OLD.full_name"])
        || has(&["CAST(OLD.", "IS DISTINCT FROM CAST(NEW."])
}

fn mutants(scripts: &BTreeMap<String, String>) -> Vec<Mutant> {
    let mut found: Vec<Mutant> = Vec::new();
    let mut add = |file: &str, what: String, text: String| {
        let is_new = scripts[file] != text
            && !found
                .iter()
                .any(|other| other.file == file && other.text == text);
        if is_new {
            found.push(Mutant {
                file: file.to_owned(),
                what,
                text,
            });
        }
    };
    for (file, script) in scripts {
        let lines: Vec<&str> = script.lines().collect();
        let with = |at: usize, line: Option<String>| {
            let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            match line {
                Some(line) => changed[at] = line,
                None => drop(changed.remove(at)),
            }
            format!("{}\n", changed.join("\n"))
        };
        for (at, line) in lines.iter().enumerate() {
            if line.trim().is_empty() || line.starts_with("--") || spares(line) {
                continue;
            }
            add(file, format!("without `{}`", line.trim()), with(at, None));
            for (from, to) in SWAPS {
                for (place, _) in line.match_indices(from) {
                    let changed = format!("{}{to}{}", &line[..place], &line[place + from.len()..]);
                    let what = format!("`{}` in place of `{}`", changed.trim(), line.trim());
                    add(file, what, with(at, Some(changed)));
                }
            }
        }
        // Whole statements of several lines.
        let paragraphs: Vec<&str> = script.split("\n\n").collect();
        for (at, paragraph) in paragraphs.iter().enumerate() {
            let rest: Vec<&str> = paragraphs
                .iter()
                .enumerate()
                .filter_map(|(other, text)| (other != at).then_some(*text))
                .collect();
            if rest.is_empty() {
                continue;
            }
            let first = paragraph.lines().find(|line| !line.starts_with("--"));
            let what = format!("without all of `{}`", first.unwrap_or_default());
            add(file, what, format!("{}\n", rest.join("\n\n")));
        }
    }
    found
}

/// Who finds it; nobody if nobody does.
fn found(project: &crate::support::project::Project) -> Option<String> {
    let checked = project.migrate(&["check"]);
    if checked.code != 0 {
        return Some("check".to_owned());
    }
    if checked.stderr.to_lowercase().contains("warning") {
        return Some("check warns".to_owned());
    }
    let output = project.migrate(&["rehearse", "2", "--rows", "0", "--output", "json"]);
    assert!(matches!(output.code, 0 | 11), "{output:?}");
    let codes: Vec<String> = super::codes(&output.json())
        .into_iter()
        .filter(|code| code != "extreme-refused")
        .collect();
    (!codes.is_empty()).then(|| codes.join(", "))
}

/// A rehearsal takes seconds, and there are more than a hundred: the suite tries some on each database, and the long form all.
fn all_are_found(backend: &str) {
    let is_long = std::env::var_os("PHASEGATE_CHECK").is_some_and(|how| how == "long");
    let one_of = match (is_long, backend) {
        (true, _) => 1,
        (false, "sqlite") => 12,
        (false, _) => 50,
    };
    let db = Db::on(backend);
    let project = project(&db, &declared(db.backend.name));
    project.migrate(&["generate", "2"]).expect_code(0);
    let path = project.path().join(DIR);
    // The later ones are of no concern here.
    for other in std::fs::read_dir(project.path())
        .expect("it is there")
        .flatten()
    {
        if other.file_name().to_string_lossy().as_ref() > "0003" && other.path().is_dir() {
            std::fs::remove_dir_all(other.path()).expect("it is ours");
        }
    }
    let mut scripts = BTreeMap::new();
    for file in std::fs::read_dir(&path).expect("it was written").flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file.path()).expect("a script");
        // Without its first line it is somebody's own, and is not compared.
        if let (true, Some((_, own))) = (name.ends_with(".sql"), text.split_once('\n')) {
            scripts.insert(name, own.to_owned());
        }
    }
    let write = |name: &str, text: &str| {
        std::fs::write(path.join(name), text).expect("the directory is there");
    };
    scripts.iter().for_each(|(name, text)| write(name, text));
    assert_eq!(found(&project), None, "what is right is accused");
    let all = mutants(&scripts);
    let tried: Vec<&Mutant> = all
        .iter()
        .enumerate()
        .filter_map(|(index, mutant)| (index % one_of == 5 % one_of).then_some(mutant))
        .collect();
    assert!(tried.len() > 1, "{} of {}", tried.len(), all.len());
    let mut told = Vec::new();
    let mut missed = 0_usize;
    for mutant in &tried {
        write(&mutant.file, &mutant.text);
        let by = found(&project);
        write(&mutant.file, &scripts[&mutant.file]);
        missed += usize::from(by.is_none());
        told.push(format!(
            "{:<13} {:<24} {}",
            mutant.file,
            by.as_deref().unwrap_or("NOBODY"),
            mutant.what
        ));
    }
    let told = told.join("\n");
    eprintln!("{backend}: {missed} of {} missed\n{told}", tried.len());
    // One of twenty may be.
    assert!(
        missed * 20 <= tried.len(),
        "{missed} of {} missed\n{told}",
        tried.len()
    );
}

#[test]
fn what_is_wrong_in_a_generated_script_is_found_on_sqlite() {
    all_are_found("sqlite");
}

#[test]
fn what_is_wrong_in_a_generated_script_is_found_on_postgres() {
    all_are_found("postgres");
}

#[test]
fn what_is_wrong_in_a_generated_script_is_found_on_mariadb() {
    all_are_found("mysql");
}
