//! Lints: what a policy says and probably does not mean.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::document::Document;
use super::library::Library;
use super::lower::Uses;
use super::networks::{Claimed, is_private};
use super::party::Match;
use super::places::{Conditional, Sets};
use super::syntax::Sink;
use super::terms::{Effect, Initiator, Movement};
use super::zone::{PartySelection, Rule};
use super::{Policy, Zone};
use crate::diag::{Code, Diagnostic};
use crate::model::{Axis, CountrySet};

/// Which lints are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lints {
    /// All: a file that people keep.
    All,
    /// Those alone that say what a policy does not judge: flags, which carry no tests and no basis.
    Meaning,
    /// None: a policy that is made to be compared with another.
    Nothing,
}

/// What lints look at.
pub(super) struct Facts<'a> {
    pub(super) policy: &'a Policy,
    pub(super) document: &'a Document,
    pub(super) sets: &'a Sets<'a>,
    pub(super) uses: &'a Uses,
    pub(super) tested: &'a BTreeSet<String>,
    /// The networks of zones.
    pub(super) claims: Vec<Claimed>,
    /// Networks of zones inside networks of other zones.
    pub(super) zones: Vec<(Claimed, Claimed)>,
    pub(super) matches: &'a [Match],
    pub(super) library: &'a Library,
    /// How many days may still be looked at.
    pub(super) left: Cell<usize>,
}

/// The most days of rules that lints look at, so that a text of a stranger cannot keep us busy.
pub(super) const MAX_LOOKED_AT: usize = 1 << 20;

pub(super) fn lint(facts: &Facts<'_>, lints: Lints, sink: &mut Sink) {
    if lints == Lints::Nothing {
        return;
    }
    conditional_members(facts, sink);
    beyond_codes(facts, sink);
    super::wide::wide_zones(facts, sink);
    if lints == Lints::Meaning {
        return;
    }
    never_matches(facts, sink);
    super::waiver::never_used(facts, sink);
    shadowed(facts, sink);
    unused(facts, sink);
    zones_overlap(facts, sink);
    ambiguous_parties(facts, sink);
    private_networks(facts, sink);
    untested(facts, sink);
    no_basis(facts, sink);
    no_end(facts, sink);
    if facts.left.get() == 0 {
        let message = "the policy changes on too many days for every lint: some of its rules were not looked at";
        sink.push(Diagnostic::note(Code::TooLarge, message));
    }
}

/// What is to be said of a policy on a day.
pub(super) fn overdue(policy: &Policy, today: Date) -> Vec<Diagnostic> {
    let late = policy.library_sets.values().filter(|(set, _)| set.review_due < today);
    let said = late.map(|(set, span)| {
        Diagnostic::warning(
            Code::LibraryStale,
            format!("the set `@{}` was due for review on {}", set.name, set.review_due),
        )
        .at(span.clone(), format!("last read against its sources on {}", set.reviewed_on))
        .help("renew the program for a later library, and read what changed")
    });
    said.collect()
}

fn rules<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (&'a str, &'a Rule)> {
    facts.policy.summaries.iter().map(|summary| summary.id.as_str()).zip(&facts.policy.rules)
}

/// A rule that no flow can fit: not in force while the policy is, or over no place.
fn never_matches(facts: &Facts<'_>, sink: &mut Sink) {
    for (id, rule) in rules(facts) {
        let why = if facts.policy.law.is_some_and(|law| !rule.in_force.contains(law)) {
            "it is not in force on the date whose law holds"
        } else if facts.policy.law.is_none() && !rule.in_force.overlaps(&facts.policy.in_force) {
            "it is not in force while the policy is"
        } else if days(facts, rule).all(|day| rule.places_on(day).is_empty()) && facts.left.get() > 0 {
            "the places that it names are none, on every day that it is in force"
        } else {
            continue;
        };
        let message = format!("no flow can fit the rule `{id}`");
        sink.push(Diagnostic::warning(Code::NeverMatches, message).at(rule.span.clone(), why));
    }
}

