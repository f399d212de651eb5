//! What names each other, in an order in which it can be made.

use std::collections::BTreeMap;

/// Names in the order of `needs`: each after what it needs. What is left is in a circle, or needs what is.
pub(super) fn in_order(needs: &BTreeMap<String, Vec<String>>) -> (Vec<String>, Vec<String>) {
    let mut ordered: Vec<String> = Vec::new();
    let mut left: Vec<&String> = needs.keys().collect();
    loop {
        let before = ordered.len();
        left.retain(|name| {
            let waits = needs.get(*name).into_iter().flatten();
            let is_ready = waits
                .filter(|other| other != name && needs.contains_key(*other))
                .all(|other| ordered.contains(other));
            if is_ready {
                ordered.push((*name).clone());
            }
            !is_ready
        });
        if ordered.len() == before {
            return (ordered, left.into_iter().cloned().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(of: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        of.iter()
            .map(|(name, needs)| {
                let needs = needs.iter().map(|name| (*name).to_owned()).collect();
                ((*name).to_owned(), needs)
            })
            .collect()
    }

    #[test]
    fn each_comes_after_what_it_needs() {
        let (ordered, left) = in_order(&needs(&[
            ("a", &["b", "elsewhere"]),
            ("b", &["b", "c"]),
            ("c", &[]),
        ]));
        assert_eq!(ordered, ["c", "b", "a"]);
        assert!(left.is_empty());
        let (ordered, left) = in_order(&needs(&[("a", &["b"]), ("b", &["a"]), ("c", &[])]));
        assert_eq!(ordered, ["c"]);
        assert_eq!(left, ["a", "b"]);
    }
}
