//! Waivers: findings that someone answers for, for a time.
//!
//! A waiver never changes a decision. It marks findings under one rule, from named zones to named networks or countries:
//! they stay in every report, with who accepted them and why, and no longer fail the run. A waiver that names a country
//! covers a far end that can be nowhere else. It covers flows that begin before the day on which it expires (UTC); the day of a flow
//! is compared, not that of the run, so that the same input gives the same report. That an expiry is at most a
//! year ahead is asked where there is a clock: `policy check` and every run that judges.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ipnet::IpNet;
use jiff::ToSpan as _;
use jiff::civil::Date;
use toml::Spanned;

use super::Policy;
use super::document::Texts;
use super::lint::{self, Facts};
use super::lower::midnight;
use super::names::Names;
use super::networks::{NetworkTable, network};
use super::places::country;
use super::syntax::{Fields, Sink};
use super::terms::{Effect, Period};
use super::zone::{PartySelection, Rule};
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{Addr, Axis, CountrySet, PartyId, Reason, Timestamp, Waived, WaiverId, WaiverSummary, ZoneId};

/// A waiver as it is written.
#[derive(Clone, Debug)]
pub(super) struct WaiverText {
    pub(super) span: Range<usize>,
    pub(super) rule: Option<Spanned<String>>,
    pub(super) from: Texts,
    pub(super) to: Texts,
    pub(super) party: Option<Spanned<String>>,
    owner: Option<Spanned<String>>,
    reason: Option<Spanned<String>>,
    pub(super) expires: Option<Spanned<Date>>,
}

/// A waiver, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiver {
    rule: Reason,
    zones: BTreeSet<ZoneId>,
    networks: Vec<IpNet>,
    places: CountrySet,
    parties: Option<PartySelection>,
    /// The day on which it no longer holds.
    expires: Date,
    span: Range<usize>,
    expires_span: Range<usize>,
    summary: WaiverSummary,
}

/// The waivers of a policy, in an order that does not depend on the file's.
#[derive(Clone, Debug, Default)]
pub(super) struct Waivers {
    all: Vec<Waiver>,
    index: BTreeMap<(Reason, ZoneId), Vec<WaiverId>>,
    /// Addresses to the class of waivers whose networks they are in; class 0 is that of none, and is not in the table.
    networks: Option<NetworkTable<u32>>,
    classes: Vec<BTreeSet<WaiverId>>,
    /// The midnights on which waivers expire, sorted.
    expiries: Vec<u64>,
}

impl PartialEq for Waivers {
    fn eq(&self, other: &Self) -> bool {
        // Everything else is made of them.
        self.all == other.all
    }
}

/// What waivers ask of a far address and of a time: of two that have the same, each waiver covers both or neither. An audit
/// that decides at its end keeps it with what it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiverView {
    /// The class of waivers whose networks the address is in.
    networks: u32,
    /// How many of the days of expiry have come.
    expired: u16,
}

/// A uniflow that the policy does not permit, as far as waivers ask.
#[derive(Clone, Copy, Debug)]
pub struct Waivable {
    /// Why it is not permitted.
    pub reason: Reason,
    /// Our side.
    pub zone: ZoneId,
    /// Where the far end can be.
    pub places: CountrySet,
    /// The far end's party.
    pub party: Option<PartyId>,
    /// What waivers ask of the far address and of when the flow began ([`Policy::waiver_view`]).
    pub view: WaiverView,
}

