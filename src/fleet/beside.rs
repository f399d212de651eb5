//! What else says which version an instance is, beside its label.

use crate::model::{InstanceState, Label};
use crate::project::Config;
use crate::text::image::tag;

/// As much of a label as is shown beside what contradicts it.
const LONGEST_LABEL: usize = 100;

/// What a source knows beside a label.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// The image that runs.
    pub image: Option<&'a str>,
    /// What it was made from calls the version: whoever relabels what runs changes no code.
    pub template: Option<&'a str>,
}

/// The label and state of an instance whose version is contradicted by what is said beside it; `None` if it is not. A tag that is
/// no version, such as `latest`, says nothing; one that begins like a version is a build of that one (`1.0.0_build5`, `1.0.0.Final`).
///
/// Invariant: which of the two is true is not guessed.
#[must_use]
pub fn contradiction(
    config: &Config,
    service: &str,
    label: &Label,
    beside: Beside<'_>,
) -> Option<(Label, InstanceState)> {
    let voices = [
        ("image", beside.image.and_then(tag)),
        ("template", beside.template),
    ];
    let contradicts = |said: &str| match config.place(service, said).version {
        Some(says) => Some(says) != label.version,
        None => begins_as_another(&label.text, said),
    };
    let (voice, other) = voices
        .into_iter()
        .find_map(|(voice, said)| Some((voice, said.filter(|said| contradicts(said))?)))?;
    // The ledger keeps no longer ones than 255 characters.
    let shortened = |text: &str| text.chars().take(LONGEST_LABEL).collect::<String>();
    let label = Label {
        text: format!("{} ({voice} {})", shortened(&label.text), shortened(other)),
        version: None,
    };
    Some((label, InstanceState::Contradictory))
}

/// Whether a text that cannot be placed begins like a version, and not like this label.
fn begins_as_another(label: &str, said: &str) -> bool {
    let (label, said) = (without_v(label), without_v(said));
    let is_digit = |letter: char| letter.is_ascii_digit();
    let mut numbers = said.split('.').map(|part| part.starts_with(is_digit));
    let first = said.split('.').next().unwrap_or_default();
    let is_like_one =
        first.chars().all(is_digit) && numbers.next() == Some(true) && numbers.next() == Some(true);
    // `1.2.0_5` is of 1.2.0, and neither `1.2.01` nor, of a label 1.2, `1.2.1_5`.
    let is_short = label.split('.').count() < 3 && label.chars().all(|c| c == '.' || is_digit(c));
    let is_of_it = said.strip_prefix(label).is_some_and(|rest| {
        let rest = match is_short {
            true => rest.strip_prefix('.').unwrap_or(rest),
            false => rest,
        };
        !label.is_empty() && !rest.starts_with(is_digit)
    });
    is_like_one && !is_of_it
}

/// `1.2.0` of `v1.2.0`.
fn without_v(text: &str) -> &str {
    let rest = text.strip_prefix(['v', 'V']);
    rest.filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_contradicts_its_label_or_says_nothing() {
        let config = Config::default();
        let found = |label: &str, image: &str| {
            let label = config.place("web", label);
            let beside = Beside {
                image: Some(image),
                template: None,
            };
            contradiction(&config, "web", &label, beside).map(|(label, _)| label.text)
        };
        for image in [
            "web:1.1.0",
            "registry:5000/shop/web:v1.1.0",
            "web:1.1.0@sha256:0011",
            "web",
            "registry:5000/web",
            "registry:5000/web@sha256:0011",
            "web:latest",
            "web:",
            "",
        ] {
            assert_eq!(found("1.1.0", image), None, "{image}");
        }
        let told = Some("1.1.0 (image 1.0.0)".to_owned());
        assert_eq!(found("1.1.0", "web:1.0.0"), told);
        assert_eq!(found("1.1.0", "registry:5000/web:1.0.0@sha256:0011"), told);
        // A pre-release is another version, and so is what a label that is no version may be.
        assert!(found("1.1.0", "web:1.1.0-rc.1").is_some());
        assert!(found("4f2a9c1", "web:1.0.0").is_some());
        // What begins like a version is a build of that one.
        for image in [
            "web:1.0.0_build5",
            "web:v1.0.0.Final",
            "web:1.0.0rc1",
            "web:1.0.0.4",
            "web:1.1.01_5",
        ] {
            assert!(found("1.1.0", image).is_some(), "{image}");
        }
        assert!(found("1.1", "web:1.1.5_2").is_some());
        for image in [
            "web:1.1.0_build5",
            "web:v1.1.0.Final",
            "web:1.1.0rc1",
            "web:1.1.0.4",
            "web:build-1.0.0",
            "web:20240501_1.0",
            "web:1st.2",
        ] {
            assert_eq!(found("1.1.0", image), None, "{image}");
        }
    }
    #[test]
    fn what_it_was_made_from_contradicts_a_label_that_was_changed() {
        let config = Config::default();
        let found = |label: &str, template: &str| {
            let label = config.place("web", label);
            let beside = Beside {
                image: Some("web@sha256:0011"),
                template: Some(template),
            };
            contradiction(&config, "web", &label, beside).map(|(label, _)| label.text)
        };
        assert_eq!(found("1.1.0", "v1.1.0"), None);
        assert_eq!(found("1.1.0", "stable"), None);
        let told = Some("1.2.0 (template 1.1.0)".to_owned());
        assert_eq!(found("1.2.0", "1.1.0"), told);
    }
}
