//! Settling: cases become findings, rows of the inventory and totals.

use std::borrow::Cow;

use super::cases::{Cases, Held};
use super::ruling::{Case, Rulings, Verdict, Way, total};
use super::usage::Usage;
use super::{Audit, Auditor, Grounds, add_tally};
use crate::locate::Horizon;
use crate::locate::horizon::Step;
use crate::model::{Count, CountrySet, Exchange, FindingKey, FlowRecord, Location, Name, Outer, RoundTrip};
use crate::policy::{Policy, Spent};

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

    /// Where something can be whose answer took this step, where it is known.
    pub(super) fn of_step(self, step: Option<Step>) -> CountrySet {
        self.horizon.zip(step).map_or(CountrySet::ANYWHERE, |(horizon, step)| horizon.within_step(step))
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
            visit(case, case.location.within_reach(self.of_step(step)), held);
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
        let reach = Reach::by(evidence, grounds);
        let mut settled = Self {
            basis: self.basis.clone(),
            findings: self.findings.clone(),
            inventory: self.inventory.clone(),
            totals: self.totals,
            counted_inside: self.counted_inside,
            coverage: self.coverage.clone(),
            wires: self.wires.settled(evidence, reach),
            cases: Cases::default(),
        };
        let policy = grounds.policy.as_ref();
        let mut rulings = Rulings::new(policy);
        let usage = Usage::of(evidence, reach, policy, &mut rulings);
        let mut decide = |settled: &mut Self, case: &Case, location: Location, held: &Held| {
            let spent = policy.map(|policy| usage.spent(policy, &mut rulings, case, &location)).unwrap_or_default();
            settled.add(&mut rulings, case, location, spent, held)
        };
        reach.each(&self.cases, evidence, |case, location, held| {
            let verdict = decide(&mut settled, case, location, held);
            settled.count(verdict, case, held.records);
        });
        for (one, other, between) in self.cases.between() {
            let [source, destination] = &between.ends;
            let there = decide(&mut settled, one, one.location, source);
            let back = decide(&mut settled, other, other.location, destination);
            settled.count(there.max(back), one, between.records);
        }
        settled
    }

    fn count(&mut self, verdict: Option<Verdict>, case: &Case, records: Count) {
        total(verdict)(&mut self.totals).merge(records);
        if case.tunnel.is_some_and(Outer::is_counted_inside) {
            total(verdict)(&mut self.counted_inside).merge(records);
        }
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
            if let Some(tally) = held.way(way) {
                add_tally(findings, key, tally.clone());
            }
        });
        self.inventory.entry(row).or_insert_with(Exchange::nothing).merge(&held.exchange);
        verdict
    }
}

/// Tells which findings of an audit a record is in, by the same rules, the same round-trip times and the same totals under
/// limits: for whoever looks for the packets of a finding.
pub struct Attribution<'a> {
    auditor: Auditor<'a>,
    evidence: &'a Cases,
    reach: Reach<'a>,
    policy: Option<&'a Policy>,
    usage: Usage,
    rulings: Rulings<'a>,
}

impl<'a> Attribution<'a> {
    /// `audit` is what was observed of all records, before it was settled.
    pub fn new(audit: &'a Audit, grounds: &'a Grounds) -> Self {
        let (evidence, policy) = (&audit.cases, grounds.policy.as_ref());
        let reach = Reach::by(evidence, grounds);
        let mut rulings = Rulings::new(policy);
        let usage = Usage::of(evidence, reach, policy, &mut rulings);
        Self { auditor: Auditor::new(grounds), evidence, reach, policy, usage, rulings }
    }

    /// The findings that a record is in, sorted, each once.
    pub fn findings(&mut self, record: &FlowRecord, name: Option<&Name>) -> Vec<FindingKey> {
        let (mut keys, cases) = self.auditor.alone(record, name);
        let (policy, usage, rulings) = (self.policy, &self.usage, &mut self.rulings);
        let mut settle = |case: &Case, location: Location, held: &Held| {
            let spent = policy.map(|policy| usage.spent(policy, rulings, case, &location)).unwrap_or_default();
            rulings.decide(case, location, spent, |way, key| keys.extend(held.way(way).map(|_| key)));
        };
        self.reach.each(&cases, self.evidence, &mut settle);
        for (one, other, between) in cases.between() {
            let [source, destination] = &between.ends;
            settle(one, one.location, source);
            settle(other, other.location, destination);
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
