//! Questions without the command line: over a connection that is kept, and over one of its own.

use std::path::Path;
use std::time::Duration;

use phasegate::ask::{Answer, Asker, Events, Goal, Question, Record, Wanted, ask};
use phasegate::database::Target;
use phasegate::gate::{BlockerKind, Verdict};
use phasegate::interrupt::Interrupt;
use phasegate::model::Step;
use phasegate::project::Project;

use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::shop::{NAME, Shop};

/// Longer than a test takes.
const KEEP: Duration = Duration::from_secs(3600);

fn target(db: &Db) -> Target {
    Target::parse(&db.url, Path::new("/")).expect("the URL of a test's database")
}

fn files(shop: &Shop) -> Project {
    Project::load_as_far_as_possible(&shop.project.path(), Some(&shop.db.url))
}

fn wanted(label: &str) -> Wanted {
    Wanted {
        service: "web".into(),
        label: label.into(),
    }
}

fn may_start(label: &str) -> Question {
    Question::Deploy {
        versions: vec![wanted(label)],
        record: Record::Nothing,
    }
}

fn may_be_taken(step: Step) -> Question {
    Question::Step {
        step,
        migration: NAME.into(),
        record: Record::Nothing,
    }
}

/// What an answer says, without when it was given.
fn without_times(mut json: serde_json::Value) -> serde_json::Value {
    json["checked_at"] = serde_json::Value::Null;
    json
}

/// As [`without_times`], and without how old the evidence is.
fn without_ages(json: serde_json::Value) -> serde_json::Value {
    let mut json = without_times(json);
    for list in ["sources", "fleet"] {
        for row in json[list].as_array_mut().into_iter().flatten() {
            for field in ["age_ms", "seen_at"] {
                row[field] = serde_json::Value::Null;
            }
        }
    }
    json
}

scenario!(
    fn a_thousand_questions_are_answered_over_one_connection(db: Db) {
        let shop = Shop::with_name(db);
        let project = files(&shop);
        let mut asker = Asker::new(target(&shop.db), Interrupt::default(), KEEP);
        for _ in 0..500 {
            let answer = block_on(asker.ask(&project, &may_start("1.1.0"))).expect("an answer");
            assert_eq!(answer.verdict(), Verdict::Refuse);
            let answer = block_on(asker.ask(&project, &may_be_taken(Step::Expand)));
            assert_eq!(answer.expect("an answer").verdict(), Verdict::Go);
        }
        // Under the path of an embedded database there may be another file by now.
        let is_embedded = shop.db.backend.name == "sqlite";
        assert_eq!(asker.connected(), if is_embedded { 1000 } else { 1 });
        // What is done meanwhile is seen through it, and it says what the command says.
        shop.run(&["expand"], 0);
        let asked =
            block_on(asker.ask(&project, &may_be_taken(Step::Contract))).expect("an answer");
        let Answer::Gate { decision, .. } = &asked else {
            panic!("{asked:?}");
        };
        assert_eq!(decision.blockers[0].kind(), BlockerKind::BackfillFirst);
        let told = shop.json(&["gate", "contract", "1"], 11);
        assert_eq!(without_times(asked.to_json()), without_times(told.clone()));
        let (target, question) = (target(&shop.db), may_be_taken(Step::Contract));
        let anew = ask(&project, &target, &question, Interrupt::default());
        let anew = block_on(anew).expect("an answer");
        assert_eq!(without_times(anew.to_json()), without_times(told));
    }
);

