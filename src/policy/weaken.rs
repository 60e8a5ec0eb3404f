//! How tripwires are changed by `policy test --mutate`: each is taken out, or watches for a little less or more; and
//! registers declare less.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;

use super::Policy;
use super::document::Document;
use super::measure::{octets_of, span_of};
use super::mutate::{Try, drop_at, entries};
use super::register::Register;
use super::syntax::Sink;
use super::terms::Movement;
use super::tripwire::{Edge, KindText, Watch, hours};
use crate::diag::quoted;
use crate::model::{CountrySet, Timestamp};

/// Everything that may move or pass in it is ten times what was said: tests that come near to what is said notice it.
const WIDER: u64 = 10;
/// A year of 365 days.
const YEAR: u64 = 365 * 86_400 * Timestamp::SECOND;
/// The address of no machine: a gateway that nothing goes through.
const NOWHERE: &str = "255.255.255.255";

/// The most recipients of a register that are changed one at a time.
const MAX_EACH: usize = 32;

/// Changes the kind of a tripwire.
type Make<'a> = dyn Fn(&mut KindText) + 'a;
/// Tries a change of a kind: what it does, and where.
type TryKind<'a> = dyn FnMut(String, Range<usize>, &Make<'_>) + 'a;

pub(super) fn of_tripwires(document: &Document, change: &mut Try<'_>) {
    for (index, tripwire) in document.tripwires.iter().enumerate() {
        let (Some(id), Some(kind)) = (&tripwire.id, &tripwire.kind) else { continue };
        let name = format!("the tripwire {}", quoted(id.get_ref()));
        change(format!("{name} is taken out"), id.span(), &|mutant| drop_at(Some(&mut mutant.tripwires), index));
        entries(&name, &tripwire.from, &|mutant| mutant.tripwires.get_mut(index).map(|one| &mut one.from), change);
        entries(&name, &tripwire.party, &|mutant| mutant.tripwires.get_mut(index).map(|one| &mut one.party), change);
        // A fail-over is looked for among parties: where it names all of them, every party is no other.
        let all = matches!(kind, KindText::Failover { .. })
            && tripwire.party.as_ref().is_some_and(|list| list.get_ref().len() >= document.parties.len());
        if let Some(party) = tripwire.party.as_ref().filter(|_| !all) {
            change(format!("{name} watches every party"), party.span(), &|mutant| {
                if let Some(tripwire) = mutant.tripwires.get_mut(index) {
                    tripwire.party = None;
                }
            });
        }
        if let KindText::Failover { inside: list, .. } | KindText::ChokePoint { gateways: list } = kind {
            entries(
                &name,
                list,
                &|mutant| match mutant.tripwires.get_mut(index)?.kind.as_mut()? {
                    KindText::Failover { inside: list, .. } | KindText::ChokePoint { gateways: list } => Some(list),
                    _ => None,
                },
                change,
            );
        }
        of_kind(kind, &mut |what, span, make| {
            change(format!("{name} {what}"), span, &|mutant| {
                if let Some(kind) = mutant.tripwires.get_mut(index).and_then(|one| one.kind.as_mut()) {
                    make(kind);
                }
            });
        });
    }
}

