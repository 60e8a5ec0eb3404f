//! The report as one page: it needs no other file, fetches nothing, runs nothing, and prints.
//!
//! The texts are arranged here and in [`view`]; the template only places them. Every text goes through [`Harmless`],
//! which the template engine applies by itself, so that none can be forgotten.

mod summary;

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use askama::Template;
use askama::filters::{Escaper, Html};

use summary::{Bar, PlaceBar, Tile, bar_width};

use super::inputs::{self, Weight};
use super::landing::{self, Landing, Sums};
use super::view::{self, Group, Section};
use super::visible::visible;
use super::{horizon, text, words};
use crate::model::{
    Decision, FileDigest, InputCoverage, LocationSource, Outcome, PolicySummary, Report, Severity, Tripped,
    TripwireResult,
};

/// The most groups of findings of one decision that have a card.
const MAX_CARDS: usize = 500;
/// The most rows of the inventory.
const MAX_ROWS: usize = 1000;
/// The most inputs that are shown one by one.
const MAX_INPUTS: usize = 200;
/// The most addresses and names on a card.
const MAX_NAMES: usize = 8;
/// The most claims and flows on a card.
const MAX_EVIDENCE: usize = 12;
/// The most proofs by round-trip time beside those on cards.
const MAX_PROOFS: usize = 100;
/// The most limits in the summary; all of them stand at the end.
const MAX_LIMITS: usize = 3;

/// What every text of the page goes through: nothing in it acts, neither as a character nor as markup.
#[derive(Clone, Copy)]
pub(in crate::report) struct Harmless;

impl Escaper for Harmless {
    fn write_escaped_str<W: fmt::Write>(&self, dest: W, string: &str) -> fmt::Result {
        Html.write_escaped_str(dest, &visible(string))
    }
}

pub(super) fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    Page::of(report).write_into(&mut out)?;
    io::Write::flush(&mut out)
}

#[derive(Template)]
#[template(path = "report.html", config = "src/report/askama.toml")]
struct Page<'r> {
    report: &'r Report,
    title: &'r str,
    outcome: Tone,
    outcome_word: &'static str,
    headline: String,
    meta: Vec<(&'static str, String)>,
    tiles: Vec<Tile>,
    bars: Vec<Bar>,
    places: Vec<PlaceBar>,
    unknown: String,
    findings: Vec<Card>,
    findings_more: String,
    undecided: Vec<Card>,
    undecided_more: String,
    tripwires: Vec<Wire<'r>>,
    waived: Vec<Card>,
    waived_more: String,
    waivers: Vec<[String; 5]>,
    rows: Vec<Row>,
    rows_more: String,
    sums: [String; 3],
    horizon: Vec<String>,
    proofs: Vec<String>,
    proofs_more: String,
    inputs: Vec<Input<'r>>,
    inputs_more: String,
    complete: bool,
    ours: String,
    sources: Vec<Source<'r>>,
    db_ip: bool,
    policy: Option<&'r PolicySummary>,
    rules: Vec<[String; 5]>,
    laws: Vec<[String; 5]>,
    zones: Vec<[String; 3]>,
    parties: Vec<[String; 3]>,
    digests: Vec<(String, &'r str)>,
    /// What else than the policy and the location data digests name.
    named_besides: &'static str,
}

/// What colour something has. The colour is never alone: a word or a mark says the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Forbid,
    Doubt,
    Permit,
    Quiet,
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbid => "forbid",
            Self::Doubt => "doubt",
            Self::Permit => "permit",
            Self::Quiet => "quiet",
        })
    }
}

impl From<Option<Decision>> for Tone {
    fn from(decision: Option<Decision>) -> Self {
        match decision {
            Some(Decision::Forbid) => Self::Forbid,
            Some(Decision::Indeterminate) => Self::Doubt,
            Some(Decision::Permit) => Self::Permit,
            None => Self::Quiet,
        }
    }
}

