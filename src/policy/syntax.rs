//! TOML with places: a recoverable parse, and readers that say what is wrong and go on.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::broken::{self, Rest};
use super::meant::meant_word;
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::Timestamp;

/// The largest text that is read, in octets: a policy of a hundred thousand networks is less than half of it.
pub(super) const MAX_TEXT: usize = 4 << 20;

/// What is said of a name that stands for nothing.
const NAMING: [Code; 7] = [
    Code::UnknownZone,
    Code::UnknownParty,
    Code::UnknownService,
    Code::UnknownSet,
    Code::UnknownRule,
    Code::UnknownTripwire,
    Code::TestOutsideZones,
];

/// Everything that is to be said of a text, as it is found.
#[derive(Debug, Default)]
pub(super) struct Sink {
    found: Vec<Diagnostic>,
    /// Whether something that has a name was lost with its header: that it is not there is an echo.
    header_lost: bool,
    /// Where lines begin that were read as they were meant.
    mended: BTreeSet<usize>,
}

impl Sink {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        // What is said in the end is bounded by `Diagnostic::MAX`; this bounds what is kept until then.
        const KEPT: usize = 20 * Diagnostic::MAX;
        if self.found.len() < KEPT {
            self.found.push(diagnostic);
        }
    }

    /// Says a slip on a line that could be read all the same.
    pub(super) fn slip(&mut self, line: usize, diagnostic: Diagnostic) {
        self.mended.insert(line);
        self.push(diagnostic);
    }

    /// Takes back that a key is missing from a table: it is there, under another name.
    fn is_there(&mut self, noun: &str, key: &str, table: &Range<usize>) {
        let message = missing_key(noun, key);
        self.found.retain(|said| {
            said.code != Code::MissingKey || said.message != message || said.span().as_ref() != Some(table)
        });
    }

    pub(super) fn error(&mut self, code: Code, message: impl Into<String>, span: Range<usize>, label: &str) {
        self.push(Diagnostic::error(code, message).at(span, label));
    }

    /// The codes of the errors.
    pub(super) fn codes(&self) -> impl Iterator<Item = Code> + '_ {
        self.found.iter().filter(|one| one.is_error()).map(|one| one.code)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// Everything that was found. Where the text is not TOML, what is said of the same lines is an echo of that and is left
    /// out, as are keys that seem to be missing.
    pub(super) fn finish(self, text: &str) -> Vec<Diagnostic> {
        let line_of = |offset: usize| broken::line_start(text, offset);
        let broken: Vec<usize> = self
            .found
            .iter()
            .filter(|diagnostic| diagnostic.code == Code::Syntax)
            .filter_map(|diagnostic| diagnostic.span().map(|span| line_of(span.start)))
            .filter(|line| !self.mended.contains(line))
            .collect();
        let echo = |diagnostic: &Diagnostic| {
            if self.header_lost && NAMING.contains(&diagnostic.code) {
                return true;
            }
            let on_broken_line = || diagnostic.span().is_some_and(|span| broken.contains(&line_of(span.start)));
            !broken.is_empty()
                && diagnostic.code != Code::Syntax
                && (matches!(diagnostic.code, Code::MissingKey | Code::Destination)
                    || !diagnostic.is_error()
                    || on_broken_line())
        };
        let said: Vec<Diagnostic> = self.found.iter().filter(|diagnostic| !echo(diagnostic)).cloned().collect();
        Diagnostic::in_order(said)
    }
}

/// Whether a text is larger than any that is read.
pub(super) fn is_too_large(text: &str) -> bool {
    text.len() > MAX_TEXT
}

/// Parses a text to a tree. What is not TOML is said, and the rest of the tree is there.
pub(super) fn parse<'i>(text: &'i str, sink: &mut Sink) -> DeTable<'i> {
    if is_too_large(text) {
        let message = format!("the text has {} octets; at most {MAX_TEXT} are read", text.len());
        sink.push(Diagnostic::error(Code::TooLarge, message));
        return DeTable::new();
    }
    let (tree, errors) = DeTable::parse_recoverable(text);
    match broken::say(text, &errors, sink) {
        Rest::Stands => tree.into_inner(),
        Rest::HeaderLost => {
            sink.header_lost = true;
            tree.into_inner()
        }
        Rest::Swallowed => DeTable::new(),
    }
}

