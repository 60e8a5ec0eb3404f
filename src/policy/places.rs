//! Country codes and sets as they are written, to sets with dates.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;

use super::document::SetText;
use super::library::Library;
use super::syntax::Sink;
use super::terms::Period;
use crate::diag::{Code, Diagnostic, did_you_mean, quoted};
use crate::model::{Country, CountryError, CountrySet};

/// Codes that ISO 3166-1 had and withdrew, the year, and what they became (ISO 3166-3).
const RETIRED: [(&str, u16, &str); 12] = [
    ("AN", 2010, "CW, SX, BQ"),
    ("BU", 1989, "MM"),
    ("CS", 2006, "RS, ME"),
    ("DD", 1990, "DE"),
    ("DY", 1977, "BJ"),
    ("FX", 1997, "FR"),
    ("HV", 1984, "BF"),
    ("RH", 1980, "ZW"),
    ("SU", 1992, "RU and the other successor states"),
    ("TP", 2002, "TL"),
    ("YU", 2003, "RS, ME"),
    ("ZR", 1997, "CD"),
];

/// Codes of three letters that people write most (ISO 3166-1 alpha-3).
const ALPHA_3: [(&str, &str); 12] = [
    ("AUS", "AU"),
    ("CAN", "CA"),
    ("CHE", "CH"),
    ("CHN", "CN"),
    ("DEU", "DE"),
    ("FRA", "FR"),
    ("GBR", "GB"),
    ("IND", "IN"),
    ("JPN", "JP"),
    ("RUS", "RU"),
    ("SWE", "SE"),
    ("USA", "US"),
];

/// Reads a country code that a person wrote, strictly, and says what was meant.
pub(super) fn country(written: &Spanned<String>, sink: &mut Sink) -> Option<Country> {
    let text = written.get_ref();
    let diagnostic = match text.parse::<Country>() {
        Ok(country) => return Some(country),
        Err(CountryError::Pseudo { .. }) => {
            let mistake = format!("{} names no country", quoted(text));
            let help = if text.eq_ignore_ascii_case("EU") {
                "did you mean `@eu.members` or `@eu.gdpr-area`? location databases use `EU` for \"somewhere in Europe\""
            } else {
                "location databases use this code for \"no country\": it is judged as unknown, and no list can name it"
            };
            Diagnostic::error(Code::PseudoCountry, mistake).help(help)
        }
        Err(CountryError::Unknown { suggestion, .. }) => {
            if let Some((code, year, became)) = RETIRED.iter().find(|(code, ..)| *code == text.as_str()) {
                let message = format!("`{code}` was withdrawn from ISO 3166-1 in {year}");
                Diagnostic::error(Code::RetiredCountry, message).help(format!("it became {became}"))
            } else {
                let message = format!("{} is not an ISO 3166-1 country code", quoted(text));
                let help = suggestion.map(|country| format!("did you mean `{country}` ({})?", country.name()));
                let help = help.or_else(|| {
                    let plain = text.trim().to_ascii_uppercase();
                    plain.parse::<Country>().is_ok().then(|| format!("did you mean `{plain}`?"))
                });
                let alpha3 = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
                let alpha3 = alpha3 && (text.as_str() == text.to_ascii_uppercase() || three_letters(text).is_some());
                let help = help.or_else(|| {
                    alpha3.then(|| {
                        three_letters(text).map_or_else(
                            || "codes have two letters here: `DE`, not `DEU` (ISO 3166-1 alpha-2)".to_owned(),
                            |two| format!("did you mean `{two}`? codes have two letters here (ISO 3166-1 alpha-2)"),
                        )
                    })
                });
                let help = help.or_else(|| several(text));
                let help = help.or_else(|| {
                    let not = text.starts_with(['!', '-', '^']) || text.to_ascii_lowercase().starts_with("not ");
                    not.then(|| {
                        "no list says `not`: write a rule of the other effect for it; a forbid overrides permits"
                            .to_owned()
                    })
                });
                let help =
                    help.or_else(|| looks_like_set(text).then(|| format!("sets are written with `@`: `@{text}`")));
                Diagnostic::error(Code::UnknownCountry, message).maybe_help(help)
            }
        }
    };
    sink.push(diagnostic.at(written.span(), ""));
    None
}

/// The code of two letters for one of three.
fn three_letters(text: &str) -> Option<&'static str> {
    ALPHA_3.iter().find(|(three, _)| three.eq_ignore_ascii_case(text)).map(|(_, two)| *two)
}

/// What is said of several codes in one text.
fn several(text: &str) -> Option<String> {
    let codes: Vec<&str> = text.split([',', ';', ' ', '/', '|']).filter(|code| !code.is_empty()).collect();
    let all = !codes.is_empty() && codes.iter().all(|code| code.parse::<Country>().is_ok());
    let each: Vec<String> = codes.iter().map(|code| format!("\"{code}\"")).collect();
    all.then(|| format!("each code stands in quotation marks of its own: `[{}]`", each.join(", ")))
}

