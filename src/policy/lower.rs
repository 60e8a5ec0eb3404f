//! A document to a policy: names resolved, values checked, everything sorted by name.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};
use toml::Spanned;

use super::document::{self, Document, PartyText, RuleText, Texts, ZoneText};
use super::library::Library;
use super::limit;
use super::lint::{self, Lints};
use super::names::Names;
use super::networks::{Claimed, NetworkTable, nested, network};
use super::party::{Match, PartyIndex, host_pattern, region_pattern};
use super::places::{Places, Sets, countries, country};
use super::service::{MAX_RANGES, MAX_SERVICES, PortRange, ServiceTable, ports};
use super::slips;
use super::syntax::{self, Sink};
use super::terms::{Effect, Initiator, Movement};
use super::tripwire::{self, MAX_TRIPWIRES, TripwireText};
use super::zone::{PartySelection, Rule};
use super::{Parsed, Party, Policy, StatedVantage, Zone, test, waiver};
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{Axis, PartyId, Point, RuleSummary, Timestamp, ZoneId};

/// The most zones, parties, rules, waivers and tests of a policy, each. How many networks there are is bounded by the length
/// of a text.
pub(super) const MAX_NAMED: usize = 4096;

/// The most sets of a policy.
const MAX_SETS: usize = 1024;

/// Names that mean something of their own.
const RESERVED: [&str; 4] = ["default", "unlisted", "any", "*"];

/// Midnight UTC in nanoseconds since 1970; days before are the epoch.
pub(super) fn midnight(day: Date) -> u64 {
    Timestamp::at_midnight(day).0
}

/// What rules and tests name, for the lints.
#[derive(Default)]
pub(super) struct Uses {
    pub(super) zones: BTreeSet<ZoneId>,
    pub(super) parties: BTreeSet<PartyId>,
    pub(super) services: BTreeSet<usize>,
}

pub(super) fn parse(origin: &str, text: &str, library: &Library, lints: Lints) -> Parsed {
    let mut sink = Sink::default();
    let mended = slips::mend(text, &mut sink);
    let tree = syntax::parse(&mended, &mut sink);
    let mut document = document::read(&tree, &mut sink);
    in_order_of_names(&mut document, &mut sink);
    let policy = lower(origin, text, &document, library, lints, &mut sink);
    let policy = (!sink.has_errors()).then_some(policy);
    Parsed { policy, diagnostics: sink.finish(text) }
}

/// Sorts everything that has a name by its name, and says which names cannot be.
pub(super) fn in_order_of_names(document: &mut Document, sink: &mut Sink) {
    document.rules.sort_by(|one, other| rule_name(one).cmp(rule_name(other)));
    document.tripwires.sort_by(|one, other| tripwire_name(one).cmp(tripwire_name(other)));
    let at_most = |count: usize, most: usize, what: &str, sink: &mut Sink| {
        if count > most {
            let message = format!("the policy has {count} {what}; at most {most} are read");
            sink.push(Diagnostic::error(Code::TooLarge, message));
        }
    };
    at_most(document.zones.len(), MAX_NAMED, "zones", sink);
    at_most(document.parties.len(), MAX_NAMED, "parties", sink);
    at_most(document.services.len(), MAX_SERVICES, "services", sink);
    at_most(document.sets.len(), MAX_SETS, "sets", sink);
    at_most(document.rules.len(), MAX_NAMED, "rules", sink);
    at_most(document.waivers.len(), MAX_NAMED, "waivers", sink);
    at_most(document.tests.len(), MAX_NAMED, "tests", sink);
    at_most(document.tripwires.len(), MAX_TRIPWIRES, "tripwires", sink);
    document.zones.truncate(MAX_NAMED);
    document.parties.truncate(MAX_NAMED);
    document.services.truncate(MAX_SERVICES);
    document.sets.truncate(MAX_SETS);
    document.rules.truncate(MAX_NAMED);
    document.waivers.truncate(MAX_NAMED);
    document.tests.truncate(MAX_NAMED);
    document.tripwires.truncate(MAX_TRIPWIRES);
    let zones = document.zones.iter().map(|zone| &zone.name);
    let parties = document.parties.iter().map(|party| &party.name);
    let services = document.services.iter().map(|service| &service.name);
    let sets = document.sets.iter().map(|set| &set.name);
    let rules = document.rules.iter().filter_map(|rule| rule.id.as_ref());
    let tripwires = document.tripwires.iter().filter_map(|tripwire| tripwire.id.as_ref());
    let policy = document.id.iter();
    for name in zones.chain(parties).chain(services).chain(sets).chain(rules).chain(tripwires).chain(policy) {
        let written = name.get_ref();
        if RESERVED.contains(&written.as_str()) {
            let message = format!("{} is a word of the policy format", quoted(written));
            sink.push(Diagnostic::error(Code::BadName, message).at(name.span(), "").help("choose another name"));
        } else if !is_name(written) {
            let message = format!("{} is not a name", quoted(written));
            let help = "names are letters, digits, `-`, `_` and `.`, at most 64, and begin with a letter or digit";
            sink.push(Diagnostic::error(Code::BadName, message).at(name.span(), "").help(help));
        }
    }
    let rules: Vec<_> = document.rules.iter().filter_map(|rule| rule.id.as_ref()).collect();
    let tripwires: Vec<_> = document.tripwires.iter().filter_map(|tripwire| tripwire.id.as_ref()).collect();
    for (nouns, ids) in [("rules", rules), ("tripwires", tripwires)] {
        for pair in ids.windows(2) {
            if let [first, second] = pair
                && first.get_ref() == second.get_ref()
            {
                let message = format!("two {nouns} have the id {}", quoted(first.get_ref()));
                let mut places = [first.span(), second.span()];
                places.sort_unstable_by_key(|place| place.start);
                let [first, second] = places;
                sink.push(
                    Diagnostic::error(Code::DuplicateName, message).at(second, "the second").with(first, "the first"),
                );
            }
        }
    }
}

