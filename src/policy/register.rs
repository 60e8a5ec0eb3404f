//! Registers of recipients: an Art. 30 record, a list of sub-processors, a DORA register, as CSV.
//!
//! The file has a header line. Two columns are read, by their heads (`columns` of the tripwire; `recipient` and `countries`
//! where nothing is said): who receives, and in which countries. The recipient is matched with the policy's parties, by key
//! or by name, and with the names of autonomous systems' holders, without regard to case. Countries are codes or English
//! names as in ISO 3166-1, between commas, semicolons, slashes or bars; an empty cell declares no country. One recipient may
//! have several lines. In a DORA register of information the columns are those that hold the identification of the provider
//! and `B_02.02.0130`, `0150` or `0160` (countries of provision, storage and processing).

use std::collections::BTreeMap;

use crate::diag::with_causes;
use crate::model::{Country, CountrySet};

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
    #[error("line {line}: `{cell}` is neither the code nor the English name of a country")]
    Country {
        /// The line, from one.
        line: u64,
        /// What stands there.
        cell: String,
    },
}

impl Register {
    /// Reads a register with the heads of its two columns.
    pub fn read(text: &[u8], [recipient, countries]: &[String; 2]) -> Result<Self, RegisterError> {
        if text.len() > MAX_REGISTER {
            return Err(RegisterError::TooLarge);
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let csv_error = |error: csv::Error| RegisterError::Csv(with_causes(&error));
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text);
        let heads: Vec<String> = reader.headers().map_err(csv_error)?.iter().map(str::to_owned).collect();
        let column = |head: &str| {
            heads.iter().position(|known| known.eq_ignore_ascii_case(head)).ok_or_else(|| RegisterError::NoColumn {
                column: head.to_owned(),
                heads: heads.iter().map(|head| format!("`{head}`")).collect(),
            })
        };
        let (recipient, countries) = (column(recipient)?, column(countries)?);
        let mut register = Self::default();
        for row in reader.records() {
            let row = row.map_err(csv_error)?;
            let line = row.position().map_or(0, csv::Position::line);
            let Some(name) = row.get(recipient).filter(|name| !name.is_empty()) else { continue };
            let mut declared = CountrySet::NOWHERE;
            for cell in row.get(countries).unwrap_or_default().split([',', ';', '/', '|']).map(str::trim) {
                if cell.is_empty() {
                    continue;
                }
                let found = Country::from_code(&cell.to_ascii_uppercase())
                    .or_else(|| Country::all().find(|country| country.name().eq_ignore_ascii_case(cell)));
                match found {
                    Some(country) => declared.insert(country),
                    None => return Err(RegisterError::Country { line, cell: cell.to_owned() }),
                }
            }
            let (_, known) = register
                .recipients
                .entry(name.to_lowercase())
                .or_insert_with(|| (name.to_owned(), CountrySet::NOWHERE));
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
            self.recipients.get(&name.to_lowercase()).map(|(written, countries)| (written.as_str(), *countries))
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
