//! The one evaluator: from a case to decisions.

use hashbrown::HashMap;

use crate::model::{
    Asn, Contact, Count, CountrySet, Decision, FindingKey, InventoryKey, LimitSet, Location, Opener, Outer, PartyId,
    Timestamp, Totals, ZoneId,
};
use crate::policy::{Borders, Policy, Selector, Spent, Waivable, WaiverView};

/// Everything that the decision on a flow record depends on, seen from one of its ends, but for what a horizon says of the
/// far end's location: two records with one case are decided alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Case {
    pub(super) zone: ZoneId,
    /// Where the far end can be, by the claims alone.
    pub(super) location: Location,
    pub(super) operator: Option<Asn>,
    pub(super) party: Option<PartyId>,
    pub(super) to_zone: Option<ZoneId>,
    /// What waivers ask of the far address and of the time.
    pub(super) waivers: WaiverView,
    /// `None` where there is no policy, or none is in force.
    pub(super) epoch: Option<u16>,
    pub(super) service: u16,
    pub(super) opened_by: Opener,
    pub(super) sent: Moved,
    pub(super) received: Moved,
    /// The outer header of which tunnel it is.
    pub(super) tunnel: Option<Outer>,
    /// Of the limits that may speak of it.
    pub(super) window: Window,
}

/// The span of time that decides which windows of limits a record is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Window {
    /// No limit speaks of it.
    None,
    /// What begins then and lies in one window of each limit that may speak of it.
    From(Timestamp),
    /// One of those that are not told apart.
    Late,
}

impl Window {
    /// The same, where it does not begin after the last that is kept.
    pub(super) fn no_later_than(self, last: Timestamp) -> Self {
        match self {
            Self::From(begin) if begin > last => Self::Late,
            kept => kept,
        }
    }
}

impl Case {
    /// The directions in which there was something.
    fn ways(&self) -> impl Iterator<Item = (Way, Moved)> + use<> {
        let ways = [(Way::Sent, self.sent), (Way::Received, self.received)];
        ways.into_iter().filter(|(_, moved)| *moved != Moved::Nothing)
    }

    fn moved(&self, way: Way) -> Moved {
        match way {
            Way::Sent => self.sent,
            Way::Received => self.received,
        }
    }
}

/// What went in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Moved {
    Nothing,
    Contact,
    Payload,
}

/// A direction, seen from the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Way {
    Sent,
    Received,
}

/// What came of a record, from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    NotInForce,
    Contact,
    Decided(Decision),
}

/// The total that a record is counted under; without a policy there is no verdict.
pub(super) fn total(verdict: Option<Verdict>) -> fn(&mut Totals) -> &mut Count {
    match verdict {
        None => |totals| &mut totals.unjudged,
        Some(Verdict::NotInForce) => |totals| &mut totals.not_in_force,
        Some(Verdict::Contact) => |totals| &mut totals.contact,
        Some(Verdict::Decided(Decision::Permit)) => |totals| &mut totals.permit,
        Some(Verdict::Decided(Decision::Indeterminate)) => |totals| &mut totals.indeterminate,
        Some(Verdict::Decided(Decision::Forbid)) => |totals| &mut totals.forbid,
    }
}

/// Decides cases. What a policy says of each kind is kept.
pub(super) struct Rulings<'a> {
    policy: Option<&'a Policy>,
    borders: HashMap<Selector, Option<Borders>, foldhash::fast::FixedState>,
}

impl<'a> Rulings<'a> {
    pub(super) fn new(policy: Option<&'a Policy>) -> Self {
        Self { policy, borders: HashMap::default() }
    }

    /// The limits that may speak of a case whose far end can be in `location`.
    pub(super) fn limits(&mut self, case: &Case, location: &Location) -> LimitSet {
        let Some((policy, control)) = self.limited(case) else { return LimitSet::NONE };
        let mut limits = LimitSet::NONE;
        for (way, _) in case.ways() {
            let borders = self.borders(policy, case, way, Spent::default());
            limits = limits.union(borders.map_or(LimitSet::NONE, |borders| borders.limits(location, control)));
        }
        limits
    }