pub(super) fn read(mut fields: Fields<'_, '_>, sink: &mut Sink) -> WaiverText {
    let mut waiver = WaiverText {
        span: fields.span(),
        rule: None,
        from: None,
        to: None,
        party: None,
        owner: fields.text("owner", sink),
        reason: fields.text("reason", sink),
        expires: fields.date("expires", sink),
    };
    if let Some(mut finding) = fields.take("finding").and_then(|value| Fields::of("what a waiver covers", value, sink))
    {
        waiver.rule = finding.text("rule", sink);
        waiver.from = finding.text_or_texts("from", sink);
        waiver.to = finding.text_or_texts("to", sink);
        waiver.party = finding.text("party", sink);
        for (key, help) in [
            ("rule", "name the rule that is waived, or `default` for what no rule speaks of"),
            ("from", "name the zones whose findings are waived: `from = \"customers\"`"),
            ("to", "name networks or countries: `to = \"198.51.100.0/24\"`; a waiver covers no more than it must"),
        ] {
            if !finding.has(key) {
                finding.missing(key, help, sink);
            }
        }
        finding.finish(sink);
    }
    for (key, help) in [
        (
            "finding",
            "say what is waived: `finding = { rule = \"no-china\", from = \"office\", to = \"198.51.100.0/24\" }`",
        ),
        ("owner", "say who answers for it: `owner = \"ciso@example.com\"`"),
        ("reason", "say why it is accepted: reports show it beside the finding"),
        (
            "expires",
            "say until when, at most a year ahead: `expires = 2027-03-01` is the first day on which it no longer holds",
        ),
    ] {
        if !fields.has(key) {
            fields.missing(key, help, sink);
        }
    }
    for (key, text) in [("owner", &waiver.owner), ("reason", &waiver.reason)] {
        if let Some(text) = text.as_ref().filter(|text| text.get_ref().trim().is_empty()) {
            sink.error(Code::BadValue, format!("the `{key}` of a waiver is empty"), text.span(), "nothing here");
        }
    }
    fields.finish(sink);
    waiver
}

pub(super) fn lower(written: &[WaiverText], policy: &Policy, names: &Names, sink: &mut Sink) -> Waivers {
    let mut all: Vec<Waiver> = written.iter().filter_map(|one| lower_one(one, policy, names, sink)).collect();
    // Their place in the file means nothing.
    all.sort_by(|one, other| {
        let key = |waiver: &Waiver| (waiver.summary.clone(), waiver.span.start);
        key(one).cmp(&key(other))
    });
    let mut index: BTreeMap<(Reason, ZoneId), Vec<WaiverId>> = BTreeMap::new();
    for (at, waiver) in all.iter().enumerate() {
        for zone in &waiver.zones {
            index.entry((waiver.rule, *zone)).or_default().push(WaiverId(at as u16));
        }
    }
    let mut expiries: Vec<u64> = all.iter().map(|waiver| midnight(waiver.expires)).collect();
    expiries.sort_unstable();
    expiries.dedup();
    let (networks, classes) = classes(&all);
    Waivers { all, index, networks, classes, expiries }
}

/// Networks to the waivers that name them or a network around them.
fn classes(all: &[Waiver]) -> (Option<NetworkTable<u32>>, Vec<BTreeSet<WaiverId>>) {
    let mut named: BTreeMap<IpNet, BTreeSet<WaiverId>> = BTreeMap::new();
    for (id, waiver) in (0..).map(WaiverId).zip(all) {
        for network in &waiver.networks {
            named.entry(*network).or_default().insert(id);
        }
    }
    let mut numbers: BTreeMap<BTreeSet<WaiverId>, u32> = BTreeMap::from([(BTreeSet::new(), 0)]);
    let mut open: Vec<(IpNet, BTreeSet<WaiverId>)> = Vec::new();
    let mut table = Vec::new();
    // Sorted, a network comes after those around it.
    for (network, ids) in named {
        while open.last().is_some_and(|(outer, _)| !outer.contains(&network)) {
            open.pop();
        }
        let mut covering = open.last().map(|(_, outer)| outer.clone()).unwrap_or_default();
        covering.extend(ids);
        let next = numbers.len() as u32;
        table.push((network, *numbers.entry(covering.clone()).or_insert(next)));
        open.push((network, covering));
    }
    let mut classes = vec![BTreeSet::new(); numbers.len()];
    for (set, number) in numbers {
        if let Some(class) = classes.get_mut(number as usize) {
            *class = set;
        }
    }
    ((!table.is_empty()).then(|| NetworkTable::new(table)), classes)
}

