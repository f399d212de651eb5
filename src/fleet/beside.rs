//! What the image of a container says about its version, beside its label.

use crate::model::{InstanceState, Label};
use crate::project::Config;
use crate::text::image::tag;

/// As much of a label as is shown beside a tag.
const LONGEST_LABEL: usize = 100;

/// The label and state of an instance whose label and image contradict each other; `None` if they do not. A tag that is
/// no version, such as `latest`, says nothing.
///
/// Invariant: which of the two is true is not guessed.
#[must_use]
pub fn contradiction(
    config: &Config,
    service: &str,
    label: &Label,
    image: &str,
) -> Option<(Label, InstanceState)> {
    let tag = tag(image)?;
    let says = config.place(service, tag).version?;
    if label.version.as_ref() == Some(&says) {
        return None;
    }
    // The ledger keeps no longer ones than 255 characters.
    let said: String = label.text.chars().take(LONGEST_LABEL).collect();
    let label = Label {
        text: format!("{said} (image {tag})"),
        version: None,
    };
    Some((label, InstanceState::Contradictory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_contradicts_its_label_or_says_nothing() {
        let config = Config::default();
        let found = |label: &str, image: &str| {
            let label = config.place("web", label);
            contradiction(&config, "web", &label, image).map(|(label, _)| label.text)
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
    }
}