fn tripwire_name(tripwire: &TripwireText) -> &str {
    tripwire.id.as_ref().map_or("", |id| id.get_ref())
}

fn rule_name(rule: &RuleText) -> &str {
    rule.id.as_ref().map_or("", |id| id.get_ref())
}

fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

pub(super) fn lower(
    origin: &str,
    text: &str,
    document: &Document,
    library: &Library,
    lints: Lints,
    sink: &mut Sink,
) -> Policy {
    let mut uses = Uses::default();
    let mut sets = Sets::resolve(&document.sets, library, sink);
    let (zones, zone_claims) = lower_zones(&document.zones, sink);
    let (parties, matches) = lower_parties(&document.parties, sink);
    let numbered = |count: usize| 0..count as u16;
    let names = Names {
        zones: zones.iter().map(|zone| zone.name.clone()).zip(numbered(zones.len()).map(ZoneId)).collect(),
        parties: parties.iter().map(|party| party.name.clone()).zip(numbered(parties.len()).map(PartyId)).collect(),
        services: document.services.iter().map(|one| one.name.get_ref().clone()).zip(0..).collect(),
        unlisted: "unlisted".to_owned(),
        written: {
            let rules = document.rules.iter().filter_map(|rule| Some(("rule", rule.id.as_ref()?.get_ref().clone())));
            let tripwires = document.tripwires.iter();
            let tripwires = tripwires.filter_map(|one| Some(("tripwire", one.id.as_ref()?.get_ref().clone())));
            rules.chain(tripwires).collect()
        },
        unread: document.unread.clone(),
        lacks_networks: zones.is_empty() || zones.iter().any(|zone| zone.networks.is_empty()),
    };
    let (service_names, services) = lower_services(document, sink);
    let mut rules = Vec::new();
    let mut summaries = Vec::new();
    let mut limits = Vec::new();
    for rule in &document.rules {
        limit::check(rule, document.default.as_ref(), sink);
        if let Some((lowered, summary)) = lower_rule(rule, &names, &mut sets, &mut uses, sink) {
            rules.push(lowered);
            summaries.push(summary);
            limits.push(rule.limit.as_ref().map(|limit| *limit.get_ref()));
        }
    }
    let limits = limit::gather(&mut rules, &limits, sink);
    let tripwires = document
        .tripwires
        .iter()
        .filter_map(|written| tripwire::lower(written, document.law, &names, &mut sets, &mut uses, sink))
        .collect();
    let vantage = document.vantage.as_ref().map(|vantage| StatedVantage {
        country: vantage.country.as_ref().and_then(|code| Some((country(code, sink)?, code.span()))),
        point: vantage.point.as_ref().and_then(|point| {
            let (latitude, longitude) = *point.get_ref();
            Some((Point::new(latitude, longitude)?, point.span()))
        }),
    });
    let plain = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.get_ref().clone()).unwrap_or_default();
    let mut policy = Policy {
        id: plain(&document.id),
        title: plain(&document.title),
        version: plain(&document.version),
        owner: plain(&document.owner),
        origin: origin.to_owned(),
        digest: digest_of(text.as_bytes()),
        default: document.default.as_ref().map_or(Effect::Forbid, |default| *default.get_ref()),
        in_force: document.in_force,
        law: document.law,
        max_age: document.max_age,
        vantage,
        zone_table: NetworkTable::new(zone_claims.iter().map(|claim| (claim.network, ZoneId(claim.owner)))),
        zones,
        party_index: PartyIndex::new(matches.clone()),
        parties,
        service_names,
        services,
        changes: Vec::new(),
        rules,
        limits,
        summaries,
        library_sets: BTreeMap::new(),
        own_sets: BTreeMap::new(),
        waivers: waiver::Waivers::default(),
        suppositions: library.suppositions().to_vec(),
        tests: Vec::new(),
        tripwires,
    };
    policy.changes = changes(&policy);
    policy.waivers = waiver::lower(&document.waivers, &policy, &names, sink);
    uses.parties.extend(document.waivers.iter().filter_map(|one| names.parties.get(one.party.as_ref()?.get_ref())));
    let mut tested = BTreeSet::new();
    for one in &document.tests {
        policy.tests.extend(test::lower(one, &policy, &names, &mut uses, &mut tested, sink));
    }
    // Lints of what is half understood would be noise.
    if !sink.has_errors() {
        lint::lint(
            &lint::Facts {
                policy: &policy,
                document,
                sets: &sets,
                uses: &uses,
                tested: &tested,
                zones: nested(zone_claims.clone()),
                claims: zone_claims,
                matches: &matches,
                library,
                left: std::cell::Cell::new(lint::MAX_LOOKED_AT),
            },
            lints,
            sink,
        );
    }
    policy.library_sets = sets
        .used_library
        .iter()
        .filter_map(|(name, span)| Some((name.clone(), (library.get(name)?.clone(), span.clone()))))
        .collect();
    policy.own_sets = std::mem::take(&mut sets.own);
    policy
}

