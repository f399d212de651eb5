//! Which number a new migration gets.

use std::path::Path;

use super::failure::Failure;
use crate::model::MigrationId;

/// From here on a number is a moment: 20260105103000.
const MOMENTS: u64 = 10_000_000_000_000;

/// The names of what is in a directory and named like a migration.
pub(super) fn migrations_in(base: &Path) -> Result<Vec<MigrationId>, Failure> {
    let fail =
        |error: std::io::Error| Failure::new(format!("{} cannot be read: {error}", base.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(base).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if let Ok(id) = entry.file_name().to_string_lossy().parse() {
            found.push(id);
        }
    }
    found.sort();
    Ok(found)
}

/// The number after `last`: the next one, or the present moment where numbers are moments.
pub(super) fn next(last: u64) -> Result<u64, Failure> {
    let following = last
        .checked_add(1)
        .filter(|next| i64::try_from(*next).is_ok())
        .ok_or_else(|| Failure::new("the migrations have used up every number"))?;
    Ok(after(last, following, moment()))
}

fn after(last: u64, following: u64, moment: u64) -> u64 {
    if last >= MOMENTS {
        following.max(moment)
    } else {
        following
    }
}

/// The present, as a number.
fn moment() -> u64 {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let text = now.strftime("%Y%m%d%H%M%S").to_string();
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_and_moments_are_those_of_now() {
        assert_eq!(after(7, 8, 20_260_105_103_000), 8);
        assert_eq!(
            after(20_250_101_000_000, 20_250_101_000_001, 20_260_105_103_000),
            20_260_105_103_000
        );
        // A clock that is behind takes no number twice.
        assert_eq!(
            after(20_270_101_000_000, 20_270_101_000_001, 20_260_105_103_000),
            20_270_101_000_001
        );
        assert!(moment() > MOMENTS);
    }
}
