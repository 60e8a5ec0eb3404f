//! The law library: sets of countries by name, with dates, sources and the day on which they were read.
//!
//! The library states facts, each with its source. A set has members; a member may have the day from which it belongs, the
//! day from which it no longer does (`until` is exclusive), the scope of the membership and a condition that a country
//! code cannot show. What was not checked against a public text is marked `general-knowledge`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::DeValue;

use super::places::{Membership, Places, country};
use super::syntax::{self, Fields, Sink, wrong_type};
use super::terms::Period;
use crate::diag::{Code, Diagnostic, did_you_mean, quoted};
use crate::model::{Country, CountrySet};

/// The files of the library that the program carries.
static FILES: [(&str, &str); 9] = [
    ("rules/library/br.toml", include_str!("../../rules/library/br.toml")),
    ("rules/library/ch.toml", include_str!("../../rules/library/ch.toml")),
    ("rules/library/cn.toml", include_str!("../../rules/library/cn.toml")),
    ("rules/library/eu.toml", include_str!("../../rules/library/eu.toml")),
    ("rules/library/jp.toml", include_str!("../../rules/library/jp.toml")),
    ("rules/library/kr.toml", include_str!("../../rules/library/kr.toml")),
    ("rules/library/no.toml", include_str!("../../rules/library/no.toml")),
    ("rules/library/uk.toml", include_str!("../../rules/library/uk.toml")),
    ("rules/library/us.toml", include_str!("../../rules/library/us.toml")),
];

static EMBEDDED: LazyLock<Library> = LazyLock::new(|| {
    let (library, diagnostics) = Library::parse(&FILES);
    debug_assert!(diagnostics.is_empty(), "the library that the program carries: {diagnostics:?}");
    library
});

/// A text that a fact rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibrarySource {
    /// Where it is.
    pub url: String,
    /// The text's own date, or the date that it speaks of, as far as is known: a day, a month, a year or a word.
    pub seen: String,
}

/// A country in a set of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The country.
    pub country: Country,
    /// When it belongs to the set.
    pub period: Period,
    /// A condition that a country code cannot show: the member permits only through a rule that names a party.
    pub condition: Option<String>,
    /// `full` or `partial`, where the act says so.
    pub scope: Option<String>,
    /// The act that makes it a member, where that is not the set's.
    pub citation: Option<String>,
    /// Whether the fact was not checked against a public text.
    pub general_knowledge: bool,
}

/// A set of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibrarySet {
    /// Its name, without `@`.
    pub name: String,
    /// Another name for the same set.
    pub alias: Option<String>,
    /// What it is.
    pub title: String,
    /// Who decides who belongs.
    pub authority: String,
    /// The act.
    pub citation: String,
    /// What a reader should know before relying on it.
    pub note: Option<String>,
    /// The members, sorted by country and date.
    pub members: Vec<Member>,
    /// Members that no country code can express: parts of countries, organisations.
    pub beyond_codes: Vec<String>,
    /// The texts that the facts rest on.
    pub sources: Vec<LibrarySource>,
    /// Whether none of it was checked against a public text.
    pub general_knowledge: bool,
    /// When the facts were last read against their sources.
    pub reviewed_on: Date,
    /// When they should be read again.
    pub review_due: Date,
    /// The file of the library.
    pub file: String,
}

impl LibrarySet {
    /// The members on a day, conditional ones included.
    pub fn on(&self, day: Date) -> CountrySet {
        self.members.iter().filter(|member| member.period.contains(day)).map(|member| member.country).collect()
    }

    /// Everything that is a member on some day of a period.
    pub fn during(&self, period: &Period) -> CountrySet {
        self.members.iter().filter(|member| member.period.overlaps(period)).map(|member| member.country).collect()
    }

    /// The members on some day of a period of which a fact was not checked against a public text.
    pub fn known_only(&self, period: &Period) -> CountrySet {
        let members = self.members.iter().filter(|member| member.period.overlaps(period));
        members
            .filter(|member| self.general_knowledge || member.general_knowledge)
            .map(|member| member.country)
            .collect()
    }

