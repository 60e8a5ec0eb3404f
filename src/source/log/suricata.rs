//! Suricata's `eve.json`: events of all kinds, an object each (<https://docs.suricata.io/en/latest/output/eve/eve-json-format.html>).
//!
//! **What is counted.** Flows are events of type `flow`: biflows, written when they end. Events of type `netflow` say the
//! same again, a direction each: they are used where a log has no `flow` events, and never beside them. The `flow` object in
//! other events is what had been counted so far, and never used.
//!
//! **Octets** are those of whole frames. Ethernet headers (14 octets a packet) and VLAN tags (4 each) are taken off, so that
//! what is left is IP, with padding where frames were shorter than 60 octets. Where no IP header would be left the frames
//! had no Ethernet header, and octets stay as they are. No payload is counted.
//!
//! **Names** come from events of types `tls`, `quic` and `http` by `flow_id`, which are written before their flow's, else
//! from answers in `dns` events that the client had received before the flow began.
//!
//! **AWS Network Firewall** wraps events: `{"firewall_name": .., "event": {..}}`, and writes `netflow` events alone.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::names::{Names, OCTETS_MAX, Uid, give_name};
use super::row::{Draft, Field, Row, is_icmp};
use super::value::Value;
use super::{Book, Told, has_ended, json, opened};
use crate::model::{
    Addr, Batch, BiflowDirection, Caveat, Counters, FlowEndReason, FlowFlags, InputCoverage, InputId, NameSource,
    Protocol, Provenance, Skip,
};
use crate::source::compression::Unwrapped;
use crate::source::first_object::FirstObject;
use crate::source::lacks;
use crate::source::lines::More;
use crate::source::members::MAX_UNKNOWN;
use crate::source::objects::{Object, Objects, Taken};
use crate::source::{Options, Progress, Source, SourceError};
use crate::wire::name::{DNS_PORT, of_host, of_text};

/// The name of the format in reports.
pub const KIND: &str = "suricata-eve";

/// The most `netflow` events that are held until it is known whether `flow` events are there too: both are written when a
/// flow ends, so that few come before the first of the others.
const HELD_MAX: usize = 4096;

/// The most types of events that are named.
const TYPES_MAX: usize = 32;

/// The most answers of one message that are looked at.
const ANSWERS_MAX: usize = 256;

/// Octets of an Ethernet header and of a VLAN tag (IEEE 802.3, IEEE 802.1Q).
const ETHERNET: u64 = 14;
const VLAN_TAG: u64 = 4;

/// Whether an input that begins with `head` is of Suricata's.
pub fn looks_like(head: &[u8]) -> bool {
    let first = FirstObject::of(head);
    (first.has("event_type") && first.has("timestamp"))
        || (first.has("firewall_name") && (first.has("event.event_type") || first.has("event_timestamp")))
}

/// An `eve.json`.
pub struct SuricataEve {
    objects: Objects,
    reading: Reading,
}

struct Reading {
    book: Book,
    names: Names,
    given_up: u64,
    /// Types of events that are neither flows nor names.
    passed_over: BTreeSet<String>,
    events: u64,
    uniflows: Uniflows,
}

/// What becomes of `netflow` events.
enum Uniflows {
    Held(Vec<Finished>),
    Used,
    /// There are `flow` events.
    Repeated,
}

/// A record with its name.
struct Finished {
    draft: Draft,
    told: Told,
    name: Option<(Box<str>, NameSource)>,
    from_frames: FromFrames,
}

/// Whether octets were those of Ethernet frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FromFrames {
    Yes,
    No,
}

#[derive(Default)]
struct Answer<'a> {
    kind: Option<Value<'a>>,
    data: Option<Value<'a>>,
    ttl: Option<Value<'a>>,
}

/// An event.
#[derive(Default)]
struct Event<'a> {
    row: Row<'a>,
    answers: Vec<Answer<'a>>,
    vlan_tags: u64,
    unknown: Vec<Cow<'a, str>>,
}

impl SuricataEve {
    /// Reads events: what is compressed is to be inflated before.
    pub fn new(id: InputId, name: &str, input: Unwrapped, options: &Options) -> Self {
        let book = Book::new(id, name, input.kind(KIND), lacks::SURICATA);
        let reading = Reading {
            book,
            names: Names::new(OCTETS_MAX, options.meter.hash_seed),
            given_up: 0,
            passed_over: BTreeSet::new(),
            events: 0,
            uniflows: Uniflows::Held(Vec::new()),
        };
        Self { objects: Objects::new(input.reader), reading }
    }
}

