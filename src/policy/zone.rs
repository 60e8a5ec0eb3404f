//! Rules compiled to borders: what is forbidden to a zone's flows of one kind, as sets.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::Date;

use super::places::{Conditional, Places};
use super::service::ServiceSet;
use super::terms::{Effect, Initiator, Movement, Period};
use super::{Judgement, Policy, Selector, Spent};
use crate::model::{Axis, CountrySet, Decision, LimitId, LimitSet, Location, Opener, PartyId, Reason, RuleId, ZoneId};

/// Which parties a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartySelection {
    pub(super) listed: BTreeSet<PartyId>,
    /// Whether `unlisted` is among them: the far end is no party of the policy.
    pub(super) unlisted: bool,
}

impl PartySelection {
    pub(super) fn fits(&self, party: Option<PartyId>) -> bool {
        party.map_or(self.unlisted, |party| self.listed.contains(&party))
    }
}

/// A rule, resolved.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) effect: Effect,
    pub(super) axis: Axis,
    pub(super) zones: BTreeSet<ZoneId>,
    pub(super) places: Places,
    pub(super) parties: Option<PartySelection>,
    pub(super) services: Option<ServiceSet>,
    pub(super) movement: Movement,
    pub(super) initiator: Initiator,
    /// Whether it judges contact as well as movement.
    pub(super) contact: bool,
    pub(super) limit: Option<LimitId>,
    pub(super) in_force: Period,
    pub(super) span: Range<usize>,
    pub(super) owner: Option<String>,
    pub(super) document: Option<(String, Option<String>)>,
    /// What is written in `to` or `to-control`.
    pub(super) written: Vec<String>,
}

impl Rule {
    /// The places that the rule speaks of on a day, to the far end for which it speaks of most.
    pub(super) fn places_on(&self, day: Date) -> CountrySet {
        self.places.at(day, self.conditional())
    }

    /// The places that the rule speaks of on a day where it fits a far end of this party.
    ///
    /// A permit that does not name the party cannot use members whose membership has a condition: nothing shows that the far
    /// end meets it. `unlisted` names nobody. A forbid covers them: what is forbidden to a set is forbidden to all of it.
    fn places_for(&self, day: Date, party: Option<PartyId>) -> CountrySet {
        let nobody = self.effect == Effect::Permit && party.is_none();
        self.places.at(day, if nobody { Conditional::LeaveOut } else { self.conditional() })
    }

    /// Whether the rule reaches members that have a condition, to any far end.
    pub(super) fn conditional(&self) -> Conditional {
        let named = self.parties.as_ref().is_some_and(|parties| !parties.listed.is_empty());
        if self.effect == Effect::Permit && !named { Conditional::LeaveOut } else { Conditional::Include }
    }

    /// Everything of the rule that decides, without what is only shown.
    pub(super) fn judged(&self) -> impl PartialEq + use<'_> {
        let what = (self.effect, self.axis, &self.zones, &self.places, &self.parties, self.services);
        (what, self.movement, self.initiator, self.contact, self.in_force)
    }

    fn fits(&self, selector: &Selector, services: ServiceSet, day: Date, opener: Opener) -> bool {
        let movement = match self.movement {
            Movement::Out => selector.outward,
            Movement::In => !selector.outward,
            Movement::Either => true,
        };
        let initiator = match self.initiator {
            Initiator::Any => true,
            Initiator::Local => opener == Opener::Local,
            Initiator::Remote => opener == Opener::Remote,
        };
        movement
            && initiator
            && (selector.moved || self.contact)
            && self.in_force.contains(day)
            && self.zones.contains(&selector.zone)
            && self.parties.as_ref().is_none_or(|parties| parties.fits(selector.party))
            && self.services.is_none_or(|named| named & services != 0)
    }
}

/// The rules that a selector selects, as sets: what is forbidden, and why.
///
/// Where it is not known who opened the conversation and some rule asks for it, there are two worlds, and both are judged; so
/// there are where it is not known whether a limit was exceeded.
#[derive(Clone, Debug)]
pub struct Borders {
    worlds: Vec<World>,
    /// Whether payload moved.
    moved: bool,
}