fn looks_like_set(text: &str) -> bool {
    text.len() > 2
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
}

/// Reads a list of country codes, without sets.
pub(super) fn countries(written: &[Spanned<String>], what: &str, sink: &mut Sink) -> CountrySet {
    let mut set = CountrySet::NOWHERE;
    for code in written {
        if code.get_ref().starts_with('@') || code.get_ref() == "*" {
            sink.push(
                Diagnostic::error(
                    Code::BadValue,
                    format!("{what} is given in country codes, not as {}", quoted(code.get_ref())),
                )
                .at(code.span(), "expected a country code"),
            );
        } else {
            set = country(code, sink).map_or(set, |country| set.union(CountrySet::of(country)));
        }
    }
    set
}

/// A country's place in a set, with its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Membership {
    pub(super) country: Country,
    pub(super) period: Period,
    pub(super) conditional: bool,
}

/// Whether members count whose membership has a condition that a country code cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conditional {
    Include,
    LeaveOut,
}

/// A set of countries that may change with time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    always: CountrySet,
    dated: Vec<Membership>,
}

impl Places {
    pub(super) fn from_memberships(memberships: impl IntoIterator<Item = Membership>) -> Self {
        let mut places = Self::default();
        for membership in memberships {
            if membership.period == Period::default() && !membership.conditional {
                places.always.insert(membership.country);
            } else {
                places.dated.push(membership);
            }
        }
        places.tidy();
        places
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.always = self.always.union(other.always);
        self.dated.extend_from_slice(&other.dated);
        self.tidy();
    }

    fn tidy(&mut self) {
        self.dated.sort_unstable();
        self.dated.dedup();
    }

    /// The members on a day.
    pub(super) fn at(&self, day: Date, conditional: Conditional) -> CountrySet {
        let fits = |member: &&Membership| {
            member.period.contains(day) && (conditional == Conditional::Include || !member.conditional)
        };
        self.dated.iter().filter(fits).fold(self.always, |set, member| set.union(CountrySet::of(member.country)))
    }

    /// Whether some members count only under a condition.
    pub(super) fn has_conditions(&self) -> bool {
        self.dated.iter().any(|member| member.conditional)
    }

    /// The days on which the set changes.
    pub(super) fn changes(&self) -> impl Iterator<Item = Date> + '_ {
        self.dated.iter().flat_map(|member| [member.period.from, member.period.until]).flatten()
    }
}

/// A set of the policy, resolved.
#[derive(Clone, Debug)]
pub(super) struct OwnSet {
    pub(super) places: Places,
    pub(super) written: Vec<String>,
    own: BTreeSet<String>,
    library: BTreeMap<String, Range<usize>>,
}

/// The sets of a policy and of the library, and which of them rules name.
pub(super) struct Sets<'a> {
    library: &'a Library,
    pub(super) own: BTreeMap<String, OwnSet>,
    /// Sets of the policy that a rule names, itself or through another set.
    pub(super) used: BTreeSet<String>,
    /// Sets of the library that are named, and where first.
    pub(super) used_library: BTreeMap<String, Range<usize>>,
}

impl<'a> Sets<'a> {
    /// Resolves the sets of a policy, each after those that it names.
    pub(super) fn resolve(written: &'a [SetText], library: &'a Library, sink: &mut Sink) -> Self {
        let mut sets = Self { library, own: BTreeMap::new(), used: BTreeSet::new(), used_library: BTreeMap::new() };
        let by_name: BTreeMap<&str, &SetText> = written.iter().map(|set| (set.name.get_ref().as_str(), set)).collect();
        let mut open = Vec::new();
        for (name, set) in &by_name {
            if library.get(name).is_some() {
                sink.push(
                    Diagnostic::error(Code::DuplicateName, format!("the library has a set {}", quoted(name)))
                        .at(set.name.span(), "already in the library")
                        .help("give the policy's own set another name"),
                );
            }
            sets.resolve_one(name, &by_name, &mut open, sink);
        }
        sets
    }

