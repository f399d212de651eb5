//! The parts of an image's name: `registry:5000/shop/web:1.2.0@sha256:…`.

/// Longer ones are no tags.
const LONGEST_TAG: usize = 128;

/// The name without its registry and its digest.
fn last(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    // A colon before the last slash belongs to a port.
    name.rsplit('/').next().unwrap_or_default()
}

/// What is called like the application, as a rule.
#[must_use]
pub fn repository(image: &str) -> &str {
    last(image).split(':').next().unwrap_or_default()
}

/// The tag of an image's name; `None` if it has none, or only a digest.
#[must_use]
pub fn tag(image: &str) -> Option<&str> {
    let (_, tag) = last(image).split_once(':')?;
    (!tag.is_empty() && tag.len() <= LONGEST_TAG).then_some(tag)
}

/// The same image with another tag, and without a digest, which would be that of the one before.
#[must_use]
pub fn with_tag(image: &str, tag: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let last = last(image);
    let kept = name.len() - last.len() + repository(image).len();
    format!("{}:{tag}", name.get(..kept).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_name() {
        for (image, named, tagged, moved) in [
            ("web:1.1.0", "web", Some("1.1.0"), "web:2"),
            (
                "registry:5000/shop/web:v1@sha256:00",
                "web",
                Some("v1"),
                "registry:5000/shop/web:2",
            ),
            ("registry:5000/web", "web", None, "registry:5000/web:2"),
            (
                "registry:5000/web@sha256:00",
                "web",
                None,
                "registry:5000/web:2",
            ),
            ("web", "web", None, "web:2"),
            ("web:", "web", None, "web:2"),
            ("", "", None, ":2"),
        ] {
            assert_eq!(repository(image), named, "{image}");
            assert_eq!(tag(image), tagged, "{image}");
            assert_eq!(with_tag(image, "2"), moved, "{image}");
        }
    }
}
