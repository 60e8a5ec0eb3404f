//! What went under each limit in each window, and which were exceeded.

use std::collections::BTreeMap;

use super::cases::{Cases, Held};
use super::ruling::{Case, Rulings, Way, Window};
use super::settle::Reach;
use crate::model::{
    ExceededLimit, Limit, LimitId, LimitSet, LimitedTo, Location, PartyId, SpentWindow, Timestamp, ZoneId,
};
use crate::policy::{Policy, Spent};

/// The most windows of an exceeded limit that a finding lists.
const MAX_LISTED: usize = 16;

/// Whom a limit is counted for.
type Counted = (LimitId, ZoneId, Option<PartyId>);

/// The octets that went under each limit, by window.
#[derive(Default)]
pub(super) struct Usage {
    moved: BTreeMap<Counted, BTreeMap<u64, u64>>,
}

fn counted(id: LimitId, limit: &Limit, zone: ZoneId, party: Option<PartyId>) -> Counted {
    (id, zone, party.filter(|_| limit.each == LimitedTo::EachParty))
}

impl Usage {
    /// Sums up everything that was seen; nothing without limits.
    pub(super) fn of(evidence: &Cases, reach: Reach<'_>, policy: Option<&Policy>, rulings: &mut Rulings<'_>) -> Self {
        let mut usage = Self::default();
        let Some(policy) = policy.filter(|policy| !policy.limits().is_empty()) else { return usage };
        reach.each(evidence, evidence, |case, location, held| usage.add(policy, rulings, case, &location, held));
        for (one, other, between) in evidence.between() {
            for (case, held) in [one, other].into_iter().zip(&between.ends) {
                usage.add(policy, rulings, case, &case.location, held);
            }
        }
        usage
    }

    fn add(&mut self, policy: &Policy, rulings: &mut Rulings<'_>, case: &Case, location: &Location, held: &Held) {
        let Window::From(begin) = case.window else { return };
        for way in [Way::Sent, Way::Received] {
            let Some(tally) = held.way(way) else { continue };
            for id in rulings.counting(case, location, way).iter() {
                let Some(limit) = policy.limit(id) else { continue };
                let windows = self.moved.entry(counted(id, limit, case.zone, case.party)).or_default();
                let moved = windows.entry(limit.window(begin)).or_default();
                *moved = moved.saturating_add(tally.sent.octets);
            }
        }
    }

    /// Which of the limits that may speak of a case no longer permit.
    pub(super) fn spent(&self, policy: &Policy, rulings: &mut Rulings<'_>, case: &Case, location: &Location) -> Spent {
        let begin = match case.window {
            Window::None => return Spent::default(),
            Window::Late => return Spent { over: LimitSet::NONE, unmeasured: rulings.limits(case, location) },
            Window::From(begin) => begin,
        };
        let mut spent = Spent::default();
        for id in rulings.limits(case, location).iter() {
            let Some(limit) = policy.limit(id) else { continue };
            let windows = self.moved.get(&counted(id, limit, case.zone, case.party));
            let moved = windows.and_then(|windows| windows.get(&limit.window(begin))).copied().unwrap_or_default();
            if moved > limit.octets {
                spent.over = spent.over.with(id);
            }
        }
        spent
    }

    /// The windows between two moments in which these limits were exceeded.
    pub(super) fn exceeded(
        &self,
        policy: &Policy,
        limits: LimitSet,
        zone: ZoneId,
        party: Option<PartyId>,
        (first, last): (Timestamp, Timestamp),
    ) -> Vec<ExceededLimit> {
        let exceeded = limits.iter().filter_map(|id| {
            let limit = policy.limit(id)?;
            let key = counted(id, limit, zone, party);
            // Flows count where they began, which is not after the last packet.
            let seen = self.moved.get(&key)?.range(limit.window(first)..=limit.window(last.max(first)));
            let over: Vec<SpentWindow> = seen
                .filter(|(_, moved)| **moved > limit.octets)
                .map(|(window, moved)| SpentWindow { from: limit.begin(*window), moved: *moved })
                .collect();
            let (_, _, party) = key;
            Some(ExceededLimit {
                rule: policy.rule(limit.rule).id.clone(),
                octets: limit.octets,
                per: limit.per / Timestamp::SECOND,
                party: party.map(|party| policy.party_name(party).to_owned()),
                more: over.len().saturating_sub(MAX_LISTED) as u64,
                windows: over.into_iter().take(MAX_LISTED).collect(),
            })
        });
        exceeded.collect()
    }
}