    pub(super) fn places(&self) -> Places {
        Places::from_memberships(self.members.iter().map(|member| Membership {
            country: member.country,
            period: member.period,
            conditional: member.condition.is_some(),
        }))
    }
}

/// The law library: dated sets by name.
#[derive(Clone, Debug, Default)]
pub struct Library {
    sets: BTreeMap<String, LibrarySet>,
    aliases: BTreeMap<String, String>,
    /// What was taken out for a supposition, as it was written.
    without: Vec<String>,
}

impl Library {
    /// The library that the program carries (`rules/library/*.toml`).
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// The files that the embedded library is made of: path and text.
    pub fn embedded_files() -> &'static [(&'static str, &'static str)] {
        &FILES
    }

    /// Reads a library from files, each a path and a text. What is wrong is said, with the path, and left out.
    pub fn parse(files: &[(&str, &str)]) -> (Self, Vec<(String, Diagnostic)>) {
        let mut library = Self::default();
        let mut said = Vec::new();
        for (path, text) in files {
            let mut sink = Sink::default();
            let tree = syntax::parse(text, &mut sink);
            let mut top = Fields::new("a library file", &tree, 0..0);
            for fields in top.listed("set", "set", &mut sink) {
                let span = fields.span();
                let Some(set) = read_set(path, fields, &mut sink) else { continue };
                for name in set.alias.iter().chain([&set.name]) {
                    if library.get(name).is_some() {
                        let message = format!("the library has two sets `{name}`");
                        sink.error(Code::DuplicateName, message, span.clone(), "the second");
                    }
                }
                library.aliases.extend(set.alias.clone().map(|alias| (alias, set.name.clone())));
                library.sets.insert(set.name.clone(), set);
            }
            top.finish(&mut sink);
            said.extend(sink.finish(text).into_iter().map(|diagnostic| ((*path).to_owned(), diagnostic)));
        }
        (library, said)
    }

    /// The set of a name, or of another name for it, without `@`.
    pub fn get(&self, name: &str) -> Option<&LibrarySet> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.sets.get(name)
    }

    /// Every name and alias, sorted within each kind.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.sets.keys().chain(self.aliases.keys()).map(String::as_str)
    }

    /// Every set, sorted by name.
    pub fn sets(&self) -> impl Iterator<Item = &LibrarySet> {
        self.sets.values()
    }

    /// The library as it would be without some of its facts: `eu.adequate` is the whole set, `eu.adequate:US` what it says of one
    /// country. For suppositions: what if this decision falls tomorrow.
    pub fn without(&self, facts: &[String]) -> Result<Self, String> {
        let mut library = self.clone();
        for fact in facts {
            let written = fact.strip_prefix('@').unwrap_or(fact);
            let (name, code) = written.split_once(':').map_or((written, None), |(name, code)| (name, Some(code)));
            let Some(full) = self.get(name).map(|set| set.name.clone()) else {
                let meant = did_you_mean(name, self.names());
                let help = meant.map_or_else(
                    || "`landfall policy show --library` lists the sets".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                );
                return Err(format!("the library has no set {}; {help}", quoted(name)));
            };
            let Some(set) = library.sets.get_mut(&full) else { continue };
            let before = set.members.len();
            match code {
                None => set.members.clear(),
                Some(code) => set.members.retain(|member| member.country.code() != code),
            }
            if set.members.len() == before {
                return Err(format!("the set `{full}` says nothing of {}", quoted(code.unwrap_or_default())));
            }
            library.without.push(format!("@{written}"));
        }
        library.without.sort();
        library.without.dedup();
        Ok(library)
    }

    /// What was taken out ([`Library::without`]), sorted.
    pub fn suppositions(&self) -> &[String] {
        &self.without
    }

    /// The first day on which a set should be read against its sources again.
    pub fn review_due(&self) -> Option<Date> {
        self.sets.values().map(|set| set.review_due).min()
    }
}

