//! Ranges that no change which goes forward has.

use crate::model::{Declaration, Order};

use super::manifest::Manifest;
use super::source::Source;

/// Old and new swapped, and versions that were forgotten between them.
pub(super) fn check(source: &Source, manifest: &Manifest, declaration: &Declaration) {
    let gaps = declaration.gaps();
    for name in &manifest.service_names {
        let service = name.value.as_str();
        match declaration.order(service) {
            Order::Forward => {}
            Order::Backward => source.error(
                "swapped-ranges",
                name.span.clone(),
                format!(
                    "the versions of {service} that use the new format lie below those that use the old one: are `old` and `new` swapped?"
                ),
                "`old` is what earlier versions use and the contract removes, for example `old = \"<1.2.0\"` and `new = \">=1.1.0\"`",
            ),
            Order::Doubtful => source.warning(
                "doubtful-ranges",
                name.span.clone(),
                format!(
                    "some versions of {service} that use the new format lie below, or end before, those that use the old one: \
                     are `old` and `new` swapped?"
                ),
                "`old` is what earlier versions use and the contract removes, for example `old = \"<1.2.0\"` and `new = \">=1.1.0\"`",
            ),
        }
        for gap in gaps.iter().filter(|gap| gap.service == service) {
            source.warning(
                "gap-in-ranges",
                name.span.clone(),
                format!("{gap} would use neither format, although versions below and above use one"),
                "let `old` and `new` meet, as in `old = \"<1.2.0\"` and `new = \">=1.2.0\"`; a version in neither range is taken not to touch \
                 what changes, and holds nothing back",
            );
        }
    }
}
