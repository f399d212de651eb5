//! The text of a source file, taken apart: code, comments, strings, and the tokens of the code.

/// A word (an identifier, a keyword, a number) or one other character.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

pub(super) fn tokens_of(code: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let mut in_word = false;
        for letter in line.chars() {
            let word = letter.is_alphanumeric() || letter == '_';
            match tokens.last_mut() {
                Some(last) if word && in_word => last.text.push(letter),
                _ if letter.is_whitespace() => {}
                _ => tokens.push(Token {
                    text: letter.to_string(),
                    line: at + 1,
                }),
            }
            in_word = word;
        }
    }
    tokens
}

/// Code and comments apart, in the same lines. Of a string or a character, only quotes stay.
pub(super) fn split(text: &str) -> (String, Vec<String>) {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut comments = vec![String::new()];
    let mut at = 0;
    while at < letters.len() {
        let rest = &letters[at..];
        let after_word = at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_');
        let (kind, length) = match (comment(rest), literal(rest, after_word)) {
            (Some(length), _) => (Kind::Comment, length),
            (None, Some(length)) => (Kind::Literal, length),
            (None, None) => (Kind::Code, 1),
        };
        if kind == Kind::Literal {
            code.push_str("\"\"");
        }
        for letter in &rest[..length] {
            match (letter, kind) {
                ('\n', _) => {
                    code.push('\n');
                    comments.push(String::new());
                }
                (letter, Kind::Code) => code.push(*letter),
                (letter, Kind::Comment) => comments
                    .last_mut()
                    .expect("it starts with one line")
                    .push(*letter),
                (_, Kind::Literal) => {}
            }
        }
        at += length;
    }
    (code, comments)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The length of the comment that starts here.
fn comment(letters: &[char]) -> Option<usize> {
    match letters {
        ['/', '/', ..] => Some(
            letters
                .iter()
                .position(|letter| *letter == '\n')
                .unwrap_or(letters.len()),
        ),
        ['/', '*', ..] => {
            let mut depth = 0;
            let mut at = 0;
            while at < letters.len() {
                match letters[at..] {
                    ['/', '*', ..] => {
                        depth += 1;
                        at += 2;
                    }
                    ['*', '/', ..] => {
                        depth -= 1;
                        at += 2;
                        if depth == 0 {
                            return Some(at);
                        }
                    }
                    _ => at += 1,
                }
            }
            Some(at)
        }
        _ => None,
    }
}

/// The length of the string or character that starts here.
fn literal(letters: &[char], after_word: bool) -> Option<usize> {
    let prefix = letters
        .iter()
        .take(2)
        .take_while(|letter| matches!(letter, 'b' | 'c' | 'r'))
        .count();
    if prefix > 0 && after_word {
        return None;
    }
    let raw = letters[..prefix].contains(&'r');
    let rest = &letters[prefix..];
    if raw {
        let hashes = rest.iter().take_while(|letter| **letter == '#').count();
        if rest.get(hashes) != Some(&'"') {
            return None;
        }
        let close: Vec<char> = std::iter::once('"')
            .chain(std::iter::repeat_n('#', hashes))
            .collect();
        let start = hashes + 1;
        let length = rest[start..]
            .windows(close.len())
            .position(|window| window == close.as_slice());
        return Some(length.map_or(letters.len(), |length| {
            prefix + start + length + close.len()
        }));
    }
    match rest {
        ['"', ..] => Some(prefix + quoted(rest, '"')),
        // A character, not a lifetime.
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => Some(prefix + quoted(rest, '\'')),
        _ => None,
    }
}

fn quoted(letters: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < letters.len() {
        match letters[at] {
            '\\' => at += 2,
            letter if letter == quote => return at + 1,
            _ => at += 1,
        }
    }
    letters.len()
}
