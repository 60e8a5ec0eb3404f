//! From a flow record to decisions: the hot path of the auditor.

use hashbrown::HashMap;

use super::tripwire::{Sighting, Wires};
use super::{Audit, Grounds, Local};
use crate::locate::Place;
use crate::model::{
    Addr, BiflowDirection, Caveat, Contact, Count, Counters, Coverage, Decision, Exchange, Exemplar, FindingKey,
    FlowRecord, InputCoverage, InputId, InventoryKey, Location, Name, Opener, Scope, Tally, Totals, Uniflow, ZoneId,
};
use crate::policy::{Borders, Policy, Selector};

/// Observes flow records and judges them. One a thread; what each keeps is merged at the end.
pub struct Auditor<'a> {
    grounds: &'a Grounds,
    borders: HashMap<Selector, Option<Borders>, foldhash::fast::FixedState>,
    findings: HashMap<FindingKey, Tally, foldhash::fast::FixedState>,
    inventory: HashMap<InventoryKey, Exchange, foldhash::fast::FixedState>,
    totals: Totals,
    coverage: Coverage,
    wires: Wires,
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

/// What came of a record, from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    NotInForce,
    Contact,
    Decided(Decision),
}

impl<'a> Auditor<'a> {
    /// An auditor that has observed nothing.
    pub fn new(grounds: &'a Grounds) -> Self {
        Self {
            grounds,
            borders: HashMap::default(),
            findings: HashMap::default(),
            inventory: HashMap::default(),
            totals: Totals::default(),
            coverage: Coverage::default(),
            wires: Wires::default(),
        }
    }

    /// Observes a flow record and, where it has one, the name by which its destination was asked for.
    pub fn observe(&mut self, record: &FlowRecord, name: Option<&Name>) {
        let total = self.classify(record, name);
        total(&mut self.totals).add(record.forward.octets.saturating_add(record.reverse.octets));
    }

    /// Takes note of what an input held.
    pub fn cover(&mut self, id: InputId, input: InputCoverage) {
        self.coverage.merge(Coverage::of(id, input));
    }

    /// What was observed, folded.
    pub fn finish(self) -> Audit {
        Audit {
            basis: self.grounds.basis(),
            findings: self.findings.into_iter().collect(),
            inventory: self.inventory.into_iter().collect(),
            totals: self.totals,
            coverage: self.coverage,
            wires: self.wires,
        }
    }

    /// Judges a record from each end that is ours, and says under which total it is counted.
    fn classify(&mut self, record: &FlowRecord, name: Option<&Name>) -> fn(&mut Totals) -> &mut Count {
        if record.src.scope() == Scope::LocalOnly || record.dst.scope() == Scope::LocalOnly {
            return |totals| &mut totals.local_only;
        }
        let verdict = match (self.grounds.zone_of(record.src), self.grounds.zone_of(record.dst)) {
            (Some(one), Some(other)) if one == other => return |totals| &mut totals.internal,
            (Some(one), Some(other)) => {
                let there = self.judge(&View::of(record, End::Source, one, Some(other), name));
                let back = self.judge(&View::of(record, End::Destination, other, Some(one), name));
                there.max(back)
            }
            (Some(zone), None) => self.judge(&View::of(record, End::Source, zone, None, name)),
            (None, Some(zone)) => self.judge(&View::of(record, End::Destination, zone, None, name)),
            (None, None) => {
                let Local::Private(_) = self.grounds.local else { return |totals| &mut totals.outside };
                let end =
                    if record.direction == BiflowDirection::ReverseInitiator { End::Destination } else { End::Source };
                let input = self.coverage.inputs.entry(record.provenance.input()).or_default();
                input.caveat(
                    Caveat::LocalAssumed,
                    record.provenance.position(),
                    record.forward.octets + record.reverse.octets,
                );
                self.judge(&View::of(record, end, ZoneId(0), None, name))
            }
        };
        match verdict {
            None => |totals| &mut totals.unjudged,
            Some(Verdict::NotInForce) => |totals| &mut totals.not_in_force,
            Some(Verdict::Contact) => |totals| &mut totals.contact,
            Some(Verdict::Decided(Decision::Permit)) => |totals| &mut totals.permit,
            Some(Verdict::Decided(Decision::Indeterminate)) => |totals| &mut totals.indeterminate,
            Some(Verdict::Decided(Decision::Forbid)) => |totals| &mut totals.forbid,
        }
    }

