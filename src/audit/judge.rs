//! From a flow record to decisions: the hot path of the auditor.

use std::collections::BTreeMap;
use std::hash::Hash;

use hashbrown::HashMap;

use super::cases::{Cases, Held};
use super::ruling::{Case, Moved, Rulings, Verdict, Way, Window, total};
use super::tripwire::{Reached, Sighting, Wires};
use super::{Audit, Grounds, Local, add_tally};
use crate::locate::Place;
use crate::model::{
    Addr, BiflowDirection, Caveat, Count, Counters, Coverage, Exchange, Exemplar, FindingKey, FlowRecord,
    InputCoverage, InputId, InventoryKey, Location, Name, Opener, Outer, Scope, Standing, Tally, Totals, Uniflow,
    ZoneId,
};
use crate::policy::{Spent, StatedFlow, WaiverView};

/// Observes flow records and judges them. One a thread; what each keeps is merged at the end.
pub struct Auditor<'a> {
    grounds: &'a Grounds,
    rulings: Rulings<'a>,
    /// What came of cases that were decided before.
    ruled: HashMap<Case, Ruled, foldhash::fast::FixedState>,
    /// What records that are the same findings carried together: one tally, however many reasons there are.
    findings: Slots<Vec<FindingKey>, Option<Tally>>,
    inventory: Slots<InventoryKey, Exchange>,
    totals: Totals,
    counted_inside: Totals,
    coverage: Coverage,
    wires: Wires,
    cases: Cases,
}

/// The most cases of which it is kept what came of them; one that is not kept is decided anew, and comes to the same.
const MAX_RULED: usize = 65_536;

/// What came of a case, and where its records are counted.
#[derive(Clone, Copy)]
struct Ruled {
    verdict: Option<Verdict>,
    row: usize,
    /// The findings of what was sent and of what was received, where there are any.
    findings: [Option<usize>; 2],
}

/// Values by key, which also have a place.
struct Slots<K, V> {
    places: HashMap<K, usize, foldhash::fast::FixedState>,
    values: Vec<V>,
}

impl<K: Eq + Hash, V> Slots<K, V> {
    fn new() -> Self {
        Self { places: HashMap::default(), values: Vec::new() }
    }

    fn place(&mut self, key: K, new: impl FnOnce() -> V) -> usize {
        *self.places.entry(key).or_insert_with(|| {
            self.values.push(new());
            self.values.len() - 1
        })
    }

    fn get_mut(&mut self, place: usize) -> Option<&mut V> {
        self.values.get_mut(place)
    }

    fn into_pairs(self) -> impl Iterator<Item = (K, V)> {
        let mut pairs: Vec<(usize, K)> = self.places.into_iter().map(|(key, place)| (place, key)).collect();
        pairs.sort_unstable_by_key(|(place, _)| *place);
        pairs.into_iter().map(|(_, key)| key).zip(self.values)
    }
}

/// A flow record seen from one of its ends.
struct View<'r> {
    record: &'r FlowRecord,
    zone: ZoneId,
    near: (Addr, u16),
    far: (Addr, u16),
    /// The far port and the near port.
    ports: [u16; 2],
    far_zone: Option<ZoneId>,
    sent: Uniflow<'r>,
    received: Uniflow<'r>,
    opened_by: Opener,
    /// The name by which the zone asked for the far end.
    name: Option<&'r Name>,
    stated: Option<&'r StatedFlow>,
}

/// What is known of a record beside itself.
#[derive(Clone, Copy, Default)]
struct Beside<'r> {
    /// The name by which its destination was asked for.
    name: Option<&'r Name>,
    /// What a test of the policy states of it; then no location data is asked.
    stated: Option<&'r StatedFlow>,
}

/// Which end of a record is ours.
#[derive(Clone, Copy)]
enum End {
    Source,
    Destination,
}

impl<'a> Auditor<'a> {
    /// An auditor that has observed nothing.
    pub fn new(grounds: &'a Grounds) -> Self {
        Self {
            grounds,
            rulings: Rulings::new(grounds.policy.as_ref()),
            ruled: HashMap::default(),
            findings: Slots::new(),
            inventory: Slots::new(),
            totals: Totals::default(),
            counted_inside: Totals::default(),
            coverage: Coverage::default(),
            wires: Wires::default(),
            cases: Cases::default(),
        }
    }

