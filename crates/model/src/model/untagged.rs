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
/// A count of commits with something unknown after it.
pub(super) fn read(core: [u64; 3], suffix: &str) -> Result<Option<Built>, String> {
    let (front, metadata) = match suffix.split_once('+') {
        Some((front, metadata)) => (front, Some(metadata)),
        None => (suffix, None),
    };
    let marked = ["-dirty", "-broken"]
        .iter()
        .find_map(|mark| front.strip_suffix(mark));
    let (front, is_marked) = match marked {
        Some(front) => (front, true),
        None => (front, false),
    };
    let (metadata, is_dirty) = match metadata {
        Some("dirty") => (None, true),
        Some(metadata) => match metadata.strip_suffix(".dirty") {
            Some(metadata) => (Some(metadata), true),
            None => (metadata.into(), is_marked),
        },
        None => (None, is_marked),
    };
    if let Some((tag, time)) = pseudo_version(core, front) {
        let mark = if is_dirty { "+dirty" } else { "" };
        let name = written(core, front) + mark;
        let distance = time.parse().unwrap_or(u64::MAX);
        let since = Some(Untagged { distance, name });
        return Ok(Some(Built { tag, since }));
    }
    let described = describe(front).or_else(|| {
        let (count, commit) = metadata?.split_once('.')?;
        is_count_and_commit(count, commit).then_some((front, count, commit))
    });
    let mark = if is_dirty { "-dirty" } else { "" };
    let Some((front, count, commit)) = described else {
        let pieces: Vec<&str> = front.split('-').collect();
        if pieces
            .windows(2)
            .any(|two| matches!(two, [count, commit] if is_count_and_commit(count, commit)))
        {
            return Err(
                "it looks like the output of `git describe` with something of its own after it; \
                 name it under [services.NAME.aliases]"
                    .into(),
            );
        }
        let tag = written(core, front);
        let name = format!("{tag}{mark}");
        let since = is_dirty.then_some(Untagged { distance: 0, name });
        return Ok(since.map(|since| Built {
            tag,
            since: Some(since),
        }));
    };
    let tag = written(core, front);
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

/// `-14-gabc1234` at the end, and what stands before it.
fn describe(front: &str) -> Option<(&str, &str, &str)> {
    let (before, commit) = front.rsplit_once('-')?;
    let (before, count) = before.rsplit_once('-')?;
    is_count_and_commit(count, commit).then_some((before, count, commit))
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