fn lower_one(written: &WaiverText, policy: &Policy, names: &Names, sink: &mut Sink) -> Option<Waiver> {
    let rule = written.rule.as_ref().and_then(|name| {
        if name.get_ref() == "default" {
            return Some(Reason::Default);
        }
        let found = policy.rule_named(name.get_ref());
        if found.is_none() {
            let ids: Vec<String> = policy.summaries.iter().map(|rule| rule.id.clone()).collect();
            names.say_unknown((Code::UnknownRule, "rule"), name, &ids.iter(), sink);
        }
        found.map(Reason::Rule)
    });
    let mut zones = BTreeSet::new();
    for name in written.from.iter().flat_map(Spanned::get_ref) {
        if name.get_ref() == "*" {
            zones.extend(names.zones.values());
        } else if let Some(zone) = names.zones.get(name.get_ref()) {
            zones.insert(*zone);
        } else {
            names.say_unknown((Code::UnknownZone, "zone"), name, &names.zones.keys(), sink);
        }
    }
    let (mut networks, mut places) = (Vec::new(), CountrySet::NOWHERE);
    for entry in written.to.iter().flat_map(Spanned::get_ref) {
        let text = entry.get_ref();
        if text.starts_with('@') || text == "*" {
            sink.push(
                Diagnostic::error(Code::BadValue, format!("a waiver cannot cover {}", quoted(text)))
                    .at(entry.span(), "expected a network or a country")
                    .help("name the networks or the countries one by one: a set can grow without anyone accepting it"),
            );
        } else if text.contains(['.', ':', '/']) {
            networks.extend(network(entry, sink));
        } else {
            places = country(entry, sink).map_or(places, |country| places.union(CountrySet::of(country)));
        }
    }
    networks.sort_unstable();
    let parties = written.party.as_ref().map(|name| {
        let found = names.parties.get(name.get_ref()).copied();
        let unlisted = name.get_ref() == "unlisted";
        if found.is_none() && !unlisted {
            let known = names.parties.keys().chain([&names.unlisted]);
            names.say_unknown((Code::UnknownParty, "party"), name, &known, sink);
        }
        PartySelection { listed: found.into_iter().collect(), unlisted }
    });
    let (rule, expires) = (rule?, written.expires.as_ref()?);
    let plain = |texts: &Texts| -> Vec<String> {
        let mut texts: Vec<String> =
            texts.iter().flat_map(Spanned::get_ref).map(|text| text.get_ref().clone()).collect();
        texts.sort();
        texts
    };
    Some(Waiver {
        rule,
        zones,
        networks,
        places,
        parties,
        expires: *expires.get_ref(),
        span: written.span.clone(),
        expires_span: expires.span(),
        summary: WaiverSummary {
            rule: written.rule.as_ref()?.get_ref().clone(),
            from: plain(&written.from),
            to: plain(&written.to),
            party: written.party.as_ref().map(|party| party.get_ref().clone()),
            expires: expires.get_ref().to_string(),
            owner: written.owner.as_ref()?.get_ref().clone(),
            reason: written.reason.as_ref()?.get_ref().clone(),
            waived: 0,
            lapsed: 0,
        },
    })
}

impl Waiver {
    /// Whether it covers this, for a far end that is in its networks or not.
    fn covers(&self, what: &Waivable, within: impl FnOnce() -> bool) -> bool {
        let to = (!what.places.is_empty() && what.places.is_subset(&self.places)) || within();
        to && self.parties.as_ref().is_none_or(|parties| parties.fits(what.party))
    }
}

impl Policy {
    /// What waivers ask of a far address and of when a flow began.
    pub fn waiver_view(&self, far: Addr, at: Timestamp) -> WaiverView {
        let waivers = &self.waivers;
        WaiverView {
            networks: waivers.networks.as_ref().and_then(|table| table.get(far)).unwrap_or(0),
            expired: waivers.expiries.partition_point(|expiry| *expiry <= at.0) as u16,
        }
    }

    /// The waiver that covers a uniflow which the policy does not permit: of several that hold, the one that expires last; where
    /// none holds any more, the one that expired last.
    pub fn waiver_of(&self, what: &Waivable) -> Option<Waived> {
        let candidates = self.waivers.index.get(&(what.reason, what.zone))?;
        let named = self.waivers.classes.get(what.view.networks as usize);
        let covering = candidates.iter().filter_map(|id| {
            let within = || named.is_some_and(|named| named.contains(id));
            let waiver = self.waivers.all.get(id.index()).filter(|waiver| waiver.covers(what, within))?;
            Some((waiver.expires, std::cmp::Reverse(*id)))
        });
        let (expires, std::cmp::Reverse(id)) = covering.max()?;
        let days_of_expiry = self.waivers.expiries.partition_point(|one| *one <= midnight(expires));
        // It holds until its own day has come.
        Some(if usize::from(what.view.expired) < days_of_expiry { Waived::Holds(id) } else { Waived::Lapsed(id) })
    }