    /// Observes a flow record and, where it has one, the name by which its destination was asked for.
    pub fn observe(&mut self, record: &FlowRecord, name: Option<&Name>) {
        self.count(record, Beside { name, stated: None });
    }

    /// Observes the record of a flow that a test states.
    pub(super) fn observe_stated(&mut self, record: &FlowRecord, stated: &StatedFlow) {
        self.count(record, Beside { name: None, stated: Some(stated) });
    }

    fn count(&mut self, record: &FlowRecord, beside: Beside<'_>) {
        let octets = octets(record);
        if let Some(total) = self.classify(record, beside) {
            total(&mut self.totals).add(octets);
            if record.outer().is_some_and(Outer::is_counted_inside) {
                total(&mut self.counted_inside).add(octets);
            }
        }
    }

    /// The findings that a record alone comes to, and what waits until all was seen. Forgets those of records before.
    pub(super) fn alone(&mut self, record: &FlowRecord, name: Option<&Name>) -> (Vec<FindingKey>, Cases) {
        self.ruled.clear();
        self.findings = Slots::new();
        self.inventory = Slots::new();
        self.observe(record, name);
        let keys = self.findings.places.keys().flatten().copied().collect();
        (keys, std::mem::take(&mut self.cases))
    }

    /// Takes note of what an input held.
    pub fn cover(&mut self, id: InputId, input: InputCoverage) {
        self.coverage.merge(Coverage::of(id, input));
    }

    /// What was observed, folded.
    pub fn finish(mut self) -> Audit {
        self.cases.trim_windows();
        let mut findings = BTreeMap::new();
        for (keys, tally) in self.findings.into_pairs() {
            let Some(tally) = tally else { continue };
            for key in keys {
                add_tally(&mut findings, key, tally.clone());
            }
        }
        Audit {
            basis: self.grounds.basis(),
            findings,
            inventory: self.inventory.into_pairs().collect(),
            totals: self.totals,
            counted_inside: self.counted_inside,
            coverage: self.coverage,
            wires: self.wires,
            cases: self.cases,
        }
    }

    /// Judges a record from each end that is ours, and says under which total it is counted; `None` where that is known at
    /// the end alone.
    fn classify(&mut self, record: &FlowRecord, beside: Beside<'_>) -> Option<fn(&mut Totals) -> &mut Count> {
        if record.src.scope() == Scope::LocalOnly || record.dst.scope() == Scope::LocalOnly {
            return Some(|totals| &mut totals.local_only);
        }
        match (self.grounds.zone_of(record.src), self.grounds.zone_of(record.dst)) {
            (Some(one), Some(other)) if one == other => Some(|totals| &mut totals.internal),
            (Some(one), Some(other)) => {
                let there = View::of(record, End::Source, one, Some(other), beside);
                let back = View::of(record, End::Destination, other, Some(one), beside);
                self.judge_between(&[there, back])
            }
            (Some(zone), None) => self.judge_outside(&View::of(record, End::Source, zone, None, beside)),
            (None, Some(zone)) => self.judge_outside(&View::of(record, End::Destination, zone, None, beside)),
            (None, None) => {
                let Local::Private(_) = self.grounds.local else { return Some(|totals| &mut totals.outside) };
                let end =
                    if record.direction == BiflowDirection::ReverseInitiator { End::Destination } else { End::Source };
                let input = self.coverage.inputs.entry(record.provenance.input()).or_default();
                input.caveat(Caveat::LocalAssumed, record.provenance.position(), octets(record));
                self.judge_outside(&View::of(record, end, ZoneId(0), None, beside))
            }
        }
    }

    /// Judges a record whose far end is in no zone; `None` where it waits for what round-trip times show.
    fn judge_outside(&mut self, view: &View<'_>) -> Option<fn(&mut Totals) -> &mut Count> {
        let Some(horizon) = &self.grounds.horizon else {
            let case = self.watched(view, |case| case.location);
            if case.window == Window::None {
                return Some(total(self.judge(view, &case)));
            }
            view.hold(&case, self.cases.of_limit(case));
            return None;
        };
        // Where it can be is known at the end alone.
        let case = self.watched(view, |_| Location::UNKNOWN);
        let measured = view.sent.to_rtt;
        let held = if case.location.standing() == Standing::Anycast {
            // The next flow may reach another site: each is evidence for itself alone.
            self.cases.of_flow(view.far.0, measured, horizon.step(measured), case)
        } else {
            self.cases.of_address(view.far.0, measured, case, octets(view.record))
        };
        view.hold(&case, held);
        None
    }