/// One day of each epoch in which a rule is in force, until the budget is spent.
pub(super) fn days<'a>(facts: &'a Facts<'_>, rule: &'a Rule) -> impl Iterator<Item = Date> + 'a {
    let policy = facts.policy;
    let first = policy.law.unwrap_or(policy.in_force.from.unwrap_or(Date::MIN));
    let later = policy.changes.iter().map(|(_, day)| *day);
    let later = later.filter(|day| policy.law.is_none() && policy.in_force.contains(*day));
    std::iter::once(first).chain(later).take_while(|_| spend(&facts.left)).filter(|day| rule.in_force.contains(*day))
}

fn spend(left: &Cell<usize>) -> bool {
    let some = left.get() > 0;
    left.set(left.get().saturating_sub(1));
    some
}

/// A permit that one forbid covers wholly.
fn shadowed(facts: &Facts<'_>, sink: &mut Sink) {
    let forbids: Vec<(&str, &Rule)> = rules(facts).filter(|(_, rule)| rule.effect == Effect::Forbid).collect();
    for (id, permit) in rules(facts).filter(|(_, rule)| rule.effect == Effect::Permit) {
        let shadow = forbids.iter().find(|(_, forbid)| {
            covers(forbid, permit)
                && days(facts, permit).all(|day| permit.places_on(day).is_subset(&forbid.places_on(day)))
        });
        if let Some((forbid_id, forbid)) = shadow
            && days(facts, permit).any(|day| !permit.places_on(day).is_empty())
        {
            sink.push(
                Diagnostic::warning(Code::Shadowed, format!("the permit `{id}` changes nothing"))
                    .at(permit.span.clone(), "all of it is forbidden")
                    .with(forbid.span.clone(), format!("by `{forbid_id}`"))
                    .help("a forbid overrides every permit, whatever the order"),
            );
        }
    }
}

/// Whether everything that the permit selects is selected by the forbid too, places aside.
fn covers(forbid: &Rule, permit: &Rule) -> bool {
    let parties = |forbid: &PartySelection| {
        permit
            .parties
            .as_ref()
            .is_some_and(|permit| permit.listed.is_subset(&forbid.listed) && (forbid.unlisted || !permit.unlisted))
    };
    forbid.axis == permit.axis
        && permit.zones.is_subset(&forbid.zones)
        && forbid.parties.as_ref().is_none_or(parties)
        && forbid.services.is_none_or(|forbid| permit.services.is_some_and(|permit| permit & !forbid == 0))
        && (forbid.movement == Movement::Either || forbid.movement == permit.movement)
        && (forbid.initiator == Initiator::Any || forbid.initiator == permit.initiator)
        && (forbid.contact || !permit.contact)
        && forbid.in_force.covers(&permit.in_force)
}

fn unused(facts: &Facts<'_>, sink: &mut Sink) {
    let mut say = |code: Code, what: &str, name: &str, span: std::ops::Range<usize>, label: &str| {
        sink.push(Diagnostic::warning(code, format!("the {what} `{name}` is not used")).at(span, label));
    };
    for set in facts.document.sets.iter().filter(|set| !facts.sets.used.contains(set.name.get_ref())) {
        say(Code::UnusedSet, "set", set.name.get_ref(), set.name.span(), "no rule names it");
    }
    for (index, zone) in (0..).zip(&facts.document.zones) {
        if !facts.uses.zones.contains(&crate::model::ZoneId(index)) {
            say(Code::UnusedZone, "zone", zone.name.get_ref(), zone.name.span(), "no rule speaks of it");
        }
    }
    for (index, party) in (0..).zip(&facts.document.parties) {
        if !facts.uses.parties.contains(&crate::model::PartyId(index)) {
            say(Code::UnusedParty, "party", party.name.get_ref(), party.name.span(), "no rule and no test names it");
        }
    }
    for (index, service) in facts.document.services.iter().enumerate() {
        if !facts.uses.services.contains(&index) {
            say(Code::UnusedService, "service", service.name.get_ref(), service.name.span(), "no rule names it");
        }
    }
}

