//! Whether a policy's tests mean something: each of its elements is taken out or weakened, one at a time, and the tests are
//! run again. What no test notices is a survivor.
//!
//! The changes are made to the document, so that everything behind it (names, sets, tables) is made anew as for a policy
//! that was written so. A change that makes no policy (a rule without zones) is not tried. A change that leaves what is
//! judged as it was is counted apart: what it takes out says nothing.

use std::ops::Range;

use toml::Spanned;

use super::document::{self, Document, MatchText, Texts};
use super::library::Library;
use super::limit::LimitText;
use super::lint::Lints;
use super::syntax::{self, Sink};
use super::terms::{Effect, Initiator, Movement};
use super::weaken;
use super::{Policy, TestRun, lower};
use crate::diag::{Code, Diagnostic, quoted};

/// The most changes that are tried.
const MAX_TRIED: usize = 20_000;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutations {
    /// How many changes were tried.
    pub tried: usize,
    /// Those that no test noticed, in the order of the text.
    pub survivors: Vec<Diagnostic>,
    /// How many changes left what is judged as it was.
    pub idle: usize,
    /// How many were not tried, because there are too many.
    pub left_out: usize,
    /// How many recipients of registers are no parties of the policy: no test can see them, so that they were not taken out.
    pub unseen: usize,
}

/// A change: what it does, and where.
struct Change {
    what: String,
    span: Range<usize>,
}

impl Mutations {
    /// Whether another change may be tried; one that may not is counted.
    fn has_room(&mut self) -> bool {
        let room = self.tried < MAX_TRIED;
        self.left_out += usize::from(!room);
        room
    }

    /// Counts a change, which survives where no test notices it.
    fn try_one(&mut self, change: Change, noticed: impl FnOnce() -> bool) {
        self.tried += 1;
        if !noticed() {
            let message = format!("no test notices that {}", change.what);
            self.survivors.push(
                Diagnostic::warning(Code::TestSurvivor, message)
                    .at(change.span, "")
                    .help("add a test that comes to another decision without it, or take it out"),
            );
        }
    }
}

impl Policy {
    /// Takes out or weakens each element of a policy in turn and runs its tests; `None` where the text is no policy, or where
    /// its tests fail as it is. `read` is the same policy with its registers read, where it names any; `run` runs the tests of
    /// a policy.
    pub fn mutate(
        origin: &str,
        text: &str,
        library: &Library,
        read: Option<&Self>,
        run: &dyn Fn(Self) -> Vec<TestRun>,
    ) -> Option<Mutations> {
        let mut sink = Sink::default();
        let tree = syntax::parse(text, &mut sink);
        let mut document = document::read(&tree, &mut sink);
        lower::in_order_of_names(&mut document, &mut sink);
        let lowered =
            |document: &Document, sink: &mut Sink| lower::lower(origin, text, document, library, Lints::Nothing, sink);
        let with_registers = |mut policy: Self| {
            policy.take_registers(read);
            policy
        };
        let policy = with_registers(lowered(&document, &mut sink));
        let fails = |policy: Self| run(policy).iter().any(|run| run.failure.is_some());
        if sink.has_errors() || fails(policy.clone()) {
            return None;
        }
        let mut found = Mutations::default();
        each(&document, &mut |change, mutant| {
            if !found.has_room() {
                return;
            }
            let mut sink = Sink::default();
            let changed = lowered(mutant, &mut sink);
            if sink.has_errors() {
                // A test that names what is gone has noticed; anything else makes no policy.
                let noticed = [Code::UnknownRule, Code::UnknownTripwire, Code::TestOutsideZones, Code::BadExpectation];
                found.tried += usize::from(sink.codes().any(|code| noticed.contains(&code)));
                return;
            }
            let changed = with_registers(changed);
            if changed.judges_like(&policy) {
                found.idle += 1;
                return;
            }
            found.try_one(change, || fails(changed));
        });
        let unseen = weaken::of_registers(&policy, &mut |what, span, mutant| {
            if found.has_room() {
                found.try_one(Change { what, span }, || fails(mutant));
            }
        });
        found.unseen = unseen;
        found.survivors.sort_by_key(|one| one.span().map(|span| (span.start, span.end)));
        Some(found)
    }

