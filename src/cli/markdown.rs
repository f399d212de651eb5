//! Text as Markdown that others read: on the page of a pull request, where nothing that somebody wrote may become markup.

use crate::text::shown::shown;

/// Text that begins no element, mentions nobody and links nowhere; what stands between backquotes stays code.
pub(super) fn inline(text: &str) -> String {
    let text = shown(text).replace('\n', " ");
    let mut plain = String::with_capacity(text.len());
    let even = text.matches('`').count().is_multiple_of(2);
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '`' if even => {
                in_code = !in_code;
                plain.push(c);
            }
            '`' => plain.push('\''),
            _ if in_code => plain.push(c),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            '@' => plain.push_str("@\u{2060}"),
            '\\' | '*' | '_' | '[' | ']' | '#' | '|' | '!' | '~' => {
                plain.push('\\');
                plain.push(c);
            }
            _ => plain.push(c),
        }
    }
    plain
}

/// Lines as a block of code in this language, each as text in which nothing is hidden.
pub(super) fn block<L: AsRef<str>>(language: &str, lines: impl IntoIterator<Item = L>) -> String {
    let lines: Vec<String> = lines
        .into_iter()
        .map(|line| shown(line.as_ref()).into_owned())
        .collect();
    let text = lines.join("\n");
    let fence = fence(&text);
    format!("{fence}{language}\n{text}\n{fence}")
}

/// Longer than any row of backquotes in the text.
fn fence(text: &str) -> String {
    let mut longest = 0;
    let mut row = 0;
    for c in text.chars() {
        row = if c == '`' { row + 1 } else { 0 };
        longest = longest.max(row);
    }
    "`".repeat((longest + 1).max(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text_and_nothing_else() {
        assert_eq!(
            inline("a <b> `c_d` e_f @g"),
            "a &lt;b&gt; `c_d` e\\_f @\u{2060}g"
        );
        // A backquote without its other half opens nothing.
        assert_eq!(inline("it's ` <x>"), "it's ' &lt;x&gt;");
        assert_eq!(fence("a ``` b"), "````");
        assert_eq!(block("sql", ["a"]), "```sql\na\n```");
    }
}