impl Source for SuricataEve {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        let Self { objects, reading } = self;
        let result = objects.read(|position, object| match object {
            Object::Text(text) => {
                let mut event = Event::default();
                if json::leaves(text, &mut |path, value| event.take(path, value)).is_err() {
                    return Taken::No;
                }
                reading.events += 1;
                if event.vlan_tags > 0 {
                    reading.book.coverage.remark("VLAN tags that events name are taken off the octets of frames");
                }
                if let Err(reason) = reading.event(&event, position, batch) {
                    reading.book.skip(reason, position);
                }
                Taken::Yes
            }
            Object::Malformed => {
                reading.book.skip(Skip::MalformedLine, position);
                Taken::Yes
            }
            Object::TooLong => {
                reading.book.skip(Skip::LongLine, position);
                Taken::Yes
            }
        });
        // Both kinds are written when a flow ends: where the input rests or ends and there was no `flow`, there is none.
        let has_more = matches!(result, Ok(More::Perhaps));
        if !has_more && matches!(&reading.uniflows, Uniflows::Held(held) if !held.is_empty()) {
            reading.use_uniflows(batch);
        }
        let is_empty = matches!(&reading.uniflows, Uniflows::Held(held) if held.is_empty());
        if matches!(result, Ok(More::No)) && is_empty && reading.events > 0 {
            reading.events = 0;
            let error = SourceError::NotRecognised {
                looks_like: "Suricata events without any of type `flow` or `netflow`",
                help: Some("let `eve-log` write `flow` events"),
            };
            reading.book.coverage.error = Some(error.to_string());
            return Err(error);
        }
        reading.book.progress(result, objects.offset(), objects.pending())
    }

    fn coverage(&self) -> InputCoverage {
        let reading = &self.reading;
        let mut coverage = reading.book.coverage.clone();
        if !reading.passed_over.is_empty() {
            let types: Vec<&str> = reading.passed_over.iter().map(String::as_str).collect();
            coverage.remark(format!("events that are no flows were passed over: {}", types.join(", ")));
        }
        coverage
    }
}

impl<'a> Event<'a> {
    fn take(&mut self, path: &str, value: Value<'a>) {
        let path = path.strip_prefix("event.").unwrap_or(path);
        if let Some(part) = path.strip_prefix("dns.answers[]").or_else(|| path.strip_prefix("dns.rrs[]")) {
            return self.answer(part, value);
        }
        let field = match path {
            "event_type" => Field::Kind,
            "timestamp" => Field::Logged,
            "flow_id" => Field::Uid,
            "src_ip" => Field::Src,
            "src_port" => Field::SrcPort,
            "dest_ip" => Field::Dst,
            "dest_port" => Field::DstPort,
            "proto" => Field::Protocol,
            "flow.pkts_toserver" | "netflow.pkts" => Field::Packets,
            "flow.bytes_toserver" | "netflow.bytes" => Field::Octets,
            "flow.pkts_toclient" => Field::ReversePackets,
            "flow.bytes_toclient" => Field::ReverseOctets,
            "flow.start" | "netflow.start" => Field::Start,
            "flow.end" | "netflow.end" => Field::End,
            "flow.state" => Field::State,
            "tcp.tcp_flags" => Field::TcpFlags,
            "tcp.tcp_flags_ts" => Field::ReverseTcpFlags,
            "tls.sni" => Field::ServerName,
            "quic.sni" => Field::QuicServerName,
            "http.hostname" => Field::Host,
            "dns.type" => Field::Message,
            "dns.rrname" | "dns.queries[].rrname" => Field::Query,
            // Before version 2 of these events an answer stood in the event itself.
            "dns.rrtype" | "dns.rdata" | "dns.ttl" => {
                if self.answers.is_empty() {
                    self.answers.push(Answer::default());
                }
                return self.answer(path.strip_prefix("dns").unwrap_or_default(), value);
            }
            "vlan[]" => {
                self.vlan_tags += u64::from(value == Value::Item);
                return;
            }
            _ => {
                if !is_known(path) && self.unknown.len() < MAX_UNKNOWN {
                    self.unknown.push(Cow::Owned(path.to_owned()));
                }
                return;
            }
        };
        self.row.set(field, value);
    }

    fn answer(&mut self, part: &str, value: Value<'a>) {
        if value == Value::Item && self.answers.len() < ANSWERS_MAX {
            self.answers.push(Answer::default());
        }
        let Some(answer) = self.answers.last_mut() else { return };
        match part {
            ".rrtype" => answer.kind = Some(value),
            ".rdata" => answer.data = Some(value),
            ".ttl" => answer.ttl = Some(value),
            _ => {}
        }
    }

    fn flow_id(&self) -> Option<Uid> {
        self.row.get(Field::Uid).and_then(Value::count).map(Uid::of_number)
    }