    /// Judges both directions of a record from one end, and counts them. `None` without a policy.
    fn judge(&mut self, view: &View<'_>) -> Option<Verdict> {
        let stated = view.far_zone.and_then(|zone| self.grounds.policy.as_ref()?.zone_country(zone));
        let place = match stated {
            Some(places) => Place { location: Location::stated(places), operator: None },
            None => self.grounds.atlas.at(view.record.start).locate(view.far.0),
        };
        let policy = self.grounds.policy.as_ref();
        let party =
            policy.and_then(|policy| policy.party_of(view.far.0, place.operator, view.name.map(|name| &*name.text)));
        let mut key = InventoryKey {
            zone: view.zone,
            places: place.location.possible(),
            standing: place.location.standing(),
            operator: place.operator,
            party,
            to_zone: view.far_zone,
            decision: None,
        };
        if let Some(policy) = policy.filter(|policy| !policy.tripwires().is_empty()) {
            let seen = Sighting {
                record: view.record,
                zone: view.zone,
                near: view.near.0,
                far: view.far.0,
                party,
                operator: place.operator,
                location: place.location,
                sent: &view.sent,
                received: &view.received,
                opened_by_zone: view.opened_by == Opener::Local,
                far_in_zone: view.far_zone.is_some(),
            };
            self.wires.observe(policy.tripwires(), &seen, |counted| view.exemplar(counted));
        }
        let verdict = policy.map(|policy| self.decide(policy, view, &place, &key));
        if let Some(Verdict::Decided(decision)) = verdict {
            key.decision = Some(decision);
        }
        let exchange = self.inventory.entry(key).or_insert_with(Exchange::nothing);
        exchange.flows += 1;
        exchange.sent.add(view.sent.sent);
        exchange.received.add(view.received.sent);
        exchange.first = exchange.first.min(view.record.start);
        exchange.last = exchange.last.max(view.record.end);
        exchange.far.insert(view.far.0);
        verdict
    }

    fn decide(&mut self, policy: &Policy, view: &View<'_>, place: &Place, key: &InventoryKey) -> Verdict {
        let Some(epoch) = policy.epoch(view.record.start) else { return Verdict::NotInForce };
        let service = policy.service_class(view.record.protocol, view.responder_ports());
        let control = key.party.and_then(|party| policy.controlled_from(party));
        let mut worst = Verdict::Contact;
        for (uniflow, outward) in [(&view.sent, true), (&view.received, false)] {
            if uniflow.is_empty() {
                continue;
            }
            let moved = uniflow.moved();
            let selector = Selector {
                zone: view.zone,
                epoch,
                outward,
                moved,
                opened_by: view.opened_by,
                party: key.party,
                service,
            };
            let borders = self.borders.entry(selector).or_insert_with(|| policy.borders(&selector));
            let Some(borders) = borders else { continue };
            let judgement = borders.decide(&place.location, control);
            worst = worst.max(Verdict::Decided(judgement.decision));
            for (axis, reason, decision) in judgement.reasons {
                let finding = FindingKey {
                    decision,
                    reason,
                    axis,
                    zone: view.zone,
                    contact: match (outward, moved) {
                        (true, true) => Contact::Sent,
                        (false, true) => Contact::Received,
                        (true, false) => Contact::SentNothing,
                        (false, false) => Contact::ReceivedNothing,
                    },
                    opened_by: view.opened_by,
                    places: key.places,
                    standing: key.standing,
                    operator: key.operator,
                    party: key.party,
                    to_zone: key.to_zone,
                };
                let exemplar = view.exemplar(uniflow.sent);
                match self.findings.get_mut(&finding) {
                    Some(tally) => tally.add(exemplar),
                    None => {
                        self.findings.insert(finding, Tally::of(exemplar));
                    }
                }
            }
        }
        worst
    }
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
        }
    }
}