/// Takes recipients out of registers and changes their countries; returns how many recipients are no parties, which no test can
/// see. Each of the first [`MAX_EACH`] is a change of its own. Those after them change together: tests that name each row of
/// a long register would be the register again.
pub(super) fn of_registers(policy: &Policy, try_one: &mut dyn FnMut(String, Range<usize>, Policy)) -> usize {
    let called: BTreeSet<String> =
        policy.parties.iter().flat_map(|party| [party.name.to_lowercase(), party.title.to_lowercase()]).collect();
    let mut unseen = 0;
    for (index, tripwire) in policy.tripwires.iter().enumerate() {
        let Watch::Undeclared { path, span, register: Some(register), .. } = &tripwire.watch else { continue };
        let (seen, others): (Vec<_>, Vec<_>) =
            register.recipients().partition(|(recipient, _)| called.contains(&recipient.to_lowercase()));
        unseen += others.len();
        let mut change = |what: String, changed: Register| {
            let mut mutant = policy.clone();
            if let Some(Watch::Undeclared { register, .. }) = mutant.tripwires.get_mut(index).map(|one| &mut one.watch)
            {
                *register = Some(changed);
            }
            try_one(format!("the register {} {what}", quoted(path)), span.clone(), mutant);
        };
        let (each, rest) = seen.split_at(seen.len().min(MAX_EACH));
        for (recipient, countries) in each {
            let (of, name) = (&[*recipient][..], quoted(recipient));
            change(format!("loses {name}"), register.without(of));
            if !countries.is_empty() {
                let unsaid = register.with_countries(of, |_| CountrySet::NOWHERE);
                change(format!("no longer says where {name} is"), unsaid);
            }
            for country in countries.iter().filter(|_| countries.len() > 1) {
                let fewer = register.with_countries(of, |all| all.difference(CountrySet::of(country)));
                change(format!("loses {country} of {name}"), fewer);
            }
        }
        let of: Vec<&str> = rest.iter().map(|(recipient, _)| *recipient).collect();
        if !of.is_empty() {
            change(format!("loses {} recipients after the first {MAX_EACH}", of.len()), register.without(&of));
            let unsaid = register.with_countries(&of, |_| CountrySet::NOWHERE);
            change(format!("no longer says where {} recipients after the first {MAX_EACH} are", of.len()), unsaid);
        }
    }
    unseen
}

fn of_kind(kind: &KindText, with: &mut TryKind<'_>) {
    match kind {
        KindText::Failover { attempts, within, .. } => {
            if let Some(written) = attempts {
                let (number, span) = (*written.get_ref(), written.span());
                let others = [
                    (number + 1, "asks for one attempt more"),
                    (number.saturating_sub(1), "asks for one attempt less"),
                ];
                for (other, what) in others {
                    with(what.to_owned(), span.clone(), &|kind| {
                        if let KindText::Failover { attempts, .. } = kind {
                            *attempts = Some(Spanned::new(span.clone(), other));
                        }
                    });
                }
            }
            if let Some((seconds, span)) = seconds(within.as_ref()) {
                let others =
                    [(seconds * WIDER, "waits ten times as long"), ((seconds / WIDER).max(1), "waits a tenth as long")];
                for (other, what) in others {
                    with(what.to_owned(), span.clone(), &|kind| {
                        if let KindText::Failover { within, .. } = kind {
                            *within = Some(Spanned::new(span.clone(), format!("{other}s")));
                        }
                    });
                }
            }
        }
        KindText::NewEdge { by, baseline } => of_edge(by.as_ref(), baseline.as_ref(), with),
        KindText::Volume { movement, .. } => {
            of_movement(movement.as_ref(), with);
            of_volume(kind, with);
        }
        KindText::Schedule { movement, quiet, time_zone, budget } => {
            of_movement(movement.as_ref(), with);
            if let Some(written) = quiet
                && let Some((from, until)) = hours(written, &mut Sink::default())
            {
                let later = |minute: u16| (minute + 60) % (24 * 60);
                let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                let shifted = format!("{}-{}", clock(later(from)), clock(later(until)));
                with("is quiet an hour later".to_owned(), written.span(), &|kind| {
                    if let KindText::Schedule { quiet, .. } = kind {
                        *quiet = Some(Spanned::new(written.span(), shifted.clone()));
                    }
                });
            }
            if let Some(written) = time_zone {
                with("has the hours of UTC".to_owned(), written.span(), &|kind| {
                    if let KindText::Schedule { time_zone, .. } = kind {
                        *time_zone = Some(Spanned::new(written.span(), "UTC".to_owned()));
                    }
                });
            }
            if let Some((octets, span)) = octets(budget.as_ref()) {
                with("has ten times the budget".to_owned(), span.clone(), &|kind| {
                    if let KindText::Schedule { budget, .. } = kind {
                        *budget = Some(Spanned::new(span.clone(), octets.saturating_mul(WIDER).to_string()));
                    }
                });
            }
        }
        KindText::ChokePoint { gateways } => {
            if let Some(written) = gateways {
                with("knows no gateway".to_owned(), written.span(), &|kind| {
                    if let KindText::ChokePoint { gateways } = kind {
                        let nowhere = Spanned::new(written.span(), NOWHERE.to_owned());
                        *gateways = Some(Spanned::new(written.span(), vec![nowhere]));
                    }
                });
            }
        }
        // What it declares is in the register, and not in the policy: [`of_registers`].
        KindText::Undeclared { .. } => {}
    }
}

