//! Azure flow logs: of network security groups (NSG, versions 1 and 2) and of virtual networks (version 4).
//!
//! <https://learn.microsoft.com/azure/network-watcher/vnet-flow-logs-overview> and `nsg-flow-logs-overview`. A blob
//! (`PT1H.json`) is one object with `records`, one for each minute of an hour; some pipelines write them a line each. A blob
//! is rewritten while its hour runs, so that a copy can break off anywhere. Within a record lie rules, and within those tuples:
//! text between commas. Every tuple becomes a flow record; its position is that of its record.
//!
//! **What a tuple says.** Its source opened the flow, whichever way it crossed the interface. State `B`: the flow began, and
//! later tuples count it; `C` and `E`: it went on, or ended, and these are the counts since the tuple before; `D`: it was
//! denied, as was `D` in the column of decisions that NSG tuples have. Version 1 counts nothing.
//!
//! **What is counted.** Octets with the link layer's header: the smallest TCP packets are logged with 66 octets, which are 14
//! of Ethernet and 52 of IP. So 14 octets a packet are taken off, and movement is told by headers. Where fewer are left than
//! IP headers take, the tuple contradicts itself, and that direction is taken for movement.
//!
//! **Time.** Seconds (NSG) or milliseconds (virtual networks), and documented the other way round too: what is 10^11 or more is in
//! milliseconds, since in seconds that would be the year 5138.

use std::io::Read;

use super::fields::{address, number};
use super::intake::{Opener, Time};
use super::json::{Into, ObjectLog, Records};
use super::twice::Point;
use crate::model::{
    BiflowDirection, Caveat, Counters, FlowEndReason, FlowFlags, FlowRecord, InputCoverage, InputId, Mark, Protocol,
    Provenance, Skip, Timestamp,
};
use crate::source::Source;
use crate::source::first_object::FirstObject;
use crate::source::lacks;
use crate::source::members::{Text, members};
use crate::source::objects::{Objects, Taken};

/// The name of the format in reports.
pub const KIND: &str = "azure-flow-logs";

members! {
    struct Record<'a> {
        properties: Properties<'a> = "properties",
        flow_records: FlowRecords<'a> = "flowRecords",
        interface: Text<'a> = "macAddress",
    }
    ignored "time" | "systemId" | "category" | "resourceId" | "operationName" | "flowLogVersion" | "flowLogGUID"
        | "flowLogResourceID" | "targetResourceID" | "_raw"
}

members! {
    /// Of network security groups.
    struct Properties<'a> {
        flows: Vec<SecurityRule<'a>> = "flows",
    }
    ignored "Version"
}

members! {
    struct SecurityRule<'a> {
        flows: Vec<Interface<'a>> = "flows",
    }
    ignored "rule"
}

members! {
    struct Interface<'a> {
        tuples: Vec<Text<'a>> = "flowTuples",
        mac: Text<'a> = "mac",
    }
}

members! {
    /// Of virtual networks.
    struct FlowRecords<'a> {
        flows: Vec<AccessList<'a>> = "flows",
    }
}

members! {
    struct AccessList<'a> {
        groups: Vec<Group<'a>> = "flowGroups",
    }
    ignored "aclID"
}

members! {
    struct Group<'a> {
        tuples: Vec<Text<'a>> = "flowTuples",
    }
    ignored "rule"
}

/// Whether an input that begins with `head` is of this format.
pub fn looks_like(head: &[u8]) -> bool {
    let first = FirstObject::of(head);
    first.has("flowRecords.flows")
        || first.has("properties.flows")
        || first
            .value("category")
            .is_some_and(|category| ["FlowLogFlowEvent", "NetworkSecurityGroupFlowEvent"].contains(&category))
}

/// Octets of an Ethernet header.
const ETHERNET: u64 = 14;

/// The longest record that is read: a minute of one network interface, which has about 90 octets for every tuple.
pub const MAX_RECORD: usize = 64 * 1024 * 1024;

/// Times that are this or more are in milliseconds.
const MILLISECONDS: u64 = 100_000_000_000;

struct Tuples {
    input: InputId,
}