    /// The name that the event gives its flow.
    fn name(&self) -> Option<(Box<str>, NameSource)> {
        let named = [
            (Field::ServerName, NameSource::Sni, of_text as fn(&str) -> Option<Box<str>>),
            (Field::QuicServerName, NameSource::Quic, of_text),
            (Field::Host, NameSource::Host, of_host),
        ];
        named.into_iter().find_map(|(field, from, clean)| Some((clean(self.row.text(field)?)?, from)))
    }
}

/// Fields of flows that are known and not needed. Those of other events are not looked at.
fn is_known(path: &str) -> bool {
    const NAMES: [&str; 32] = [
        "in_iface",
        "pcap_cnt",
        "pcap_filename",
        "ip_v",
        "icmp_type",
        "icmp_code",
        "response_icmp_type",
        "response_icmp_code",
        "app_proto",
        "app_proto_ts",
        "app_proto_tc",
        "app_proto_orig",
        "app_proto_expected",
        "community_id",
        "host",
        "parent_id",
        "tx_id",
        "pkt_src",
        "capture_file",
        "tenant_id",
        "spi",
        "direction",
        "stream",
        "verdict",
        "payload",
        "packet",
        "log_level",
        "firewall_name",
        "availability_zone",
        "event_timestamp",
        "",
        "tx_guessed",
    ];
    const OBJECTS: [&str; 8] =
        ["flow.", "netflow.", "tcp.", "metadata.", "ether.", "tunnel.", "traffic.", "aws_category"];
    NAMES.contains(&path) || OBJECTS.iter().any(|object| path.starts_with(object))
}

impl Reading {
    fn event(&mut self, event: &Event<'_>, position: u64, batch: &mut Batch) -> Result<(), Skip> {
        match event.row.text(Field::Kind) {
            Some("flow") => {
                self.book.unknown(position, &event.unknown);
                if let Uniflows::Used = self.uniflows {
                    self.book
                        .coverage
                        .remark("`flow` events that came after thousands of `netflow` events were not used");
                    return Ok(());
                }
                self.uniflows = Uniflows::Repeated;
                let finished = self.flow(event, position)?;
                if let Some(flow) = event.flow_id() {
                    self.names.forget(flow);
                }
                self.keep(finished, batch);
            }
            Some("netflow") => {
                self.book.unknown(position, &event.unknown);
                if let Uniflows::Repeated = self.uniflows {
                    self.book.coverage.remark("`netflow` events repeat the `flow` events and were not used");
                    return Ok(());
                }
                let finished = self.uniflow(event, position)?;
                match &mut self.uniflows {
                    Uniflows::Held(held) if held.len() < HELD_MAX => held.push(finished),
                    Uniflows::Held(_) => {
                        self.use_uniflows(batch);
                        self.keep(finished, batch);
                    }
                    Uniflows::Used | Uniflows::Repeated => self.keep(finished, batch),
                }
            }
            Some("tls" | "quic" | "http") => {
                if let Some((flow, (text, from))) = event.flow_id().zip(event.name()) {
                    self.names.call(flow, &text, from);
                }
            }
            Some("dns") => self.answered(event),
            Some(other) => {
                if self.passed_over.len() < TYPES_MAX {
                    let is_name =
                        other.len() <= 32 && other.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
                    self.passed_over.insert(if is_name { other.to_owned() } else { "of strange types".to_owned() });
                }
            }
            None => return Err(Skip::MalformedLine),
        }
        self.count_given_up(position);
        Ok(())
    }

    fn count_given_up(&mut self, position: u64) {
        for _ in self.given_up..self.names.given_up() {
            self.book.coverage.caveat(Caveat::NameCrowdedOut, position, 0);
        }
        self.given_up = self.names.given_up();
    }

    fn use_uniflows(&mut self, batch: &mut Batch) {
        if let Uniflows::Held(held) = std::mem::replace(&mut self.uniflows, Uniflows::Used) {
            for finished in held {
                self.keep(finished, batch);
            }
        }
    }

    fn keep(&mut self, finished: Finished, batch: &mut Batch) {
        let Finished { mut draft, told, name, from_frames } = finished;
        if told == Told::No {
            self.book.guessed(&draft.record);
        }
        let record = &mut draft.record;
        if from_frames == FromFrames::Yes {
            let octets = record.forward.octets.saturating_add(record.reverse.octets);
            self.book.coverage.caveat(Caveat::LinkOctets, record.provenance.position(), octets);
        }
        if let Some((text, from)) = name.filter(|_| record.direction != BiflowDirection::ReverseInitiator) {
            give_name(record, &text, from, batch);
        }
        self.book.keep(&draft, batch);
    }