fn of_edge(by: Option<&Spanned<Edge>>, baseline: Option<&Spanned<Timestamp>>, with: &mut TryKind<'_>) {
    if let Some(written) = by {
        let (other, what) = match written.get_ref() {
            Edge::Country => (Edge::Party, "watches for parties"),
            Edge::Party => (Edge::Country, "watches for countries"),
        };
        with(what.to_owned(), written.span(), &|kind| {
            if let KindText::NewEdge { by, .. } = kind {
                *by = Some(Spanned::new(written.span(), other));
            }
        });
    }
    if let Some(written) = baseline {
        let later = Timestamp(written.get_ref().0.saturating_add(YEAR));
        with("takes a year more to be known".to_owned(), written.span(), &|kind| {
            if let KindText::NewEdge { baseline, .. } = kind {
                *baseline = Some(Spanned::new(written.span(), later));
            }
        });
    }
}

fn of_volume(kind: &KindText, with: &mut TryKind<'_>) {
    let KindText::Volume { per, budget, times, trailing, .. } = kind else { return };
    if let Some((length, span)) = seconds(per.as_ref()) {
        with("has periods twice as long".to_owned(), span.clone(), &|kind| {
            if let KindText::Volume { per, .. } = kind {
                *per = Some(Spanned::new(span.clone(), format!("{}s", length * 2)));
            }
        });
    }
    if let Some((octets, span)) = octets(budget.as_ref()) {
        with("has ten times the budget".to_owned(), span.clone(), &|kind| {
            if let KindText::Volume { budget, .. } = kind {
                *budget = Some(Spanned::new(span.clone(), octets.saturating_mul(WIDER).to_string()));
            }
        });
    }
    if let Some(written) = times {
        with("lets twice as many times the median move".to_owned(), written.span(), &|kind| {
            if let KindText::Volume { times, .. } = kind {
                *times = Some(Spanned::new(written.span(), written.get_ref() * 2.0));
            }
        });
        if budget.is_some() {
            with("compares with no median".to_owned(), written.span(), &|kind| {
                if let KindText::Volume { times, .. } = kind {
                    *times = None;
                }
            });
        }
    }
    if let Some(written) = trailing {
        with("takes the median over twice as many periods".to_owned(), written.span(), &|kind| {
            if let KindText::Volume { trailing, .. } = kind {
                *trailing = Some(Spanned::new(written.span(), written.get_ref().saturating_mul(2)));
            }
        });
    }
}

fn of_movement(written: Option<&Spanned<Movement>>, with: &mut TryKind<'_>) {
    let Some(written) = written else { return };
    for other in [Movement::Out, Movement::In, Movement::Either].iter().filter(|one| *one != written.get_ref()) {
        with(format!("has the movement `{}`", other.name()), written.span(), &|kind| {
            if let KindText::Volume { movement, .. } | KindText::Schedule { movement, .. } = kind {
                *movement = Some(Spanned::new(written.span(), *other));
            }
        });
    }
}

/// A span of time in whole seconds, and its place.
fn seconds(written: Option<&Spanned<String>>) -> Option<(u64, Range<usize>)> {
    let written = written?;
    let span = span_of(written, &mut Sink::default())?;
    Some(((span / Timestamp::SECOND).max(1), written.span()))
}

/// An amount, and its place.
fn octets(written: Option<&Spanned<String>>) -> Option<(u64, Range<usize>)> {
    let written = written?;
    Some((octets_of(written, &mut Sink::default())?, written.span()))
}
