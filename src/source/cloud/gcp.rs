//! Google Cloud VPC Flow Logs: entries of Cloud Logging, one direction of a connection each.
//!
//! <https://cloud.google.com/vpc/docs/about-flow-logs-records>. Entries come a line each, in arrays, within `entries` or
//! `events`, and in messages of Pub/Sub, in base64. Integers of 64 bits are text. Only TCP and UDP have ports.
//!
//! **What is counted.** `bytes_sent` is payload of the transport protocol: records of many packets have `"0"` of it. So one
//! octet is movement, and sums are less than what was on the wire. Google looks at a sample of packets and scales what it
//! counts; the counts are not scaled again, and flows of few packets can be missing.
//!
//! **Who tells.** `reporter` is the end that saw it: a connection between two machines of ours is told by both, and by
//! gateways on its way. A remark says when more than one kind of reporter is met.
//!
//! **Round-trip times.** `rtt_msec` is a latency of TCP between the reporter and the other end that the application's time
//! is part of: more than the least round-trip time, never less. It is cut to milliseconds, so one is added. Of a gateway it is
//! not taken, since where that stands is not told.
//!
//! **Places.** Google says in which country an external end is (ISO 3166-1 alpha-3, in lower case). That is a claim of the
//! moment about one address, by nobody's data that could be dated or verified: a remark names the countries, and no
//! decision rests on them.

use std::collections::BTreeSet;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer};

use super::fields::address;
use super::intake::{Opener, Time};
use super::json::{Into, ObjectLog, Records};
use super::twice::Point;
use crate::model::{
    Caveat, FlowFlags, FlowRecord, InputCoverage, InputId, Protocol, Provenance, RoundTrip, Skip, Timestamp,
};
use crate::source::Source;
use crate::source::first_object::FirstObject;
use crate::source::lacks;
use crate::source::members::{Number, Text, members};
use crate::source::objects::Taken;
use crate::source::opened::by_ports;

/// The name of the format in reports.
pub const KIND: &str = "gcp-vpc-flow-logs";

members! {
    /// An entry of Cloud Logging, or what wraps one.
    struct Entry<'a> {
        payload: Payload<'a> = "jsonPayload",
        /// As agents wrap it.
        json: Box<Entry<'a>> = "json",
        /// As Pub/Sub does when it pushes or is pulled from.
        message: Message<'a> = "message",
        /// As Pub/Sub does in its own exports.
        data: Text<'a> = "data",
    }
    ignored "insertId" | "logName" | "receiveTimestamp" | "resource" | "timestamp" | "severity" | "labels" | "trace"
        | "spanId" | "traceSampled" | "operation" | "sourceLocation" | "split" | "attributes" | "messageId" | "message_id"
        | "publishTime" | "publish_time" | "orderingKey" | "subscription" | "ackId" | "deliveryAttempt"
}

members! {
    struct Message<'a> {
        data: Text<'a> = "data",
    }
    ignored "attributes" | "messageId" | "message_id" | "publishTime" | "publish_time" | "orderingKey"
}

members! {
    struct Payload<'a> {
        connection: Connection<'a> = "connection",
        reporter: Text<'a> = "reporter",
        bytes_sent: Number = "bytes_sent",
        packets_sent: Number = "packets_sent",
        start_time: Text<'a> = "start_time",
        end_time: Text<'a> = "end_time",
        rtt_msec: Number = "rtt_msec",
        round_trip_time: RoundTripTime = "round_trip_time",
        src_location: Place<'a> = "src_location",
        dest_location: Place<'a> = "dest_location",
    }
    ignored "src_instance" | "dest_instance" | "src_vpc" | "dest_vpc" | "src_gke_details" | "dest_gke_details"
        | "src_google_service" | "dest_google_service" | "src_gateway" | "dest_gateway" | "internet_routing_details"
        | "network_service" | "psc" | "load_balancing"
}