/// A table of the text whose keys are being read.
pub(super) struct Fields<'a, 'i> {
    table: &'a DeTable<'i>,
    /// Where the table is: its header, or its braces.
    span: Range<usize>,
    /// What it is called in messages: "a rule", "`[policy]`".
    noun: &'static str,
    known: Vec<&'static str>,
}

impl<'a, 'i> Fields<'a, 'i> {
    pub(super) fn new(noun: &'static str, table: &'a DeTable<'i>, span: Range<usize>) -> Self {
        Self { table, span, noun, known: Vec::new() }
    }

    /// The fields of a value that must be a table.
    pub(super) fn of(noun: &'static str, value: &'a Spanned<DeValue<'i>>, sink: &mut Sink) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Self::new(noun, table, value.span())),
            other => {
                let text = if let DeValue::String(text) = other { quoted(text) } else { "…".to_owned() };
                let help = match noun {
                    "a document" => format!("write `{{ ref = \"{}\" }}`", text.trim_matches('`')),
                    "a limit" => "write `{ octets = \"50 GiB\", per = \"24h\" }`".to_owned(),
                    "a period" => {
                        "write `{ from = 2026-01-01, until = 2027-01-01 }`; one of the two is enough".to_owned()
                    }
                    _ => "write its keys between braces: `{ key = value }`".to_owned(),
                };
                let message = format!("{noun} is a table, not {}", kind(other));
                sink.push(Diagnostic::error(Code::WrongType, message).at(value.span(), "expected a table").help(help));
                None
            }
        }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value of a key, which is known from now on.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// Whether a key is written, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Says that a key is missing.
    pub(super) fn missing(&self, key: &str, help: &str, sink: &mut Sink) {
        let message = missing_key(self.noun, key);
        sink.push(
            Diagnostic::error(Code::MissingKey, message).at(self.span(), format!("`{key}` is required")).help(help),
        );
    }

    pub(super) fn text(&mut self, key: &'static str, sink: &mut Sink) -> Option<Spanned<String>> {
        let value = self.take(key)?;
        text(key, value, sink)
    }

    pub(super) fn texts(&mut self, key: &'static str, sink: &mut Sink) -> Option<Spanned<Vec<Spanned<String>>>> {
        let value = self.take(key)?;
        texts(key, value, sink)
    }