    /// Judges a record between two zones; `None` where one end waits for what went under its limits.
    fn judge_between(&mut self, views: &[View<'_>; 2]) -> Option<fn(&mut Totals) -> &mut Count> {
        let [there, back] = views;
        let one = self.watched(there, |case| case.location);
        let other = self.watched(back, |case| case.location);
        if one.window == Window::None && other.window == Window::None {
            return Some(total(self.judge(there, &one).max(self.judge(back, &other))));
        }
        let between = self.cases.of_zones(one, other);
        between.records.add(octets(there.record));
        let [source, destination] = &mut between.ends;
        there.hold(&one, source);
        back.hold(&other, destination);
        None
    }

    /// Judges both directions of a record from one end, and counts them. `None` without a policy.
    fn judge(&mut self, view: &View<'_>, case: &Case) -> Option<Verdict> {
        let ruled = match self.ruled.get(case) {
            Some(ruled) => *ruled,
            None => self.rule(case),
        };
        if let Some(row) = self.inventory.get_mut(ruled.row) {
            view.add_to(row);
        }
        for (place, uniflow) in ruled.findings.into_iter().zip([&view.sent, &view.received]) {
            match place.and_then(|place| self.findings.get_mut(place)) {
                None => {}
                Some(Some(tally)) => tally.add(view.exemplar(uniflow.sent)),
                Some(none) => *none = Some(Tally::of(view.exemplar(uniflow.sent))),
            }
        }
        ruled.verdict
    }

    /// Decides a case, and keeps what came of it.
    fn rule(&mut self, case: &Case) -> Ruled {
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        let (verdict, row) = self.rulings.decide(case, case.location, Spent::default(), |way, key| match way {
            Way::Sent => sent.push(key),
            Way::Received => received.push(key),
        });
        let findings = [sent, received].map(|keys| (!keys.is_empty()).then(|| self.findings.place(keys, || None)));
        let ruled = Ruled { verdict, row: self.inventory.place(row, Exchange::nothing), findings };
        if self.ruled.len() < MAX_RULED {
            self.ruled.insert(*case, ruled);
        }
        ruled
    }

    /// The case of a record, which the tripwires have seen, with the window of the limits that may speak of it where its far
    /// end is at most in `reach`.
    fn watched(&mut self, view: &View<'_>, reach: impl FnOnce(&Case) -> Location) -> Case {
        let case = self.case(view);
        self.watch(view, &case);
        let Some(policy) = self.grounds.policy.as_ref().filter(|policy| !policy.limits().is_empty()) else {
            return case;
        };
        let limits = self.rulings.limits(&case, &reach(&case));
        match policy.window(limits, view.record.start) {
            Some(begin) => Case { window: self.cases.window(begin), ..case },
            None => case,
        }
    }

    /// Shows a record to the policy's tripwires.
    fn watch(&mut self, view: &View<'_>, case: &Case) {
        let tripwires = self.grounds.policy.as_ref().map_or(&[][..], |policy| policy.tripwires());
        if tripwires.is_empty() {
            return;
        }
        let measured = view.sent.to_rtt;
        let reached = match self.grounds.horizon.as_ref().filter(|_| case.to_zone.is_none()) {
            None => Reached::Claims,
            Some(horizon) if case.location.standing() == Standing::Anycast => {
                Reached::Flow(horizon.step(measured), horizon.reach(measured))
            }
            Some(horizon) => Reached::Address(horizon, measured),
        };
        let seen = Sighting {
            record: view.record,
            zone: case.zone,
            near: view.near.0,
            far: view.far.0,
            party: case.party,
            operator: case.operator,
            location: case.location,
            sent: &view.sent,
            received: &view.received,
            opened_by_zone: case.opened_by == Opener::Local,
            far_in_zone: case.to_zone.is_some(),
            reached,
        };
        self.wires.observe(tripwires, &seen, |counted| view.exemplar(counted));
    }

    /// Everything that the decision on a record depends on.
    fn case(&self, view: &View<'_>) -> Case {
        let policy = self.grounds.policy.as_ref();
        let stated = view.far_zone.and_then(|zone| policy?.zone_country(zone));
        let place = match (stated, view.stated) {
            (Some(places), _) => Place { location: Location::stated(places), operator: None },
            (None, Some(stated)) => Place { location: stated.location, operator: stated.asn },
            (None, None) => self.grounds.atlas.at(view.record.start).locate(view.far.0),
        };
        let name = match view.stated {
            Some(stated) => stated.name.as_deref(),
            None => view.name.map(|name| &*name.text),
        };
        let epoch = policy.and_then(|policy| policy.epoch(view.record.start));
        Case {
            zone: view.zone,
            location: place.location,
            operator: place.operator,
            party: policy.and_then(|policy| {
                let regions = match view.stated {
                    Some(stated) => &stated.regions,
                    None => self.grounds.regions(policy, view.far.0, view.record.start),
                };
                policy.party_of(view.far.0, place.operator, name, regions)
            }),
            waivers: policy.map_or(WaiverView::default(), |policy| policy.waiver_view(view.far.0, view.record.start)),
            to_zone: view.far_zone,
            epoch,
            service: policy
                .filter(|_| epoch.is_some())
                .map_or(0, |policy| policy.service_class(view.record.protocol, view.responder_ports())),
            opened_by: view.opened_by,
            sent: moved(&view.sent),
            received: moved(&view.received),
            tunnel: view.record.outer(),
            window: Window::None,
        }
    }
}

fn moved(uniflow: &Uniflow<'_>) -> Moved {
    match (uniflow.is_empty(), uniflow.moved()) {
        (true, _) => Moved::Nothing,
        (false, false) => Moved::Contact,
        (false, true) => Moved::Payload,
    }
}

fn octets(record: &FlowRecord) -> u64 {
    record.forward.octets.saturating_add(record.reverse.octets)
}

impl<'r> View<'r> {
    fn of(record: &'r FlowRecord, end: End, zone: ZoneId, far_zone: Option<ZoneId>, beside: Beside<'r>) -> Self {
        let [forward, reverse] = record.uniflows();
        let (source, destination) = ((record.src, record.sport), (record.dst, record.dport));
        let (near, far, sent, received, name) = match end {
            End::Source => (source, destination, forward, reverse, beside.name),
            End::Destination => (destination, source, reverse, forward, None),
        };
        let opened_by = match sent.opened {
            Some(true) => Opener::Local,
            Some(false) => Opener::Remote,
            None => Opener::Unknown,
        };
        View {
            record,
            zone,
            near,
            far,
            ports: [far.1, near.1],
            far_zone,
            sent,
            received,
            opened_by,
            name,
            stated: beside.stated,
        }
    }

