//! Zeek's text logs: directives, columns, escapes (zeek/zeek `src/logging/writers/ascii/Ascii.cc` and
//! `src/threading/formatters/Ascii.cc`).

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::columns::{self, Path};
use crate::source::log::row::{Field, Known, Row};
use crate::source::log::value::Value;

/// The most columns of a line that are looked at.
const MAX_COLUMNS: usize = 256;

/// The longest separator.
const MAX_SEPARATOR: usize = 16;

/// How the lines after a header are to be read.
#[derive(Debug)]
pub(super) struct Layout {
    separator: Vec<u8>,
    set_separator: Vec<u8>,
    empty: Vec<u8>,
    unset: Vec<u8>,
    pub(super) path: Option<Path>,
    columns: Option<Vec<Known>>,
    /// The names that are not known, of the last header.
    pub(super) unknown: Vec<String>,
}

/// What a line is.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Line<'a> {
    Empty,
    /// A directive; of `#fields` the columns are known from here on.
    Directive(Directive),
    Row(Row<'a>),
    Malformed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Fields,
    Other,
}

impl Layout {
    /// Zeek's defaults, which hold where a header does not say otherwise.
    pub(super) fn new() -> Self {
        Self {
            separator: b"\t".to_vec(),
            set_separator: b",".to_vec(),
            empty: b"(empty)".to_vec(),
            unset: b"-".to_vec(),
            path: None,
            columns: None,
            unknown: Vec::new(),
        }
    }

    /// Reads a line: UTF-8 is not asked of it, since what is not is escaped.
    pub(super) fn line<'a>(&mut self, line: &'a [u8]) -> Line<'a> {
        // Some tools put a tab before the first directive.
        let directive = line.trim_ascii_start();
        if directive.is_empty() {
            return Line::Empty;
        }
        if directive.starts_with(b"#") {
            return Line::Directive(self.directive(directive));
        }
        let Some(columns) = &self.columns else { return Line::Malformed };
        let mut row = Row::default();
        let mut count = 0;
        for value in split(line, &self.separator) {
            count += 1;
            let Some(column) = columns.get(count - 1) else { return Line::Malformed };
            let Known::Field(field) = *column else { continue };
            if value == self.unset.as_slice() {
                continue;
            }
            match field {
                Field::Answers | Field::Ttls | Field::Tunnel if value == self.empty.as_slice() => {}
                Field::Answers | Field::Ttls => {
                    for element in split(value, &self.set_separator) {
                        row.set(field, Value::Text(unescaped(element)));
                    }
                }
                _ => row.set(field, Value::Text(unescaped(value))),
            }
        }
        if count == columns.len() { Line::Row(row) } else { Line::Malformed }
    }

    fn directive(&mut self, line: &[u8]) -> Directive {
        let end = line.iter().position(|octet| *octet == b' ' || self.separator.first() == Some(octet));
        let (name, rest) = line.split_at(end.unwrap_or(line.len()));
        // `#separator` stands before its own definition and has a space; the others have the separator, or a space again.
        let rest = rest.strip_prefix(self.separator.as_slice()).or_else(|| rest.strip_prefix(b" ")).unwrap_or_default();
        let short = rest.len() <= MAX_SEPARATOR * 4;
        match name {
            b"#separator" if short && !rest.is_empty() => {
                *self = Self { separator: escaped_octets(rest), ..Self::new() };
            }
            b"#set_separator" if short && !rest.is_empty() => self.set_separator = escaped_octets(rest),
            b"#empty_field" if short => self.empty = escaped_octets(rest),
            b"#unset_field" if short => self.unset = escaped_octets(rest),
            b"#path" => self.path = Path::of(&String::from_utf8_lossy(rest)),
            b"#fields" => {
                self.fields(rest);
                return Directive::Fields;
            }
            _ => {}
        }
        Directive::Other
    }

    fn fields(&mut self, names: &[u8]) {
        let names: Vec<_> = split(names, &self.separator).take(MAX_COLUMNS + 1).map(String::from_utf8_lossy).collect();
        self.unknown.clear();
        if names.len() > MAX_COLUMNS {
            self.columns = None;
            return;
        }
        self.path = self.path.or_else(|| columns::path_of(&|name| names.iter().any(|known| known == name)));
        let known = |name: &Cow<'_, str>| columns::known(self.path, name);
        let columns: Vec<Known> = names.iter().map(known).collect();
        let strange = names.iter().zip(&columns).filter(|(_, known)| **known == Known::Unknown);
        self.unknown = strange.map(|(name, _)| name.clone().into_owned()).collect();
        self.columns = Some(columns);
    }
}

/// What is between separators.
fn split<'a>(line: &'a [u8], separator: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let at = match separator {
            [octet] => memchr(*octet, line),
            octets => memmem::find(line, octets),
        };
        let parts = at.and_then(|at| Some((line.get(..at)?, line.get(at + separator.len()..)?)));
        let (value, after) = parts.map_or((line, None), |(value, after)| (value, Some(after)));
        rest = after;
        Some(value)
    })
}

/// Text whose octets stand for themselves, or as `\xHH` in hexadecimal digits.
fn escaped_octets(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((octet, after)) = rest.split_first() {
        let digits = after.strip_prefix(b"x").and_then(|after| after.split_first_chunk::<2>());
        let escaped = digits.and_then(|(digits, after)| {
            let value = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            Some((value, after))
        });
        let (value, after) = escaped.filter(|_| *octet == b'\\').unwrap_or((*octet, after));
        octets.push(value);
        rest = after;
    }
    octets
}

fn unescaped(text: &[u8]) -> Cow<'_, str> {
    if memmem::find(text, b"\\x").is_none() {
        return String::from_utf8_lossy(text);
    }
    Cow::Owned(String::from_utf8_lossy(&escaped_octets(text)).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_what_the_header_says() {
        let mut layout = Layout::new();
        let header = [
            "\t#separator \\x7c\\x7c",
            "#set_separator||;",
            "#empty_field||NONE",
            "#unset_field||?",
            "#path||dns",
            "#fields||uid||answers||TTLs||query",
        ];
        for line in header {
            assert!(matches!(layout.line(line.as_bytes()), Line::Directive(_)), "{line}");
        }
        let Line::Row(row) = layout.line(b"C1||a\\x7c\\x7cb;192.0.2.1||60.000000;?||?") else { panic!() };
        assert_eq!(row.text(Field::Uid), Some("C1"));
        assert_eq!(row.answers, ["a||b", "192.0.2.1"].map(|text| Value::Text(text.into())));
        assert_eq!((row.ttls.len(), row.get(Field::Query)), (2, None));
        let Line::Row(row) = layout.line(b"C1||NONE||?||example") else { panic!() };
        assert_eq!((row.answers.len(), row.text(Field::Query)), (0, Some("example")));
        for wrong in ["C1||x", "C1||x||y||z||more", "C1"] {
            assert!(matches!(layout.line(wrong.as_bytes()), Line::Malformed), "{wrong}");
        }
        assert!(matches!(layout.line(b"#separator \\x09"), Line::Directive(_)));
        assert!(matches!(layout.line(b"C1\tx"), Line::Malformed), "a new header forgets the columns");
        assert_eq!(escaped_octets(b"\\x0g\\x\\"), b"\\x0g\\x\\");
    }
}