/// What holds if the conversation was opened by one side, and what is not known of limits is one way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct World {
    rules: Vec<RuleId>,
    place: Border,
    /// `None` where no rule speaks of control.
    control: Option<Border>,
    /// The permits over places, with what they permit.
    permits: Vec<(RuleId, CountrySet)>,
    /// The permits over control, with what they permit.
    controls: Vec<(RuleId, CountrySet)>,
    /// The permits with a limit, on either axis, whether or not it is spent, with what they permit within it.
    limited: Vec<(LimitId, Axis, CountrySet)>,
}

/// What is forbidden on one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Border {
    forbids: Vec<(RuleId, CountrySet)>,
    /// What no rule speaks of and the default forbids.
    by_default: CountrySet,
    forbidden: CountrySet,
}

impl Border {
    fn new(forbids: Vec<(RuleId, CountrySet)>, outside: Option<CountrySet>) -> Self {
        let spoken = forbids.iter().fold(CountrySet::NOWHERE, |set, (_, places)| set.union(*places));
        let by_default = outside.unwrap_or(CountrySet::NOWHERE).difference(spoken);
        Self { forbids, by_default, forbidden: spoken.union(by_default) }
    }

    fn decide(&self, axis: Axis, possible: &CountrySet, judgement: &mut Judgement) {
        let decision = Decision::over(possible, &self.forbidden);
        if decision == Decision::Permit {
            return;
        }
        judgement.decision = judgement.decision.max(decision);
        // A reason forbids where it covers every place on its own; else, on its own, it could not decide.
        let alone = |places: &CountrySet| Decision::over(possible, places);
        let forbids = self.forbids.iter().map(|(rule, places)| (Reason::Rule(*rule), alone(places)));
        let default = (Reason::Default, alone(&self.by_default));
        let reasons = forbids.chain([default]).filter(|(_, alone)| *alone > Decision::Permit);
        let mut reasons: Vec<(Axis, Reason, Decision)> = reasons.map(|(reason, alone)| (axis, reason, alone)).collect();
        if decision == Decision::Forbid && reasons.iter().all(|(.., alone)| *alone < Decision::Forbid) {
            // Only together do they cover every place: the default completes what rules began, else the rules share it.
            let completed = reasons.iter().any(|(_, reason, _)| *reason == Reason::Default);
            for (_, reason, alone) in &mut reasons {
                if !completed || *reason == Reason::Default {
                    *alone = decision;
                }
            }
        }
        judgement.reasons.extend(reasons);
    }
}

impl World {
    fn decide(&self, place: &CountrySet, control: &CountrySet) -> Judgement {
        let mut judgement = Judgement { decision: Decision::Permit, reasons: Vec::new(), permitted_by: Vec::new() };
        self.place.decide(Axis::Place, place, &mut judgement);
        if let Some(border) = &self.control {
            border.decide(Axis::Control, control, &mut judgement);
        }
        if judgement.decision == Decision::Permit {
            let permits = self.permits.iter().filter(|(_, places)| places.intersects(place));
            judgement.permitted_by.extend(permits.map(|(rule, _)| *rule));
        }
        judgement
    }
}

impl Borders {
    /// The borders of a selector; `None` where nothing moved and no rule judges contact.
    pub(super) fn select(policy: &Policy, selector: &Selector) -> Option<Self> {
        let day = policy.law_on(selector.epoch);
        let services = policy.services.services(selector.service);
        let Spent { over, unmeasured } = selector.spent;
        let of_openers = |spent: LimitSet| {
            let world = |opener| World::select(policy, selector, services, day, opener, spent);
            match selector.opened_by {
                Opener::Unknown => {
                    let (local, remote) = (world(Opener::Local), world(Opener::Remote));
                    if local.rules == remote.rules { vec![local] } else { vec![local, remote] }
                }
                known => vec![world(known)],
            }
        };
        let mut worlds = of_openers(over);
        if !unmeasured.is_empty() {
            // The fewer limits are spent, the more is permitted: what lies between all and none lies between these.
            worlds.extend(of_openers(over.union(unmeasured)));
        }
        let judged = selector.moved || worlds.iter().any(|world| !world.rules.is_empty());
        judged.then_some(Self { worlds, moved: selector.moved })
    }