/// The days on which the rules that hold, or their sets, change.
fn changes(policy: &Policy) -> Vec<(u64, Date)> {
    let mut days: BTreeSet<Date> = [policy.in_force.from, policy.in_force.until].into_iter().flatten().collect();
    if policy.law.is_none() {
        for rule in &policy.rules {
            days.extend([rule.in_force.from, rule.in_force.until].into_iter().flatten());
            days.extend(rule.places.changes());
        }
    }
    days.into_iter().map(|day| (midnight(day), day)).collect()
}

fn lower_zones(written: &[ZoneText], sink: &mut Sink) -> (Vec<Zone>, Vec<Claimed>) {
    let (mut zones, mut claims) = (Vec::new(), Vec::<Claimed>::new());
    for (owner, zone) in written.iter().enumerate() {
        let networks = claim(&zone.networks, owner as u16, &mut claims, sink);
        let country = zone.country.as_ref().map(|codes| countries(codes.get_ref(), "a zone's country", sink));
        zones.push(Zone {
            name: zone.name.get_ref().clone(),
            networks,
            country: country.filter(|set| !set.is_empty()),
            holds: plain_texts(&zone.holds),
        });
    }
    let mut seen: BTreeMap<IpNet, &Claimed> = BTreeMap::new();
    for claim in &claims {
        if let Some(first) = seen.insert(claim.network, claim) {
            let owner = |claim: &Claimed| zones.get(usize::from(claim.owner)).map_or("", |zone| zone.name.as_str());
            let message = if first.owner == claim.owner {
                format!("the zone `{}` has the network `{}` twice", owner(claim), claim.network)
            } else {
                format!("the zones `{}` and `{}` have the same network", owner(first), owner(claim))
            };
            sink.push(
                Diagnostic::error(Code::SameNetwork, message)
                    .at(claim.span.clone(), "here again")
                    .with(first.span.clone(), "already here"),
            );
        }
    }
    (zones, claims)
}

