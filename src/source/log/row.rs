//! A row of a flow log: fields by their meaning, whatever the log calls them and in whichever order they stand.

use super::value::{Value, Zone};
use crate::model::{Addr, Counters, FlowFlags, FlowRecord, Protocol, Provenance, Skip, Timestamp};

/// What a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    Start,
    End,
    /// In seconds.
    Duration,
    Src,
    Dst,
    SrcPort,
    DstPort,
    /// By its name or number.
    Protocol,
    /// By its number, and before [`Field::Protocol`].
    ProtocolNumber,
    Packets,
    Octets,
    ReversePackets,
    ReverseOctets,
    Payload,
    ReversePayload,
    TcpFlags,
    ReverseTcpFlags,
    /// IE 89, forwardingStatus.
    Forwarding,
    /// Whether the counters are estimates from samples.
    Sampled,
    /// What kind of record it is.
    Kind,
    /// When it was written.
    Logged,
    /// What kind of message it tells of.
    Message,
    /// The sensor's name of the flow.
    Uid,
    State,
    History,
    Missed,
    Tunnel,
    Service,
    ServerName,
    QuicServerName,
    Host,
    Query,
    /// A list.
    Answers,
    /// A list.
    Ttls,
}

impl Field {
    const COUNT: usize = Self::Ttls as usize + 1;
}

/// What is known of the name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Field(Field),
    /// Known, and not needed.
    Ignored,
    Unknown,
}

/// The fields of a row that are set.
#[derive(Debug)]
pub(super) struct Row<'a> {
    values: [Option<Value<'a>>; Field::COUNT],
    pub(super) answers: Vec<Value<'a>>,
    pub(super) ttls: Vec<Value<'a>>,
}

impl Default for Row<'_> {
    fn default() -> Self {
        Self { values: std::array::from_fn(|_| None), answers: Vec::new(), ttls: Vec::new() }
    }
}

/// The most elements of a list that are read.
const MAX_LIST: usize = 1024;

impl<'a> Row<'a> {
    /// Sets a field. Of one that is there twice the first counts; elements of a list are added to it.
    pub(super) fn set(&mut self, field: Field, value: Value<'a>) {
        let list = match field {
            Field::Answers => &mut self.answers,
            Field::Ttls => &mut self.ttls,
            _ => {
                if let Some(slot) = self.values.get_mut(field as usize)
                    && value != Value::Item
                {
                    slot.get_or_insert(value);
                }
                return;
            }
        };
        if value != Value::Item && list.len() < MAX_LIST {
            list.push(value);
        }
    }

    pub(super) fn get(&self, field: Field) -> Option<&Value<'a>> {
        self.values.get(field as usize)?.as_ref()
    }

    pub(super) fn text(&self, field: Field) -> Option<&str> {
        self.get(field)?.text()
    }

    /// A field by how it is read; an error where it is set and cannot be read so.
    pub(super) fn read<T>(&self, field: Field, read: fn(&Value<'a>) -> Option<T>) -> Result<Option<T>, Skip> {
        self.get(field).map(|value| read(value).ok_or(Skip::MalformedLine)).transpose()
    }

    /// The record of a row, as far as fields that every log has say it: who opened it, payload and names are left.
    pub(super) fn draft(&self, provenance: Provenance) -> Result<Draft, Skip> {
        let protocol = match self.read(Field::ProtocolNumber, Value::protocol)? {
            Some(protocol) => protocol,
            None => self.read(Field::Protocol, Value::protocol)?.ok_or(Skip::MalformedLine)?,
        };
        self.draft_as(protocol, provenance)
    }

    /// [`Row::draft`] of a protocol that the row does not name.
    pub(super) fn draft_as(&self, protocol: Protocol, provenance: Provenance) -> Result<Draft, Skip> {
        let address = |field| self.read(field, Value::address)?.ok_or(Skip::NoAddress);
        let (src, dst): (Addr, Addr) = (address(Field::Src)?, address(Field::Dst)?);
        let (time, zone) = self.times()?;
        let mut record = FlowRecord::new(src, dst, protocol, Timestamp::default(), provenance);
        (record.start, record.end) = time.unwrap_or_default();
        let port = |field| Ok(self.read(field, Value::port)?.unwrap_or(0));
        if protocol.has_ports() {
            (record.sport, record.dport) = (port(Field::SrcPort)?, port(Field::DstPort)?);
        }
        record.flags.set(FlowFlags::PAYLOAD_UNKNOWN);
        let count = |field| self.read(field, Value::count);
        let (packets, octets) = (count(Field::Packets)?, count(Field::Octets)?);
        let (reverse_packets, reverse_octets) = (count(Field::ReversePackets)?, count(Field::ReverseOctets)?);
        record.forward = counters(packets, octets);
        record.reverse = counters(reverse_packets, reverse_octets);
        let is_counted = [packets, octets].iter().all(Option::is_some) || reverse_octets.unwrap_or(0) > 0;
        if !is_counted {
            record.flags.set(FlowFlags::COUNTERS_UNKNOWN);
        }
        Ok(Draft { record, has_time: time.is_some(), zone })
    }

    /// The first and the last packet, where the row says when; `None` too for what is not a time of any packet: zero.
    fn times(&self) -> Result<(Option<(Timestamp, Timestamp)>, Zone), Skip> {
        let mut zone = Zone::Known;
        let mut time = |field| -> Result<Option<Timestamp>, Skip> {
            // nfdump writes this where the flow exporter did not say.
            if self.text(field).is_some_and(|text| text.starts_with("0000-00-00")) {
                return Ok(None);
            }
            let Some((time, of)) = self.read(field, Value::time)? else { return Ok(None) };
            zone = if of == Zone::Unknown { of } else { zone };
            Ok((time != Timestamp::default()).then_some(time))
        };
        let (start, end) = (time(Field::Start)?, time(Field::End)?);
        let duration = self.read(Field::Duration, Value::seconds)?;
        let after = |start: Timestamp| Timestamp(start.0.saturating_add(duration.unwrap_or(0)));
        let time = match (start, end) {
            (Some(start), Some(end)) => Some((start, end)),
            (Some(start), None) => Some((start, after(start))),
            (None, Some(end)) => Some((end, end)),
            (None, None) => None,
        };
        if time.is_some_and(|(start, end)| start > end) {
            return Err(Skip::MalformedLine);
        }
        Ok((time, zone))
    }
}

