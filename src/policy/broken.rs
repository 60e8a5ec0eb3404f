//! What is not TOML, in words that help: the parser's own are for those who know the format.

use std::ops::Range;

use super::syntax::Sink;
use crate::diag::{Code, Diagnostic, quoted};

/// What is to be done with what could be read beside the mistakes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is as it was meant, but for the lines with mistakes.
    Stands,
    /// The header of a table was lost, and what it names with it.
    HeaderLost,
    /// A list or table that does not end has swallowed it.
    Swallowed,
}

/// Says what is not TOML: of each line the first mistake, since the others are its echoes, and nothing behind a list that does not
/// end.
pub(super) fn say(text: &str, errors: &[toml::de::Error], sink: &mut Sink) -> Rest {
    let mut mistakes: Vec<(Range<usize>, String)> = errors
        .iter()
        .map(|error| (place(text, error.span()), error.message().trim_end_matches('.').replace('\n', " ")))
        .collect();
    mistakes.sort_by_key(|(span, _)| span.start);
    let first = |span: &Range<usize>| text.get(line_start(text, span.start)..).and_then(|rest| rest.lines().next());
    let yaml = mistakes.first().and_then(|(span, _)| first(span)).is_some_and(is_block);
    if text.trim_start().starts_with('{') || yaml {
        let said = Diagnostic::error(Code::Syntax, "a policy is a TOML file, and this is none").at(0..1, "");
        sink.push(said.help("begin with `[policy]`; `landfall policy init` writes an example"));
        return Rest::Swallowed;
    }
    let mut rest = Rest::Stands;
    let mut told = None;
    // Where a table ends that stands twice: every key of it seems to do so as well.
    let mut twice = 0;
    for (span, message) in mistakes.into_iter().take(Diagnostic::MAX) {
        let line = line_start(text, span.start);
        if message.contains("duplicate key") {
            if (..twice).contains(&span.start) {
                continue;
            }
            let table = text.get(line..).unwrap_or_default();
            if let Some(said) = table_twice(table) {
                twice = line + table.find("\n[").unwrap_or(table.len());
                rest = Rest::HeaderLost;
                sink.push(said.at(span, "again"));
                continue;
            }
        }
        if is_statement(text, line) && is_in_list(&message) && text.get(line..span.start).is_some_and(is_blank) {
            let end = text.get(..line).unwrap_or_default().trim_end().len();
            let last = text.get(..end).and_then(|before| before.chars().next_back()).map_or(0, char::len_utf8);
            sink.push(
                Diagnostic::error(Code::Syntax, "a list or a table does not end")
                    .at(end - last..end, "`]` or `}` is missing behind this")
                    .help("what follows was not read: there can be more mistakes in it"),
            );
            return Rest::Swallowed;
        }
        let here = text.get(span.start..).unwrap_or_default();
        if let Some((message, help)) = bare_word(here, &message) {
            // Each is a mistake of its own.
            told = Some(line);
            sink.push(Diagnostic::error(Code::Syntax, message).at(span, "expected a value").help(help));
            continue;
        }
        if told == Some(line) {
            continue;
        }
        told = Some(line);
        if message.starts_with("unclosed") {
            rest = Rest::HeaderLost;
        }
        let help = help(text.get(line..).unwrap_or_default(), &message);
        sink.push(Diagnostic::error(Code::Syntax, message).at(span, "").maybe_help(help));
    }
    rest
}

/// What is said of a table that stands twice; `None` of what is no table.
fn table_twice(text: &str) -> Option<Diagnostic> {
    let header = text.lines().next().unwrap_or_default();
    let name = header.trim_start().strip_prefix('[')?.trim_start_matches('[').split(']').next()?;
    let help = match name {
        "rule" | "waiver" | "tripwire" | "test" => format!("write `[[{name}]]` above each {name}, in double brackets"),
        _ => "give one of them another name, or write all of it under one".to_owned(),
    };
    Some(Diagnostic::error(Code::Syntax, format!("the table {} stands twice", quoted(name))).help(help))
}

