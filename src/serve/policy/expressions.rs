//! What a policy says, in the Common Expression Language: each function is an expression. What they say is what
//! [`crate::cluster::said`], [`crate::fleet::contradiction`] and [`super::super::review`] do; `tests` hold them beside each other.

use crate::cluster::{DEFAULT_CONTAINER, Requirement, USUAL_LABEL, VersionFrom};
use crate::gate::Stretch;
use crate::model::Version;

/// Of a change: what is there after it, or was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    New,
    Old,
}

impl Side {
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::New => "",
            Self::Old => "old_",
        }
    }
}

/// A version without its build metadata, which has no part in what it is. That of a build after a tag is what it is.
fn plain(version: &Version) -> String {
    let text = version.to_string();
    if version.tag().is_some() {
        return text;
    }
    text.split('+').next().unwrap_or_default().to_owned()
}

/// A text. What is not of the usual characters is escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A text in which a pattern takes nothing for more than itself.
fn literally(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || "-_/".contains(c) {
            pattern.push(c);
        } else {
            pattern.push('[');
            pattern.push(c);
            pattern.push(']');
        }
    }
    pattern
}

/// What is asked of any object: the template of its pods, with what is read of it. One that makes no pods has none.
pub(super) fn of_objects() -> Vec<(String, String)> {
    let is = |object: &str, key: &str, value: &str| {
        format!("(has({object}.spec.{key}) && {object}.spec.{key} == {value})")
    };
    let template = |object: &str| {
        format!(
            "request.kind.kind == 'Pod' ? {object} : ({} || {}) ? {{}} : has({object}.spec.jobTemplate) ? \
             {object}.spec.jobTemplate.spec.template : has({object}.spec.template) ? {object}.spec.template : {{}}",
            is(object, "replicas", "0"),
            is(object, "suspend", "true"),
        )
    };
    let mut variables = vec![
        // Of several kinds: what one of them does not have is no mistake.
        ("after".to_owned(), "dyn(object)".to_owned()),
        ("before".to_owned(), "dyn(oldObject)".to_owned()),
        // A finalizer of what is deleted is taken away by an update.
        (
            "going".to_owned(),
            "has(variables.after.metadata.deletionTimestamp)".to_owned(),
        ),
        ("template".to_owned(), template("variables.after")),
        (
            // Whoever resumes it starts what is in it.
            "old_template".to_owned(),
            format!(
                "request.operation != 'UPDATE' || ({} && !{}) ? {{}} : ({})",
                is("variables.before", "paused", "true"),
                is("variables.after", "paused", "true"),
                template("variables.before")
            ),
        ),
    ];
    for side in [Side::New, Side::Old] {
        let prefix = side.prefix();
        let template = format!("variables.{prefix}template");
        for key in ["labels", "annotations"] {
            let of = format!("{template}.metadata");
            variables.push((
                format!("{prefix}{key}"),
                format!("has({of}) && has({of}.{key}) ? {of}.{key} : {{}}"),
            ));
        }
        let of = format!("{template}.spec");
        variables.push((
            format!("{prefix}containers"),
            format!("has({of}) && has({of}.containers) ? {of}.containers : []"),
        ));
    }
    variables
}

/// Whether a pod has these labels, and is where they are looked for.
pub(super) fn is_meant(
    requirements: &[Requirement],
    namespaces: Option<&[String]>,
    side: Side,
) -> String {
    let labels = format!("variables.{}labels", side.prefix());
    // What has no containers is no pod of anything.
    let mut all = vec![format!("size(variables.{}containers) > 0", side.prefix())];
    all.extend(namespaces.map(|names| format!("request.namespace in {}", list(names))));
    all.extend(requirements.iter().map(|requirement| {
        let there = |key: &str| format!("{} in {labels}", quoted(key));
        let value =
            |key: &str, values: &[String]| format!("{labels}[{}] in {}", quoted(key), list(values));
        match requirement {
            Requirement::There(key) => there(key),
            Requirement::Absent(key) => format!("!({})", there(key)),
            Requirement::In(key, values) => format!("{} && {}", there(key), value(key, values)),
            Requirement::NotIn(key, values) => {
                format!("!({} && {})", there(key), value(key, values))
            }
        }
    }));
    all.join(" && ")
}

/// A list of the container that is the service's, or of none.
pub(super) fn chosen(
    service: &str,
    container: Option<&str>,
    side: Side,
    containers: &str,
) -> String {
    let called = |name: &str| format!("{containers}.filter(c, c.name == {name})");
    let is_called = |name: &str| format!("{containers}.exists(c, c.name == {name})");
    if let Some(name) = container {
        return called(&quoted(name));
    }
    let own = quoted(service);
    let annotations = format!("variables.{}annotations", side.prefix());
    let key = quoted(DEFAULT_CONTAINER);
    let default = format!("{annotations}[{key}]");
    let alike = quoted(&format!(
        "^([^@]*/)?{}(:[^@/]*)?(@.*)?$",
        literally(service)
    ));
    format!(
        "size({containers}) == 1 ? {containers} : {} ? {} : {key} in {annotations} && {} ? {} : \
         {containers}.filter(c, has(c.image) && c.image.matches({alike}))",
        is_called(&own),
        called(&own),
        is_called(&default),
        called(&default),
    )
}

pub(super) fn image(container: &str) -> String {
    format!("size({container}) == 1 && has({container}[0].image) ? {container}[0].image : ''")
}