impl Records for Tuples {
    fn take(&mut self, position: u64, object: &[u8], into: &mut Into<'_>) -> Taken {
        let Ok(record) = serde_json::from_slice::<Record<'_>>(object) else { return Taken::No };
        if record.properties.is_none() && record.flow_records.is_none() {
            return Taken::No;
        }
        into.unknown(position, "", &record.unknown);
        if let Some(properties) = record.properties {
            into.unknown(position, "properties", &properties.unknown);
            for rule in properties.flows.unwrap_or_default() {
                into.unknown(position, "properties.flows", &rule.unknown);
                for interface in rule.flows.unwrap_or_default() {
                    into.unknown(position, "properties.flows.flows", &interface.unknown);
                    let point = interface.mac.as_ref().and_then(|mac| Point::named(mac.as_bytes()));
                    let tuples = interface.tuples.unwrap_or_default();
                    self.tuples((position, point), &tuples, security_group_tuple, into);
                }
            }
        }
        let point = record.interface.as_ref().and_then(|interface| Point::named(interface.as_bytes()));
        if let Some(records) = record.flow_records {
            into.unknown(position, "flowRecords", &records.unknown);
            for list in records.flows.unwrap_or_default() {
                into.unknown(position, "flowRecords.flows", &list.unknown);
                for group in list.groups.unwrap_or_default() {
                    into.unknown(position, "flowRecords.flows.flowGroups", &group.unknown);
                    self.tuples((position, point), &group.tuples.unwrap_or_default(), virtual_network_tuple, into);
                }
            }
        }
        Taken::Yes
    }

    fn notes(&self, _: &mut InputCoverage) {}
}