    /// Whether another policy judges every flow alike because it is made of the same parts.
    fn judges_like(&self, other: &Self) -> bool {
        let zones =
            |policy: &Self| policy.zones.iter().map(|zone| (zone.networks.clone(), zone.country)).collect::<Vec<_>>();
        let controlled = |policy: &Self| policy.parties.iter().map(|party| party.controlled_from).collect::<Vec<_>>();
        self.default == other.default
            && self.in_force == other.in_force
            && self.law == other.law
            && self.rules.iter().map(super::zone::Rule::judged).eq(other.rules.iter().map(super::zone::Rule::judged))
            && self.limits == other.limits
            && zones(self) == zones(other)
            && controlled(self) == controlled(other)
            && self.party_index.matches() == other.party_index.matches()
            && self.services == other.services
            && self.waivers == other.waivers
            && self.tripwires == other.tripwires
    }
}

/// Calls `try_one` with each change of a document.
fn each(document: &Document, try_one: &mut dyn FnMut(Change, &Document)) {
    let mut change = |what: String, span: Range<usize>, make: &dyn Fn(&mut Document)| {
        let mut mutant = document.clone();
        make(&mut mutant);
        try_one(Change { what, span }, &mutant);
    };
    of_header(document, &mut change);
    for (index, set) in document.sets.iter().enumerate() {
        for (member, text) in set.members.iter().enumerate() {
            let what = format!("the set {} loses {}", quoted(set.name.get_ref()), quoted(text.get_ref()));
            change(what, text.span(), &|mutant| {
                drop_at(mutant.sets.get_mut(index).map(|set| &mut set.members), member);
            });
        }
    }
    for (index, zone) in document.zones.iter().enumerate() {
        let name = quoted(zone.name.get_ref());
        for (at, text) in zone.networks.iter().enumerate() {
            let what = format!("the zone {name} loses {}", quoted(text.get_ref()));
            change(what, text.span(), &|mutant| {
                drop_at(mutant.zones.get_mut(index).map(|zone| &mut zone.networks), at);
            });
        }
        if let Some(country) = &zone.country {
            let what = format!("the zone {name} no longer says where it is");
            change(what, country.span(), &|mutant| {
                if let Some(zone) = mutant.zones.get_mut(index) {
                    zone.country = None;
                }
            });
        }
    }
    of_parties(document, &mut change);
    for (index, service) in document.services.iter().enumerate() {
        for (at, text) in service.ports.iter().enumerate() {
            let what = format!("the service {} loses {}", quoted(service.name.get_ref()), quoted(text.get_ref()));
            change(what, text.span(), &|mutant| drop_at(mutant.services.get_mut(index).map(|one| &mut one.ports), at));
        }
    }
    of_rules(document, &mut change);
    of_waivers(document, &mut change);
    weaken::of_tripwires(document, &mut change);
}

pub(super) type Try<'a> = dyn FnMut(String, Range<usize>, &dyn Fn(&mut Document)) + 'a;

pub(super) fn drop_at<T>(list: Option<&mut Vec<T>>, at: usize) {
    if let Some(list) = list.filter(|list| at < list.len()) {
        list.remove(at);
    }
}

fn of_header(document: &Document, change: &mut Try<'_>) {
    let header = document.id.as_ref().map_or(0..0, Spanned::span);
    if let Some(default) = &document.default {
        let other = if *default.get_ref() == Effect::Permit { Effect::Forbid } else { Effect::Permit };
        change(format!("the default becomes `{}`", other.name()), default.span(), &|mutant| {
            mutant.default = Some(Spanned::new(default.span(), other));
        });
    }
    if document.in_force.from.is_some() {
        change("the policy was always in force".to_owned(), header.clone(), &|mutant| mutant.in_force.from = None);
    }
    if document.in_force.until.is_some() {
        change("the policy stays in force".to_owned(), header.clone(), &|mutant| mutant.in_force.until = None);
    }
    if document.law.is_some() {
        change("the law is that of each flow".to_owned(), header, &|mutant| mutant.law = None);
    }
}

/// Takes each entry out of a list that has several.
pub(super) fn entries(
    whose: &str,
    list: &Texts,
    of: &dyn Fn(&mut Document) -> Option<&mut Texts>,
    change: &mut Try<'_>,
) {
    let Some(list) = list.as_ref().filter(|list| list.get_ref().len() > 1) else { return };
    for (at, text) in list.get_ref().iter().enumerate() {
        let what = format!("{whose} loses {}", quoted(text.get_ref()));
        change(what, text.span(), &|mutant| {
            drop_at(of(mutant).and_then(Option::as_mut).map(AsMut::as_mut), at);
        });
    }
}