/// What the label or the annotation holds.
pub(super) fn raw(version: &VersionFrom, side: Side) -> String {
    let of = |what: &str, key: &str| {
        let map = format!("variables.{}{what}", side.prefix());
        let key = quoted(key);
        format!("{key} in {map} ? string({map}[{key}]).trim() : ''")
    };
    match version {
        VersionFrom::Usual => of("labels", USUAL_LABEL),
        VersionFrom::Label(key) => of("labels", key),
        VersionFrom::Annotation(key) => of("annotations", key),
        VersionFrom::Image => "''".to_owned(),
    }
}

/// The parts of an image's name without its digest; a colon before the last slash is of a port.
pub(super) fn last_of_name(image: &str) -> String {
    format!("{image}.split('@')[0].split('/')")
}

pub(super) fn tag(parts: &str) -> String {
    let last = format!("{parts}[size({parts}) - 1]");
    format!("{last}.contains(':') ? {last}.split(':')[1] : ''")
}

pub(super) fn says(version: &VersionFrom, raw: &str, tag: &str) -> String {
    match version {
        VersionFrom::Usual => format!("{raw} != '' ? {raw} : {tag}"),
        VersionFrom::Label(_) | VersionFrom::Annotation(_) => raw.to_owned(),
        VersionFrom::Image => tag.to_owned(),
    }
}

type Aliases<'a> = [(&'a String, &'a Version)];

/// The version that a text is another name of, else the text without what versions are read without.
pub(super) fn normal(text: &str, aliases: &Aliases<'_>) -> String {
    let alias = if aliases.is_empty() {
        String::new()
    } else {
        let named = aliases
            .iter()
            .map(|(alias, version)| format!("{}: {}", quoted(alias), quoted(&plain(version))));
        let named = format!("{{{}}}", named.collect::<Vec<_>>().join(", "));
        format!("{text} in {named} ? {named}[{text}] : ")
    };
    format!(
        "{alias}{text}.matches('^[vV][0-9]+$') ? {text}.substring(1) + '.0' : {text}.matches('^[vV][0-9]') ? {text}.substring(1) : {text}"
    )
}

/// The numbers of a release, three at least; none of anything else. A bare number that is long may be a date, or a commit.
pub(super) fn numbers(text: &str) -> String {
    format!(
        "{text}.matches('^([0-9]{{1,6}}|[0-9]{{1,15}}([.][0-9]{{1,15}}){{1,2}})$') ? ({text} + '.0.0').split('.').map(n, int(n)) : []"
    )
}

/// Whether the image says nothing else than the label.
pub(super) fn agree(
    (text, version): (&str, &str),
    (tag, tag_text, tag_version): (&str, &str, &str),
    aliases: &Aliases<'_>,
) -> String {
    let same = (0..3).map(|at| format!("{version}[{at}] == {tag_version}[{at}]"));
    let same = same.collect::<Vec<_>>().join(" && ");
    let named: Vec<String> = aliases.iter().map(|(alias, _)| (*alias).clone()).collect();
    let is_alias = if named.is_empty() {
        String::new()
    } else {
        format!("!({tag} in {}) && ", list(&named))
    };
    // Dates and commits are no versions. A build after a tag is one, and another than its tag; what only begins like a version is of the
    // label's if it begins with that.
    let rest = format!("{tag_text}.substring(size({text}))");
    let begins = format!(
        "({text} != '' && {tag_text}.startsWith({text}) && ({text}.matches('^[0-9]+([.][0-9]+)?$') ? \
         !{rest}.matches('^[.]?[0-9]') : !{rest}.matches('^[0-9]')))"
    );
    format!(
        "{tag} == '' || {tag_text} == {text} || (size({version}) > 0 && size({tag_version}) > 0 && {same}) || ({is_alias}\
         !{tag_text}.matches('^([0-9]{{1,6}}|[0-9]+([.][0-9]+){{1,2}}([-+].*)?)$') && \
         (!{tag_text}.matches('^[0-9]+[.][0-9]') || {begins}))"
    )
}

pub(super) fn is_listed(
    (text, version): (&str, &str),
    releases: &[Stretch],
    exact: &[Version],
) -> String {
    let stretches = releases.iter().map(|stretch| {
        let from = at_least(version, &stretch.from);
        let before = stretch.before.as_ref();
        let before = before.map(|before| format!("!({})", at_least(version, before)));
        let both: Vec<String> = std::iter::once(from).chain(before).collect();
        both.join(" && ")
    });
    let stretches: Vec<String> = stretches.collect();
    let exact: Vec<String> = exact.iter().map(plain).collect();
    let releases = if stretches.is_empty() {
        "false".to_owned()
    } else {
        format!("size({version}) > 0 && (({}))", stretches.join(") || ("))
    };
    if exact.is_empty() {
        releases
    } else {
        format!("{text} in {} || ({releases})", list(&exact))
    }
}

fn at_least(version: &str, least: &Version) -> String {
    // No number of a version is read that is as large.
    let most = i64::MAX.unsigned_abs();
    let [major, minor, patch] = least.numbers().map(|number| number.min(most));
    let at = |index: usize| format!("{version}[{index}]");
    let patches = format!("({} == {minor} && {} >= {patch})", at(1), at(2));
    format!(
        "({} > {major} || ({} == {major} && ({} > {minor} || {patches})))",
        at(0),
        at(0),
        at(1)
    )
}