members! {
    struct Connection<'a> {
        src_ip: Text<'a> = "src_ip",
        dest_ip: Text<'a> = "dest_ip",
        src_port: Number = "src_port",
        dest_port: Number = "dest_port",
        protocol: Number = "protocol",
    }
}

members! {
    struct Place<'a> {
        country: Text<'a> = "country",
    }
    ignored "asn" | "city" | "region" | "continent"
}

/// A latency in milliseconds, as a number or as the median of an object.
struct RoundTripTime(Option<Number>);

impl<'de> Deserialize<'de> for RoundTripTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = |value: &serde_json::Value| Number::deserialize(value).ok();
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(number(&value).or_else(|| value.get("median_msec").and_then(number))))
    }
}

/// Whether an input that begins with `head` is of this format.
pub fn looks_like(head: &[u8]) -> bool {
    let is_entry = |first: &FirstObject| {
        ["jsonPayload.connection", "json.jsonPayload.connection"].iter().any(|path| first.has(path))
            || first.value("logName").is_some_and(|name| name.ends_with("vpc_flows"))
    };
    let first = FirstObject::of(head);
    is_entry(&first)
        || ["message.data", "data"].iter().filter_map(|path| first.value(path)).any(|data| {
            // The head may end within it.
            let whole = data.get(..data.len() & !3).unwrap_or_default();
            STANDARD.decode(whole).is_ok_and(|text| is_entry(&FirstObject::of(&text)))
        })
}

/// Which ends reported, a bit each.
const REPORTERS: [&str; 4] = ["SRC", "DEST", "SRC_GATEWAY", "DEST_GATEWAY"];

/// The most countries that a remark names.
const MAX_PLACES: usize = 32;

struct Entries {
    input: InputId,
    reporters: u8,
    places: BTreeSet<String>,
}

impl Records for Entries {
    fn take(&mut self, position: u64, object: &[u8], into: &mut Into<'_>) -> Taken {
        let Ok(entry) = serde_json::from_slice::<Entry<'_>>(object) else { return Taken::No };
        let data = entry.message.as_ref().and_then(|message| message.data.as_ref()).or(entry.data.as_ref());
        if let Some(data) = data {
            let Ok(text) = STANDARD.decode(data.as_bytes()) else { return Taken::No };
            let is_text = std::str::from_utf8(&text).is_ok() && !text.contains(&0);
            let Some(inner) = is_text.then(|| serde_json::from_slice(&text).ok()).flatten() else { return Taken::No };
            into.unknown(position, "", &entry.unknown);
            return self.entry(position, &inner, into);
        }
        match &entry.json {
            Some(inner) => {
                into.unknown(position, "", &entry.unknown);
                self.entry(position, inner, into)
            }
            None => self.entry(position, &entry, into),
        }
    }

    fn notes(&self, coverage: &mut InputCoverage) {
        if self.reporters.count_ones() > 1 {
            coverage.remark(
                "more than one kind of reporter (`SRC`, `DEST`, gateways): flows between logged networks are told by each",
            );
        }
        if !self.places.is_empty() {
            let names: Vec<_> = self.places.iter().map(|place| format!("`{place}`")).collect();
            coverage.remark(format!("Google's own claims about places, not used in decisions: {}", names.join(", ")));
        }
    }
}