    /// The port of the side that was called, or both where that is not known.
    fn responder_ports(&self) -> &[u16] {
        match self.opened_by {
            Opener::Local => &self.ports[..1],
            Opener::Remote => &self.ports[1..],
            Opener::Unknown => &self.ports,
        }
    }

    fn add_to(&self, exchange: &mut Exchange) {
        exchange.flows += 1;
        exchange.sent.add(self.sent.sent);
        exchange.received.add(self.received.sent);
        exchange.first = exchange.first.min(self.record.start);
        exchange.last = exchange.last.max(self.record.end);
        exchange.far.insert(self.far.0);
    }

    /// Adds it to the records of its case.
    fn hold(&self, case: &Case, held: &mut Held) {
        held.records.add(octets(self.record));
        self.add_to(&mut held.exchange);
        if case.epoch.is_some() {
            for (way, moved, uniflow) in
                [(Way::Sent, case.sent, &self.sent), (Way::Received, case.received, &self.received)]
            {
                if moved != Moved::Nothing {
                    held.add(way, self.exemplar(uniflow.sent));
                }
            }
        }
    }

    fn exemplar(&self, sent: Counters) -> Exemplar {
        Exemplar {
            start: self.record.start,
            provenance: self.record.provenance,
            near: self.near,
            far: self.far,
            protocol: self.record.protocol,
            sent,
            end: self.record.end,
            name: self.name.cloned(),
            round_trip: self.sent.to_rtt,
        }
    }
}