    /// Whether it is contact and no more: nothing moved, and no rule forbids or permits it.
    pub fn is_contact(&self, place: &Location, control: Option<CountrySet>) -> bool {
        let (possible, control_set) = (place.possible(), control.unwrap_or(CountrySet::ANYWHERE));
        let permits = |world: &World| {
            let over = |permits: &[(RuleId, CountrySet)], set: &CountrySet| {
                permits.iter().any(|(_, places)| places.intersects(set))
            };
            over(&world.permits, &possible) || over(&world.controls, &control_set)
        };
        !self.moved && self.decision(place, control) == Decision::Permit && !self.worlds.iter().any(permits)
    }

    /// The limits of the rules that permit any place that the far end can be, or anyone that it can answer to, as long as
    /// they are not exceeded.
    pub fn limits(&self, place: &Location, control: Option<CountrySet>) -> LimitSet {
        let (place, control) = (place.possible(), control.unwrap_or(CountrySet::ANYWHERE));
        let limited = self.worlds.iter().flat_map(|world| &world.limited);
        let speaking = limited.filter(|(_, axis, places)| match axis {
            Axis::Place => places.intersects(&place),
            Axis::Control => places.intersects(&control),
        });
        speaking.fold(LimitSet::NONE, |set, (limit, ..)| set.with(*limit))
    }

    /// The limits that count what goes this way: [`Borders::limits`] where all of it is permitted, else none.
    pub fn counting(&self, place: &Location, control: Option<CountrySet>) -> LimitSet {
        let permitted = self.decision(place, control) == Decision::Permit;
        if permitted { self.limits(place, control) } else { LimitSet::NONE }
    }

    /// The decision alone, without its reasons: what [`Borders::decide`] comes to, in a few masks however many rules there are.
    pub fn decision(&self, place: &Location, control: Option<CountrySet>) -> Decision {
        let (place, control) = (place.possible(), control.unwrap_or(CountrySet::ANYWHERE));
        let of_world = |world: &World| {
            let by_place = Decision::over(&place, &world.place.forbidden);
            let by_control = world.control.as_ref().map(|border| Decision::over(&control, &border.forbidden));
            by_control.map_or(by_place, |by_control| by_place.max(by_control))
        };
        let agree = |one: Decision, other: Decision| if one == other { one } else { Decision::Indeterminate };
        self.worlds.iter().map(of_world).reduce(agree).unwrap_or(Decision::Permit)
    }

    /// Decides over every place that the far end can be, and over everyone that its operator can answer to; `None` is that
    /// nobody knows whom it answers to, which can be anyone.
    ///
    /// Where two worlds come to the same decision, that is the decision; else the evidence does not decide. The reasons of
    /// both worlds are kept.
    pub fn decide(&self, place: &Location, control: Option<CountrySet>) -> Judgement {
        let (place, control) = (place.possible(), control.unwrap_or(CountrySet::ANYWHERE));
        let mut judgements = self.worlds.iter().map(|world| world.decide(&place, &control));
        let nothing = Judgement { decision: Decision::Permit, reasons: Vec::new(), permitted_by: Vec::new() };
        let mut judgement = judgements.next().unwrap_or(nothing);
        for other in judgements {
            judgement = either(&judgement, &other);
        }
        judgement.reasons.sort_unstable();
        judgement.reasons.dedup();
        judgement
    }
}

