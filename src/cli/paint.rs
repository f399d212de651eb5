//! A line as a person sees it: in colour where the terminal shows any, and broken to its width.
//!
//! Invariant: colour goes around text that is shown as data already, so that no sequence of somebody else's is among ours; and a
//! line in which a secret has to be masked, or that only as a whole would be taken for something else, is shown without any.

use std::io;
use std::os::fd::AsFd;

use anstream::ColorChoice;
use anstream::adapter::strip_str;
use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Color};
use textwrap::WordSeparator;
use textwrap::core::{Word, display_width};

use crate::gate::Verdict;
use crate::model::{InstanceState, Phase};
use crate::text::secret::masked_own;
use crate::text::shown::shown;

/// What a part of a line says, where colour makes that plain at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Go,
    Hold,
    Refuse,
    Unknown,
    /// Something is under way, or open.
    UnderWay,
    /// Nothing is left to do about it.
    Past,
    /// The name of what follows.
    Label,
}

impl Tone {
    fn style(self) -> Style {
        let coloured = |colour: AnsiColor| colour.on_default();
        match self {
            Self::Go => coloured(AnsiColor::Green).bold(),
            Self::Hold => coloured(AnsiColor::Yellow).bold(),
            Self::Refuse => coloured(AnsiColor::Red).bold(),
            Self::Unknown => coloured(AnsiColor::Magenta).bold(),
            Self::UnderWay => coloured(AnsiColor::Cyan),
            Self::Past => Style::new().dimmed(),
            Self::Label => Style::new().bold(),
        }
    }

    /// The same for a cell of a table.
    fn cell(self, text: &str) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(shown(text));
        match self {
            Self::Go => cell.fg(Color::DarkGreen),
            Self::Hold => cell.fg(Color::DarkYellow),
            Self::Refuse => cell.fg(Color::DarkRed),
            Self::Unknown => cell.fg(Color::DarkMagenta),
            Self::UnderWay => cell.fg(Color::DarkCyan),
            Self::Past => cell.add_attribute(Attribute::Dim),
            Self::Label => cell.add_attribute(Attribute::Bold),
        }
    }
}

impl From<Verdict> for Tone {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Go => Self::Go,
            Verdict::Hold => Self::Hold,
            Verdict::Refuse => Self::Refuse,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl From<Phase> for Tone {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Label,
            Phase::Expanding | Phase::Backfilling | Phase::Contracting | Phase::Reverting => {
                Self::Hold
            }
            Phase::Expanded | Phase::Backfilled => Self::UnderWay,
            Phase::Contracted => Self::Past,
        }
    }
}

impl From<InstanceState> for Tone {
    fn from(state: InstanceState) -> Self {
        match state {
            InstanceState::Serving => Self::Go,
            InstanceState::Starting | InstanceState::Draining => Self::UnderWay,
            InstanceState::Lost | InstanceState::Superseded => Self::Hold,
            _ => Self::Unknown,
        }
    }
}

/// A line with the parts of it that are coloured.
#[derive(Clone, Debug, Default)]
pub(super) struct Line(String);

impl Line {
    /// Text as it is, added to what is there.
    pub(super) fn and(mut self, text: &str) -> Self {
        self.0.push_str(&shown(text));
        self
    }

    /// Coloured text, added to what is there.
    pub(super) fn toned(mut self, tone: Tone, text: &str) -> Self {
        let style = tone.style();
        self.0.push_str(&format!("{style}{}{style:#}", shown(text)));
        self
    }

    /// A line of its own below something, named: `    next: …`.
    pub(super) fn named(indentation: &str, name: &str, text: &str) -> Self {
        let label = Self::default().and(indentation).toned(Tone::Label, name);
        label.and(" ").and(text)
    }

    /// What is said on standard error: the word it begins with says how bad it is.
    pub(super) fn remark(text: &str) -> Self {
        let words = [
            ("error:", Tone::Refuse),
            ("warning:", Tone::Hold),
            ("note:", Tone::Label),
        ];
        for (word, tone) in words {
            if let Some(rest) = text.strip_prefix(word) {
                return Self::default().toned(tone, word).and(rest);
            }
        }
        Self::from(text)
    }