    /// A biflow, whose source is the side that Suricata takes for the client.
    fn flow(&self, event: &Event<'_>, position: u64) -> Result<Finished, Skip> {
        let mut draft = self.draft(event, position)?;
        let from_frames = without_links(&mut draft, event.vlan_tags);
        let flow = event.flow_id();
        let name = self.names.name(flow, &draft.record).map(|(text, from)| (text.into(), from));
        let flags = event.row.read(Field::ReverseTcpFlags, hexadecimal)?;
        let all_flags = event.row.read(Field::TcpFlags, hexadecimal)?.or(flags);
        end_of(&mut draft, event, all_flags);
        // Of these flags those of the client stand apart: SYN among them was sent by it.
        let has_hello = name.as_ref().is_some_and(|(_, from)| *from != NameSource::Dns);
        let opened_it = has_hello || flags.is_some_and(|flags| flags & 2 != 0);
        let told = if draft.record.protocol != Protocol::TCP || opened_it {
            draft.record.direction = BiflowDirection::Initiator;
            Told::Yes
        } else {
            draft.record.direction = opened(&draft.record, None).0;
            Told::No
        };
        Ok(Finished { draft, told, name, from_frames })
    }

    /// A direction of a flow.
    fn uniflow(&self, event: &Event<'_>, position: u64) -> Result<Finished, Skip> {
        let mut draft = self.draft(event, position)?;
        let from_frames = without_links(&mut draft, event.vlan_tags);
        draft.record.flags.set(FlowFlags::ONE_DIRECTION);
        let flags = event.row.read(Field::TcpFlags, hexadecimal)?;
        end_of(&mut draft, event, flags);
        let (direction, told) = opened(&draft.record, flags);
        draft.record.direction = direction;
        let flow = event.flow_id().filter(|_| direction == BiflowDirection::Initiator);
        let name = self.names.name(flow, &draft.record).map(|(text, from)| (text.into(), from));
        Ok(Finished { draft, told, name, from_frames })
    }

    fn draft(&self, event: &Event<'_>, position: u64) -> Result<Draft, Skip> {
        let mut draft = event.row.draft(Provenance::new(self.book.input, position))?;
        if is_icmp(draft.record.protocol) {
            (draft.record.sport, draft.record.dport) = (0, 0);
        }
        Ok(draft)
    }

    /// Takes what a client was told. Neighbours' names (multicast DNS, LLMNR) are left out, as in captures.
    fn answered(&mut self, event: &Event<'_>) {
        let row = &event.row;
        if !matches!(row.text(Field::Message), Some("answer" | "response")) {
            return;
        }
        let port = |field| row.get(field).and_then(Value::port);
        // Events of version 2 stand the way the question went, those of version 3 the way the packet did.
        let client = match (port(Field::SrcPort), port(Field::DstPort)) {
            (Some(DNS_PORT), Some(DNS_PORT)) => return,
            (_, Some(DNS_PORT)) => Field::Src,
            (Some(DNS_PORT), _) => Field::Dst,
            _ => return,
        };
        let client = row.get(client).and_then(Value::address);
        let time = row.get(Field::Logged).and_then(Value::time).map(|(time, _)| time);
        let query = row.text(Field::Query).and_then(of_text);
        let (Some(client), Some(time), Some(query)) = (client, time, query) else { return };
        let address = |answer: &Answer<'_>| {
            let is_address = matches!(answer.kind.as_ref()?.text()?, "A" | "AAAA");
            let ttl = answer.ttl.as_ref().and_then(Value::count).unwrap_or(0);
            let address = answer.data.as_ref()?.address().filter(|_| is_address)?;
            Some((address, u32::try_from(ttl).unwrap_or(u32::MAX)))
        };
        let addresses: Vec<(Addr, u32)> = event.answers.iter().filter_map(address).collect();
        self.names.tell(client, &query, &addresses, time);
    }
}

/// Why a flow ended: FIN or RST, or the state that they lead to.
fn end_of(draft: &mut Draft, event: &Event<'_>, flags: Option<u8>) {
    let closed = event.row.text(Field::State) == Some("closed");
    if draft.record.protocol == Protocol::TCP && (closed || flags.is_some_and(has_ended)) {
        draft.record.end_reason = FlowEndReason::EndOfFlow;
    }
}

/// TCP flags in two hexadecimal digits.
fn hexadecimal(value: &Value<'_>) -> Option<u8> {
    u8::from_str_radix(value.text()?, 16).ok()
}

/// Takes link-layer headers off the octets of frames, where they can be there.
fn without_links(draft: &mut Draft, vlan_tags: u64) -> FromFrames {
    let record = &mut draft.record;
    let ip_header: u64 = if record.src.is_v4() { 20 } else { 40 };
    let header = ETHERNET + VLAN_TAG.saturating_mul(vlan_tags.min(3));
    let fits = |sent: Counters| sent.octets >= (header + ip_header).saturating_mul(sent.packets);
    if !fits(record.forward) || !fits(record.reverse) {
        return FromFrames::No;
    }
    for sent in [&mut record.forward, &mut record.reverse] {
        sent.octets -= header * sent.packets;
    }
    FromFrames::Yes
}