impl Entries {
    fn entry(&mut self, position: u64, entry: &Entry<'_>, into: &mut Into<'_>) -> Taken {
        let Some(payload) = &entry.payload else { return Taken::No };
        let Some(connection) = &payload.connection else { return Taken::No };
        into.unknown(position, "", &entry.unknown);
        into.unknown(position, "jsonPayload", &payload.unknown);
        into.unknown(position, "jsonPayload.connection", &connection.unknown);
        for (name, place) in [("src_location", &payload.src_location), ("dest_location", &payload.dest_location)] {
            let Some(place) = place else { continue };
            into.unknown(position, &format!("jsonPayload.{name}"), &place.unknown);
            if let Some(Text(country)) = &place.country
                && self.places.len() < MAX_PLACES
                && !self.places.contains(&**country)
            {
                self.places.insert(country.chars().filter(char::is_ascii_alphanumeric).take(3).collect());
            }
        }
        match self.flow(position, payload, connection) {
            Some((flow, time)) => {
                let reporter = payload.reporter.as_ref().and_then(|reporter| Point::named(reporter.as_bytes()));
                into.intake.keep_at(reporter, &flow, Opener::Guessed, time, into.batch);
            }
            None if connection.src_ip.is_none() || connection.dest_ip.is_none() => {
                into.intake.skip(Skip::NoAddress, position);
            }
            None => into.intake.skip(Skip::MalformedLine, position),
        }
        Taken::Yes
    }

    fn flow(
        &mut self,
        position: u64,
        payload: &Payload<'_>,
        connection: &Connection<'_>,
    ) -> Option<(FlowRecord, Time)> {
        let end = |ip: &Option<Text<'_>>| address(ip.as_ref()?.as_bytes());
        let port = |port: Option<Number>| u16::try_from(port.unwrap_or_default().0).ok();
        let time = |time: &Option<Text<'_>>| match time {
            Some(Text(text)) => text.parse::<Timestamp>().ok().map(Some),
            None => Some(None),
        };
        let (src, dst) = (end(&connection.src_ip)?, end(&connection.dest_ip)?);
        let protocol = Protocol(u8::try_from(connection.protocol?.0).ok()?);
        let (start, end) = (time(&payload.start_time)?, time(&payload.end_time)?);
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            return None;
        }
        let times = start.or(end).zip(end.or(start));
        let provenance = Provenance::new(self.input, position);
        let mut record = FlowRecord::new(src, dst, protocol, Timestamp::default(), provenance);
        (record.start, record.end) = times.unwrap_or_default();
        (record.sport, record.dport) = (port(connection.src_port)?, port(connection.dest_port)?);
        record.flags.set(FlowFlags::ONE_DIRECTION);
        if payload.bytes_sent.is_none() {
            record.flags.set(FlowFlags::COUNTERS_UNKNOWN);
        }
        record.forward.packets = payload.packets_sent.unwrap_or_default().0;
        record.forward.payload = payload.bytes_sent.unwrap_or_default().0;
        record.forward.octets = record.forward.payload;
        record.direction = by_ports(&record);
        let reporter = payload.reporter.as_ref().map(|reporter| &*reporter.0).unwrap_or_default();
        if let Some(known) = REPORTERS.iter().position(|known| *known == reporter) {
            self.reporters |= 1 << known;
        }
        let millis = payload.rtt_msec.or(payload.round_trip_time.as_ref().and_then(|time| time.0));
        let millis = millis.map(|millis| u32::try_from(millis.0).unwrap_or(u32::MAX)).filter(|millis| *millis > 0);
        let trip = millis.and_then(|millis| RoundTrip::new(millis.saturating_add(1).saturating_mul(1000), 1));
        match (reporter, trip) {
            ("SRC", Some(trip)) => record.dst_rtt = trip,
            ("DEST", Some(trip)) => record.src_rtt = trip,
            _ => {}
        }
        Some((record, if times.is_some() { Time::Told } else { Time::Unknown }))
    }
}

/// Reads JSON: what is compressed is to be inflated before.
pub fn open(id: InputId, name: &str, kind: String, reader: Box<dyn Read + Send>) -> Box<dyn Source> {
    let always = &[Caveat::PayloadOctets, Caveat::ScaledAtSource];
    let records = Entries { input: id, reporters: 0, places: BTreeSet::new() };
    Box::new(ObjectLog::new(reader, InputCoverage::new(name, kind).lacking(lacks::GCP), always, records))
}