/// Takes a condition out of a table of a match.
type Clear = fn(&mut MatchText);
/// A list of a table of a match.
type Pick = fn(&mut MatchText) -> &mut Vec<Spanned<String>>;

fn of_parties(document: &Document, change: &mut Try<'_>) {
    for (index, party) in document.parties.iter().enumerate() {
        let name = quoted(party.name.get_ref());
        if let Some(control) = &party.controlled_from {
            change(format!("the party {name} no longer says whom it answers to"), control.span(), &|mutant| {
                if let Some(party) = mutant.parties.get_mut(index) {
                    party.controlled_from = None;
                }
            });
        }
        entries(
            &format!("what the party {name} answers to"),
            &party.controlled_from,
            &|mutant| mutant.parties.get_mut(index).map(|party| &mut party.controlled_from),
            change,
        );
        for (at, one) in party.matches.iter().enumerate() {
            let span = span_of(one).unwrap_or_else(|| party.name.span());
            if party.matches.len() > 1 {
                let what = format!("the party {name} is no longer recognised so");
                change(what, span.clone(), &|mutant| {
                    drop_at(mutant.parties.get_mut(index).map(|party| &mut party.matches), at);
                });
            }
            let conditions: [(&str, bool, Clear); 4] = [
                ("a number", !one.asn.is_empty(), |one| one.asn.clear()),
                ("a name", !one.names.is_empty(), |one| one.names.clear()),
                ("a network", !one.networks.is_empty(), |one| one.networks.clear()),
                ("a region", !one.regions.is_empty(), |one| one.regions.clear()),
            ];
            let written = conditions.iter().filter(|(_, is, _)| *is).count();
            for (what, _, clear) in conditions.iter().filter(|(_, is, _)| *is && written > 1) {
                change(format!("a table of the party {name} no longer asks for {what}"), span.clone(), &|mutant| {
                    if let Some(one) = mutant.parties.get_mut(index).and_then(|party| party.matches.get_mut(at)) {
                        clear(one);
                    }
                });
            }
            let lists: [(&Vec<Spanned<String>>, Pick); 3] = [
                (&one.names, |one| &mut one.names),
                (&one.networks, |one| &mut one.networks),
                (&one.regions, |one| &mut one.regions),
            ];
            for (list, pick) in lists.iter().filter(|(list, _)| list.len() > 1) {
                for (place, text) in list.iter().enumerate() {
                    let what = format!("the party {name} loses {}", quoted(text.get_ref()));
                    change(what, text.span(), &|mutant| {
                        let party = mutant.parties.get_mut(index);
                        drop_at(party.and_then(|party| party.matches.get_mut(at)).map(pick), place);
                    });
                }
            }
            for (place, number) in one.asn.iter().enumerate().filter(|_| one.asn.len() > 1) {
                change(format!("the party {name} loses AS{}", number.get_ref()), number.span(), &|mutant| {
                    let party = mutant.parties.get_mut(index);
                    drop_at(party.and_then(|party| party.matches.get_mut(at)).map(|one| &mut one.asn), place);
                });
            }
        }
    }
}

/// The first thing that a table of a match says.
fn span_of(one: &MatchText) -> Option<Range<usize>> {
    let texts = one.names.iter().chain(&one.networks).chain(&one.regions).map(Spanned::span);
    texts.chain(one.asn.iter().map(Spanned::span)).min_by_key(|span| span.start)
}

