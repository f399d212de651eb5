//! As much of Python as tells the names in the head of a migration: text literals that are assigned to a name.

/// The right side of the first assignment to `name` that begins at one of these depths of indentation, up to where its brackets
/// are closed, without comments.
pub(super) fn assigned(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line.trim_start().strip_prefix(name) else {
            continue;
        };
        let rest = rest.trim_start();
        if !rest.starts_with([':', '=']) || rest.starts_with("==") {
            continue;
        }
        let Some((_, value)) = rest.split_once('=') else {
            continue;
        };
        let mut found = bare(value).to_owned();
        while is_open(&found) {
            let next = lines.next()?;
            found.push('\n');
            found.push_str(bare(next));
        }
        return Some(found.trim().to_owned());
    }
    None
}

/// A line without its comment.
fn bare(line: &str) -> &str {
    let mut quote = None;
    let mut is_escaped = false;
    for (index, c) in line.char_indices() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '#' => return line.get(..index).unwrap_or(line),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {}
        }
    }
    line
}

fn is_open(text: &str) -> bool {
    let mut depth = 0i32;
    let mut quote = None;
    let mut is_escaped = false;
    for c in text.chars() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some(c),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            },
        }
    }
    depth > 0
}

/// The text literals in an expression, in their order.
pub(super) fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut is_escaped = false;
    let mut current = String::new();
    for c in text.chars() {
        match quote {
            Some(_) if is_escaped => {
                is_escaped = false;
                current.push(c);
            }
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => {
                quote = None;
                found.push(std::mem::take(&mut current));
            }
            Some(_) => current.push(c),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {}
        }
    }
    found
}

/// The pairs of text literals in an expression: `("shop", "0001_initial")`.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in text.split('(').skip(1) {
        let part = part.split(')').next().unwrap_or_default();
        if let [app, name] = literals(part).as_slice() {
            found.push((app.clone(), name.clone()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assigned_is_found_in_every_way_of_writing_it() {
        for (text, name, literal) in [
            ("revision = '0002'\n", "revision", vec!["0002"]),
            (
                "revision: str = \"0002\"  # 'no'\n",
                "revision",
                vec!["0002"],
            ),
            (
                "down_revision: Union[str, None] = None\n",
                "down_revision",
                vec![],
            ),
            (
                "# revision = 'x'\nrevisions = 'y'\ndown_revision = (\n    'a',  # one\n    \"b\",\n)\n",
                "down_revision",
                vec!["a", "b"],
            ),
            ("revision='a\\'#b'\n", "revision", vec!["a'#b"]),
        ] {
            let found = assigned(text, name).unwrap();
            assert_eq!(literals(&found), literal, "{text}");
        }
        assert_eq!(
            assigned("revision_x = 'a'\nrevision == 'b'\n", "revision"),
            None
        );
        assert_eq!(assigned("down_revision = ('a',\n", "down_revision"), None);
    }

    #[test]
    fn pairs_are_those_of_two_texts() {
        let text = "[\n (\"shop\", '0001_initial'), migrations.swappable_dependency(settings.AUTH_USER_MODEL), ('a', 'b')]";
        let found = pairs(text);
        let expected = [("shop", "0001_initial"), ("a", "b")];
        let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(found, expected);
    }
}
