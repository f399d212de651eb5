//! A trigger that a contract or a revert makes, or a function that triggers call already, and that keeps rows of live
//! versions from being written.

use crate::model::Step;
use crate::sql::{Deed, Dependent, Dependents, Dialect, ObjectKind, Script, Statement, Verb};

use super::super::later;
use super::Scripts;
use super::spoken::own_names;

/// Whether the code of the trigger itself ends a write with an error, or passes over it, in words that complete "it …".
pub(super) fn by_itself(dialect: Dialect, trigger: &Dependent) -> Option<String> {
    let table = trigger.table.as_deref().unwrap_or("…");
    trigger
        .ends_writes(dialect)
        .then(|| format!("may refuse rows of `{table}`, or leave them out"))
}

/// Whether an earlier migration has made a trigger of this name with just this code, be it on the table whose copy it is on now.
pub(super) fn did_before(scripts: &Scripts<'_>, trigger: &Dependent) -> bool {
    let dialect = scripts.dialect;
    let names = [trigger.name.as_str()];
    let before = later::newest(scripts.before(), dialect, &names, |script| {
        let made = Dependents::made_by(script);
        let is_it = |one: &&Dependent| {
            one.kind == ObjectKind::Trigger && dialect.may_be_same_name(&one.name, &trigger.name)
        };
        made.all.iter().find(is_it).cloned()
    });
    let is_same = |before: Dependent| {
        before.calls.is_none()
            && fires_alike(dialect, &before, trigger)
            && dialect.says_the_same(&before.body, &trigger.body)
    };
    before.is_some_and(is_same)
}

/// Whether both say the same of when they run, each of its own table.
fn fires_alike(dialect: Dialect, before: &Dependent, now: &Dependent) -> bool {
    let is_its_table = |one: &Dependent, word: &str| {
        let table = one.table.as_deref();
        table.is_some_and(|table| dialect.may_be_same_name(table, word))
    };
    let mut words = before.header.split_whitespace();
    let mut others = now.header.split_whitespace();
    loop {
        match (words.next(), others.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || is_its_table(before, a) && is_its_table(now, b) => {}
            _ => return false,
        }
    }
}

/// What calling this function makes of a write, in words that complete "it …".
pub(super) fn by_call(dialect: Dialect, function: &str, trigger: &str) -> Option<String> {
    let both = Script::parse(dialect, &format!("{function};\n{trigger}")).ok()?;
    both.statements.last()?.hazard.clone()
}

/// As [`by_call`], and a DELETE that gets no row back, which goes past in silence.
fn by_call_or_deed(dialect: Dialect, function: &str, trigger: &str) -> Option<String> {
    let both = Script::parse(dialect, &format!("{function};\n{trigger}")).ok()?;
    let statement = both.statements.last()?;
    if statement.hazard.is_some() {
        return statement.hazard.clone();
    }
    let code = statement.code(dialect)?;
    let deeds = Dependents::made_by(&both).deeds(&code);
    deeds.into_iter().find_map(|deed| match deed {
        Deed::Breaks { why } | Deed::Replaces { why } => Some(why),
        _ => None,
    })
}

/// What a function does that takes the place of one which triggers call, unless the one before it refused rows as well
/// and its text is about the formats of the migration.
pub(super) fn by_replacement(
    scripts: &Scripts<'_>,
    step: Step,
    statement: &Statement,
    name: &str,
) -> Option<String> {
    let dialect = scripts.dialect;
    let calls = |one: &Statement| {
        let code = one.code(dialect);
        let calls = code.and_then(|code| code.calls);
        calls.is_some_and(|calls| dialect.may_be_same_name(&calls, name))
    };
    let trigger = newest(scripts, name, calls)
        // Of one that nobody shows no more is known than that it is called.
        .unwrap_or_else(|| {
            let name = dialect.quoted(name);
            format!("CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION {name}()")
        });
    let stops = |function: &str| by_call_or_deed(dialect, function, &trigger);
    let why = stops(&statement.text)?;
    if step == Step::Revert && puts_back(scripts, statement, name) {
        return None;
    }
    if let Some(before) = newest(scripts, name, |one| makes(dialect, one, name))
        && stops(&before).is_some()
    {
        let own = scripts.expand.into_iter().chain(scripts.script(step));
        let mut own = own
            .flat_map(own_names)
            .filter(|own| !dialect.may_be_same_name(own, name));
        let is_mended = is_same_code(dialect, &before, &statement.text)
            || own.any(|own| dialect.mentions(&before, own));
        if is_mended {
            return None;
        }
    }
    // What is said of the trigger is said of the function here.
    let what = why.split_once(", which ").map(|(_, what)| what.to_owned());
    Some(what.unwrap_or(why))
}

/// Whether the statement makes a function as it was before this migration.
pub(super) fn puts_back(scripts: &Scripts<'_>, statement: &Statement, name: &str) -> bool {
    let dialect = scripts.dialect;
    let before = later::newest(scripts.before(), dialect, &[name], |script| {
        let mut statements = script.statements.iter().rev();
        Some(
            statements
                .find(|one| makes(dialect, one, name))?
                .text
                .clone(),
        )
    });
    before.is_some_and(|before| is_same_code(dialect, &before, &statement.text))
}

/// Whether it makes a function of this name.
fn makes(dialect: Dialect, statement: &Statement, name: &str) -> bool {
    statement.objects().any(|object| {
        object.kind == ObjectKind::Function
            && object.verb == Verb::Create
            && dialect.may_be_same_name(&object.name, name)
    })
}

/// Whether both make the same, be it for the first time or in the place of what is there.
fn is_same_code(dialect: Dialect, before: &str, after: &str) -> bool {
    let made = |text: &str| {
        let mut words = text.trim_start().splitn(4, char::is_whitespace);
        let says = |word: Option<&str>, wanted: &str| {
            word.is_some_and(|word| word.eq_ignore_ascii_case(wanted))
        };
        let replaces = says(words.next(), "CREATE")
            && says(words.next(), "OR")
            && says(words.next(), "REPLACE");
        match words.next().filter(|_| replaces) {
            Some(rest) => format!("CREATE {rest}"),
            None => text.to_owned(),
        }
    };
    dialect.says_the_same(&made(before), &made(after))
}

/// The newest statement of which this is so, in expand.sql or before it.
fn newest(scripts: &Scripts<'_>, name: &str, is_it: impl Fn(&Statement) -> bool) -> Option<String> {
    let last = |script: &Script| {
        let mut statements = script.statements.iter().rev();
        Some(statements.find(|one| is_it(one))?.text.clone())
    };
    let own = scripts.expand.and_then(last);
    own.or_else(|| later::newest(scripts.before(), scripts.dialect, &[name], last))
}