impl Tuples {
    fn tuples(
        &self,
        (position, point): (u64, Option<Point>),
        tuples: &[Text<'_>],
        read: fn(&[&[u8]]) -> Option<Tuple>,
        into: &mut Into<'_>,
    ) {
        for tuple in tuples {
            let mut columns = [&b""[..]; MAX_COLUMNS];
            let mut count = 0;
            for (column, text) in columns.iter_mut().zip(tuple.as_bytes().split(|octet| *octet == b',')) {
                *column = text;
                count += 1;
            }
            let columns = columns.get(..count).unwrap_or_default();
            let flow = read(columns).and_then(|tuple| Some((self.flow(position, columns, &tuple)?, tuple.encryption)));
            match flow {
                Some((flow, encryption)) => {
                    into.intake.keep_at(point, &flow, Opener::Told, Time::Told, into.batch);
                    if let Some(mark) = encryption {
                        into.intake.mark(mark, flow.forward.octets.saturating_add(flow.reverse.octets));
                    }
                }
                None => into.intake.skip(Skip::MalformedLine, position),
            }
        }
    }

    /// The flow of a tuple; `None` where it is none.
    fn flow(&self, position: u64, columns: &[&[u8]], tuple: &Tuple) -> Option<FlowRecord> {
        let column = |place: usize| columns.get(place).copied();
        let (src, dst) = (address(column(1)?)?, address(column(2)?)?);
        let port = |place| u16::try_from(number(column(place)?)?).ok();
        let protocol = match column(5)? {
            b"T" => Protocol::TCP,
            b"U" => Protocol::UDP,
            digits => Protocol(u8::try_from(number(digits)?).ok()?),
        };
        let time = match number(column(0)?)? {
            millis if millis >= MILLISECONDS => Timestamp(millis.checked_mul(Timestamp::SECOND / 1000)?),
            secs => Timestamp::from_secs(secs),
        };
        if ![&b"I"[..], b"O"].contains(&column(6)?) {
            return None;
        }
        let mut record = FlowRecord::new(src, dst, protocol, time, Provenance::new(self.input, position));
        (record.sport, record.dport) = (port(3)?, port(4)?);
        record.direction = BiflowDirection::Initiator;
        record.flags.set(FlowFlags::PAYLOAD_UNKNOWN);
        record.end_reason = match tuple.state {
            State::GoesOn => FlowEndReason::ActiveTimeout,
            State::Ended => FlowEndReason::EndOfFlow,
            State::Began | State::NotSaid => FlowEndReason::IdleTimeout,
        };
        match tuple.counts {
            Counts::Given([sent, received]) => {
                let header = if src.is_v4() { 20 } else { 40 };
                let directions = [
                    (sent, FlowFlags::FORWARD_MOVED, &mut record.forward),
                    (received, FlowFlags::REVERSE_MOVED, &mut record.reverse),
                ];
                for ((packets, octets), moved, counters) in directions {
                    let octets = octets.saturating_sub(ETHERNET.saturating_mul(packets));
                    *counters = Counters { octets, packets, payload: 0 };
                    if octets < packets.saturating_mul(header) {
                        record.flags.set(moved);
                    }
                }
            }
            Counts::None if tuple.state == State::Began && tuple.verdict == Verdict::Allowed => {
                record.flags.set(FlowFlags::BEGUN);
            }
            Counts::None => record.flags.set(FlowFlags::COUNTERS_UNKNOWN),
        }
        if tuple.verdict == Verdict::Denied {
            record.flags.set(FlowFlags::REJECTED);
        }
        Some(record)
    }
}

/// The most columns of a tuple that are told apart.
const MAX_COLUMNS: usize = 32;

/// What the columns say in which the two kinds of tuple differ.
struct Tuple {
    encryption: Option<Mark>,
    verdict: Verdict,
    state: State,
    counts: Counts,
}

/// What a tuple counts.
enum Counts {
    None,
    /// Packets and octets, sent and received.
    Given([(u64, u64); 2]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Denied,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Began,
    GoesOn,
    Ended,
    /// Version 1.
    NotSaid,
}

/// `time,src,dst,sport,dport,protocol,direction,decision` and from version 2 `state,packets,octets,packets,octets`.
fn security_group_tuple(columns: &[&[u8]]) -> Option<Tuple> {
    let verdict = match *columns.get(7)? {
        b"A" => Verdict::Allowed,
        b"D" => Verdict::Denied,
        _ => return None,
    };
    match columns.get(8..) {
        None | Some([]) => Some(Tuple { encryption: None, verdict, state: State::NotSaid, counts: Counts::None }),
        Some([state, counts @ ..]) => {
            let (state, _) = state_of(state)?;
            Some(Tuple { encryption: None, verdict, state, counts: counted(state, verdict, counts)? })
        }
    }
}

/// `time,src,dst,sport,dport,protocol,direction,state,encryption,packets,octets,packets,octets`.
fn virtual_network_tuple(columns: &[&[u8]]) -> Option<Tuple> {
    let [state, encryption, counts @ ..] = columns.get(7..)? else { return None };
    let (state, verdict) = state_of(state)?;
    let encryption = match *encryption {
        b"X" => Some(Mark::Encrypted),
        b"NX" => Some(Mark::Unencrypted),
        // And why it is not.
        reason if reason.starts_with(b"NX_") => Some(Mark::Unencrypted),
        _ => None,
    };
    Some(Tuple { encryption, verdict, state, counts: counted(state, verdict, counts)? })
}

fn state_of(letter: &[u8]) -> Option<(State, Verdict)> {
    Some(match letter {
        b"B" => (State::Began, Verdict::Allowed),
        b"C" => (State::GoesOn, Verdict::Allowed),
        b"E" => (State::Ended, Verdict::Allowed),
        b"D" => (State::Began, Verdict::Denied),
        _ => return None,
    })
}

/// Four counts, empty or zero where the flow has only begun or was denied.
fn counted(state: State, verdict: Verdict, columns: &[&[u8]]) -> Option<Counts> {
    let count = |place: usize| match columns.get(place).copied() {
        None | Some(b"") => Some(None),
        Some(digits) => number(digits).map(Some),
    };
    let counts = [count(0)?, count(1)?, count(2)?, count(3)?];
    let is_silent = counts.iter().all(|count| count.unwrap_or(0) == 0);
    if is_silent && (counts.contains(&None) || state == State::Began || verdict == Verdict::Denied) {
        return Some(Counts::None);
    }
    let [packets, octets, back_packets, back_octets] = counts.map(Option::unwrap_or_default);
    Some(Counts::Given([(packets, octets), (back_packets, back_octets)]))
}

/// Reads JSON: what is compressed is to be inflated before.
pub fn open(id: InputId, name: &str, kind: String, reader: Box<dyn Read + Send>) -> Box<dyn Source> {
    let objects = Objects::with_limit(reader, MAX_RECORD);
    Box::new(ObjectLog::of(
        objects,
        InputCoverage::new(name, kind).lacking(lacks::AZURE),
        &[Caveat::LinkOctets],
        Tuples { input: id },
    ))
}