fn zones_overlap(facts: &Facts<'_>, sink: &mut Sink) {
    let zone = |claim: &Claimed| facts.policy.zones.get(usize::from(claim.owner));
    for (outer, inner) in &facts.zones {
        let (Some(around), Some(within)) = (zone(outer), zone(inner)) else { continue };
        if let (Zone { country: Some(there), .. }, Zone { country: Some(here), .. }) = (around, within)
            && there != here
        {
            let message = format!("the zones `{}` and `{}` overlap in different countries", around.name, within.name);
            sink.push(
                Diagnostic::warning(Code::ZonesOverlap, message)
                    .at(inner.span.clone(), format!("in {here}, and inside"))
                    .with(outer.span.clone(), format!("in {there}"))
                    .help("the more specific network wins"),
            );
        }
    }
}

fn ambiguous_parties(facts: &Facts<'_>, sink: &mut Sink) {
    // What a table of a match asks for, to the first party that asks the same.
    let mut seen: BTreeMap<(bool, String, Vec<u32>, Vec<String>), usize> = BTreeMap::new();
    let name = |index: usize| facts.policy.parties.get(index).map_or("", |party| party.name.as_str());
    let mut said = BTreeSet::new();
    for one in facts.matches {
        let mut asn = one.asn.clone();
        asn.sort_unstable();
        let mut regions: Vec<String> = one
            .regions
            .iter()
            .map(|region| format!("{}{}", region.start, if region.open { "*" } else { "" }))
            .collect();
        regions.sort();
        let mut keys = Vec::new();
        if one.networks.is_empty() && one.names.is_empty() && regions.is_empty() {
            keys.extend(asn.iter().map(|number| (false, String::new(), vec![*number], Vec::new())));
        } else if one.networks.is_empty() && one.names.is_empty() {
            keys.extend(regions.iter().map(|region| (false, region.clone(), asn.clone(), Vec::new())));
        } else if one.networks.is_empty() {
            let names = one.names.iter();
            keys.extend(names.map(|name| (name.below, name.suffix.clone(), asn.clone(), regions.clone())));
        } else if one.names.is_empty() {
            let networks = one.networks.iter();
            keys.extend(networks.map(|network| (false, network.to_string(), asn.clone(), regions.clone())));
        }
        let party = one.party.index();
        for key in keys {
            let first = *seen.entry(key.clone()).or_insert(party);
            if first != party && said.insert((first, party)) {
                let what = match &key {
                    (_, text, numbers, _) if text.is_empty() => format!("AS{}", numbers.first().unwrap_or(&0)),
                    (true, text, ..) => format!("*.{text}"),
                    (false, text, ..) => text.clone(),
                };
                let places =
                    [party, first].map(|index| facts.document.parties.get(index).map(|party| party.name.span()));
                let [Some(here), Some(there)] = places else { continue };
                let message = format!("the parties `{}` and `{}` are both `{what}`", name(first), name(party));
                sink.push(
                    Diagnostic::warning(Code::AmbiguousParties, message)
                        .at(here, "never recognised by this")
                        .with(there, "the first by name wins")
                        .help("say what sets them apart: another name, network, region or number in the same table"),
                );
            }
        }
    }
}

fn private_networks(facts: &Facts<'_>, sink: &mut Sink) {
    for party in &facts.document.parties {
        for written in party.matches.iter().flat_map(|one| &one.networks) {
            let private = super::networks::parse_network(written.get_ref()).is_ok_and(|network| is_private(&network));
            if private {
                let message = format!("`{}` is a private network", written.get_ref());
                sink.push(
                    Diagnostic::warning(Code::PrivateNetwork, message)
                        .at(written.span(), format!("in the party `{}`", party.name.get_ref()))
                        .help("parties are recognised by networks of the Internet; networks of ours are zones"),
                );
            }
        }
    }
}

