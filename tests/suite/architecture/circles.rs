//! Files that need each other: none of them can be read, or changed, without the others.
//!
//! A file uses another when it names something that stands there, however it is reached: names that a module hands on
//! (`pub use`) are followed to where they come from. A module and what is below it are one, so what it gives to its parts and
//! takes from them is no circle; and methods are not followed, because no text says whose they are.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::source::{Source, package_of};

/// Where a module is: its package, and its path there.
type Place = (&'static str, Vec<String>);

/// A path of a `use`, or one that is written out, and the name that it is given here.
struct Named {
    path: Vec<String>,
    name: String,
}

/// What one file says.
struct File<'s> {
    source: &'s Source,
    /// What stands in it, outside of everything else.
    items: BTreeSet<String>,
    uses: Vec<Named>,
    paths: Vec<Vec<String>>,
}

/// Every group of files in which each needs all others, by their names.
pub fn circles(sources: &[Source]) -> Vec<Vec<String>> {
    let files: BTreeMap<Place, File<'_>> = sources
        .iter()
        .map(|source| (source.place(), File::of(source)))
        .collect();
    let mut arrows: BTreeMap<&Place, BTreeSet<Place>> = BTreeMap::new();
    for (place, file) in &files {
        let written = file.uses.iter().map(|named| &named.path);
        for path in written.chain(&file.paths) {
            let Some(used) = resolved(&files, place, path) else {
                continue;
            };
            let is_one =
                used.0 == place.0 && (used.1.starts_with(&place.1) || place.1.starts_with(&used.1));
            if !is_one {
                arrows.entry(place).or_default().insert(used);
            }
        }
    }
    // Who is reached from where; small enough to be asked of each.
    let reached: BTreeMap<&Place, HashSet<&Place>> = files
        .keys()
        .map(|from| {
            let mut found: HashSet<&Place> = HashSet::new();
            let mut open = vec![from];
            while let Some(at) = open.pop() {
                for next in arrows.get(at).into_iter().flatten() {
                    if found.insert(next) {
                        open.push(next);
                    }
                }
            }
            (from, found)
        })
        .collect();
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut seen: HashSet<&Place> = HashSet::new();
    for place in files.keys() {
        if !reached[place].contains(place) || !seen.insert(place) {
            continue;
        }
        let group: Vec<&Place> = files
            .keys()
            .filter(|other| reached[place].contains(other) && reached[other].contains(place))
            .collect();
        seen.extend(&group);
        let names = group.iter().map(|place| files[*place].source.name.clone());
        groups.push(names.collect());
    }
    groups
}

/// The file in which what this path names stands, seen from `here`.
fn resolved(files: &BTreeMap<Place, File<'_>>, here: &Place, path: &[String]) -> Option<Place> {
    let (start, rest) = anchored(here, path)?;
    look_up(files, &start, rest, &mut HashSet::new())
}

/// Where a path begins, and what is left of it.
fn anchored<'p>(here: &Place, path: &'p [String]) -> Option<(Place, &'p [String])> {
    let first = path.first()?.as_str();
    match first {
        "crate" => Some(((here.0, Vec::new()), &path[1..])),
        "self" => Some((here.clone(), &path[1..])),
        "super" => {
            let ups = path.iter().take_while(|word| *word == "super").count();
            let left = here.1.len().checked_sub(ups)?;
            Some(((here.0, here.1[..left].to_vec()), &path[ups..]))
        }
        _ => match package_of(first) {
            Some(package) => Some(((package, Vec::new()), &path[1..])),
            None => Some((here.clone(), path)),
        },
    }
}

fn look_up(
    files: &BTreeMap<Place, File<'_>>,
    module: &Place,
    rest: &[String],
    seen: &mut HashSet<(Place, Vec<String>)>,
) -> Option<Place> {
    if !seen.insert((module.clone(), rest.to_vec())) {
        return None;
    }
    let file = files.get(module)?;
    let Some(name) = rest.first() else {
        return Some(module.clone());
    };
    let below = (module.0, [module.1.clone(), vec![name.clone()]].concat());
    if files.contains_key(&below) {
        return look_up(files, &below, &rest[1..], seen).or(Some(below));
    }
    if name == "*" || file.items.contains(name) {
        return Some(module.clone());
    }
    let handed_on = file.uses.iter().filter(|named| named.name == *name);
    for named in handed_on {
        // A package of somebody else's.
        if named.path.first() == Some(name) {
            continue;
        }
        let found = anchored(module, &named.path).and_then(|(start, path)| {
            let path = [path, &rest[1..]].concat();
            look_up(files, &start, &path, seen)
        });
        if found.is_some() {
            return found;
        }
    }
    let globs = file.uses.iter().filter(|named| named.name == "*");
    for named in globs {
        let path = &named.path[..named.path.len() - 1];
        let found = anchored(module, path)
            .and_then(|(start, path)| look_up(files, &start, path, seen))
            .filter(|found| found != module)
            .and_then(|found| look_up(files, &found, rest, seen));
        if found.is_some() {
            return found;
        }
    }
    None
}

impl<'s> File<'s> {
    fn of(source: &'s Source) -> Self {
        let words = source.words();
        let mut file = File {
            source,
            items: BTreeSet::new(),
            uses: Vec::new(),
            paths: Vec::new(),
        };
        let text = |at: usize| words.get(at).copied().unwrap_or_default();
        let (mut at, mut depth) = (0, 0usize);
        while at < words.len() {
            match text(at) {
                "use" => {
                    at = tree(&words, at + 1, &[], &mut file.uses);
                    continue;
                }
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "mod"
                    if depth == 0 =>
                {
                    file.items.insert(text(at + 1).to_owned());
                }
                word if is_word(word)
                    && (text(at + 1), text(at + 2)) == (":", ":")
                    && !(at > 1 && (text(at - 2), text(at - 1)) == (":", ":")) =>
                {
                    let mut written = Vec::new();
                    at = tree(&words, at, &[], &mut written);
                    file.paths
                        .extend(written.into_iter().map(|named| named.path));
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        file
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

/// Reads a path, with its groups, that starts here; answers where it ends.
fn tree(words: &[&str], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    let text = |at: usize| words.get(at).copied().unwrap_or_default();
    let mut path = before.to_vec();
    loop {
        match text(at) {
            "{" => {
                at += 1;
                while !matches!(text(at), "}" | "") {
                    let next = tree(words, at, &path, found);
                    at = next.max(at + usize::from(next == at));
                    at += usize::from(text(at) == ",");
                }
                return at + 1;
            }
            word if is_word(word) || word == "*" => {
                path.push(word.to_owned());
                at += 1;
            }
            _ => break,
        }
        let goes_on = (text(at), text(at + 1)) == (":", ":")
            && (is_word(text(at + 2)) || matches!(text(at + 2), "{" | "*"));
        if !goes_on {
            break;
        }
        at += 2;
    }
    let mut name = path.last().cloned().unwrap_or_default();
    // `module::{self}` names the module.
    if name == "self" && path.len() > 1 {
        path.pop();
        name = path.last().cloned().unwrap_or_default();
    }
    if text(at) == "as" {
        name = text(at + 1).to_owned();
        at += 2;
    }
    if !path.is_empty() {
        found.push(Named { path, name });
    }
    at
}