fn claim(written: &[Spanned<String>], owner: u16, claims: &mut Vec<Claimed>, sink: &mut Sink) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in written {
        if let Some(network) = network(text, sink) {
            claims.push(Claimed { network, owner, span: text.span() });
            networks.push(network);
        }
    }
    networks.sort_unstable();
    networks
}

fn lower_parties(written: &[PartyText], sink: &mut Sink) -> (Vec<Party>, Vec<Match>) {
    let (mut parties, mut matches) = (Vec::new(), Vec::new());
    for (index, party) in written.iter().enumerate() {
        let mut recognised = Vec::new();
        for one in &party.matches {
            let mut asn = Vec::new();
            for number in &one.asn {
                match u32::try_from(*number.get_ref()) {
                    Ok(number) => asn.push(number),
                    Err(_) => sink.error(
                        Code::BadValue,
                        format!("`{}` is not the number of an autonomous system", number.get_ref()),
                        number.span(),
                        "expected a number of 32 bits",
                    ),
                }
            }
            let names = one.names.iter().filter_map(|name| host_pattern(name, sink)).collect();
            let mut networks: Vec<IpNet> = one.networks.iter().filter_map(|text| network(text, sink)).collect();
            networks.sort_unstable();
            recognised.push(describe(&asn, one, &networks));
            let regions = one.regions.iter().filter_map(|region| region_pattern(region, sink)).collect();
            matches.push(Match { party: PartyId(index as u16), asn, names, networks, regions });
        }
        let controlled = party.controlled_from.as_ref();
        let controlled = controlled.map(|codes| countries(codes.get_ref(), "`controlled-from`", sink));
        parties.push(Party {
            name: party.name.get_ref().clone(),
            title: party.title.as_ref().unwrap_or(&party.name).get_ref().clone(),
            controlled_from: controlled.filter(|set| !set.is_empty()),
            recognised,
        });
    }
    (parties, matches)
}

fn describe(asn: &[u32], written: &document::MatchText, networks: &[IpNet]) -> String {
    let asn = asn.iter().map(|number| format!("AS{number}")).collect::<Vec<_>>().join(" or ");
    let names = written.names.iter().map(|name| name.get_ref().clone()).collect::<Vec<_>>().join(" or ");
    let networks = networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let regions = written.regions.iter().map(|region| region.get_ref().clone()).collect::<Vec<_>>().join(" or ");
    let parts: Vec<String> = [asn, names, networks, regions].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", and ")
}

fn lower_services(document: &Document, sink: &mut Sink) -> (Vec<(String, Vec<String>)>, ServiceTable) {
    let (mut names, mut all, mut count) = (Vec::new(), Vec::<Vec<PortRange>>::new(), 0);
    for service in &document.services {
        let ranges: Vec<PortRange> = service.ports.iter().filter_map(|text| ports(text, sink)).collect();
        count += ranges.len();
        let written = service.ports.iter().map(|text| text.get_ref().clone()).collect();
        names.push((service.name.get_ref().clone(), written));
        all.push(ranges);
    }
    let table = if count <= MAX_RANGES { ServiceTable::new(&all) } else { None };
    let table = table.unwrap_or_else(|| {
        let message = format!("the services have {count} ranges of ports, which is more than this program tells apart");
        sink.push(Diagnostic::error(Code::TooLarge, message));
        ServiceTable::empty()
    });
    (names, table)
}

