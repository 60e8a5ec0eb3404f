//! From a flow record to decisions: the hot path of the auditor.

use hashbrown::HashMap;

use super::cases::{Cases, Held};
use super::ruling::{Case, Moved, Rulings, Verdict, Way, Window, total};
use super::tripwire::{Sighting, Wires};
use super::{Audit, Grounds, Local};
use crate::locate::Place;
use crate::model::{
    Addr, BiflowDirection, Caveat, Count, Counters, Coverage, Exchange, Exemplar, FindingKey, FlowRecord,
    InputCoverage, InputId, InventoryKey, Location, Name, Opener, Outer, Scope, Standing, Tally, Totals, Uniflow,
    ZoneId,
};
use crate::policy::{Spent, WaiverView};

/// Observes flow records and judges them. One a thread; what each keeps is merged at the end.
pub struct Auditor<'a> {
    grounds: &'a Grounds,
    rulings: Rulings<'a>,
    findings: HashMap<FindingKey, Tally, foldhash::fast::FixedState>,
    inventory: HashMap<InventoryKey, Exchange, foldhash::fast::FixedState>,
    totals: Totals,
    counted_inside: Totals,
    coverage: Coverage,
    wires: Wires,
    cases: Cases,
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
            findings: HashMap::default(),
            inventory: HashMap::default(),
            totals: Totals::default(),
            counted_inside: Totals::default(),
            coverage: Coverage::default(),
            wires: Wires::default(),
            cases: Cases::default(),
        }
    }

    /// Observes a flow record and, where it has one, the name by which its destination was asked for.
    pub fn observe(&mut self, record: &FlowRecord, name: Option<&Name>) {
        let octets = octets(record);
        if let Some(total) = self.classify(record, name) {
            total(&mut self.totals).add(octets);
            if record.outer().is_some_and(Outer::is_counted_inside) {
                total(&mut self.counted_inside).add(octets);
            }
        }
    }

    /// The findings that a record alone comes to, and what waits until all was seen. Forgets those of records before.
    pub(super) fn alone(&mut self, record: &FlowRecord, name: Option<&Name>) -> (Vec<FindingKey>, Cases) {
        self.findings.clear();
        self.observe(record, name);
        (self.findings.keys().copied().collect(), std::mem::take(&mut self.cases))
    }

    /// Takes note of what an input held.
    pub fn cover(&mut self, id: InputId, input: InputCoverage) {
        self.coverage.merge(Coverage::of(id, input));
    }

    /// What was observed, folded.
    pub fn finish(mut self) -> Audit {
        self.cases.trim_windows();
        Audit {
            basis: self.grounds.basis(),
            findings: self.findings.into_iter().collect(),
            inventory: self.inventory.into_iter().collect(),
            totals: self.totals,
            counted_inside: self.counted_inside,
            coverage: self.coverage,
            wires: self.wires,
            cases: self.cases,
        }
    }

    /// Judges a record from each end that is ours, and says under which total it is counted; `None` where that is known at
    /// the end alone.
    fn classify(&mut self, record: &FlowRecord, name: Option<&Name>) -> Option<fn(&mut Totals) -> &mut Count> {
        if record.src.scope() == Scope::LocalOnly || record.dst.scope() == Scope::LocalOnly {
            return Some(|totals| &mut totals.local_only);
        }
        match (self.grounds.zone_of(record.src), self.grounds.zone_of(record.dst)) {
            (Some(one), Some(other)) if one == other => Some(|totals| &mut totals.internal),
            (Some(one), Some(other)) => {
                let there = View::of(record, End::Source, one, Some(other), name);
                let back = View::of(record, End::Destination, other, Some(one), name);
                self.judge_between(&[there, back])
            }
            (Some(zone), None) => self.judge_outside(&View::of(record, End::Source, zone, None, name)),
            (None, Some(zone)) => self.judge_outside(&View::of(record, End::Destination, zone, None, name)),
            (None, None) => {
                let Local::Private(_) = self.grounds.local else { return Some(|totals| &mut totals.outside) };
                let end =
                    if record.direction == BiflowDirection::ReverseInitiator { End::Destination } else { End::Source };
                let input = self.coverage.inputs.entry(record.provenance.input()).or_default();
                input.caveat(Caveat::LocalAssumed, record.provenance.position(), octets(record));
                self.judge_outside(&View::of(record, end, ZoneId(0), None, name))
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
        let findings = &mut self.findings;
        let (verdict, row) = self.rulings.decide(case, case.location, Spent::default(), |way, key| {
            let exemplar = view.exemplar(match way {
                Way::Sent => view.sent.sent,
                Way::Received => view.received.sent,
            });
            match findings.get_mut(&key) {
                Some(tally) => tally.add(exemplar),
                None => {
                    findings.insert(key, Tally::of(exemplar));
                }
            }
        });
        view.add_to(self.inventory.entry(row).or_insert_with(Exchange::nothing));
        verdict
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

    /// Shows a record to the policy's tripwires, with the place that the claims give.
    fn watch(&mut self, view: &View<'_>, case: &Case) {
        let tripwires = self.grounds.policy.as_ref().map_or(&[][..], |policy| policy.tripwires());
        if tripwires.is_empty() {
            return;
        }
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
        };
        self.wires.observe(tripwires, &seen, |counted| view.exemplar(counted));
    }

    /// Everything that the decision on a record depends on.
    fn case(&self, view: &View<'_>) -> Case {
        let policy = self.grounds.policy.as_ref();
        let stated = view.far_zone.and_then(|zone| policy?.zone_country(zone));
        let place = match stated {
            Some(places) => Place { location: Location::stated(places), operator: None },
            None => self.grounds.atlas.at(view.record.start).locate(view.far.0),
        };
        let name = view.name.map(|name| &*name.text);
        let epoch = policy.and_then(|policy| policy.epoch(view.record.start));
        Case {
            zone: view.zone,
            location: place.location,
            operator: place.operator,
            party: policy.and_then(|policy| {
                let regions = self.grounds.regions(policy, view.far.0, view.record.start);
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
    fn of(record: &'r FlowRecord, end: End, zone: ZoneId, far_zone: Option<ZoneId>, name: Option<&'r Name>) -> Self {
        let [forward, reverse] = record.uniflows();
        let (source, destination) = ((record.src, record.sport), (record.dst, record.dport));
        let (near, far, sent, received, name) = match end {
            End::Source => (source, destination, forward, reverse, name),
            End::Destination => (destination, source, reverse, forward, None),
        };
        let opened_by = match sent.opened {
            Some(true) => Opener::Local,
            Some(false) => Opener::Remote,
            None => Opener::Unknown,
        };
        View { record, zone, near, far, ports: [far.1, near.1], far_zone, sent, received, opened_by, name }
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