    /// A list of texts that may be empty.
    pub(super) fn texts_or_none(
        &mut self,
        key: &'static str,
        sink: &mut Sink,
    ) -> Option<Spanned<Vec<Spanned<String>>>> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::Array(array) if array.is_empty() => Some(Spanned::new(value.span(), Vec::new())),
            _ => texts(key, value, sink),
        }
    }

    /// A text or a list of texts.
    pub(super) fn text_or_texts(
        &mut self,
        key: &'static str,
        sink: &mut Sink,
    ) -> Option<Spanned<Vec<Spanned<String>>>> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::String(_) => text(key, value, sink).map(|one| Spanned::new(value.span(), vec![one])),
            _ => texts(key, value, sink),
        }
    }

    pub(super) fn integer(&mut self, key: &'static str, sink: &mut Sink) -> Option<Spanned<u64>> {
        let value = self.take(key)?;
        integer(key, value, sink)
    }

    pub(super) fn boolean(&mut self, key: &'static str, sink: &mut Sink) -> Option<Spanned<bool>> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(Spanned::new(value.span(), *flag)),
            other => {
                wrong_type(sink, key, "`true` or `false`", other, value.span());
                None
            }
        }
    }

    pub(super) fn number(&mut self, key: &'static str, sink: &mut Sink) -> Option<Spanned<f64>> {
        let value = self.take(key)?;
        let parsed = match value.get_ref() {
            DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().replace('_', "").parse().ok(),
            _ => None,
        };
        if parsed.is_none() {
            wrong_type(sink, key, "a number", value.get_ref(), value.span());
        }
        parsed.map(|number| Spanned::new(value.span(), number))
    }

    pub(super) fn date(&mut self, key: &'static str, sink: &mut Sink) -> Option<Spanned<Date>> {
        let value = self.take(key)?;
        date(key, value, sink)
    }

    pub(super) fn time(&mut self, key: &'static str, sink: &mut Sink) -> Option<Spanned<Timestamp>> {
        let value = self.take(key)?;
        time(key, value, sink)
    }

    /// A word out of a closed list.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        sink: &mut Sink,
    ) -> Option<Spanned<T>> {
        let written = self.text(key, sink)?;
        let found = words.iter().find(|(word, _)| word == written.get_ref()).map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let meant = meant_word(written.get_ref(), &words.iter().map(|(word, _)| *word));
            let help = meant.map_or_else(
                || format!("`{key}` is one of {}", list.join(", ")),
                |word| format!("did you mean `{word}`? `{key}` is one of {}", list.join(", ")),
            );
            let message = format!("{} is no value of `{key}`", quoted(written.get_ref()));
            sink.push(Diagnostic::error(Code::UnknownWord, message).at(written.span(), "").help(help));
        }
        found.map(|value| Spanned::new(written.span(), value))
    }

    /// The entries of a table that names things: `[zone.NAME]`.
    pub(super) fn named(
        &mut self,
        key: &'static str,
        noun: &'static str,
        sink: &mut Sink,
    ) -> Vec<(Spanned<String>, &'a Spanned<DeValue<'i>>)> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("`{key}` is not a table of named entries");
            let help = if value.get_ref().is_array() {
                format!("write `[{key}.NAME]`, not `[[{key}]]`: each {noun} has a name")
            } else {
                format!("write `[{key}.NAME]`: each {noun} has a name")
            };
            sink.push(Diagnostic::error(Code::WrongType, message).at(value.span(), "").help(help));
            return Vec::new();
        };
        table.iter().map(|(name, entry)| (Spanned::new(name.span(), name.get_ref().to_string()), entry)).collect()
    }

    /// The entries of an array of tables: `[[rule]]`.
    pub(super) fn listed(&mut self, key: &'static str, noun: &'static str, sink: &mut Sink) -> Vec<Fields<'a, 'i>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Array(entries) = value.get_ref() else {
            let message = format!("`{key}` is not a list of tables");
            let one = noun.trim_start_matches("a ");
            let help = format!("write `[[{key}]]` above each {one}, in double brackets");
            sink.push(Diagnostic::error(Code::WrongType, message).at(value.span(), "").help(help));
            return Vec::new();
        };
        entries.iter().filter_map(|entry| Fields::of(noun, entry, sink)).collect()
    }

    /// Whether a key that is none of those that were read was probably meant for one of `keys`.
    pub(super) fn seems_to_have(&self, keys: &[&'static str]) -> bool {
        let mut unknown = self.table.keys().map(|key| &**key.get_ref()).filter(|key| !self.known.contains(key));
        let known = self.known.iter().copied();
        unknown.any(|key| meant_word(key, &known).is_some_and(|meant| keys.contains(&meant)))
    }

    /// Says which keys are none of those that were read.
    pub(super) fn finish(self, sink: &mut Sink) {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let candidates = self.known.iter().copied();
            let meant = meant_word(name, &candidates);
            if let Some(key) = meant.filter(|key| !self.table.contains_key(*key)) {
                sink.is_there(self.noun, key, &self.span);
            }
            let help = meant.map_or_else(
                || {
                    let mut keys: Vec<String> = self.known.iter().map(|known| format!("`{known}`")).collect();
                    keys.sort();
                    format!("{} has the keys {}", self.noun, keys.join(", "))
                },
                |word| format!("did you mean `{word}`?"),
            );
            let message = format!("{} has no key {}", self.noun, quoted(name));
            sink.push(Diagnostic::error(Code::UnknownKey, message).at(key.span(), "unknown key").help(help));
        }
    }
}

