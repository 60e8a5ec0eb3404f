//! Oracle Cloud VCN flow logs, version 2: one direction of a flow, for one virtual network interface and minute.
//!
//! <https://docs.oracle.com/en-us/iaas/Content/Logging/Reference/details_for_vcn_flow_logs.htm>. Events come bare, as a
//! service connector writes them, or as the `logContent` of an answer to a search, alone or within `results[].data`. An
//! answer can hold a page twice: an event with the identifier and content of one before is counted once, as far back as
//! [`MAX_REMEMBERED`] events.
//!
//! `bytesOut` is what the record's source sent, whichever way it crossed the interface. Oracle does not say which headers it
//! counts: it is taken for IP octets, and a remark says so. A public address of an instance is logged as its private one.
//! Events without traffic (`NODATA`) and of lost records (`SKIPDATA`) have no addresses.

use std::hash::BuildHasher as _;
use std::io::Read;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::fields::address;
use super::intake::{Opener, Time};
use super::json::{Into, ObjectLog, Records};
use super::twice::Point;
use crate::model::{FlowFlags, FlowRecord, InputCoverage, InputId, Protocol, Provenance, Skip, Timestamp};
use crate::source::Source;
use crate::source::first_object::FirstObject;
use crate::source::lacks;
use crate::source::members::{Number, Text, members};
use crate::source::objects::Taken;
use crate::source::opened::by_ports;

/// The name of the format in reports.
pub const KIND: &str = "oci-vcn-flow-logs";

/// How events of flow logs name their type.
const TYPE: &str = "com.oraclecloud.vcn.flowlogs.";

/// How many events are remembered, to know them again: 16 octets each at most.
pub const MAX_REMEMBERED: usize = 1 << 20;

members! {
    /// An event, or what wraps one.
    struct Event<'a> {
        data: Data<'a> = "data",
        content: Box<Event<'a>> = "logContent",
        id: Text<'a> = "id",
        kind: Text<'a> = "type",
        oracle: Oracle<'a> = "oracle",
    }
    ignored "source" | "specversion" | "time" | "datetime" | "subject" | "dataschema" | "datacontenttype"
}

members! {
    struct Oracle<'a> {
        interface: Text<'a> = "vnicocid",
    }
    ignored "compartmentid" | "ingestedtime" | "loggroupid" | "logid" | "tenantid" | "resourceid" | "vniccompartmentocid"
        | "vnicsubnetocid"
}

members! {
    struct Data<'a> {
        action: Text<'a> = "action",
        octets: Number = "bytesOut",
        packets: Number = "packets",
        src: Text<'a> = "sourceAddress",
        dst: Text<'a> = "destinationAddress",
        sport: Number = "sourcePort",
        dport: Number = "destinationPort",
        protocol: Number = "protocol",
        start: Number = "startTime",
        end: Number = "endTime",
        status: Text<'a> = "status",
        /// In answers to a search.
        content: Box<Event<'a>> = "logContent",
    }
    ignored "flowid" | "protocolName" | "version" | "datetime"
}

/// Whether an input that begins with `head` is of this format.
pub fn looks_like(head: &[u8]) -> bool {
    let first = FirstObject::of(head);
    ["", "logContent.", "data.logContent."].iter().any(|within| {
        first.value(&format!("{within}type")).is_some_and(|kind| kind.starts_with(TYPE))
            || first.has(&format!("{within}data.flowid"))
    })
}

struct Events {
    input: InputId,
    remembered: HashSet<u64, FixedState>,
    has_forgotten: Forgotten,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Forgotten {
    Nothing,
    Some,
}

impl Records for Events {
    fn take(&mut self, position: u64, object: &[u8], into: &mut Into<'_>) -> Taken {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(object) else { return Taken::No };
        into_event(&event).map_or(Taken::No, |inner| {
            into.unknown(position, "", &event.unknown);
            self.event(position, inner, into)
        })
    }