fn lower_rule(
    rule: &RuleText,
    names: &Names,
    sets: &mut Sets<'_>,
    uses: &mut Uses,
    sink: &mut Sink,
) -> Option<(Rule, RuleSummary)> {
    let zones = lower_from(&rule.from, names, uses, sink);
    let parties = rule.party.as_ref().map(|list| lower_party_list(list.get_ref(), names, uses, sink));
    let services = rule.service.as_ref().map(|list| {
        list.get_ref().iter().fold(0, |set, name| {
            let found = names.services.get(name.get_ref());
            if found.is_none() {
                names.say_unknown((Code::UnknownService, "service"), name, &names.services.keys(), sink);
            }
            uses.services.extend(found.copied());
            found.map_or(set, |index| set | 1 << index)
        })
    });
    let place = rule.to.as_ref().map(|list| (Axis::Place, list));
    let control = rule.to_control.as_ref().map(|list| (Axis::Control, list));
    if let (Some((_, to)), Some((_, control))) = (&place, &control) {
        sink.push(
            Diagnostic::error(Code::Destination, "a rule has both `to` and `to-control`")
                .at(control.span(), "whom the operator answers to")
                .with(to.span(), "where it is")
                .help("place and control are two decisions: write a rule for each"),
        );
    }
    if !rule.says_where {
        sink.push(
            Diagnostic::error(Code::Destination, "a rule has neither `to` nor `to-control`")
                .at(rule.id.as_ref().map_or(rule.span.clone(), Spanned::span), "this rule")
                .help("name places, `to = [\"US\", \"@eea\"]`; `to = [\"*\"]` is anywhere"),
        );
    }
    let mut lower = |list: &Spanned<Vec<Spanned<String>>>| sets.places(list.get_ref(), sink);
    let (axis, written, places) = match place.or(control) {
        Some((axis, list)) => (axis, Some(list), lower(list)),
        None => (Axis::Place, None, Places::default()),
    };
    let id = rule.id.as_ref()?.get_ref().clone();
    let effect = *rule.effect.as_ref()?.get_ref();
    let plain = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.get_ref().clone());
    let unwritten = if effect == Effect::Forbid { Movement::Out } else { Movement::Either };
    let summary = RuleSummary {
        title: plain(&rule.title).unwrap_or_else(|| id.clone()),
        effect: effect.name().to_owned(),
        severity: rule.severity.as_ref().map_or_else(Default::default, |severity| *severity.get_ref()),
        basis: plain_texts(&rule.basis),
        why: plain(&rule.why).unwrap_or_default(),
        id,
    };
    let lowered = Rule {
        effect,
        axis,
        zones,
        places,
        parties,
        services,
        movement: rule.movement.as_ref().map_or(unwritten, |movement| *movement.get_ref()),
        initiator: rule.initiator.as_ref().map_or(Initiator::Any, |initiator| *initiator.get_ref()),
        contact: rule.contact,
        limit: None,
        in_force: rule.in_force,
        span: rule.id.as_ref().map_or(rule.span.clone(), Spanned::span),
        owner: plain(&rule.owner),
        document: rule.document.clone(),
        written: written
            .map(|list| list.get_ref().iter().map(|text| text.get_ref().clone()).collect())
            .unwrap_or_default(),
    };
    Some((lowered, summary))
}

pub(super) fn lower_from(written: &Texts, names: &Names, uses: &mut Uses, sink: &mut Sink) -> BTreeSet<ZoneId> {
    let mut zones = BTreeSet::new();
    for name in written.iter().flat_map(Spanned::get_ref) {
        if name.get_ref() == "*" {
            zones.extend(names.zones.values());
        } else if let Some(zone) = names.zones.get(name.get_ref()) {
            zones.insert(*zone);
        } else {
            names.say_unknown((Code::UnknownZone, "zone"), name, &names.zones.keys(), sink);
        }
    }
    uses.zones.extend(&zones);
    zones
}

pub(super) fn lower_party_list(
    written: &[Spanned<String>],
    names: &Names,
    uses: &mut Uses,
    sink: &mut Sink,
) -> PartySelection {
    let mut selection = PartySelection { listed: BTreeSet::new(), unlisted: false };
    for name in written {
        if name.get_ref() == "unlisted" {
            selection.unlisted = true;
        } else if let Some(party) = names.parties.get(name.get_ref()) {
            selection.listed.insert(*party);
        } else {
            let known = names.parties.keys().chain([&names.unlisted]);
            names.say_unknown((Code::UnknownParty, "party"), name, &known, sink);
        }
    }
    uses.parties.extend(&selection.listed);
    selection
}

fn plain_texts(texts: &Texts) -> Vec<String> {
    texts.iter().flat_map(Spanned::get_ref).map(|text| text.get_ref().clone()).collect()
}

/// SHA-256 in hexadecimal.
pub(super) fn digest_of(octets: &[u8]) -> String {
    hexadecimal(&Sha256::digest(octets))
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string does not fail.
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{octet:02x}"));
        text
    })
}