fn untested(facts: &Facts<'_>, sink: &mut Sink) {
    if facts.document.tests.is_empty() {
        sink.push(
            Diagnostic::note(Code::NoTests, "the policy has no tests").help(
                "add `[[test]]` tables and run `landfall policy test`: they show that the rules say what was meant",
            ),
        );
        return;
    }
    for (id, rule) in rules(facts).filter(|(id, _)| !facts.tested.contains(*id)) {
        sink.push(
            Diagnostic::warning(Code::UntestedRule, format!("no test expects the rule `{id}`"))
                .at(rule.span.clone(), "untested")
                .help(format!("add a `[[test]]` with `expect = {{ …, rule = \"{id}\" }}`")),
        );
    }
}

fn no_basis(facts: &Facts<'_>, sink: &mut Sink) {
    for (summary, rule) in facts.policy.summaries.iter().zip(&facts.policy.rules) {
        if rule.effect == Effect::Permit && summary.basis.is_empty() {
            sink.push(
                Diagnostic::warning(
                    Code::NoBasis,
                    format!("the permit `{}` does not say what it rests on", summary.id),
                )
                .at(rule.span.clone(), "no `basis`")
                .help("cite what permits it: `basis = [\"GDPR Art. 45\"]`, a contract, a decision"),
            );
        }
    }
}

/// A permit that names its importer and a document is a safeguard, and safeguards end.
fn no_end(facts: &Facts<'_>, sink: &mut Sink) {
    for (id, rule) in rules(facts) {
        let safeguard = rule.effect == Effect::Permit && rule.parties.is_some() && rule.document.is_some();
        if safeguard && rule.in_force.until.is_none() {
            sink.push(
                Diagnostic::warning(Code::NoEnd, format!("the safeguard `{id}` does not say when it ends"))
                    .at(rule.span.clone(), "no `until`")
                    .help("write the day on which its document ends or is looked at again: `in-force = { until = … }`"),
            );
        }
    }
}

/// Says once for each set that a permit without a party leaves members out. Those that a permit with a party reaches are
/// not told: whoever wrote it knows.
fn conditional_members(facts: &Facts<'_>, sink: &mut Sink) {
    let mut said = BTreeSet::new();
    let named_recipients =
        rules(facts).filter(|(_, rule)| rule.effect == Effect::Permit && rule.conditional() == Conditional::Include);
    let known = named_recipients
        .flat_map(|(_, rule)| days(facts, rule).map(|day| rule.places_on(day)))
        .fold(CountrySet::NOWHERE, CountrySet::union);
    for (id, rule) in rules(facts) {
        if rule.conditional() == Conditional::Include || !rule.places.has_conditions() {
            continue;
        }
        // What is a member without a condition, or named by its own code, is not left out.
        let (mut reached, mut named) = (CountrySet::NOWHERE, CountrySet::NOWHERE);
        for day in days(facts, rule) {
            reached = reached.union(rule.places_on(day));
            named = named.union(rule.places.at(day, Conditional::Include));
        }
        let left_out = named.difference(reached).difference(known);
        if left_out.is_empty() || !said.insert(rule.written.clone()) {
            continue;
        }
        sink.push(
            Diagnostic::warning(Code::ConditionalMembers, format!("the permit `{id}` does not reach {left_out}"))
                .at(rule.span.clone(), "it names no party")
                .help(
                    "their membership has a condition that only a named recipient can meet: \
                     write a permit with `party` for each, and its basis",
                ),
        );
    }
}

/// Says where a forbid names a set with members that no country code can express.
fn beyond_codes(facts: &Facts<'_>, sink: &mut Sink) {
    let forbidding = rules(facts).filter(|(_, rule)| rule.effect == Effect::Forbid && rule.axis == Axis::Place);
    for (id, rule) in forbidding {
        for name in facts.sets.library_behind(&rule.written) {
            let Some(set) = facts.library.get(name).filter(|set| !set.beyond_codes.is_empty()) else { continue };
            let message = format!("the forbid `{id}` does not reach {}", set.beyond_codes.join(", "));
            sink.push(
                Diagnostic::warning(Code::BeyondCodes, message)
                    .at(rule.span.clone(), format!("members of `@{name}` that no country code expresses"))
                    .help("location data tells countries apart, not their parts: name networks as parties, or zones"),
            );
        }
    }
}
