//! Settling: cases become findings, rows of the inventory and totals.

use std::borrow::Cow;

use super::cases::{Cases, Held};
use super::ruling::{Case, Rulings, Way, total};
use super::{Audit, Auditor, Grounds};
use crate::locate::Horizon;
use crate::model::{CountrySet, Exchange, FindingKey, FlowRecord, Location, Name, Outer, RoundTrip, Tally};

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
}

impl Audit {
    /// The audit with everything decided that had to wait until all was seen. One without such is as it was.
    ///
    /// A settled audit is for reports. What is still to be merged with others must not be settled before.
    pub fn settled(&self, grounds: &Grounds) -> Cow<'_, Self> {
        if self.cases.is_empty() { Cow::Borrowed(self) } else { Cow::Owned(self.settled_by(&self.cases, grounds)) }
    }

    /// The audit settled by the round-trip times of another: a part of it by those of the whole so far.
    #[must_use]
    pub fn settled_by(&self, evidence: &Cases, grounds: &Grounds) -> Self {
        let mut settled = Self {
            basis: self.basis.clone(),
            findings: self.findings.clone(),
            inventory: self.inventory.clone(),
            totals: self.totals,
            counted_inside: self.counted_inside,
            coverage: self.coverage.clone(),
            wires: self.wires.clone(),
            cases: Cases::default(),
        };
        let reach = Reach::by(evidence, grounds);
        let mut rulings = Rulings::new(grounds.policy.as_ref());
        for (addr, address) in self.cases.addresses() {
            let least = evidence.address(addr).unwrap_or(address).least;
            let within = reach.of(least);
            for (case, held) in &address.cases {
                settled.add(&mut rulings, case, case.location.within_reach(within), held);
            }
        }
        for (step, case, held) in self.cases.loose() {
            let within = match (reach.horizon, step) {
                (Some(horizon), Some(step)) => horizon.within_step(step),
                _ => CountrySet::ANYWHERE,
            };
            settled.add(&mut rulings, case, case.location.within_reach(within), held);
        }
        settled
    }

    fn add(&mut self, rulings: &mut Rulings<'_>, case: &Case, location: Location, held: &Held) {
        let findings = &mut self.findings;
        let (verdict, row) = rulings.decide(case, location, |way: Way, key: FindingKey| {
            let Some(tally) = held.way(way) else { return };
            match findings.get_mut(&key) {
                Some(mine) => Tally::merge(mine, tally.clone()),
                None => {
                    findings.insert(key, tally.clone());
                }
            }
        });
        self.inventory.entry(row).or_insert_with(Exchange::nothing).merge(&held.exchange);
        total(verdict)(&mut self.totals).merge(held.records);
        if case.tunnel.is_some_and(Outer::is_counted_inside) {
            total(verdict)(&mut self.counted_inside).merge(held.records);
        }
    }
}

/// Tells which findings of an audit a record is in, by the same rules and the same round-trip times: for whoever looks for
/// the packets of a finding.
pub struct Attribution<'a> {
    auditor: Auditor<'a>,
    evidence: &'a Cases,
    reach: Reach<'a>,
    rulings: Rulings<'a>,
}

impl<'a> Attribution<'a> {
    /// `audit` is what was observed of all records, before it was settled.
    pub fn new(audit: &'a Audit, grounds: &'a Grounds) -> Self {
        Self {
            auditor: Auditor::new(grounds),
            evidence: &audit.cases,
            reach: Reach::by(&audit.cases, grounds),
            rulings: Rulings::new(grounds.policy.as_ref()),
        }
    }

    /// The findings that a record is in, sorted, each once.
    pub fn findings(&mut self, record: &FlowRecord, name: Option<&Name>) -> Vec<FindingKey> {
        let (mut keys, cases) = self.auditor.alone(record, name);
        let mut settle = |case: &Case, location: Location, held: &Held| {
            self.rulings.decide(case, location, |way, key| keys.extend(held.way(way).map(|_| key)));
        };
        for (addr, address) in cases.addresses() {
            let least = self.evidence.address(addr).unwrap_or(address).least;
            let within = self.reach.of(least);
            for (case, held) in &address.cases {
                settle(case, case.location.within_reach(within), held);
            }
        }
        for (step, case, held) in cases.loose() {
            let within = match (self.reach.horizon, step) {
                (Some(horizon), Some(step)) => horizon.within_step(step),
                _ => CountrySet::ANYWHERE,
            };
            settle(case, case.location.within_reach(within), held);
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
