//! Slips of the pen that one keystroke mends: what other formats write for what TOML writes.
//!
//! The parser gives up on such a line, and sometimes on the lines behind it, so that one colon would hide every other mistake.
//! A slip is said, and mended in a copy in which every octet keeps its place; what is read then is read as it was meant. The text
//! stays refused.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::broken::{self, line_start};
use super::syntax::{Sink, is_too_large};
use crate::diag::{Code, Diagnostic};

/// How often a text is read again: what one line hid can be slips too.
const MAX_ROUNDS: usize = 8;
/// The most lines that are mended; from the next one on the parser's own words stand.
const MAX_MENDED: usize = Diagnostic::MAX;

/// Something that stands for something else of the same length.
struct Slip {
    place: Range<usize>,
    meant: &'static str,
    message: &'static str,
    help: String,
}

/// The text without the slips on lines that cannot be read; each is said.
pub(super) fn mend<'t>(text: &'t str, sink: &mut Sink) -> Cow<'t, str> {
    let mut mended = Cow::Borrowed(text);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    // What is another format altogether is said once.
    if is_too_large(text) || first.is_some_and(broken::is_block) {
        return mended;
    }
    let mut tried: BTreeSet<usize> = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
        let (_, errors) = toml::de::DeTable::parse_recoverable(&mended);
        let broken = errors.iter().filter_map(|error| Some(line_start(text, error.span()?.start)));
        let broken: BTreeSet<usize> = broken.filter(|line| !tried.contains(line)).collect();
        let slips: Vec<Slip> = broken.iter().flat_map(|line| slips(text, *line)).collect();
        tried.extend(&broken);
        if slips.is_empty() || tried.len() > MAX_MENDED {
            break;
        }
        let mut told = None;
        for slip in slips {
            mended.to_mut().replace_range(slip.place.clone(), slip.meant);
            let line = line_start(text, slip.place.start);
            // The same slip again on one line is the same habit.
            if told.replace((line, slip.message)) != Some((line, slip.message)) {
                sink.slip(line, Diagnostic::error(Code::Syntax, slip.message).at(slip.place, "").help(slip.help));
            }
        }
    }
    mended
}

/// The slips on the line that begins at an octet.
fn slips(text: &str, start: usize) -> Vec<Slip> {
    let line = text.get(start..).unwrap_or_default().split('\n').next().unwrap_or_default();
    let mut found = Vec::new();
    let body = line.trim_start();
    let indent = line.len() - body.len();
    if body.starts_with("//") {
        let help = "put `#` before a remark".to_owned();
        return vec![Slip {
            place: start + indent..start + indent + 2,
            meant: "# ",
            message: "`//` begins no remark",
            help,
        }];
    }
    let code = unquoted(line);
    // A name that can be a key, and where it began: behind the beginning of the line, `{` or `,`.
    let mut key: Option<(usize, usize)> = None;
    let mut opens = true;
    for (at, c) in &code {
        let (at, c) = (*at, *c);
        let here = start + at..start + at + c.len_utf8();
        let is_key = c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if c.is_whitespace() && !c.is_ascii() {
            let help =
                "write the space of the space bar; word processors and web pages put others between words".to_owned();
            let meant = SPACES.get(..c.len_utf8()).unwrap_or_default();
            found.push(Slip { place: here, meant, message: "this is no space of TOML", help });
        } else if c.is_whitespace() {
            key = key.map(|(from, to)| (from, to.min(at)));
        } else if is_key && (opens || key.is_some_and(|(_, to)| to == at)) {
            key = Some((key.map_or(at, |(from, _)| from), at + 1));
            opens = false;
        } else {
            let name = key.take().and_then(|(from, to)| line.get(from..to));
            match (c, name) {
                // What has nothing behind it is no value but a block of YAML.
                (':', Some(name)) if line.get(at + 1..).is_some_and(|rest| !rest.trim().is_empty()) => {
                    let help = format!("write `{name} = …`");
                    let message = "a value stands behind `=`, not behind a colon";
                    found.push(Slip { place: here, meant: "=", message, help });
                }
                ('"' | '\'' | '[' | '{', Some(name)) if from_line_start(&code, at) => {
                    let gap = line.get(..at).unwrap_or_default();
                    if gap.ends_with(' ') {
                        let place = start + at - 1..start + at;
                        let help = format!("write `{name} = …`");
                        found.push(Slip { place, meant: "=", message: "`=` is missing before a value", help });
                    }
                }
                _ => {}
            }
            opens = c == '{' || c == ',';
        }
    }
    if let Some((at, ';')) = code.iter().rev().find(|(_, c)| !c.is_whitespace()) {
        let help = "take it out: a line ends by itself".to_owned();
        found.push(Slip {
            place: start + at..start + at + 1,
            meant: " ",
            message: "a line does not end with a semicolon",
            help,
        });
    }
    found.extend(words(line, &code, start));
    found
}

const SPACES: &str = "    ";

/// `True` and `False`, as other languages write them.
fn words(line: &str, code: &[(usize, char)], start: usize) -> Vec<Slip> {
    let known = [("True", "true"), ("TRUE", "true"), ("False", "false"), ("FALSE", "false")];
    let of_word = |(word, meant): (&'static str, &'static str)| {
        let (at, _) = line.match_indices(word).find(|(at, _)| code.iter().any(|(place, _)| place == at))?;
        let before = line.get(..at)?.trim_end();
        let behind = line.get(at + word.len()..)?.trim_start();
        let whole = before.ends_with('=') && (behind.is_empty() || behind.starts_with([',', '}', '#']));
        let help = format!("write `{meant}`");
        let place = start + at..start + at + word.len();
        whole.then_some(Slip { place, meant, message: "`true` and `false` are written small", help })
    };
    known.into_iter().filter_map(of_word).collect()
}

/// Whether nothing but a key stands before a place of the line.
fn from_line_start(code: &[(usize, char)], at: usize) -> bool {
    let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c.is_whitespace();
    code.iter().take_while(|(place, _)| *place < at).all(|(_, c)| is_key(*c))
}

/// The characters of a line outside quotation marks and before its remark; of a text in quotation marks the first mark alone.
fn unquoted(line: &str) -> Vec<(usize, char)> {
    let mut code = Vec::new();
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match quote {
            None if c == '#' => break,
            None => {
                code.push((at, c));
                quote = (c == '"' || c == '\'').then_some(c);
            }
            Some('"') if !escaped && c == '\\' => escaped = true,
            Some(mark) => {
                if c == mark && !escaped {
                    quote = None;
                }
                escaped = false;
            }
        }
    }
    code
}
