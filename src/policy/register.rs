//! Registers of recipients: an Art. 30 record, a list of sub-processors, a DORA register, as CSV.
//!
//! The file has a header line, with commas, semicolons or tabs between its cells, as spreadsheets of different countries write
//! them. It is UTF-8, UTF-16 behind its mark, or else Windows-1252, which spreadsheets still write in the west of Europe. Two columns are read, by their heads (`columns` of the tripwire; `recipient` and `countries`
//! where nothing is said): who receives, and in which countries. The recipient is matched with the policy's parties, by key
//! or by name, and with the names of autonomous systems' holders, without regard to case and to how much space stands between
//! words. Countries are codes or English names as in ISO 3166-1, between commas, semicolons, slashes, bars or lines of the
//! cell; an empty cell declares no country. One recipient may have several lines. In a DORA register of information the columns are those that hold the identification of the provider
//! and `B_02.02.0130`, `0150` or `0160` (countries of provision, storage and processing).

use std::collections::BTreeMap;

use crate::diag::{quoted, with_causes};
use crate::model::{Country, CountryError, CountrySet};

/// The largest register that is read, in octets.
pub const MAX_REGISTER: usize = 16 << 20;
/// The most recipients of a register.
const MAX_RECIPIENTS: usize = 100_000;

/// What a register declares.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Register {
    /// Recipients in lower case, with their name as it is written and the countries that are declared.
    recipients: BTreeMap<String, (String, CountrySet)>,
}

/// Why a register cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// It cannot be read.
    #[error("the register cannot be read")]
    Io(#[source] std::io::Error),
    /// It is too large.
    #[error("the register has more than {MAX_REGISTER} octets or {MAX_RECIPIENTS} recipients")]
    TooLarge,
    /// It has no such column.
    #[error("the register has no column `{column}`: it has {}", .heads.join(", "))]
    NoColumn {
        /// The head that was looked for.
        column: String,
        /// The heads that there are.
        heads: Vec<String>,
    },
    /// A line is not CSV.
    #[error("the register is not CSV: {0}")]
    Csv(String),
    /// A cell names no country.
    #[error("line {line}: `{cell}` is neither the code nor the English name of a country{}", meant(.suggestion.as_ref()))]
    Country {
        /// The line, from one.
        line: u64,
        /// What stands there.
        cell: String,
        /// What was probably meant.
        suggestion: Option<Country>,
    },
}

impl Register {
    /// Reads a register with the heads of its two columns.
    pub fn read(text: &[u8], [recipient, countries]: &[String; 2]) -> Result<Self, RegisterError> {
        if text.len() > MAX_REGISTER {
            return Err(RegisterError::TooLarge);
        }
        let text = decoded(text)?;
        let (text, delimiter) = delimited(&text);
        let csv_error = |error: csv::Error| RegisterError::Csv(with_causes(&error));
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
        let heads: Vec<String> = reader.headers().map_err(csv_error)?.iter().map(str::to_owned).collect();
        let column = |head: &str| {
            heads.iter().position(|known| folded(known) == folded(head)).ok_or_else(|| RegisterError::NoColumn {
                column: head.to_owned(),
                heads: heads.iter().map(|head| quoted(head.trim())).collect(),
            })
        };
        let (recipient, countries) = (column(recipient)?, column(countries)?);
        let mut register = Self::default();
        for row in reader.records() {
            let row = row.map_err(csv_error)?;
            let line = row.position().map_or(0, csv::Position::line);
            let Some(name) = row.get(recipient).map(str::trim).filter(|name| !name.is_empty()) else { continue };
            let mut declared = CountrySet::NOWHERE;
            let whole = row.get(countries).unwrap_or_default().trim();
            // Some names have a comma: `Korea, Republic of`.
            let cells: Vec<&str> = match named(whole) {
                Some(_) => vec![whole],
                None => whole.split([',', ';', '/', '|', '\n', '\r']).map(str::trim).collect(),
            };
            for cell in cells.into_iter().filter(|cell| !cell.is_empty()) {
                let Some(country) = named(cell) else {
                    let suggestion = match cell.parse::<Country>() {
                        Err(CountryError::Unknown { suggestion, .. }) => suggestion,
                        _ => None,
                    };
                    return Err(RegisterError::Country { line, cell: cell.to_owned(), suggestion });
                };
                declared.insert(country);
            }
            let (_, known) = register
                .recipients
                .entry(folded(name))
                .or_insert_with(|| (name.split_whitespace().collect::<Vec<_>>().join(" "), CountrySet::NOWHERE));
            *known = known.union(declared);
            if register.recipients.len() > MAX_RECIPIENTS {
                return Err(RegisterError::TooLarge);
            }
        }
        Ok(register)
    }