struct Card {
    anchor: String,
    number: String,
    tone: Tone,
    severity: &'static str,
    title: String,
    clause: String,
    facts: Vec<(&'static str, String)>,
    directions: Vec<Direction>,
    evidence: Vec<String>,
    horizon: Vec<String>,
    look: Vec<String>,
    policy_says: Vec<String>,
    from_policy: Vec<String>,
    human: &'static str,
    would_decide: Option<&'static str>,
    waiver: Option<String>,
}

struct Direction {
    what: &'static str,
    payload: String,
    octets: String,
    packets: String,
    flows: String,
    opened: &'static str,
    first: String,
    last: String,
    id: String,
}

struct Wire<'r> {
    result: &'r TripwireResult,
    tone: Tone,
    state: &'static str,
    tripped: Vec<(String, String, Vec<String>)>,
    more: usize,
}

struct Row {
    place: String,
    who: String,
    zones: String,
    sent: String,
    received: String,
    flows: String,
    addresses: String,
    tone: Tone,
    decision: &'static str,
    first: String,
    last: String,
    width: String,
}

struct Input<'r> {
    coverage: &'r InputCoverage,
    read: String,
    used: String,
    skipped: String,
    period: String,
    total: String,
    lines: Vec<(bool, String)>,
}

struct Source<'r> {
    source: &'r LocationSource,
    facts: String,
}

impl<'r> Wire<'r> {
    fn of(report: &Report, result: &'r TripwireResult) -> Self {
        let look = |tripped: &Tripped| {
            tripped.examples.iter().take(MAX_EVIDENCE).map(|flow| text::where_to_look(report, flow)).collect()
        };
        let (tone, state) = match result.severity {
            _ if result.tripped.is_empty() => (Tone::Quiet, "quiet"),
            Severity::Info | Severity::Low => (Tone::Doubt, words::severity(result.severity)),
            severity => (Tone::Forbid, words::severity(severity)),
        };
        let shown = result.tripped.iter().take(MAX_EVIDENCE);
        Self {
            result,
            tone,
            state,
            tripped: shown
                .map(|tripped| (tripped.sentence.clone(), words::span(tripped.since, tripped.last), look(tripped)))
                .collect(),
            more: result.tripped.len().saturating_sub(MAX_EVIDENCE),
        }
    }
}

impl<'r> Page<'r> {
    fn of(report: &'r Report) -> Self {
        let landings = landing::landings(report);
        let (findings, findings_more) = cards(report, Section::Forbidden, 'f');
        let (undecided, undecided_more) = cards(report, Section::Undecided, 'u');
        let (waived, waived_more) = cards(report, Section::Waived, 'w');
        let sums = Sums::of(&landings);
        let (outcome, outcome_word) = match report.outcome {
            Outcome::Forbidden => (Tone::Forbid, "Forbidden"),
            Outcome::Incomplete => (Tone::Doubt, "Incomplete"),
            Outcome::Indeterminate => (Tone::Doubt, "Undecided"),
            Outcome::Clean if report.findings.iter().any(crate::model::Finding::is_waived) => (Tone::Permit, "Waived"),
            Outcome::Clean if report.policy.is_some() => (Tone::Permit, "No finding"),
            Outcome::Clean => (Tone::Quiet, "Inventory"),
        };
        let policy = report.policy.as_ref();
        let proofs = report.horizon.as_ref().map(|horizon| horizon.proofs.as_slice()).unwrap_or_default();
        Self {
            report,
            title: policy.map_or("Where the traffic landed", |policy| &policy.title),
            outcome,
            outcome_word,
            headline: quoted(&view::headline(report)),
            meta: meta(report),
            tiles: summary::tiles(report, &landings),
            bars: summary::bars(report),
            places: summary::places(&landings),
            unknown: if landings.is_empty() { String::new() } else { sums.unknown() },
            findings,
            findings_more,
            undecided,
            undecided_more,
            tripwires: view::tripwires(report).map(|result| Wire::of(report, result)).collect(),
            waived,
            waived_more,
            waivers: report.waivers.iter().map(words::waiver_row).collect(),
            rows: rows(&landings),
            rows_more: more(landings.len(), MAX_ROWS, "row", "rows"),
            sums: [words::octets(sums.sent), words::octets(sums.received), words::number(sums.flows)],
            horizon: report.horizon.as_ref().map(horizon::summary).unwrap_or_default(),
            proofs: proofs.iter().take(MAX_PROOFS).map(|proof| horizon::proof(report, proof)).collect(),
            proofs_more: more(proofs.len(), MAX_PROOFS, "proof", "proofs"),
            inputs: report.inputs.iter().take(MAX_INPUTS).map(input).collect(),
            inputs_more: more(report.inputs.len(), MAX_INPUTS, "input", "inputs"),
            complete: report.inputs.iter().all(InputCoverage::is_complete),
            ours: view::taken_as_ours(report),
            sources: report
                .location_sources
                .iter()
                .map(|source| Source { source, facts: view::source_facts(source) })
                .collect(),
            db_ip: report.location_sources.iter().any(is_db_ip),
            policy,
            rules: policy.map(rules).unwrap_or_default(),
            laws: policy.map(laws).unwrap_or_default(),
            zones: policy.map(zones).unwrap_or_default(),
            parties: policy.map(parties).unwrap_or_default(),
            digests: digests(report),
            named_besides: if report.inputs.iter().any(|input| input.digest.is_some()) {
                ", and inputs that were read to their end"
            } else {
                ""
            },
        }
    }
}