    /// The text alone.
    pub(super) fn plain(&self) -> String {
        strip_str(&self.0).to_string()
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self(shown(text).into_owned())
    }
}

impl From<&String> for Line {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Line> for Line {
    fn from(line: &Line) -> Self {
        line.clone()
    }
}

/// A cell of a table.
#[derive(Clone)]
pub(super) struct Cell(comfy_table::Cell);

impl Cell {
    pub(super) fn toned(tone: impl Into<Tone>, text: &str) -> Self {
        Self(tone.into().cell(text))
    }

    pub(super) fn into_inner(self) -> comfy_table::Cell {
        self.0
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        // As data before it is arranged: a width is that of what is shown.
        Self(comfy_table::Cell::new(shown(&text)))
    }
}

/// The lines of a table, whose cells were shown as data before it was arranged.
pub(super) fn of_table(table: &comfy_table::Table) -> Vec<Line> {
    table.lines().map(|line| Line(without_end(&line))).collect()
}

/// A line without the spaces at its end, which stand before what ends their colour.
fn without_end(line: &str) -> String {
    let (mut text, mut endings) = (line, Vec::new());
    loop {
        text = text.trim_end_matches(' ');
        match text.rsplit_once('\u{1b}') {
            Some((before, sequence)) if text.ends_with('m') && !sequence.contains(' ') => {
                let is_sequence = sequence.find('m') == Some(sequence.len() - 1);
                if !is_sequence {
                    break;
                }
                endings.push(sequence);
                text = before;
            }
            _ => break,
        }
    }
    let endings = endings.iter().rev();
    let endings: String = endings
        .map(|sequence| format!("\u{1b}{sequence}"))
        .collect();
    format!("{text}{endings}")
}

/// Whether a stream shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Shown,
    NotShown,
}

/// What a stream leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    colours: Colours,
    /// Columns; `None` if it is no terminal, or one that does not know its width.
    width: Option<usize>,
}

/// Columns below which nothing is broken to the width of the terminal.
pub(super) const NARROWEST: u16 = 36;

impl Screen {
    /// Where a text is for another program: as into a file.
    pub(super) const NONE: Self = Self {
        colours: Colours::NotShown,
        width: None,
    };

    pub(super) fn of_results() -> Self {
        Self::of(&io::stdout())
    }

    /// Of standard error.
    pub(super) fn of_remarks() -> Self {
        Self::of(&io::stderr())
    }

    /// What `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM` say is heeded, as by other programs.
    fn of(stream: &(impl AsFd + anstream::stream::RawStream)) -> Self {
        let colours = match anstream::AutoStream::choice(stream) {
            ColorChoice::Never => Colours::NotShown,
            ColorChoice::Auto | ColorChoice::Always | ColorChoice::AlwaysAnsi => Colours::Shown,
        };
        let size = stream
            .is_terminal()
            .then(|| rustix::termios::tcgetwinsize(stream).ok())
            .flatten();
        // A terminal that does not know its width says 0.
        let width = size.map(|size| size.ws_col).filter(|columns| *columns > 0);
        Self {
            colours,
            width: width.map(|columns| columns.max(NARROWEST).into()),
        }
    }

    pub(super) const fn width(self) -> Option<usize> {
        self.width
    }

    pub(super) fn has_colours(self) -> bool {
        self.colours == Colours::Shown
    }

    /// The line as it is written.
    pub(super) fn drawn(self, line: &Line) -> String {
        let plain = line.plain();
        let data = shown(&plain);
        let masked = masked_own(&data);
        let is_as_meant = masked == plain.as_str();
        let text = if self.has_colours() && is_as_meant {
            line.0.as_str()
        } else {
            &masked
        };
        match self.width {
            Some(width) => broken(text, width),
            None => text.to_owned(),
        }
    }
}

/// Whether what was written there can be written over.
pub(super) fn can_be_drawn_over(stream: &impl io::IsTerminal) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && !is_dumb
}

/// A line in as many as it takes, those after the first further in.
fn broken(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let indentation = text.len() - text.trim_start_matches(' ').len();
    let hanging = " ".repeat((indentation + 2).min(width / 2));
    let options = textwrap::Options::new(width)
        .subsequent_indent(&hanging)
        .break_words(false)
        .word_separator(WORDS)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).join("\n")
}