    fn resolve_one(
        &mut self,
        name: &str,
        written: &BTreeMap<&'a str, &'a SetText>,
        open: &mut Vec<String>,
        sink: &mut Sink,
    ) {
        let Some(set) = written.get(name).filter(|_| !self.own.contains_key(name)) else { return };
        open.push(name.to_owned());
        let mut resolved = OwnSet {
            places: Places::default(),
            written: set.members.iter().map(|member| member.get_ref().clone()).collect(),
            own: BTreeSet::new(),
            library: BTreeMap::new(),
        };
        for member in &set.members {
            let Some(reference) = member.get_ref().strip_prefix('@') else {
                if member.get_ref() == "*" {
                    sink.error(Code::BadValue, "a set cannot contain `*`", member.span(), "write `*` in the rule");
                } else if let Some(country) = country(member, sink) {
                    resolved.places.always.insert(country);
                }
                continue;
            };
            if open.iter().any(|outer| outer == reference) {
                sink.error(
                    Code::SetCycle,
                    format!("the set {} contains itself", quoted(reference)),
                    member.span(),
                    "here it comes round",
                );
                continue;
            }
            self.resolve_one(reference, written, open, sink);
            if let Some(inner) = self.own.get(reference) {
                resolved.places.add(&inner.places);
                resolved.own.insert(reference.to_owned());
            } else if let Some(inner) = self.library.get(reference) {
                resolved.places.add(&inner.places());
                resolved.library.entry(inner.name.clone()).or_insert(member.span());
            } else {
                let names = written.keys().copied().chain(self.library.names());
                sink.push(unknown_set(reference, member.span(), &names));
            }
        }
        open.pop();
        self.own.insert(name.to_owned(), resolved);
    }

    /// Reads a list of codes and sets, and notes which sets it names.
    pub(super) fn places(&mut self, written: &[Spanned<String>], sink: &mut Sink) -> Places {
        let mut places = Places::default();
        for entry in written {
            match (entry.get_ref().as_str(), entry.get_ref().strip_prefix('@')) {
                ("*", _) => places.always = CountrySet::ANYWHERE,
                (_, Some(name)) => {
                    if let Some(own) = self.own.get(name) {
                        places.add(&own.places);
                        self.mark(name);
                    } else if let Some(set) = self.library.get(name) {
                        places.add(&set.places());
                        self.used_library.entry(set.name.clone()).or_insert(entry.span());
                    } else {
                        let names = self.own.keys().map(String::as_str).chain(self.library.names());
                        sink.push(unknown_set(name, entry.span(), &names));
                    }
                }
                _ => {
                    if let Some(country) = country(entry, sink) {
                        places.always.insert(country);
                    } else if self.own.contains_key(entry.get_ref()) {
                        sink.push(
                            Diagnostic::note(Code::UnknownCountry, "a set is named with `@`")
                                .at(entry.span(), "a set of this policy has this name")
                                .help(format!("write `@{}`", entry.get_ref())),
                        );
                        self.mark(entry.get_ref());
                    }
                }
            }
        }
        places
    }

    /// The sets of the library behind what a rule names, itself or through sets of the policy.
    pub(super) fn library_behind<'s>(&'s self, written: &'s [String]) -> BTreeSet<&'s str> {
        let mut open: Vec<&str> = written.iter().filter_map(|entry| entry.strip_prefix('@')).collect();
        let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            match self.own.get(name) {
                Some(own) => {
                    open.extend(own.own.iter().map(String::as_str));
                    found.extend(own.library.keys().map(String::as_str));
                }
                None => found.extend(self.library.get(name).map(|set| set.name.as_str())),
            }
        }
        found
    }

    fn mark(&mut self, name: &str) {
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            let Some(set) = self.own.get(&name) else { continue };
            if !self.used.insert(name) {
                continue;
            }
            open.extend(set.own.iter().cloned());
            for (library, span) in &set.library {
                self.used_library.entry(library.clone()).or_insert(span.clone());
            }
        }
    }
}

fn unknown_set<'n>(name: &str, span: Range<usize>, names: &(impl Iterator<Item = &'n str> + Clone)) -> Diagnostic {
    let by_letters = did_you_mean(name, names.clone());
    // `@gdpr-area` and `@china` are names without their first part.
    let by_part =
        || names.clone().find(|known| known.rsplit('.').next() == Some(name) || known.split('.').next() == Some(name));
    let help = by_letters.or_else(by_part).map_or_else(
        || "sets are in `[sets]` or in the library; `landfall policy show --library` lists it".to_owned(),
        |known| format!("did you mean `@{known}`?"),
    );
    Diagnostic::error(Code::UnknownSet, format!("there is no set {}", quoted(&format!("@{name}"))))
        .at(span, "unknown set")
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sets_are_told_from_codes() {
        assert!(looks_like_set("eea") && looks_like_set("eu.adequate") && looks_like_set("us-itar.126-1"));
        assert!(!looks_like_set("de") && !looks_like_set("Europe") && !looks_like_set("the_west"));
    }

    #[test]
    fn what_is_named_twice_is_kept_once() {
        let membership = |conditional| Membership {
            country: Country::from_code("US").unwrap(),
            period: Period { from: None, until: Some(jiff::civil::date(2020, 7, 16)) },
            conditional,
        };
        let one = Places::from_memberships([membership(true), membership(false), membership(true)]);
        let mut both = one.clone();
        both.add(&one);
        assert_eq!((both.dated.len(), &both), (2, &one));
        let other = Places::from_memberships([membership(false), membership(true)]);
        assert_eq!(one, other, "their order means nothing");
    }
}