/// Whether a source comes from DB-IP, whose licence asks for a link on every page that shows results (CC BY 4.0).
fn is_db_ip(source: &LocationSource) -> bool {
    let texts = [Some(&source.name), source.attribution.as_ref(), Some(&source.origin)];
    texts.into_iter().flatten().any(|text| {
        let text = text.to_ascii_lowercase();
        text.contains("db-ip") || text.contains("dbip")
    })
}

/// A sentence with quotation marks for the backticks that a terminal has.
fn quoted(text: &str) -> String {
    let mut pieces = text.split('`');
    let mut quoted = pieces.next().unwrap_or_default().to_owned();
    for (place, piece) in pieces.enumerate() {
        quoted.push(if place % 2 == 0 { '\u{201c}' } else { '\u{201d}' });
        quoted.push_str(piece);
    }
    quoted
}

fn more(all: usize, shown: usize, one: &str, many: &str) -> String {
    match all.checked_sub(shown) {
        None | Some(0) => String::new(),
        Some(left) => {
            let (one, many) = (format!("more {one}"), format!("more {many}"));
            format!("{} in the JSON report (--format json).", words::several(left as u64, &one, &many))
        }
    }
}

fn meta(report: &Report) -> Vec<(&'static str, String)> {
    let mut meta = Vec::new();
    if let (Some(first), Some(last)) = (report.first, report.last) {
        meta.push(("Observed", format!("{} to {}", words::civil(first), words::civil(last))));
    }
    if let Some(policy) = &report.policy {
        meta.push(("Policy", format!("{}, version {}", policy.id, policy.version)));
        meta.push(("Owner", policy.owner.clone()));
    } else {
        meta.push(("Policy", "none: nothing was judged".to_owned()));
    }
    let names: Vec<&str> = report.inputs.iter().take(3).map(|input| input.name.as_str()).collect();
    let rest = report.inputs.len().saturating_sub(names.len());
    let rest = if rest > 0 { format!(" and {} more", words::number(rest as u64)) } else { String::new() };
    meta.push(("Inputs", format!("{}{rest}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })));
    meta.push(("Coverage", inputs::completeness(report)));
    meta.extend(report.stamp.map(|at| ("Written", words::civil(at))));
    meta.retain(|(_, text)| !text.is_empty());
    meta
}

fn cards(report: &Report, section: Section, letter: char) -> (Vec<Card>, String) {
    let groups = view::groups(report, section);
    let cards = groups.iter().take(MAX_CARDS).enumerate();
    let shown: usize = groups.iter().take(MAX_CARDS).map(|group| group.findings.len()).sum();
    let all = groups.iter().map(|group| group.findings.len()).sum();
    (
        cards.map(|(place, group)| card(report, group, letter, place + 1)).collect(),
        more(all, shown, "finding", "findings"),
    )
}

fn card(report: &Report, group: &Group<'_>, letter: char, number: usize) -> Card {
    let lead = group.lead;
    let rule = group.rule(report);
    let zone = view::zone(report, &lead.zone);
    let party = lead.to.party.as_ref().and_then(|name| view::party(report, name));
    let country = zone.and_then(|zone| zone.country).map(|set| format!(", {}", words::countries(&set)));
    let mut facts = vec![
        ("From", format!("zone {}{}", lead.zone, country.as_deref().unwrap_or_default())),
        ("Our addresses", group.near(MAX_NAMES)),
        ("To", words::places(&lead.to.places, lead.to.standing)),
        ("Their addresses", group.far(MAX_NAMES)),
        ("Operator", view::operator(&lead.to)),
        ("Tunnel", lead.tunnel.map(words::inside).unwrap_or_default()),
        ("Asked for as", group.names(MAX_NAMES).join(", ")),
    ];
    let mut policy_says = vec![match &lead.rule {
        Some(id) => format!("Rule {id}: {}.", lead.title.trim_end_matches('.')),
        None => format!("{}.", lead.title.trim_end_matches('.')),
    }];
    policy_says.extend(rule.map(|rule| rule.why.clone()).filter(|why| !why.is_empty()));
    if !lead.basis.is_empty() {
        policy_says.push(format!("Basis: {}.", lead.basis.join("; ")));
    }
    let mut from_policy = Vec::new();
    if let Some(zone) = zone {
        let place =
            zone.country.map_or_else(|| "a place that it does not state".to_owned(), |set| words::countries(&set));
        from_policy.push(format!("Zone {} is in {place}.", zone.name));
    }
    if let Some(party) = party {
        let title = party.title.as_ref().map(|title| format!(" is {title}")).unwrap_or_default();
        let whom =
            party.controlled_from.map(|set| format!(" answers to {}", words::countries(&set))).unwrap_or_default();
        let and = if title.is_empty() || whom.is_empty() { "" } else { " and" };
        from_policy.push(format!("Party {}{title}{and}{whom}.", party.name));
    }
    facts.extend(group.limits().into_iter().map(|limit| ("Limit", limit)));
    Card {
        anchor: format!("{letter}{number}"),
        number: words::number(number as u64),
        tone: if lead.is_waived() { Tone::Quiet } else { Some(lead.decision).into() },
        severity: words::severity(group.severity()),
        title: lead.title.clone(),
        clause: quoted(&group.clause(report)),
        facts: facts.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
        directions: group.findings.iter().map(|finding| direction(finding)).collect(),
        evidence: group.evidence(report, MAX_EVIDENCE),
        horizon: group.horizon(report, MAX_EVIDENCE),
        look: group.examples(MAX_EVIDENCE).into_iter().map(|flow| text::where_to_look(report, flow)).collect(),
        policy_says,
        from_policy,
        human: words::human_must_decide(lead.decision, group.moved()),
        would_decide: (lead.decision == Decision::Indeterminate)
            .then(|| words::would_decide(lead.axis, lead.to.standing)),
        waiver: group.waiver(),
    }
}

fn direction(finding: &crate::model::Finding) -> Direction {
    let payload = match (finding.contact.moved(), finding.sent.payload) {
        (false, _) => "none".to_owned(),
        (true, 0) => "not counted".to_owned(),
        (true, payload) => words::octets(payload),
    };
    Direction {
        what: words::contact(finding.contact),
        payload,
        octets: words::octets(finding.sent.octets),
        packets: words::number(finding.sent.packets),
        flows: words::number(finding.uniflows),
        opened: words::opener(finding.opened_by),
        first: words::civil(finding.first),
        last: words::civil(finding.last),
        id: finding.id.clone(),
    }
}

fn rows(landings: &[Landing<'_>]) -> Vec<Row> {
    let largest = landings.iter().map(Landing::octets).max().unwrap_or_default();
    let zones: BTreeSet<&str> = landings.iter().flat_map(|landing| &landing.zones).copied().collect();
    let alone = zones.len() == 1;
    landings
        .iter()
        .take(MAX_ROWS)
        .map(|landing| Row {
            place: words::places(&landing.to.places, landing.to.standing),
            who: landing.who(),
            zones: if alone { String::new() } else { landing.zones.iter().copied().collect::<Vec<_>>().join(", ") },
            sent: words::octets(landing.sent.octets),
            received: words::octets(landing.received.octets),
            flows: words::number(landing.flows),
            addresses: words::about(landing.addresses),
            tone: landing.decision.into(),
            decision: words::decision(landing.decision),
            first: words::civil(landing.seen.0),
            last: words::civil(landing.seen.1),
            width: bar_width(landing.octets(), largest),
        })
        .collect()
}

fn input(coverage: &InputCoverage) -> Input<'_> {
    let period = coverage.first.zip(coverage.last);
    Input {
        coverage,
        read: words::number(coverage.read.count),
        used: words::number(coverage.used.count),
        skipped: words::number(inputs::skipped(coverage)),
        period: period
            .map(|(first, last)| format!("{} to {}", words::civil(first), words::civil(last)))
            .unwrap_or_default(),
        total: inputs::control_total(coverage),
        lines: inputs::coverage_lines(coverage)
            .into_iter()
            .map(|(weight, line)| (weight == Weight::Gap, line))
            .collect(),
    }
}

fn rules(policy: &PolicySummary) -> Vec<[String; 5]> {
    let row = |rule: &crate::model::RuleSummary| {
        let why = if rule.why.is_empty() { rule.title.clone() } else { format!("{}. {}", rule.title, rule.why) };
        [rule.id.clone(), rule.effect.clone(), words::severity(rule.severity).to_owned(), why, rule.basis.join("; ")]
    };
    policy.rules.iter().map(row).collect()
}

fn laws(policy: &PolicySummary) -> Vec<[String; 5]> {
    let row = |set: &crate::model::SetSummary| {
        [
            format!("@{}", set.name),
            set.title.clone(),
            if set.members.is_anywhere() {
                "every country".to_owned()
            } else {
                set.members.to_string().replace(',', " ")
            },
            set.reviewed_on.clone(),
            format!("{}{}", set.review_due, words::known_only(set)),
        ]
    };
    policy.sets.iter().map(row).collect()
}

fn zones(policy: &PolicySummary) -> Vec<[String; 3]> {
    let place = |set: Option<crate::model::CountrySet>| {
        set.map_or_else(|| "not stated".to_owned(), |set| words::countries(&set))
    };
    policy.zones.iter().map(|zone| [zone.name.clone(), place(zone.country), zone.networks.join(", ")]).collect()
}

fn parties(policy: &PolicySummary) -> Vec<[String; 3]> {
    let place = |set: Option<crate::model::CountrySet>| {
        set.map_or_else(|| "not stated".to_owned(), |set| words::countries(&set))
    };
    let row = |party: &crate::model::PartySummary| {
        [party.name.clone(), party.title.clone().unwrap_or_default(), place(party.controlled_from)]
    };
    policy.parties.iter().map(row).collect()
}

fn digests(report: &Report) -> Vec<(String, &str)> {
    let policy = report.policy.iter().map(|policy| (format!("Policy {}", policy.id), policy.digest.as_str()));
    let sources = report
        .location_sources
        .iter()
        .map(|source| (format!("Location source {}", source.name), source.digest.as_str()));
    let all = std::iter::once(("All location data together".to_owned(), report.gazetteer.as_str()));
    let inputs = report.inputs.iter().filter_map(|input| {
        let FileDigest { octets, sha256 } = input.digest.as_ref()?;
        let length = words::several(*octets, "octet", "octets");
        Some((format!("Input {}, {length} as read", input.name), sha256.as_str()))
    });
    policy.chain(sources).chain(all).chain(inputs).collect()
}