scenario!(
    fn what_is_told_is_what_the_command_tells(db: Db) {
        let shop = Shop::with_name(db);
        shop.fleet(&[("web", "a", "1.0.0"), ("web", "b", "1.0.0")]);
        shop.run(&["expand"], 0);
        let project = files(&shop);
        let mut asker = Asker::new(target(&shop.db), Interrupt::default(), KEEP);
        let record = Record::Nothing;
        let goal = Goal {
            to: vec![wanted("1.2.0")],
            via: vec![wanted("1.1.0")],
            ..Goal::default()
        };
        let two = Events {
            last: Some(2),
            ..Events::default()
        };
        let plan = ["plan", "--to", "web=1.2.0", "--via", "web=1.1.0"];
        let questions: [(Question, &[&str], i32); 5] = [
            (Question::Status { record }, &["status"], 0),
            (Question::Fleet { record }, &["fleet"], 0),
            (Question::Plan { goal, record }, &plan, 0),
            (Question::Rollout, &["rollout", "status"], 0),
            (Question::Log(two), &["log", "-n", "2"], 0),
        ];
        for (question, arguments, code) in questions {
            let asked = block_on(asker.ask(&project, &question)).expect("an answer");
            let told = shop.json(arguments, code);
            assert_eq!(
                without_ages(asked.to_json()),
                without_ages(told),
                "{question:?}"
            );
        }
    }
);

scenario!(
    fn the_log_is_told_from_where_it_was_read_last(db: Db) {
        let shop = Shop::with_name(db);
        let project = files(&shop);
        let mut asker = Asker::new(target(&shop.db), Interrupt::default(), KEEP);
        let mut after = |after| {
            let wanted = Events {
                after,
                ..Events::default()
            };
            let answer = block_on(asker.ask(&project, &Question::Log(wanted)));
            match answer.expect("an answer") {
                Answer::Log(log) => log.events,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(after(None), []);
        shop.run(&["expand"], 0);
        let first = after(None);
        let last = first.last().expect("an event").seq;
        assert_eq!(after(Some(last)), []);
        shop.run(&["revert", "1"], 0);
        let next = after(Some(last));
        assert!(!next.is_empty());
        assert!(next.iter().all(|event| event.seq > last), "{next:?}");
    }
);

scenario!(
    fn a_question_that_means_nothing_is_an_error_and_no_answer(db: Db) {
        let shop = Shop::with_name(db);
        let project = files(&shop);
        let mut asker = Asker::new(target(&shop.db), Interrupt::default(), KEEP);
        let nobody = Question::Step {
            step: Step::Expand,
            migration: "0007_nothing".into(),
            record: Record::Nothing,
        };
        for question in [may_start("no-version"), nobody] {
            let answer = block_on(asker.ask(&project, &question));
            assert!(answer.is_err(), "{answer:?}");
        }
        let answer = block_on(asker.ask(&project, &may_start("1.0.0"))).expect("an answer");
        assert_eq!(answer.verdict(), Verdict::Go);
    }
);

/// Ends the sessions of everybody else on this database.
fn end_sessions(db: &Db) {
    if db.backend.name == "postgres" {
        db.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        return;
    }
    let mut connection = db.connect();
    let others = connection.query(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()",
    );
    for other in others {
        // It may have ended by itself.
        let _ = connection.try_execute(&format!("KILL {}", other[0]));
    }
}

scenario!(
    fn a_connection_that_is_lost_costs_one_question_at_most(db: Db) {
        if db.backend.name == "sqlite" {
            // Nothing is kept there.
            return;
        }
        let shop = Shop::with_name(db);
        let project = files(&shop);
        let mut asker = Asker::new(target(&shop.db), Interrupt::default(), KEEP);
        let mut verdict = || {
            let answer = block_on(asker.ask(&project, &may_be_taken(Step::Expand)));
            let verdict = answer.expect("an answer").verdict();
            (verdict, asker.connected())
        };
        assert_eq!(verdict(), (Verdict::Go, 1));
        end_sessions(&shop.db);
        // Whoever cannot look does not say yes. Where it is asked first whether the server is still the one, that is told by it.
        let asks_first = shop.db.backend.name == "mysql";
        let expected = match asks_first {
            true => (Verdict::Go, 2),
            false => (Verdict::Unknown, 1),
        };
        assert_eq!(verdict(), expected);
        assert_eq!(verdict(), (Verdict::Go, 2));
        assert_eq!(verdict(), (Verdict::Go, 2));
    }
);
