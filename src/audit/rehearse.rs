//! The tests that a policy carries, run as an audit would see their flows.

use std::collections::BTreeMap;

use super::{Auditor, Grounds, Local};
use crate::locate::Atlas;
use crate::model::{BiflowDirection, Counters, FlowRecord, InputId, Opener, Protocol, Provenance, Totals};
use crate::policy::{Expected, Policy, Seen, StatedFlow, TestRun};

/// Runs the tests of a policy, in the order of the file. Flows that are seen together go through an auditor, with the places
/// that the tests state; registers are those that were read ([`Policy::read_registers`]).
pub fn rehearse(policy: &Policy) -> Vec<TestRun> {
    let grounds = Grounds { policy: Some(policy.clone()), atlas: Atlas::nothing(), local: Local::Zones, horizon: None };
    policy.run_tests(&|flows| see(&grounds, flows))
}

fn see(grounds: &Grounds, flows: &[StatedFlow]) -> Seen {
    let mut auditor = Auditor::new(grounds);
    for (number, flow) in (0..).zip(flows) {
        auditor.observe_stated(&record(flow, number), flow);
    }
    let audit = auditor.finish();
    let settled = audit.settled(grounds);
    let tripped = settled.tripwires(grounds).into_iter().filter_map(|result| {
        let first = result.tripped.into_iter().next()?;
        Some((result.id, first.sentence))
    });
    Seen { decision: worst(&settled.totals), tripped: tripped.collect::<BTreeMap<_, _>>() }
}

/// The worst that any flow came to.
fn worst(totals: &Totals) -> Expected {
    let ends = [
        (totals.forbid, Expected::Forbid),
        (totals.indeterminate, Expected::Indeterminate),
        (totals.permit, Expected::Permit),
        (totals.contact, Expected::Contact),
        (totals.not_in_force, Expected::NotInForce),
    ];
    ends.into_iter().find(|(total, _)| total.count > 0).map_or(Expected::Internal, |(_, end)| end)
}

/// The record that an audit would have of a flow: a packet each way, with all of what moved.
fn record(flow: &StatedFlow, number: u64) -> FlowRecord {
    // No service of a policy is of this protocol (reserved, RFC 5237).
    let (protocol, port) = flow.service.unwrap_or((Protocol(255), 0));
    let counters = |octets| Counters { octets, packets: 1, payload: octets };
    let (sent, received) = (counters(flow.sent), counters(flow.received));
    let provenance = Provenance::new(InputId(0), number);
    let ends = match flow.opener {
        Opener::Remote => (flow.far, flow.near),
        Opener::Local | Opener::Unknown => (flow.near, flow.far),
    };
    let mut record = FlowRecord::new(ends.0, ends.1, protocol, flow.at, provenance);
    (record.forward, record.reverse) = if flow.opener == Opener::Remote { (received, sent) } else { (sent, received) };
    record.direction = match flow.opener {
        Opener::Local | Opener::Remote => BiflowDirection::Initiator,
        Opener::Unknown => BiflowDirection::Arbitrary,
    };
    // The port of the side that was called is the service's: of either side, where it is not known which was.
    (record.sport, record.dport) = (port, port);
    record
}