/// What holds where one of two judgements holds and it is not known which.
fn either(one: &Judgement, other: &Judgement) -> Judgement {
    let on = |judgement: &Judgement, axis: Axis| {
        let reasons = judgement.reasons.iter().filter(|(reason_axis, ..)| *reason_axis == axis);
        reasons.map(|(.., decision)| *decision).max().unwrap_or(Decision::Permit)
    };
    let agree = |one: Decision, other: Decision| if one == other { one } else { Decision::Indeterminate };
    let decision = agree(one.decision, other.decision);
    let mut axes = [Axis::Place, Axis::Control].map(|axis| (axis, agree(on(one, axis), on(other, axis))));
    if axes.iter().all(|(_, on_axis)| *on_axis < decision) {
        // Forbidden either way, by place if one opened it and by control if the other did.
        for (_, on_axis) in axes.iter_mut().filter(|(_, on_axis)| *on_axis == Decision::Indeterminate) {
            *on_axis = decision;
        }
    }
    let of_axis = |axis: Axis| axes.iter().find(|(known, _)| *known == axis).map_or(decision, |(_, on_axis)| *on_axis);
    let both = one.reasons.iter().chain(&other.reasons);
    let mut reasons: Vec<(Axis, Reason, Decision)> =
        both.map(|(axis, reason, alone)| (*axis, *reason, (*alone).min(of_axis(*axis)))).collect();
    // The same reason can be graver in one of them.
    reasons.sort_unstable_by_key(|(axis, reason, alone)| (*axis, *reason, std::cmp::Reverse(*alone)));
    reasons.dedup_by_key(|(axis, reason, _)| (*axis, *reason));
    let permitted_by = if decision == Decision::Permit {
        one.permitted_by.iter().chain(&other.permitted_by).copied().collect::<BTreeSet<RuleId>>()
    } else {
        BTreeSet::new()
    };
    Judgement { decision, reasons, permitted_by: permitted_by.into_iter().collect() }
}

impl World {
    fn select(
        policy: &Policy,
        selector: &Selector,
        services: ServiceSet,
        day: Date,
        opener: Opener,
        spent: LimitSet,
    ) -> Self {
        let selected: Vec<(RuleId, &Rule)> = policy
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.fits(selector, services, day, opener))
            .map(|(index, rule)| (RuleId(index as u16), rule))
            .collect();
        let of = |effect: Effect, axis: Axis| -> Vec<(RuleId, CountrySet)> {
            let rules = selected.iter().filter(|(_, rule)| rule.effect == effect && rule.axis == axis);
            // A spent rule speaks as before, and permits no place: control stays judged where it alone speaks of it.
            let spent = |rule: &Rule| rule.limit.is_some_and(|limit| spent.contains(limit));
            let places =
                |rule: &Rule| if spent(rule) { CountrySet::NOWHERE } else { rule.places_for(day, selector.party) };
            rules.map(|(id, rule)| (*id, places(rule))).collect()
        };
        let outside = |permits: &[(RuleId, CountrySet)]| {
            let permitted = permits.iter().fold(CountrySet::NOWHERE, |set, (_, places)| set.union(*places));
            // The default speaks of movement alone: contact is judged by the rules that ask for it.
            (policy.default == Effect::Forbid && selector.moved).then(|| permitted.complement())
        };
        let permits = of(Effect::Permit, Axis::Place);
        let place = Border::new(of(Effect::Forbid, Axis::Place), outside(&permits));
        let (forbids, controls) = (of(Effect::Forbid, Axis::Control), of(Effect::Permit, Axis::Control));
        // The default speaks of control only where some permit names whom an operator may answer to.
        let control = match (forbids.is_empty(), controls.is_empty()) {
            (true, true) => None,
            (_, true) => Some(Border::new(forbids, None)),
            (_, false) => Some(Border::new(forbids, outside(&controls))),
        };
        let limited = selected
            .iter()
            .filter_map(|(_, rule)| Some((rule.limit?, rule.axis, rule.places_for(day, selector.party))));
        let (rules, limited) = (selected.iter().map(|(id, _)| *id).collect(), limited.collect());
        Self { rules, place, control, permits, controls, limited }
    }
}
