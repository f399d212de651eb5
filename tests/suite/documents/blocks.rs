//! The code in a document: fenced blocks with their language, and spans within a line.

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the fence: `yaml`.
    pub language: String,
    /// The line of the document on which its text begins, from 1.
    pub line: usize,
    pub text: String,
}

/// A span of code within a line, and its line from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Span {
    pub line: usize,
    pub text: String,
}

/// The fenced blocks of a document, and the spans outside of them. A block in a list item loses its indentation.
pub fn code_of(document: &str) -> (Vec<Block>, Vec<Span>) {
    let mut blocks = Vec::new();
    let mut spans = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (number, line) in (1..).zip(document.lines()) {
        let indent = line.len() - line.trim_start().len();
        let fence = line.trim_start().strip_prefix("```");
        open = match (open, fence) {
            (None, Some(language)) => {
                let block = Block {
                    language: language.trim().to_owned(),
                    line: number + 1,
                    text: String::new(),
                };
                Some((block, indent))
            }
            (None, None) => {
                // Every second piece stands between two backticks.
                spans.extend(line.split('`').skip(1).step_by(2).map(|text| Span {
                    line: number,
                    text: text.to_owned(),
                }));
                None
            }
            (Some((block, _)), Some(rest)) if rest.trim().is_empty() => {
                blocks.push(block);
                None
            }
            (Some((mut block, indent)), _) => {
                block.text.push_str(line.get(indent..).unwrap_or_default());
                block.text.push('\n');
                Some((block, indent))
            }
        };
    }
    assert!(open.is_none(), "a fence is never closed: {open:?}");
    (blocks, spans)
}

#[test]
fn blocks_and_spans_are_found_with_their_lines() {
    let (blocks, spans) = code_of("a `b c` d\n\n- e\n  ```yaml\n  f: 1\n  ```\n`g`\n```\nh\n```\n");
    let block = |language: &str, line, text: &str| Block {
        language: language.into(),
        line,
        text: text.into(),
    };
    assert_eq!(
        blocks,
        [block("yaml", 5, "f: 1\n"), block("", 9, "h\n")],
        "the indentation of a list item is not the block's"
    );
    let spans: Vec<_> = spans.iter().map(|s| (s.line, s.text.as_str())).collect();
    assert_eq!(spans, [(1, "b c"), (7, "g")]);
}