/// A command stays on one line, for whoever copies it.
pub(super) const WORDS: WordSeparator = WordSeparator::Custom(words);

fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let has_pairs = line.matches('`').count().is_multiple_of(2);
    let mut start = 0;
    let mut is_code = false;
    let mut was_space = false;
    let mut ends = Vec::new();
    for (at, c) in line.char_indices() {
        if c != ' ' && was_space && !is_code {
            ends.push(at);
        }
        was_space = c == ' ';
        is_code ^= has_pairs && c == '`';
    }
    ends.push(line.len());
    Box::new(ends.into_iter().map(move |end| {
        let word = line.get(start..end).unwrap_or_default();
        start = end;
        Word::from(word)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOURS: Screen = Screen {
        colours: Colours::Shown,
        width: None,
    };
    const PLAIN: Screen = Screen::NONE;

    #[test]
    fn colour_stands_around_what_is_shown_as_data() {
        let name = "a\u{1b}[31mb\u{1b}[0m";
        let line = Line::default()
            .toned(Tone::Refuse, "refuse:")
            .and(" ")
            .toned(Tone::Label, name);
        let data = "refuse: a\\u{1b}[31mb\\u{1b}[0m";
        assert_eq!(PLAIN.drawn(&line), data);
        let drawn = COLOURS.drawn(&line);
        assert_eq!(strip_str(&drawn).to_string(), data);
        assert_eq!(drawn.matches('\u{1b}').count(), 5, "{drawn:?}");
        assert!(
            drawn.starts_with("\u{1b}[1m\u{1b}[31mrefuse:\u{1b}[0m "),
            "{drawn:?}"
        );
    }

    #[test]
    fn what_has_to_be_masked_as_a_whole_is_shown_without_colour() {
        let url = Line::from("at postgres://u:")
            .toned(Tone::Go, "sesame")
            .and("@host/db");
        assert_eq!(COLOURS.drawn(&url), "at postgres://u:***@host/db");
        let command = Line::default().toned(Tone::Go, ":").and(":set-output::x");
        assert_eq!(COLOURS.drawn(&command), "\\u{3a}:set-output::x");
    }

    #[test]
    fn no_line_of_a_table_ends_with_spaces() {
        for (line, without) in [
            ("a b  ", "a b"),
            ("a \u{1b}[1mb  \u{1b}[0m", "a \u{1b}[1mb\u{1b}[0m"),
            (
                "a \u{1b}[1m  \u{1b}[22m\u{1b}[39m ",
                "a\u{1b}[1m\u{1b}[22m\u{1b}[39m",
            ),
            ("\u{1b}[1mthem", "\u{1b}[1mthem"),
            ("\u{1b}[1mm", "\u{1b}[1mm"),
            ("", ""),
        ] {
            assert_eq!(without_end(line), without);
        }
    }

    #[test]
    fn a_remark_says_how_bad_it_is() {
        for (text, is_coloured) in [
            ("error: no", true),
            ("warning: perhaps", true),
            ("note: so", true),
            ("an error: no", false),
        ] {
            let drawn = COLOURS.drawn(&Line::remark(text));
            assert_eq!(drawn.contains('\u{1b}'), is_coloured, "{drawn:?}");
            assert_eq!(PLAIN.drawn(&Line::remark(text)), text);
        }
    }

    #[test]
    fn a_line_is_broken_by_what_is_shown_and_commands_stay_whole() {
        for (text, width, lines) in [
            ("short", 20, "short"),
            (
                "    next: one two three four",
                20,
                "    next: one two\n      three four",
            ),
            (
                "run `migrate expand 0001` now",
                20,
                "run\n  `migrate expand 0001`\n  now",
            ),
            (
                "it's `unclosed and long text",
                20,
                "it's `unclosed and\n  long text",
            ),
            ("東京 東京 東京", 10, "東京 東京\n  東京"),
        ] {
            assert_eq!(broken(text, width), lines);
        }
        let toned = Line::from("one two ")
            .toned(Tone::Refuse, "three")
            .and(" four");
        let drawn = broken(&toned.0, 13);
        assert_eq!(strip_str(&drawn).to_string(), "one two three\n  four");
    }
}