    /// A waiver, as far as a reader needs it, with nothing counted.
    pub fn waiver(&self, waiver: WaiverId) -> Option<&WaiverSummary> {
        self.waivers.all.get(waiver.index()).map(|waiver| &waiver.summary)
    }

    /// Every waiver with its identifier.
    pub fn waivers(&self) -> impl Iterator<Item = (WaiverId, &WaiverSummary)> {
        (0..).map(WaiverId).zip(self.waivers.all.iter().map(|waiver| &waiver.summary))
    }
}

/// What is to be said of the waivers on a day: those that hold no longer, and those that would hold for more than a year.
pub(super) fn on_day(policy: &Policy, today: Date) -> Vec<Diagnostic> {
    let mut said = Vec::new();
    for waiver in &policy.waivers.all {
        let whose = format!("the waiver of {} by {}", quoted(&waiver.summary.rule), quoted(&waiver.summary.owner));
        let at = waiver.expires_span.clone();
        let last = today.saturating_add(1.year());
        if waiver.expires <= today {
            said.push(
                Diagnostic::warning(Code::WaiverExpired, format!("{whose} has expired"))
                    .at(at, "flows from this day on fail again")
                    .help("take it out, or have it accepted again with a new reason and a new day"),
            );
        } else if waiver.expires > last {
            said.push(
                Diagnostic::error(Code::WaiverTooLong, format!("{whose} expires more than a year ahead"))
                    .at(at, format!("at most {last}"))
                    .help("someone has to accept it anew each year"),
            );
        }
    }
    said
}

/// Waivers that no finding can fit. What only flows can show, that nothing was covered, is for reports.
pub(super) fn never_used(facts: &Facts<'_>, sink: &mut Sink) {
    let policy = facts.policy;
    for waiver in &policy.waivers.all {
        let rule = match waiver.rule {
            Reason::Rule(rule) => policy.rules.get(rule.index()),
            Reason::Default => None,
        };
        let Some(why) = waiver.never_covers(facts, rule) else { continue };
        let message = format!("no finding can fit the waiver of {}", quoted(&waiver.summary.rule));
        let mut said = Diagnostic::warning(Code::NeverMatches, message).at(waiver.span.clone(), why);
        if rule.is_some_and(|rule| rule.effect == Effect::Permit) {
            said = said.help("where a permit leaves something out, the finding is the default's: `rule = \"default\"`");
        }
        sink.push(said);
    }
}

impl Waiver {
    /// Why it can cover nothing, where that is certain without any flow.
    fn never_covers(&self, facts: &Facts<'_>, rule: Option<&Rule>) -> Option<&'static str> {
        let policy = facts.policy;
        let until = Period { from: None, until: Some(self.expires) };
        if !policy.in_force.overlaps(&until) {
            return Some("it expires before the policy is in force");
        }
        let Some(rule) = rule else {
            return (policy.default == Effect::Permit).then_some("the default permits: it gives no findings");
        };
        let parties = |waiver: &PartySelection, rule: &PartySelection| {
            waiver.listed.is_disjoint(&rule.listed) && !(waiver.unlisted && rule.unlisted)
        };
        if rule.effect == Effect::Permit {
            Some("the rule permits: it gives no findings")
        } else if rule.zones.is_disjoint(&self.zones) {
            Some("the rule does not speak of its zones")
        } else if self.parties.as_ref().zip(rule.parties.as_ref()).is_some_and(|(one, other)| parties(one, other)) {
            Some("the rule does not speak of its party")
        } else if policy.law.is_none() && !rule.in_force.overlaps(&until) {
            Some("it expires before the rule is in force")
        } else if self.networks.is_empty()
            && rule.axis == Axis::Place
            && !lint::days(facts, rule).any(|day| rule.places_on(day).intersects(&self.places))
            && facts.left.get() > 0
        {
            Some("the rule forbids none of its countries, on any day")
        } else {
            None
        }
    }
}
