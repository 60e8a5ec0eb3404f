//! The one evaluator: from a case to decisions.

use hashbrown::HashMap;

use crate::model::{
    Asn, Contact, Count, Decision, FindingKey, InventoryKey, Location, Opener, Outer, PartyId, Totals, ZoneId,
};
use crate::policy::{Borders, Policy, Selector, Waivable, WaiverView};

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

    /// Decides a case whose far end can be in `location`: hands out a finding for every reason that keeps a direction from
    /// being permitted, and says what comes of the record and in which row of the inventory it is.
    pub(super) fn decide(
        &mut self,
        case: &Case,
        location: Location,
        mut found: impl FnMut(Way, FindingKey),
    ) -> (Option<Verdict>, InventoryKey) {
        let verdict = self.policy.map(|policy| self.verdict(policy, case, location, &mut found));
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
        found: &mut impl FnMut(Way, FindingKey),
    ) -> Verdict {
        let Some(epoch) = case.epoch else { return Verdict::NotInForce };
        let control = case.party.and_then(|party| policy.controlled_from(party));
        let mut worst = Verdict::Contact;
        for (way, moved) in [(Way::Sent, case.sent), (Way::Received, case.received)] {
            let (outward, moved) = match moved {
                Moved::Nothing => continue,
                Moved::Contact => (way == Way::Sent, false),
                Moved::Payload => (way == Way::Sent, true),
            };
            let Case { zone, opened_by, party, service, .. } = *case;
            let selector = Selector { zone, epoch, outward, moved, opened_by, party, service };
            let borders = self.borders.entry(selector).or_insert_with(|| policy.borders(&selector));
            let Some(borders) = borders else { continue };
            let decision = borders.decision(&location, control);
            worst = worst.max(Verdict::Decided(decision));
            if decision == Decision::Permit {
                // Only what is not permitted has reasons to look for.
                continue;
            }
            let judgement = borders.decide(&location, control);
            for (axis, reason, decision) in judgement.reasons {
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
                };
                found(way, finding);
            }
        }
        worst
    }
}