    /// The countries that are declared of a recipient who goes by any of these names; `None` where it is not declared.
    pub fn declared<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Option<(&str, CountrySet)> {
        names.into_iter().find_map(|name| {
            self.recipients.get(&folded(name)).map(|(written, countries)| (written.as_str(), *countries))
        })
    }

    /// The same without some recipients, named as they are written.
    pub(super) fn without(&self, gone: &[&str]) -> Self {
        let mut changed = self.clone();
        changed.recipients.retain(|_, (written, _)| !gone.contains(&written.as_str()));
        changed
    }

    /// The same where some recipients, named as they are written, have other countries.
    pub(super) fn with_countries(&self, of: &[&str], countries: impl Fn(CountrySet) -> CountrySet) -> Self {
        let mut changed = self.clone();
        for (_, declared) in changed.recipients.values_mut().filter(|(written, _)| of.contains(&written.as_str())) {
            *declared = countries(*declared);
        }
        changed
    }

    /// Every recipient as it is written, in order, with its countries.
    pub fn recipients(&self) -> impl Iterator<Item = (&str, CountrySet)> {
        self.recipients.values().map(|(written, countries)| (written.as_str(), *countries))
    }
}

/// Names that registers have for countries beside the short ones of ISO 3166-1.
const OTHER_NAMES: [(&str, &str); 20] = [
    ("bolivia, plurinational state of", "BO"),
    ("czech republic", "CZ"),
    ("great britain", "GB"),
    ("iran, islamic republic of", "IR"),
    ("ivory coast", "CI"),
    ("korea, republic of", "KR"),
    ("macau", "MO"),
    ("moldova, republic of", "MD"),
    ("people's republic of china", "CN"),
    ("republic of ireland", "IE"),
    ("republic of korea", "KR"),
    ("russian federation", "RU"),
    ("taiwan, province of china", "TW"),
    ("tanzania, united republic of", "TZ"),
    ("the netherlands", "NL"),
    ("turkey", "TR"),
    ("united kingdom of great britain and northern ireland", "GB"),
    ("united states of america", "US"),
    ("usa", "US"),
    ("viet nam", "VN"),
];

/// The country of a code or a name.
fn named(cell: &str) -> Option<Country> {
    let folded = folded(cell);
    let other = || OTHER_NAMES.iter().find(|(name, _)| *name == folded).and_then(|(_, code)| Country::from_code(code));
    Country::from_code(cell)
        .or_else(|| Country::all().find(|country| country.name().to_lowercase() == folded))
        .or_else(other)
}

/// A text without regard to case and to how much space stands where.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn meant(suggestion: Option<&Country>) -> String {
    suggestion.map_or_else(String::new, |country| format!("; did you mean `{country}` ({})?", country.name()))
}

/// The text of a file, by its mark, else as UTF-8, else as Windows-1252.
fn decoded(octets: &[u8]) -> Result<String, RegisterError> {
    let utf16 = |pairs: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = pairs.chunks(2).map(|pair| pair.try_into().map_or(u16::MAX, unit));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| RegisterError::Csv("it begins as UTF-16 and is none".to_owned()))
    };
    match octets {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
            Ok(std::str::from_utf8(octets).map_or_else(|_| windows_1252(octets), str::to_owned))
        }
    }
}

/// Windows-1252 is Latin-1 but for these, from 0x80 on (WHATWG Encoding Standard, index windows-1252).
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn windows_1252(octets: &[u8]) -> String {
    let letter = |octet: &u8| match octet {
        0x80..=0x9f => WINDOWS_1252.get(usize::from(octet - 0x80)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
        latin => char::from(*latin),
    };
    octets.iter().map(letter).collect()
}

/// What stands between the cells, by the line of heads, and the text without the line by which spreadsheets say it (`sep=;`).
fn delimited(text: &str) -> (&str, u8) {
    let first = text.lines().next().unwrap_or_default();
    if let Some(said) = first.trim_end().strip_prefix("sep=").and_then(|said| said.bytes().next()) {
        return (text.get(first.len()..).unwrap_or_default().trim_start_matches(['\r', '\n']), said);
    }
    // The heads, which may be in quotation marks with any of these, and with line ends, inside.
    let mut counts = [(0_usize, b','), (0, b';'), (0, b'\t')];
    let mut inside = false;
    for octet in text.bytes() {
        match octet {
            b'"' => inside = !inside,
            b'\n' if !inside => break,
            _ => counts.iter_mut().filter(|(_, known)| *known == octet && !inside).for_each(|(count, _)| *count += 1),
        }
    }
    // Of equally many the comma.
    let most = counts.iter().rev().max_by_key(|(count, _)| *count);
    (text, most.map_or(b',', |(_, delimiter)| *delimiter))
}
