//! Settling: cases become findings, rows of the inventory and totals.

use std::borrow::Cow;

use super::cases::{Cases, Held};
use super::ruling::{Case, Rulings, Verdict, Way, total};
use super::usage::Usage;
use super::{Audit, Grounds};
use crate::locate::Horizon;
use crate::model::{CountrySet, Exchange, FindingKey, Location, RoundTrip, Tally};
use crate::policy::Spent;

/// What round-trip times show: nothing without a horizon, and nothing where a proxy answers.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) horizon: Option<&'a Horizon>,
}

impl<'a> Reach<'a> {
    pub(super) fn by(evidence: &Cases, grounds: &'a Grounds) -> Self {
        Self { horizon: grounds.horizon.as_ref().filter(|horizon| evidence.doubt(horizon).is_none()) }
    }

    /// Where something can be that answered in this time.
    pub(super) fn of(self, round_trip: RoundTrip) -> CountrySet {
        self.horizon.map_or(CountrySet::ANYWHERE, |horizon| horizon.reach(round_trip))
    }

    /// Every case but those between two zones, with where its far end can be by the evidence.
    pub(super) fn each(self, cases: &Cases, evidence: &Cases, mut visit: impl FnMut(&Case, Location, &Held)) {
        for (addr, address) in cases.addresses() {
            let within = self.of(evidence.address(addr).unwrap_or(address).least);
            for (case, held) in &address.cases {
                visit(case, case.location.within_reach(within), held);
            }
        }
        for (step, case, held) in cases.loose() {
            let within = match (self.horizon, step) {
                (Some(horizon), Some(step)) => horizon.within_step(step),
                _ => CountrySet::ANYWHERE,
            };
            visit(case, case.location.within_reach(within), held);
        }
    }
}

impl Audit {
    /// The audit with everything decided that had to wait until all was seen. One without such is as it was.
    ///
    /// A settled audit is for reports. What is still to be merged with others must not be settled before.
    pub fn settled(&self, grounds: &Grounds) -> Cow<'_, Self> {
        if self.cases.is_empty() { Cow::Borrowed(self) } else { Cow::Owned(self.settled_by(&self.cases, grounds)) }
    }

    /// The audit settled by the round-trip times and totals of another: a part of it by those of the whole so far.
    #[must_use]
    pub fn settled_by(&self, evidence: &Cases, grounds: &Grounds) -> Self {
        let mut settled = Self {
            basis: self.basis.clone(),
            findings: self.findings.clone(),
            inventory: self.inventory.clone(),
            totals: self.totals,
            coverage: self.coverage.clone(),
            wires: self.wires.clone(),
            cases: Cases::default(),
        };
        let reach = Reach::by(evidence, grounds);
        let policy = grounds.policy.as_ref();
        let mut rulings = Rulings::new(policy);
        let usage = Usage::of(evidence, reach, policy, &mut rulings);
        let mut decide = |settled: &mut Self, case: &Case, location: Location, held: &Held| {
            let spent = policy.map(|policy| usage.spent(policy, &mut rulings, case, &location)).unwrap_or_default();
            settled.add(&mut rulings, case, location, spent, held)
        };
        reach.each(&self.cases, evidence, |case, location, held| {
            let verdict = decide(&mut settled, case, location, held);
            total(verdict)(&mut settled.totals).merge(held.records);
        });
        for (one, other, between) in self.cases.between() {
            let [source, destination] = &between.ends;
            let there = decide(&mut settled, one, one.location, source);
            let back = decide(&mut settled, other, other.location, destination);
            total(there.max(back))(&mut settled.totals).merge(between.records);
        }
        settled
    }

    fn add(
        &mut self,
        rulings: &mut Rulings<'_>,
        case: &Case,
        location: Location,
        spent: Spent,
        held: &Held,
    ) -> Option<Verdict> {
        let findings = &mut self.findings;
        let (verdict, row) = rulings.decide(case, location, spent, |way: Way, key: FindingKey| {
            let Some(tally) = held.way(way) else { return };
            match findings.get_mut(&key) {
                Some(mine) => Tally::merge(mine, tally.clone()),
                None => {
                    findings.insert(key, tally.clone());
                }
            }
        });
        self.inventory.entry(row).or_insert_with(Exchange::nothing).merge(&held.exchange);
        verdict
    }
}
