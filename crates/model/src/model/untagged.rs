//! Builds that have no tag of their own, as `git describe` and the tools that rest on it name them.
//!
//! A pre-release comes before its release and was given its name by somebody; such a build comes after its tag and was named
//! by a program. Read by the grammar of Semantic Versioning alone, `1.2.0-14-gabc1234` would be a pre-release of 1.2.0, and
//! `1.2.0+14.gabc1234` would be 1.2.0 itself, though both hold fourteen commits more.

/// What was built after a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Untagged {
    /// How far it is from the tag, in commits or as a time of day: enough to put those of one tag in order.
    distance: u64,
    /// The whole version as it is printed, and read again.
    pub name: String,
}

/// What a program named.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Built {
    /// The tag before it, by the grammar of Semantic Versioning.
    pub tag: String,
    /// `None` if it is the tag itself, spelt out.
    pub since: Option<Untagged>,
}

/// The numbers of a version with what comes after them.
pub(super) fn written([major, minor, patch]: [u64; 3], suffix: &str) -> String {
    format!("{major}.{minor}.{patch}{suffix}")
}

/// Reads what comes after the numbers; `None` if no program wrote it so.
///
/// # Errors
/// A count of commits with something unknown around it.
pub(super) fn read(core: [u64; 3], suffix: &str) -> Result<Option<Built>, String> {
    let pieces = pieces(suffix);
    let (named, is_dirty) = without_marks(&pieces);
    let front = named.last().map_or("", |last| &suffix[..last.end]);
    if let Some((tag, time)) = pseudo_version(core, front) {
        let mark = if is_dirty { "+dirty" } else { "" };
        let name = written(core, front) + mark;
        let distance = time.parse().unwrap_or(u64::MAX);
        let since = Some(Untagged { distance, name });
        return Ok(Some(Built { tag, since }));
    }
    let mark = if is_dirty { "-dirty" } else { "" };
    let is_pair = |two: &[Piece<'_>]| matches!(two, [count, commit] if is_count_and_commit(count.text, commit.text));
    let Some(at) = named.windows(2).position(is_pair) else {
        if !is_dirty {
            return Ok(None);
        }
        let tag = written(core, front.split('+').next().unwrap_or_default());
        let name = format!("{tag}{mark}");
        let since = Some(Untagged { distance: 0, name });
        return Ok(Some(Built { tag, since }));
    };
    let (before, pair) = (suffix[..named[at].start].to_owned(), &named[at..]);
    let is_whole = pair.len() == 2
        && !before.contains('+')
        && match (pair[0].after, pair[1].after) {
            ('-', '-') | ('+', '.' | '-') => true,
            // A `+` that was no letter where it had to go.
            ('-', '.') => before.is_empty(),
            _ => false,
        };
    if !is_whole {
        return Err(
            "it looks like the output of `git describe` with something of its own in it; \
             name it under [services.NAME.aliases]"
                .into(),
        );
    }
    let (count, commit) = (pair[0].text, pair[1].text);
    let tag = written(core, &before);
    let distance = count.parse().unwrap_or(u64::MAX);
    let name = format!("{tag}-{count}-{commit}{mark}");
    Ok(Some(if distance == 0 && !is_dirty {
        let tag = format!("{tag}+{count}.{commit}");
        Built { tag, since: None }
    } else {
        let since = Some(Untagged { distance, name });
        Built { tag, since }
    }))
}

/// What stands between two of `-`, `.` and `+`, and where, with the one before it.
struct Piece<'a> {
    after: char,
    start: usize,
    end: usize,
    text: &'a str,
}

fn pieces(suffix: &str) -> Vec<Piece<'_>> {
    let starts: Vec<(usize, char)> = suffix
        .char_indices()
        .filter(|(_, c)| matches!(c, '-' | '.' | '+'))
        .collect();
    let ends = starts.iter().skip(1).map(|(at, _)| *at);
    let ends = ends.chain([suffix.len()]);
    let pieces = starts.iter().zip(ends).map(|((start, after), end)| Piece {
        after: *after,
        start: *start,
        end,
        text: suffix.get(start + 1..end).unwrap_or_default(),
    });
    pieces.collect()
}

/// Without what says at the end that not everything was committed, and whether something does.
fn without_marks<'p, 'a>(pieces: &'p [Piece<'a>]) -> (&'p [Piece<'a>], bool) {
    // With the day, as `d20240501`, behind a commit alone: elsewhere it may be anything.
    let is_day = |at: usize| {
        let day = pieces[at].text.strip_prefix('d').unwrap_or_default();
        let is_behind_commit = at > 0 && is_commit(pieces[at - 1].text);
        is_behind_commit && day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit())
    };
    let is_mark =
        |at: usize| matches!(pieces[at].text, "dirty" | "broken" | "modified") || is_day(at);
    let marks = (0..pieces.len())
        .rev()
        .take_while(|at| is_mark(*at))
        .count();
    (&pieces[..pieces.len() - marks], marks > 0)
}

fn is_count_and_commit(count: &str, commit: &str) -> bool {
    !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) && is_commit(commit)
}

/// `gabc1234`: git abbreviates a commit to four digits at the least.
fn is_commit(text: &str) -> bool {
    text.strip_prefix('g')
        .is_some_and(|hash| hash.len() >= 4 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A pseudo-version of Go (<https://go.dev/ref/mod#pseudo-versions>): the tag before it and the time of its commit.
///
/// Where Go knows no tag it writes X.0.0, and the commit may be any.
fn pseudo_version([major, minor, patch]: [u64; 3], front: &str) -> Option<(String, &str)> {
    let (before, commit) = front.strip_prefix('-')?.rsplit_once('-')?;
    let is_commit = commit.len() == 12 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    let (base, time) = match before.rsplit_once('.') {
        Some((base, time)) => (Some(base), time),
        None => (None, before),
    };
    if !is_commit || time.len() != 14 || !time.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let tag = match base {
        None if minor == 0 && patch == 0 => written([0, 0, 0], ""),
        None => return None,
        Some("0") => written([major, minor, patch.checked_sub(1)?], ""),
        Some(base) => written(
            [major, minor, patch],
            &format!("-{}", base.strip_suffix(".0")?),
        ),
    };
    Some((tag, time))
}