fn missing_key(noun: &str, key: &str) -> String {
    format!("{noun} has no `{key}`")
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn wrong_type(sink: &mut Sink, key: &str, wanted: &str, found: &DeValue<'_>, span: Range<usize>) {
    let message = format!("`{key}` is {wanted}, not {}", kind(found));
    let help = match (wanted, found) {
        ("a list of texts", DeValue::String(text)) => Some(format!("write `[\"{}\"]`", quoted(text).trim_matches('`'))),
        ("a date", DeValue::String(_)) => Some("write dates without quotation marks: `2023-07-10`".to_owned()),
        ("a time", DeValue::String(_)) => {
            Some("write times without quotation marks: `2020-03-30T15:00:00Z`".to_owned())
        }
        ("a text", DeValue::Boolean(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_)) => {
            Some("write it in quotation marks".to_owned())
        }
        ("a whole number", DeValue::String(_)) => Some("write it without quotation marks".to_owned()),
        _ => None,
    };
    sink.push(Diagnostic::error(Code::WrongType, message).at(span, format!("expected {wanted}")).maybe_help(help));
}

pub(super) fn text(key: &str, value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Option<Spanned<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(Spanned::new(value.span(), text.to_string())),
        other => {
            wrong_type(sink, key, "a text", other, value.span());
            None
        }
    }
}

fn texts(key: &str, value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Option<Spanned<Vec<Spanned<String>>>> {
    let DeValue::Array(array) = value.get_ref() else {
        wrong_type(sink, key, "a list of texts", value.get_ref(), value.span());
        return None;
    };
    if array.is_empty() {
        sink.push(
            Diagnostic::error(Code::EmptyList, format!("`{key}` is an empty list"))
                .at(value.span(), "nothing here")
                .help(if ["networks", "from", "ports"].contains(&key) {
                    "name at least one entry".to_owned()
                } else {
                    format!("name at least one entry, or leave `{key}` out")
                }),
        );
        return None;
    }
    let texts = array.iter().filter_map(|entry| text(key, entry, sink)).collect();
    Some(Spanned::new(value.span(), texts))
}

pub(super) fn integer(key: &str, value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Option<Spanned<u64>> {
    let parsed = match value.get_ref() {
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        other => {
            wrong_type(sink, key, "a whole number", other, value.span());
            return None;
        }
    };
    if parsed.is_none() {
        sink.error(
            Code::BadValue,
            format!("`{key}` is out of range"),
            value.span(),
            "expected a whole number from zero",
        );
    }
    parsed.map(|number| Spanned::new(value.span(), number))
}

fn date(key: &str, value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Option<Spanned<Date>> {
    let DeValue::Datetime(datetime) = value.get_ref() else {
        wrong_type(sink, key, "a date", value.get_ref(), value.span());
        return None;
    };
    let civil = match (datetime.date, datetime.time, datetime.offset) {
        (Some(date), None, None) => {
            // Years, months and days of TOML have four and two digits.
            Date::new(date.year.cast_signed(), date.month.cast_signed(), date.day.cast_signed()).ok()
        }
        _ => None,
    };
    let Some(civil) = civil else {
        sink.push(
            Diagnostic::error(Code::BadDate, format!("`{key}` is not a date"))
                .at(value.span(), "expected a date")
                .help("write a date without a time: `2023-07-10`; it begins at midnight UTC"),
        );
        return None;
    };
    // Flows are dated by nanoseconds since 1970 in 64 bits: to 2554.
    if !(1900..=2500).contains(&civil.year()) {
        let message = format!("the year {} is out of range", civil.year());
        sink.error(Code::BadDate, message, value.span(), "expected a year from 1900 to 2500");
        return None;
    }
    Some(Spanned::new(value.span(), civil))
}

fn time(key: &str, value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Option<Spanned<Timestamp>> {
    let DeValue::Datetime(datetime) = value.get_ref() else {
        wrong_type(sink, key, "a time", value.get_ref(), value.span());
        return None;
    };
    if datetime.date.is_some() && datetime.time.is_none() {
        // A date alone is its midnight.
        return date(key, value, sink).map(|date| Spanned::new(date.span(), Timestamp::at_midnight(*date.get_ref())));
    }
    let stamp: Option<Timestamp> = datetime.to_string().parse().ok();
    if stamp.is_none() {
        sink.push(
            Diagnostic::error(Code::BadDate, format!("`{key}` is not a time with an offset"))
                .at(value.span(), "expected a time")
                .help("write a time in UTC: `2020-03-30T15:00:00Z`"),
        );
    }
    stamp.map(|stamp| Spanned::new(value.span(), stamp))
}
