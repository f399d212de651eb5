use std::time::Duration;

use super::super::counters::Counted;
use super::*;

fn found(calls: &[(&str, i64)]) -> Counters {
    let statements = calls.iter().map(|(text, calls)| Counted {
        text: (*text).to_owned(),
        calls: *calls,
        grew: None,
        roles: "app".to_owned(),
        last: String::new(),
    });
    Counters {
        subject: "the column `users.full_name`".to_owned(),
        counters: "1".to_owned(),
        missed: "no room",
        statements: statements.collect(),
        ..Counters::default()
    }
}

fn is_clear_at(record: &UseRecord, now: i64, except: &[&str]) -> bool {
    let rule = UnusedRule {
        lasts: Duration::from_millis(100),
        except: except.iter().map(|text| (*text).to_owned()).collect(),
        span: 0..0,
    };
    judged(&rule, record, now, Dialect::Postgres).is_clear()
}

#[test]
fn what_grew_between_two_looks_was_used_at_the_second() {
    let first = followed(None, &found(&[("SELECT a", 5)]), 1000);
    assert!(!is_clear_at(&first, 1099, &[]), "not long enough");
    assert!(
        is_clear_at(&first, 1100, &[]),
        "sent before anybody looked, and not since"
    );
    let second = followed(
        Some(&first),
        &found(&[("SELECT a", 6), ("SELECT b", 1)]),
        1100,
    );
    assert_eq!(second.since, 1000);
    assert_eq!(
        second
            .statements
            .iter()
            .map(|one| one.grew_at)
            .collect::<Vec<_>>(),
        [1100, 1100]
    );
    let third = followed(
        Some(&second),
        &found(&[("SELECT a", 6), ("SELECT b", 1)]),
        1199,
    );
    assert!(!is_clear_at(&third, 1199, &[]));
    assert!(is_clear_at(&third, 1200, &[]));
    assert!(!is_clear_at(&third, 1199, &["select a"]));
    assert!(is_clear_at(&third, 1199, &["select a", "SELECT b"]));
}

#[test]
fn looks_with_a_gap_between_them_begin_anew() {
    let first = followed(None, &found(&[("SELECT a", 5)]), 1000);
    let same = found(&[("SELECT a", 5)]);
    for (what, gap) in [
        (
            "set back",
            Counters {
                counters: "2".to_owned(),
                ..same.clone()
            },
        ),
        (
            "no room",
            Counters {
                evicted: 1,
                ..same.clone()
            },
        ),
        ("set back", found(&[("SELECT a", 4)])),
        ("set back", found(&[])),
        (
            "no right",
            Counters {
                blind: Some("no right".to_owned()),
                ..same.clone()
            },
        ),
        (
            "",
            Counters {
                subject: "the table `users`".to_owned(),
                ..same.clone()
            },
        ),
    ] {
        let then = followed(Some(&first), &gap, 2000);
        assert_eq!(then.since, 2000, "{then:?}");
        assert!(then.began.contains(what), "{then:?}");
        // It is remembered why, as long as no other gap comes; what was not seen is known from the next look on.
        let since = if gap.blind.is_some() { 2050 } else { 2000 };
        let after = followed(Some(&then), &Counters { blind: None, ..gap }, 2050);
        assert_eq!((after.since, after.began), (since, then.began));
    }
    let again = followed(Some(&first), &same, 2000);
    assert_eq!(again.since, 1000);
}

#[test]
fn a_look_that_sees_nothing_forgets_nothing_and_shows_nothing() {
    let first = followed(None, &found(&[("SELECT a", 5)]), 1000);
    let used = followed(Some(&first), &found(&[("SELECT a", 6)]), 1010);
    let blind = Counters {
        blind: Some("no right".to_owned()),
        ..Counters::default()
    };
    let unseen = followed(Some(&used), &blind, 1020);
    let seen = followed(
        Some(&unseen),
        &found(&[("SELECT a", 6), ("SELECT b", 1)]),
        1030,
    );
    assert_eq!((seen.since, seen.began.as_str()), (1030, "no right"));
    // When the second was sent nobody knows: before anybody looked, or since.
    let grew = seen.statements.iter().map(|one| one.grew_at);
    assert_eq!(grew.collect::<Vec<_>>(), [1010, 0]);
    assert!(!is_clear_at(&seen, 1129, &[]));
    assert!(is_clear_at(&seen, 1130, &[]));
}