fn counters(packets: Option<u64>, octets: Option<u64>) -> Counters {
    Counters { octets: octets.unwrap_or(0), packets: packets.unwrap_or(0), payload: 0 }
}

/// A record that is being made.
pub(super) struct Draft {
    pub(super) record: FlowRecord,
    pub(super) has_time: bool,
    pub(super) zone: Zone,
}

impl Draft {
    /// Takes what a sensor says of payload, as far as the IP octets can hold it: a count from sequence numbers can be far more
    /// than was seen (gaps, a packet that is not the connection's), or nothing where the stream was never followed. Payload
    /// that was there and is not in these octets is movement all the same.
    pub(super) fn believe(&mut self, payload: Option<u64>, reverse_payload: Option<u64>) -> Believed {
        let (Some(payload), Some(reverse_payload)) = (payload, reverse_payload) else { return Believed::No };
        let record = &mut self.record;
        if (payload == 0 && record.moved(record.forward)) || (reverse_payload == 0 && record.moved(record.reverse)) {
            return Believed::No;
        }
        let ip_header: u64 = if record.src.is_v4() { 20 } else { 40 };
        let held = |sent: Counters| sent.octets.saturating_sub(ip_header.saturating_mul(sent.packets));
        record.forward.payload = payload.min(held(record.forward));
        record.reverse.payload = reverse_payload.min(held(record.reverse));
        record.flags = FlowFlags(record.flags.0 & !FlowFlags::PAYLOAD_UNKNOWN.0);
        if payload > 0 && record.forward.payload == 0 {
            record.flags.set(FlowFlags::FORWARD_MOVED);
        }
        if reverse_payload > 0 && record.reverse.payload == 0 {
            record.flags.set(FlowFlags::REVERSE_MOVED);
        }
        let is_whole = (payload, reverse_payload) == (record.forward.payload, record.reverse.payload);
        if is_whole { Believed::Yes } else { Believed::InPart }
    }

    /// Marks a flow that crosses the observation point in one direction only, or of which the other is elsewhere.
    pub(super) fn is_one_direction(&mut self) {
        if self.record.reverse == Counters::default() {
            self.record.flags.set(FlowFlags::ONE_DIRECTION);
        }
    }
}

/// How far a count of payload was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Believed {
    Yes,
    InPart,
    /// Movement is told from IP octets.
    No,
}

/// The bits of TCP flags (RFC 9293 section 3.1) in a number, or in text such as `...AP.SF`, as nfdump and Suricata's
/// hexadecimal digits write them.
pub(super) fn tcp_flags(value: &Value<'_>) -> Option<u8> {
    const LETTERS: &[u8] = b"FSRPAUEC";
    let Some(text) = value.text() else { return u8::try_from(value.count()?).ok() };
    if let Some(digits) = text.strip_prefix("0x") {
        return u8::try_from(u32::from_str_radix(digits, 16).ok()? & 0xff).ok();
    }
    if text.bytes().all(|octet| octet.is_ascii_digit()) {
        return text.parse().ok();
    }
    text.bytes().try_fold(0, |flags, letter| {
        let bit = LETTERS.iter().position(|known| *known == letter);
        match (letter, bit) {
            (b'.', _) => Some(flags),
            (_, bit) => Some(flags | 1 << bit?),
        }
    })
}

/// Whether a protocol's flows are told apart by ICMP types instead of ports.
pub(super) fn is_icmp(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::ICMP | Protocol::ICMPV6)
}
