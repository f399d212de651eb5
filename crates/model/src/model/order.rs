//! Whether the ranges of a migration lie as those of a change that goes forward: old below new, and nobody
//! between them who does without both.

use super::{Declaration, Format, Formats, Reading, Touched, Version};

/// Versions of a service that use neither format, although some below and some above them do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub service: String,
    pub from: Version,
    pub before: Version,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            service,
            from,
            before,
        } = self;
        if from.next_patch() == *before && !before.is_prerelease() {
            return write!(f, "{service} {from}");
        }
        write!(f, "versions of {service} in the range >={from}, <{before}")
    }
}

/// How the new format of a service lies to its old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Not below it.
    Forward,
    /// It begins below it, or ends below it.
    Doubtful,
    /// It begins below it and ends below it.
    Backward,
}

impl Declaration {
    /// The gaps in what the versions of each service use.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (service, usage) in &self.services {
            let versions = Self::representatives(service, [self]);
            let touches = |version: &Version| {
                let does = usage.behaviour(version, Reading::Precedence);
                !does.reads.union(does.writes).is_empty()
            };
            let mut begun: Option<&Version> = None;
            let mut has_been_touched = false;
            for version in &versions {
                match (touches(version), begun) {
                    (true, Some(from)) => {
                        gaps.push(Gap {
                            service: service.clone(),
                            from: from.clone(),
                            before: version.clone(),
                        });
                        begun = None;
                    }
                    (true, None) => has_been_touched = true,
                    (false, None) if has_been_touched => begun = Some(version),
                    (false, _) => {}
                }
            }
        }
        gaps
    }

    /// A service none of whose versions could be live between the contract of `earlier` and the expand of this one: each of them
    /// holds up that contract or needs this expand, so that neither can come about while it is live.
    #[must_use]
    pub fn without_room_after(&self, earlier: &Self) -> Option<&str> {
        let mut services = self.services.iter();
        let found = services.find(|(service, usage)| {
            let Some(before) = earlier.services.get(*service) else {
                return false;
            };
            let versions = Self::representatives(service, [earlier, self]);
            versions.iter().all(|version| {
                let holds_up = before.behaviour(version, Reading::Precedence);
                let needs = usage.behaviour(version, Reading::Precedence);
                holds_up.touches(Format::Old) || needs.touches(Format::New)
            })
        });
        found.map(|(service, _)| service.as_str())
    }

    /// How the ranges of `service` lie, for reading and for writing: the worse of the two.
    #[must_use]
    pub fn order(&self, service: &str) -> Order {
        let Some(usage) = self.services.get(service) else {
            return Order::Forward;
        };
        let versions = Self::representatives(service, [self]);
        let of = |touched: &Touched| {
            let does = |version| touched.formats(version, Reading::Precedence);
            order(&versions.iter().map(does).collect::<Vec<_>>())
        };
        match (of(&usage.reads), of(&usage.writes)) {
            (Order::Backward, _) | (_, Order::Backward) => Order::Backward,
            (Order::Doubtful, _) | (_, Order::Doubtful) => Order::Doubtful,
            (Order::Forward, Order::Forward) => Order::Forward,
        }
    }
}

fn order(line: &[Formats]) -> Order {
    let ends = |has: fn(&Formats) -> bool| {
        let first = line.iter().position(has)?;
        Some((first, line.iter().rposition(has)?))
    };
    let (Some(old), Some(new)) = (ends(|does| does.old), ends(|does| does.new)) else {
        return Order::Forward;
    };
    match (new.0 < old.0, new.1 < old.1) {
        (false, false) => Order::Forward,
        (true, true) => Order::Backward,
        _ => Order::Doubtful,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::declaration;

    #[test]
    fn room_between_a_contract_and_an_expand() {
        for (earlier, later, expected) in [
            ("old <1.2.0 new >=1.2.0", "new >=1.2.0", Some("web")),
            ("old <1.2.0 new >=1.1.0", "new >=1.1.0", Some("web")),
            ("old <1.2.0 new >=1.1.0", "new >=1.3.0", None),
            ("old <1.2.0", "new >1.2.0", None),
            ("old <1.2.0", "old <1.2.0", None),
            ("new >=1.0.0", "new >=1.2.0", None),
        ] {
            let (earlier, later) = (declaration(earlier), declaration(later));
            assert_eq!(
                later.without_room_after(&earlier),
                expected,
                "{earlier:?} {later:?}"
            );
        }
    }

    #[test]
    fn gaps() {
        for (text, expected) in [
            ("old <1.2.0 new >=1.1.0", ""),
            ("old <1.2.0 new >=1.2.0", ""),
            ("old <1.1.0", ""),
            ("", ""),
            (
                "old <1.1.0 new >=1.2.0",
                "versions of web in the range >=1.1.0, <1.2.0",
            ),
            ("old <1.1.0 new >1.1.0", "web 1.1.0"),
            (
                "old <1.1.0||>=1.3.0",
                "versions of web in the range >=1.1.0, <1.3.0",
            ),
            // Whoever writes need not read.
            (
                "reads old <1.1.0 new >=1.2.0 writes old <1.2.0 new >=1.2.0",
                "",
            ),
        ] {
            let gaps = declaration(text).gaps();
            let said: Vec<String> = gaps.iter().map(ToString::to_string).collect();
            assert_eq!(said.join("; "), expected, "{text}");
        }
    }

    #[test]
    fn orders() {
        for (text, expected) in [
            ("old <1.2.0 new >=1.1.0", Order::Forward),
            ("old * new *", Order::Forward),
            ("old <1.2.0 new *", Order::Forward),
            ("new >=1.1.0", Order::Forward),
            ("old >=1.1.0 new <1.2.0", Order::Backward),
            ("old >=1.2.0 new <1.2.0", Order::Backward),
            (
                "reads old <1.2.0 new >=1.2.0 writes old >=1.1.0 new <1.3.0",
                Order::Backward,
            ),
            ("old >=1.1.0 new *", Order::Doubtful),
            ("old * new <1.2.0", Order::Doubtful),
        ] {
            assert_eq!(declaration(text).order("web"), expected, "{text}");
        }
        assert_eq!(declaration("").order("web"), Order::Forward);
    }
}