    fn notes(&self, coverage: &mut InputCoverage) {
        coverage
            .note("the octets of OCI flow logs are taken for IP octets: Oracle does not say which headers they count");
        if self.has_forgotten == Forgotten::Some {
            coverage.remark(format!("events are known again among the last {MAX_REMEMBERED} at most"));
        }
    }
}

/// The event within its wrapping; `None` where there is none.
fn into_event<'e, 'a>(event: &'e Event<'a>) -> Option<&'e Event<'a>> {
    let within = event.content.as_deref().or_else(|| event.data.as_ref()?.content.as_deref());
    let event = within.unwrap_or(event);
    let is_ours = event.kind.as_ref().is_none_or(|kind| kind.as_str().starts_with(TYPE));
    (event.data.is_some() && is_ours).then_some(event)
}

impl Events {
    fn event(&mut self, position: u64, event: &Event<'_>, into: &mut Into<'_>) -> Taken {
        let Some(data) = &event.data else { return Taken::No };
        into.unknown(position, "", &event.unknown);
        into.unknown(position, "data", &data.unknown);
        if let Some(oracle) = &event.oracle {
            into.unknown(position, "oracle", &oracle.unknown);
        }
        if self.is_known(event, data) {
            into.intake.skip(Skip::Repeated, position);
            return Taken::Yes;
        }
        let kind =
            event.kind.as_ref().map(|kind| kind.as_str().strip_prefix(TYPE).unwrap_or_default()).unwrap_or_default();
        let status = data.status.as_ref().map(Text::as_str).unwrap_or_default();
        let lost = status == "SKIPDATA" || kind == "QualityEvent.SkipData";
        if data.src.is_none() && data.dst.is_none() {
            into.intake.skip(
                match (status, kind) {
                    _ if lost => Skip::SkipData,
                    ("NODATA", _) | (_, "QualityEvent.NoData") => Skip::NoData,
                    _ => Skip::NoAddress,
                },
                position,
            );
            return Taken::Yes;
        }
        match self.flow(position, data) {
            Some((flow, time)) => {
                let interface = event.oracle.as_ref().and_then(|oracle| oracle.interface.as_ref());
                let point = interface.and_then(|interface| Point::named(interface.as_bytes()));
                into.intake.keep_at(point, &flow, Opener::Guessed, time, into.batch);
            }
            None => into.intake.skip(Skip::MalformedLine, position),
        }
        if lost {
            into.intake.skip(Skip::SkipData, position);
        }
        Taken::Yes
    }

    /// Whether an event was there before. Events without an identifier are never.
    fn is_known(&mut self, event: &Event<'_>, data: &Data<'_>) -> bool {
        let Some(id) = &event.id else { return false };
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.as_str().to_owned());
        let number = |number: Option<Number>| number.map(|number| number.0);
        let texts = [text(&data.action), text(&data.src), text(&data.dst), text(&data.status)];
        let numbers =
            [data.octets, data.packets, data.sport, data.dport, data.protocol, data.start, data.end].map(number);
        let hash = self.remembered.hasher().hash_one((id.as_str(), texts, numbers));
        if self.remembered.contains(&hash) {
            return true;
        }
        if self.remembered.len() == MAX_REMEMBERED {
            self.remembered.clear();
            self.has_forgotten = Forgotten::Some;
        }
        self.remembered.insert(hash);
        false
    }

    fn flow(&self, position: u64, data: &Data<'_>) -> Option<(FlowRecord, Time)> {
        let end = |text: &Option<Text<'_>>| address(text.as_ref()?.as_bytes());
        let port = |port: Option<Number>| u16::try_from(port.unwrap_or_default().0).ok();
        let (src, dst) = (end(&data.src)?, end(&data.dst)?);
        let protocol = Protocol(u8::try_from(data.protocol?.0).ok()?);
        let time = |secs: Option<Number>| match secs {
            Some(Number(secs)) => (secs <= u64::MAX / Timestamp::SECOND).then(|| Some(Timestamp::from_secs(secs))),
            None => Some(None),
        };
        let (start, end) = (time(data.start)?, time(data.end)?);
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            return None;
        }
        let times = start.or(end).zip(end.or(start));
        let provenance = Provenance::new(self.input, position);
        let mut record = FlowRecord::new(src, dst, protocol, Timestamp::default(), provenance);
        (record.start, record.end) = times.unwrap_or_default();
        (record.sport, record.dport) = (port(data.sport)?, port(data.dport)?);
        record.flags.set(FlowFlags::PAYLOAD_UNKNOWN);
        record.flags.set(FlowFlags::ONE_DIRECTION);
        match data.action.as_ref().map(Text::as_str) {
            Some("REJECT") => record.flags.set(FlowFlags::REJECTED),
            Some("ACCEPT") | None => {}
            Some(_) => return None,
        }
        if data.octets.is_none() || data.packets.is_none() {
            record.flags.set(FlowFlags::COUNTERS_UNKNOWN);
        }
        record.forward.packets = data.packets.unwrap_or_default().0;
        record.forward.octets = data.octets.unwrap_or_default().0;
        record.direction = by_ports(&record);
        Some((record, if times.is_some() { Time::Told } else { Time::Unknown }))
    }
}

/// Reads JSON: what is compressed is to be inflated before.
pub fn open(id: InputId, name: &str, kind: String, reader: Box<dyn Read + Send>) -> Box<dyn Source> {
    let remembered = HashSet::with_hasher(FixedState::default());
    let records = Events { input: id, remembered, has_forgotten: Forgotten::Nothing };
    Box::new(ObjectLog::new(reader, InputCoverage::new(name, kind).lacking(lacks::OCI), &[], records))
}