    /// The limits that count what goes one way in a case, as decided before any limit is asked.
    pub(super) fn counting(&mut self, case: &Case, location: &Location, way: Way) -> LimitSet {
        let Some((policy, control)) = self.limited(case) else { return LimitSet::NONE };
        let borders = self.borders(policy, case, way, Spent::default());
        borders.map_or(LimitSet::NONE, |borders| borders.counting(location, control))
    }

    /// The policy, and whom the far end answers to.
    fn limited(&self, case: &Case) -> Option<(&'a Policy, Option<CountrySet>)> {
        let policy = self.policy?;
        Some((policy, case.party.and_then(|party| policy.controlled_from(party))))
    }

    fn borders(&mut self, policy: &Policy, case: &Case, way: Way, spent: Spent) -> Option<&Borders> {
        let moved = case.moved(way);
        let epoch = case.epoch.filter(|_| moved != Moved::Nothing)?;
        let Case { zone, opened_by, party, service, .. } = *case;
        let (outward, moved) = (way == Way::Sent, moved == Moved::Payload);
        let selector = Selector { zone, epoch, outward, moved, opened_by, party, service, spent };
        self.borders.entry(selector).or_insert_with(|| policy.borders(&selector)).as_ref()
    }

    /// Decides a case whose far end can be in `location` where some limits are spent: hands out a finding for every reason that
    /// keeps a direction from being permitted, and says what comes of the record and in which row of the inventory it is.
    pub(super) fn decide(
        &mut self,
        case: &Case,
        location: Location,
        spent: Spent,
        mut found: impl FnMut(Way, FindingKey),
    ) -> (Option<Verdict>, InventoryKey) {
        let verdict = self.policy.map(|policy| self.verdict(policy, case, location, spent, &mut found));
        let row = InventoryKey {
            zone: case.zone,
            places: location.possible(),
            standing: location.standing(),
            operator: case.operator,
            party: case.party,
            to_zone: case.to_zone,
            decision: match verdict {
                Some(Verdict::Decided(decision)) => Some(decision),
                _ => None,
            },
            tunnel: case.tunnel,
        };
        (verdict, row)
    }

    fn verdict(
        &mut self,
        policy: &Policy,
        case: &Case,
        location: Location,
        spent: Spent,
        found: &mut impl FnMut(Way, FindingKey),
    ) -> Verdict {
        if case.epoch.is_none() {
            return Verdict::NotInForce;
        }
        let control = case.party.and_then(|party| policy.controlled_from(party));
        let mut worst = Verdict::Contact;
        for (way, moved) in case.ways() {
            let Some(borders) = self.borders(policy, case, way, spent) else { continue };
            let decision = borders.decision(&location, control);
            if decision == Decision::Permit {
                // Only what is not permitted has reasons to look for.
                let contact = borders.is_contact(&location, control);
                worst = worst.max(if contact { Verdict::Contact } else { Verdict::Decided(decision) });
                continue;
            }
            worst = worst.max(Verdict::Decided(decision));
            let judgement = borders.decide(&location, control);
            let over = spent.over.intersection(borders.limits(&location, control));
            let within = (!over.is_empty()).then(|| self.borders(policy, case, way, Spent::default()));
            let within = within.flatten().map(|borders| borders.decide(&location, control).reasons).unwrap_or_default();
            let Case { zone, opened_by, party, .. } = *case;
            let (outward, moved) = (way == Way::Sent, moved == Moved::Payload);
            for (axis, reason, decision) in judgement.reasons {
                // What would be said of it within the limits too is not for their sake.
                let spent = if within.contains(&(axis, reason, decision)) { LimitSet::NONE } else { over };
                let places = location.possible();
                let waiver = policy.waiver_of(&Waivable { reason, zone, places, party, view: case.waivers });
                let finding = FindingKey {
                    decision,
                    reason,
                    axis,
                    zone,
                    contact: match (outward, moved) {
                        (true, true) => Contact::Sent,
                        (false, true) => Contact::Received,
                        (true, false) => Contact::SentNothing,
                        (false, false) => Contact::ReceivedNothing,
                    },
                    opened_by,
                    places,
                    standing: location.standing(),
                    operator: case.operator,
                    party,
                    to_zone: case.to_zone,
                    waiver,
                    tunnel: case.tunnel,
                    spent,
                };
                found(way, finding);
            }
        }
        worst
    }
}
