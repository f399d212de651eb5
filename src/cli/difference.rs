//! Two texts, line by line. Pure.

/// One line of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'t> {
    Same(&'t str),
    Before(&'t str),
    After(&'t str),
}

/// More lines than this on a side are not compared one by one: it would take their product.
const MOST: usize = 2000;

/// What leads from one text to the other, with the longest common part kept.
pub(super) fn difference<'t>(before: &'t str, after: &'t str) -> Vec<Line<'t>> {
    let before: Vec<&str> = before.lines().collect();
    let after: Vec<&str> = after.lines().collect();
    let head = before
        .iter()
        .zip(&after)
        .take_while(|(before, after)| before == after)
        .count();
    let (common, before) = before.split_at(head);
    let after = after.get(head..).unwrap_or_default();
    let mut lines: Vec<Line<'t>> = common.iter().map(|line| Line::Same(line)).collect();
    if before.len() > MOST || after.len() > MOST {
        lines.extend(before.iter().map(|line| Line::Before(line)));
        lines.extend(after.iter().map(|line| Line::After(line)));
        return lines;
    }
    // How long the longest common part is from each place on.
    let width = after.len() + 1;
    let mut longest = vec![0_usize; (before.len() + 1) * width];
    let at = |row: usize, column: usize| row * width + column;
    for row in (0..before.len()).rev() {
        for column in (0..after.len()).rev() {
            let value = if before.get(row) == after.get(column) {
                longest.get(at(row + 1, column + 1)).map_or(0, |n| n + 1)
            } else {
                let down = longest.get(at(row + 1, column));
                let right = longest.get(at(row, column + 1));
                down.max(right).copied().unwrap_or_default()
            };
            if let Some(place) = longest.get_mut(at(row, column)) {
                *place = value;
            }
        }
    }
    let (mut row, mut column) = (0, 0);
    loop {
        match (before.get(row), after.get(column)) {
            (None, None) => return lines,
            (Some(old), Some(new)) if old == new => {
                lines.push(Line::Same(old));
                (row, column) = (row + 1, column + 1);
            }
            (Some(old), new) => {
                let down = longest.get(at(row + 1, column));
                let right = longest.get(at(row, column + 1));
                if new.is_none() || down >= right {
                    lines.push(Line::Before(old));
                    row += 1;
                } else if let Some(new) = new {
                    lines.push(Line::After(new));
                    column += 1;
                }
            }
            (None, Some(new)) => {
                lines.push(Line::After(new));
                column += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_part_is_kept() {
        use Line::{After, Before, Same};
        assert_eq!(
            difference("a\nb\nc\nd", "a\nc\nx\nd\ne"),
            [
                Same("a"),
                Before("b"),
                Same("c"),
                After("x"),
                Same("d"),
                After("e")
            ]
        );
        assert_eq!(difference("", ""), []);
        assert_eq!(difference("a", ""), [Before("a")]);
        assert_eq!(difference("", "a"), [After("a")]);
    }

    #[test]
    fn applying_a_difference_leads_from_one_to_the_other() {
        let text = |seed: u32| -> String {
            let lines = (0..20).map(|n| ((seed >> (n % 16)) & 3).to_string());
            lines.collect::<Vec<_>>().join("\n")
        };
        for seed in 0..200_u32 {
            let (before, after) = (text(seed * 7919), text(seed * 104_729));
            let lines = difference(&before, &after);
            let side = |is_before: bool| -> Vec<&str> {
                let of = lines.iter().filter_map(|line| match line {
                    Line::Same(text) => Some(*text),
                    Line::Before(text) => is_before.then_some(*text),
                    Line::After(text) => (!is_before).then_some(*text),
                });
                of.collect()
            };
            assert_eq!(side(true), before.lines().collect::<Vec<_>>());
            assert_eq!(side(false), after.lines().collect::<Vec<_>>());
        }
    }
}