/// Where a mistake is shown: where nothing stands at the place, the last thing before it.
fn place(text: &str, span: Option<Range<usize>>) -> Range<usize> {
    let span = span.unwrap_or(0..0);
    if span.is_empty() && span.start == text.len() {
        let end = text.trim_end().len();
        let last = text.get(..end).and_then(|before| before.chars().next_back()).map_or(0, char::len_utf8);
        return end.saturating_sub(last)..end;
    }
    span
}

/// Where the line of an octet begins.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset.min(text.len())).unwrap_or_default();
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}

/// Whether a line begins a block of YAML: a word, a colon and nothing else.
pub(super) fn is_block(line: &str) -> bool {
    let key = line.trim().strip_suffix(':').unwrap_or_default();
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether nothing stands there, or a bracket of what is meant for a header.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c == '[')
}

/// Whether the parser looked for an entry of a list or a table.
fn is_in_list(message: &str) -> bool {
    message.contains("missing comma") || message.contains("unexpected") || is_of_values(message)
}

/// Whether the parser looked for a value and met a word.
fn is_of_values(message: &str) -> bool {
    ["string values must be quoted", "invalid float", "invalid boolean"].iter().any(|known| message.starts_with(known))
}

/// Whether a line begins something of its own: `[table]`, or `key = value`.
fn is_statement(text: &str, line: usize) -> bool {
    let line = text.get(line..).unwrap_or_default().lines().next().unwrap_or_default().trim();
    let key = line.split_once('=').map_or("", |(key, _)| key.trim());
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let table = line.starts_with('[') && line.trim_start_matches('[').starts_with(|c: char| c.is_ascii_alphabetic());
    table || (!key.is_empty() && key.bytes().all(is_key))
}

/// What is said of a word that stands where a value should, and not in quotation marks.
fn bare_word(here: &str, message: &str) -> Option<(String, String)> {
    if !is_of_values(message) {
        return None;
    }
    let word: String =
        here.chars().take_while(|c| c.is_alphanumeric() || "-_.@*/“”„‘’".contains(*c)).take(64).collect();
    let plain = word.trim_matches(['“', '”', '„', '‘', '’']);
    if plain.len() < word.len() {
        let help = format!("write straight quotation marks: `\"{plain}\"`");
        return Some(("these are no quotation marks of TOML".to_owned(), help));
    }
    let letter = word.chars().next().is_some_and(char::is_alphabetic);
    letter.then(|| {
        let help = format!("texts stand in quotation marks: `\"{word}\"`");
        (format!("`{word}` stands without quotation marks"), help)
    })
}

/// What to write instead, where that can be told from the line.
fn help(line: &str, message: &str) -> Option<String> {
    let line = line.lines().next().unwrap_or_default();
    let value = line.split_once('=').map_or("", |(_, value)| value);
    if message.starts_with("unclosed") {
        return Some("a header ends as it begins: `[zone.office]`, `[[rule]]`".to_owned());
    }
    if message.contains("missing comma") {
        return Some("write a comma between entries; a quotation mark can be missing as well".to_owned());
    }
    if message.contains("basic string") {
        return Some("a text ends on its line, with the quotation mark that it begins with".to_owned());
    }
    if message.starts_with("key with no value") {
        return Some("write `key = value`, or put `#` before a remark".to_owned());
    }
    if message.contains("duplicate key") {
        return Some("a key is written once in a table: take one of the two out".to_owned());
    }
    day_first(value).map(|day| format!("dates begin with the year: `{day}`"))
}

/// `01.02.2026` as `2026-02-01`: which of the two is the day nobody can know, so that the second is taken for the month as in
/// most of the world.
fn day_first(value: &str) -> Option<String> {
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let dotted = value.split([' ', ',', '}', '{', ']', '[']).find(|part| {
        let parts: Vec<&str> = part.split(['.', '/']).collect();
        parts.len() == 3 && parts.iter().all(is_number) && parts.last().is_some_and(|year| year.len() == 4)
    })?;
    let parts: Vec<&str> = dotted.split(['.', '/']).collect();
    match parts.as_slice() {
        [day, month, year] if day.len() <= 2 && month.len() <= 2 => Some(format!("{year}-{month:0>2}-{day:0>2}")),
        _ => None,
    }
}