fn of_rules(document: &Document, change: &mut Try<'_>) {
    for (index, rule) in document.rules.iter().enumerate() {
        let Some(id) = &rule.id else { continue };
        let name = format!("the rule {}", quoted(id.get_ref()));
        let here = id.span();
        change(format!("{name} is taken out"), here.clone(), &|mutant| {
            drop_at(Some(&mut mutant.rules), index);
            // Its waivers would be mistakes of the policy, and not what a test notices.
            mutant.waivers.retain(|waiver| waiver.rule.as_ref().is_none_or(|rule| rule.get_ref() != id.get_ref()));
        });
        entries(&name, &rule.from, &|mutant| mutant.rules.get_mut(index).map(|rule| &mut rule.from), change);
        entries(&name, &rule.to, &|mutant| mutant.rules.get_mut(index).map(|rule| &mut rule.to), change);
        entries(
            &name,
            &rule.to_control,
            &|mutant| mutant.rules.get_mut(index).map(|rule| &mut rule.to_control),
            change,
        );
        entries(&name, &rule.party, &|mutant| mutant.rules.get_mut(index).map(|rule| &mut rule.party), change);
        entries(&name, &rule.service, &|mutant| mutant.rules.get_mut(index).map(|rule| &mut rule.service), change);
        let mut with = |what: &str, span: Range<usize>, make: &dyn Fn(&mut document::RuleText)| {
            change(format!("{name} {what}"), span, &|mutant| {
                if let Some(rule) = mutant.rules.get_mut(index) {
                    make(rule);
                }
            });
        };
        if let Some(party) = &rule.party {
            with("speaks of every party", party.span(), &|rule| rule.party = None);
        }
        if let Some(service) = &rule.service {
            with("speaks of every service", service.span(), &|rule| rule.service = None);
        }
        if let Some(movement) = &rule.movement {
            for other in [Movement::Out, Movement::In, Movement::Either].iter().filter(|one| *one != movement.get_ref())
            {
                let what = format!("has the movement `{}`", other.name());
                with(&what, movement.span(), &|rule| rule.movement = Some(Spanned::new(movement.span(), *other)));
            }
        }
        if let Some(initiator) = rule.initiator.as_ref().filter(|one| *one.get_ref() != Initiator::Any) {
            with("speaks of any initiator", initiator.span(), &|rule| rule.initiator = None);
        }
        if let Some(limit) = &rule.limit {
            let LimitText { octets, per } = *limit.get_ref();
            with("has no limit", limit.span(), &|rule| rule.limit = None);
            let shorter = LimitText { octets, per: (per / 2).max(1) };
            with("has its limit in half the time", limit.span(), &|rule| {
                rule.limit = Some(Spanned::new(limit.span(), shorter));
            });
            let tenfold = LimitText { octets: octets.saturating_mul(10), per };
            with("has ten times the limit", limit.span(), &|rule| {
                rule.limit = Some(Spanned::new(limit.span(), tenfold));
            });
        }
        if rule.contact {
            with("no longer judges contact", here.clone(), &|rule| rule.contact = false);
        }
        if rule.in_force.from.is_some() {
            with("was always in force", here.clone(), &|rule| rule.in_force.from = None);
        }
        if rule.in_force.until.is_some() {
            with("stays in force", here.clone(), &|rule| rule.in_force.until = None);
        }
    }
}

fn of_waivers(document: &Document, change: &mut Try<'_>) {
    for (index, waiver) in document.waivers.iter().enumerate() {
        let Some(rule) = &waiver.rule else { continue };
        let name = format!("the waiver of {}", quoted(rule.get_ref()));
        change(format!("{name} is taken out"), waiver.span.clone(), &|mutant| {
            drop_at(Some(&mut mutant.waivers), index);
        });
        entries(&name, &waiver.from, &|mutant| mutant.waivers.get_mut(index).map(|one| &mut one.from), change);
        entries(&name, &waiver.to, &|mutant| mutant.waivers.get_mut(index).map(|one| &mut one.to), change);
        if let Some(party) = &waiver.party {
            change(format!("{name} covers every party"), party.span(), &|mutant| {
                if let Some(waiver) = mutant.waivers.get_mut(index) {
                    waiver.party = None;
                }
            });
        }
        if let Some(expires) = &waiver.expires {
            change(format!("{name} never expires"), expires.span(), &|mutant| {
                if let Some(waiver) = mutant.waivers.get_mut(index) {
                    waiver.expires = Some(Spanned::new(expires.span(), jiff::civil::date(2500, 1, 1)));
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_there_is_no_room_for_are_counted() {
        let mut found = Mutations { tried: MAX_TRIED - 1, ..Mutations::default() };
        assert!(found.has_room());
        found.try_one(Change { what: "it is another".to_owned(), span: 0..1 }, || true);
        assert_eq!((found.has_room(), found.has_room()), (false, false));
        assert_eq!((found.tried, found.left_out), (MAX_TRIED, 2));
    }
}