fn read_set(path: &str, mut fields: Fields<'_, '_>, sink: &mut Sink) -> Option<LibrarySet> {
    let name = fields.text("name", sink);
    let alias = fields.text("alias", sink);
    let title = fields.text("title", sink);
    let authority = fields.text("authority", sink);
    let citation = fields.text("citation", sink);
    let note = fields.text("note", sink);
    let beyond_codes = fields.texts("beyond-codes", sink);
    let general_knowledge = fields.boolean("general-knowledge", sink).is_some_and(Spanned::into_inner);
    let reviewed_on = fields.date("reviewed-on", sink);
    let review_due = fields.date("review-due", sink);
    let mut members = fields.take("members").map(|value| read_members(value, sink)).unwrap_or_default();
    members.sort_by_key(|member| (member.country, member.period));
    let sources = fields.listed("sources", "source", sink).into_iter().filter_map(|f| read_source(f, sink)).collect();
    for key in ["name", "title", "authority", "citation", "reviewed-on", "review-due", "members"] {
        if !fields.has(key) {
            fields.missing(key, "every set of the library has it", sink);
        }
    }
    fields.finish(sink);
    let plain = |text: Option<Spanned<String>>| text.map(Spanned::into_inner);
    Some(LibrarySet {
        name: plain(name)?,
        alias: plain(alias),
        title: plain(title)?,
        authority: plain(authority)?,
        citation: plain(citation)?,
        note: plain(note),
        members,
        beyond_codes: beyond_codes.map(texts).unwrap_or_default(),
        sources,
        general_knowledge,
        reviewed_on: reviewed_on?.into_inner(),
        review_due: review_due?.into_inner(),
        file: path.to_owned(),
    })
}

fn texts(list: Spanned<Vec<Spanned<String>>>) -> Vec<String> {
    list.into_inner().into_iter().map(Spanned::into_inner).collect()
}

fn read_source(mut fields: Fields<'_, '_>, sink: &mut Sink) -> Option<LibrarySource> {
    let (url, seen) = (fields.text("url", sink), fields.text("seen", sink));
    fields.finish(sink);
    Some(LibrarySource { url: url?.into_inner(), seen: seen?.into_inner() })
}

/// Members are codes, or tables that say the same of several codes.
fn read_members(value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Vec<Member> {
    let DeValue::Array(array) = value.get_ref() else {
        wrong_type(sink, "members", "a list", value.get_ref(), value.span());
        return Vec::new();
    };
    let mut members = Vec::new();
    for entry in array {
        if let DeValue::String(_) = entry.get_ref() {
            let code = syntax::text("members", entry, sink);
            let country = code.and_then(|code| country(&code, sink));
            members.extend(country.map(|country| Member {
                country,
                period: Period::default(),
                condition: None,
                scope: None,
                citation: None,
                general_knowledge: false,
            }));
            continue;
        }
        let Some(mut fields) = Fields::of("a member", entry, sink) else { continue };
        let codes = fields.text_or_texts("codes", sink).map(Spanned::into_inner).unwrap_or_default();
        let (from, until) = (fields.date("from", sink), fields.date("until", sink));
        let period = Period { from: from.map(Spanned::into_inner), until: until.map(Spanned::into_inner) };
        let plain = |text: Option<Spanned<String>>| text.map(Spanned::into_inner);
        let condition = plain(fields.text("condition", sink));
        let scope = plain(fields.text("scope", sink));
        let citation = plain(fields.text("citation", sink));
        let general_knowledge = fields.boolean("general-knowledge", sink).is_some_and(Spanned::into_inner);
        fields.finish(sink);
        members.extend(codes.iter().filter_map(|code| country(code, sink)).map(|country| Member {
            country,
            period,
            condition: condition.clone(),
            scope: scope.clone(),
            citation: citation.clone(),
            general_knowledge,
        }));
    }
    members
}
