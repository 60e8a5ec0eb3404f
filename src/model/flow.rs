//! Flow records in the words of RFC 7011, RFC 7012 and RFC 5103.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::addr::Addr;
use super::protocol::Protocol;
use super::time::Timestamp;
use super::tunnel::{Inner, Outer, Tunnel};

/// What the source and destination of a record stand for (IE 239, RFC 5103 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BiflowDirection {
    /// Not known who opened the conversation.
    Arbitrary = 0,
    /// The source opened the conversation.
    Initiator = 1,
    /// The destination opened the conversation.
    ReverseInitiator = 2,
    /// The source is outside a perimeter.
    Perimeter = 3,
}

/// Why a flow record ended (IE 136).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FlowEndReason {
    /// No packet for the idle timeout, or the source does not say why.
    IdleTimeout = 1,
    /// Cut after the active timeout while it went on.
    ActiveTimeout = 2,
    /// FIN or RST was seen.
    EndOfFlow = 3,
    /// The input ended or metering was stopped.
    ForcedEnd = 4,
    /// Evicted because the flow table was full.
    LackOfResources = 5,
}

impl FlowEndReason {
    /// The name of the value in IE 136, in kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::IdleTimeout => "idle-timeout",
            Self::ActiveTimeout => "active-timeout",
            Self::EndOfFlow => "end-of-flow",
            Self::ForcedEnd => "forced-end",
            Self::LackOfResources => "lack-of-resources",
        }
    }
}

/// What one direction carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Counters {
    /// IP octets: the IP header and all that follows, every fragment (IE 1, octetDeltaCount).
    pub octets: u64,
    /// Packets (IE 2, packetDeltaCount).
    pub packets: u64,
    /// Octets of transport payload; zero where [`FlowFlags::PAYLOAD_UNKNOWN`] is set.
    pub payload: u64,
}

impl Counters {
    /// Adds another count; saturates rather than wraps.
    pub fn add(&mut self, other: Self) {
        self.octets = self.octets.saturating_add(other.octets);
        self.packets = self.packets.saturating_add(other.packets);
        self.payload = self.payload.saturating_add(other.payload);
    }
}

/// Which input a record came from, in the order of the plan: sorted, so that it does not depend on threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InputId(pub u32);

/// Where a record was read, so that an auditor can go and look: an input, and in a capture the number of the flow's first
/// frame, in a log the number of the line or, where it is an array, of the element, in a table that of the row; all counted
/// from one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provenance(u64);

impl Provenance {
    const POSITION_BITS: u32 = 40;

    /// The most inputs that one audit can tell apart.
    pub const MAX_INPUTS: u32 = 1 << (64 - Self::POSITION_BITS);

    /// A position in an input; positions past 2^40 are kept as 2^40.
    pub const fn new(input: InputId, position: u64) -> Self {
        let last = (1 << Self::POSITION_BITS) - 1;
        let position = if position > last { last } else { position };
        Self((input.0 as u64) << Self::POSITION_BITS | position)
    }

    /// The input.
    pub const fn input(self) -> InputId {
        InputId((self.0 >> Self::POSITION_BITS) as u32)
    }

    /// The frame or line, counted from one.
    pub const fn position(self) -> u64 {
        self.0 & ((1 << Self::POSITION_BITS) - 1)
    }
}

impl fmt::Debug for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.input().0, self.position())
    }
}

/// What else is known of a flow record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowFlags(pub u8);

impl FlowFlags {
    /// The source carries no payload octets: movement is told from IP octets ([`FlowRecord::moved`]).
    pub const PAYLOAD_UNKNOWN: Self = Self(1);
    /// The source reports each direction in a record of its own: an empty reverse says nothing.
    pub const ONE_DIRECTION: Self = Self(1 << 1);
    /// The flow was rejected at the observation point: an attempt, nothing crossed.
    pub const REJECTED: Self = Self(1 << 2);
    /// The record is of a tunnel's outer header, and every packet in it was read and is in a record of its own
    /// ([`FlowRecord::outer`]).
    pub const INSIDE_COUNTED: Self = Self(1 << 3);
    /// The source says that there was traffic and not how much: an empty forward direction is not empty
    /// ([`Uniflow::is_empty`]) and counts as movement ([`Uniflow::moved`]).
    pub const COUNTERS_UNKNOWN: Self = Self(1 << 4);
    /// The source has sent payload in an earlier record of the same flow and none in this one: what else it sends belongs
    /// to that movement.
    pub const FORWARD_MOVED: Self = Self(1 << 5);
    /// The same of the destination.
    pub const REVERSE_MOVED: Self = Self(1 << 6);
    /// The source says that the flow began, and counts it in later records: an empty forward direction is contact
    /// ([`Uniflow::is_empty`]) and no movement.
    pub const BEGUN: Self = Self(1 << 7);

    /// Whether all of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets `other`.
    pub const fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// One packet in so many was sampled (IE 34).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SamplingInterval([u8; 3]);

impl SamplingInterval {
    /// All were seen.
    pub const ALL_SEEN: Self = Self([0, 0, 1]);
    /// The largest interval that a record can say: the counters of hardware that samples have 24 bits.
    pub const MAX: u32 = (1 << 24) - 1;

    /// An interval; `None` for zero and for more than [`SamplingInterval::MAX`].
    pub const fn new(interval: u32) -> Option<Self> {
        let [high, a, b, c] = interval.to_be_bytes();
        if high != 0 || interval == 0 { None } else { Some(Self([a, b, c])) }
    }

    /// The interval.
    pub const fn get(self) -> u32 {
        let Self([a, b, c]) = self;
        u32::from_be_bytes([0, a, b, c])
    }
}

/// The least round-trip time from the observation point to an endpoint and back, and of how many clean samples it is the
/// least.
///
/// Packed, since every record holds two: microseconds in 24 bits and samples in 8. Both stop at their greatest value: a
/// least time of [`RoundTrip::MAX_US`] stands for that and more, [`RoundTrip::MAX_SAMPLES`] samples for that many and more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RoundTrip(u32);

impl RoundTrip {
    const SAMPLE_BITS: u32 = 8;

    /// Not measured.
    pub const UNMEASURED: Self = Self(0);
    /// The greatest time that is told, in microseconds: about 17 seconds.
    pub const MAX_US: u32 = (1 << 24) - 1;
    /// The greatest number of samples that is told.
    pub const MAX_SAMPLES: u8 = u8::MAX;

    /// The least of `samples` times; `None` for a time of zero, which nothing answers in, and where there is no sample.
    pub const fn new(least_us: u32, samples: u8) -> Option<Self> {
        if least_us == 0 || samples == 0 {
            return None;
        }
        let least = if least_us > Self::MAX_US { Self::MAX_US } else { least_us };
        Some(Self(least << Self::SAMPLE_BITS | samples as u32))
    }

    /// The least time in microseconds; `None` where it was not measured.
    pub const fn least_us(self) -> Option<u32> {
        match self.0 >> Self::SAMPLE_BITS {
            0 => None,
            least => Some(least),
        }
    }

    /// How many clean samples there were.
    pub const fn samples(self) -> u8 {
        self.0 as u8
    }

    /// Adds another measurement of the same endpoint: the least of both, of all their samples.
    pub fn merge(&mut self, other: Self) {
        let least = match (self.least_us(), other.least_us()) {
            (Some(one), Some(another)) => one.min(another),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return,
        };
        *self = Self(least << Self::SAMPLE_BITS | u32::from(self.samples().saturating_add(other.samples())));
    }
}

impl fmt::Debug for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least_us() {
            Some(least) => write!(f, "{least}us/{}", self.samples()),
            None => f.write_str("unmeasured"),
        }
    }
}

/// A name in the [`Batch`] that carries the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(NonZeroU32);

/// How a far end was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameSource {
    /// Server name indication of a TLS handshake (RFC 6066).
    Sni,
    /// Server name indication in a QUIC Initial packet (RFC 9001).
    Quic,
    /// An answer of the domain name system that the client had received.
    Dns,
    /// The `Host` of an HTTP request.
    Host,
    /// As [`NameSource::Sni`], in a hello that holds an encrypted one (RFC 9849) or what looks like one: the name can be that
    /// of a front. Browsers put what looks like one into every hello, so that nobody can tell.
    OuterSni,
    /// As [`NameSource::Quic`], in such a hello.
    OuterQuic,
    /// A name in the certificate that the server sent in clear, up to TLS 1.2: its own word, of a flow without a server name.
    Certificate,
}

/// A name and the evidence for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// The name in lower case, without a final dot.
    pub text: Box<str>,
    /// How it was seen.
    pub from: NameSource,
}

/// A flow record: a biflow (RFC 5103), or a uniflow where the source reports no more.
///
/// It stays within two cache lines, and holds nothing that must be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// Source address: the initiator's where `direction` says so.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// The first packet.
    pub start: Timestamp,
    /// The last packet.
    pub end: Timestamp,
    /// What the source sent.
    pub forward: Counters,
    /// What the destination sent.
    pub reverse: Counters,
    /// Where it was read.
    pub provenance: Provenance,
    /// The round-trip time from the observation point to the source and back.
    pub src_rtt: RoundTrip,
    /// The round-trip time from the observation point to the destination and back.
    pub dst_rtt: RoundTrip,
    /// How many packets one that was seen stands for.
    pub sampling_interval: SamplingInterval,
    /// The name by which the destination was asked for.
    pub name: Option<NameId>,
    /// Source port, zero where the protocol has none.
    pub sport: u16,
    /// Destination port, zero where the protocol has none.
    pub dport: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// Who opened the conversation.
    pub direction: BiflowDirection,
    /// Why the record ended.
    pub end_reason: FlowEndReason,
    /// What it is a tunnel of.
    pub tunnel: Tunnel,
    /// What else is known.
    pub flags: FlowFlags,
}

const _: () = assert!(size_of::<FlowRecord>() == 128, "a flow record is two cache lines");

impl FlowRecord {
    /// A record of nothing yet: both directions empty, initiator unknown, all packets seen.
    pub const fn new(src: Addr, dst: Addr, protocol: Protocol, start: Timestamp, provenance: Provenance) -> Self {
        Self {
            src,
            dst,
            start,
            end: start,
            forward: Counters { octets: 0, packets: 0, payload: 0 },
            reverse: Counters { octets: 0, packets: 0, payload: 0 },
            provenance,
            src_rtt: RoundTrip::UNMEASURED,
            dst_rtt: RoundTrip::UNMEASURED,
            sampling_interval: SamplingInterval::ALL_SEEN,
            name: None,
            sport: 0,
            dport: 0,
            protocol,
            direction: BiflowDirection::Arbitrary,
            end_reason: FlowEndReason::IdleTimeout,
            tunnel: Tunnel::None,
            flags: FlowFlags(0),
        }
    }

    /// What the record counts where it is of a tunnel's outer header.
    pub fn outer(&self) -> Option<Outer> {
        let inside = if self.flags.has(FlowFlags::INSIDE_COUNTED) { Inner::Counted } else { Inner::Unread };
        (self.tunnel != Tunnel::None).then_some(Outer { kind: self.tunnel, inside })
    }

    /// The two directions: what the source sent, and what the destination sent.
    pub fn uniflows(&self) -> [Uniflow<'_>; 2] {
        let forward = Uniflow {
            record: self,
            from: self.src,
            to: self.dst,
            sent: self.forward,
            to_rtt: self.dst_rtt,
            opened: self.opened(true),
            uncounted: self.flags.has(FlowFlags::COUNTERS_UNKNOWN),
            begun: self.flags.has(FlowFlags::BEGUN),
            goes_on: self.flags.has(FlowFlags::FORWARD_MOVED),
        };
        let reverse = Uniflow {
            record: self,
            from: self.dst,
            to: self.src,
            sent: self.reverse,
            to_rtt: self.src_rtt,
            opened: self.opened(false),
            uncounted: false,
            begun: false,
            goes_on: self.flags.has(FlowFlags::REVERSE_MOVED),
        };
        [forward, reverse]
    }

    fn opened(&self, by_source: bool) -> Option<bool> {
        match self.direction {
            BiflowDirection::Initiator => Some(by_source),
            BiflowDirection::ReverseInitiator => Some(!by_source),
            BiflowDirection::Arbitrary | BiflowDirection::Perimeter => None,
        }
    }

    /// Whether payload moved in a direction that carried `sent`.
    ///
    /// Where the source counts payload, one octet is enough. Where it counts IP octets alone, payload is what exceeds
    /// the headers: for UDP and ICMP their fixed headers; for TCP 20 octets with 12 of timestamp option on every packet
    /// and 8 more for handshake options on the first six (RFC 9293, RFC 7323), so that an unanswered probe is contact
    /// and payload beyond 48 octets is movement. Where packets were sampled, the counters are scaled, and so are the first
    /// six packets. A rejected flow moved nothing.
    pub fn moved(&self, sent: Counters) -> bool {
        if self.flags.has(FlowFlags::REJECTED) {
            return false;
        }
        if !self.flags.has(FlowFlags::PAYLOAD_UNKNOWN) {
            return sent.payload > 0;
        }
        let ip_header: u64 = if self.src.is_v4() { 20 } else { 40 };
        let headers = match self.protocol {
            Protocol::TCP => {
                let first = sent.packets.min(6 * u64::from(self.sampling_interval.get()));
                (ip_header + 32).saturating_mul(sent.packets).saturating_add(8 * first)
            }
            Protocol::UDP | Protocol::ICMP | Protocol::ICMPV6 => (ip_header + 8).saturating_mul(sent.packets),
            _ => ip_header.saturating_mul(sent.packets),
        };
        sent.octets > headers
    }
}

/// One direction of a biflow: who sent how much to whom (RFC 5103). This is what a policy judges.
#[derive(Clone, Copy, Debug)]
pub struct Uniflow<'a> {
    /// The record that it is a direction of.
    pub record: &'a FlowRecord,
    /// The sender.
    pub from: Addr,
    /// The receiver.
    pub to: Addr,
    /// What was sent.
    pub sent: Counters,
    /// The round-trip time from the observation point to the receiver and back.
    pub to_rtt: RoundTrip,
    /// Whether the sender opened the conversation; `None` where that is not known.
    pub opened: Option<bool>,
    /// Something was sent, and the source does not say how much.
    uncounted: bool,
    /// Something was sent, and is counted in another record.
    begun: bool,
    /// Payload moved in an earlier record of the flow.
    goes_on: bool,
}

impl Uniflow<'_> {
    /// Whether payload moved in this direction. Where the source does not count, it did: unknown never passes.
    pub fn moved(&self) -> bool {
        if self.uncounted || self.goes_on {
            !self.record.flags.has(FlowFlags::REJECTED)
        } else {
            self.record.moved(self.sent)
        }
    }

    /// Whether nothing was seen in this direction.
    pub fn is_empty(&self) -> bool {
        self.sent == Counters::default() && !self.uncounted && !self.begun
    }
}

/// Flow records on their way, with the names that they refer to.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records.
    pub records: Vec<FlowRecord>,
    names: Vec<Name>,
    origins: BTreeMap<InputId, Box<str>>,
}

impl Batch {
    /// Adds a name for records of this batch.
    pub fn add_name(&mut self, name: Name) -> NameId {
        self.names.push(name);
        let count = u32::try_from(self.names.len()).ok().and_then(NonZeroU32::new);
        NameId(count.unwrap_or(NonZeroU32::MAX))
    }

    /// The name of a record of this batch.
    pub fn name(&self, id: NameId) -> Option<&Name> {
        self.names.get(id.0.get() as usize - 1)
    }

    /// Names an input that records of this batch come from, where it is another than the one that is read: records in an
    /// archive are of those that it was made of.
    pub fn add_origin(&mut self, id: InputId, name: &str) {
        self.origins.entry(id).or_insert_with(|| name.into());
    }

    /// The name of an input that records come from, where it is another than the one that is read.
    pub fn origin(&self, id: InputId) -> Option<&str> {
        self.origins.get(&id).map(|name| &**name)
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.names.clear();
        self.origins.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(protocol: Protocol) -> FlowRecord {
        let mut record = FlowRecord::new(
            Addr::v4([192, 0, 2, 1]),
            Addr::v4([198, 51, 100, 1]),
            protocol,
            Timestamp(0),
            Provenance::new(InputId(0), 1),
        );
        record.flags.set(FlowFlags::PAYLOAD_UNKNOWN);
        record
    }

    #[test]
    fn contact_is_told_from_movement_by_headers() {
        let sent = |packets, octets| Counters { octets, packets, payload: 0 };
        let tcp = record(Protocol::TCP);
        assert!(!tcp.moved(sent(1, 60)), "a SYN with all its options");
        assert!(!tcp.moved(sent(2, 60 + 52)), "SYN and ACK");
        assert!(tcp.moved(sent(12, 60 + 11 * 52 + 100)), "100 octets among acknowledgements");
        let udp = record(Protocol::UDP);
        assert!(!udp.moved(sent(1, 28)) && udp.moved(sent(1, 29)));
        let mut sampled = tcp;
        sampled.sampling_interval = SamplingInterval::new(1000).unwrap();
        assert!(!sampled.moved(sent(1000, 60_000)), "a SYN that stands for a thousand");
        assert!(sampled.moved(sent(1000, 60_001)));
        let mut rejected = udp;
        rejected.flags.set(FlowFlags::REJECTED);
        assert!(!rejected.moved(sent(1, 1000)));
    }

    #[test]
    fn what_is_not_counted_is_movement() {
        let mut uncounted = record(Protocol::TCP);
        assert!(uncounted.uniflows().iter().all(|uniflow| uniflow.is_empty() && !uniflow.moved()));
        uncounted.flags.set(FlowFlags::COUNTERS_UNKNOWN);
        assert_eq!(
            uncounted.uniflows().map(|uniflow| (uniflow.is_empty(), uniflow.moved())),
            [(false, true), (true, false)]
        );
        let mut begun = record(Protocol::TCP);
        begun.flags.set(FlowFlags::BEGUN);
        assert_eq!(
            begun.uniflows().map(|uniflow| (uniflow.is_empty(), uniflow.moved())),
            [(false, false), (true, false)]
        );
        uncounted.flags.set(FlowFlags::REJECTED);
        assert_eq!(
            uncounted.uniflows().map(|uniflow| (uniflow.is_empty(), uniflow.moved())),
            [(false, false), (true, false)]
        );
    }

    #[test]
    fn round_trips_fold_into_their_least() {
        assert_eq!((RoundTrip::new(0, 1), RoundTrip::new(5, 0)), (None, None));
        let told = |rtt: RoundTrip| (rtt.least_us(), rtt.samples());
        let mut rtt = RoundTrip::UNMEASURED;
        assert_eq!(told(rtt), (None, 0));
        rtt.merge(RoundTrip::UNMEASURED);
        assert_eq!(rtt, RoundTrip::UNMEASURED);
        for (least, samples) in [(900, 1), (4_000, 250), (1_200, 9)] {
            rtt.merge(RoundTrip::new(least, samples).unwrap());
            rtt.merge(RoundTrip::UNMEASURED);
        }
        assert_eq!(told(rtt), (Some(900), 255));
        assert_eq!(RoundTrip::new(u32::MAX, 3).map(told), Some((Some(16_777_215), 3)));
    }

    #[test]
    fn provenance_keeps_both_parts() {
        let provenance = Provenance::new(InputId(Provenance::MAX_INPUTS - 1), (1 << 40) - 1);
        assert_eq!((provenance.input().0, provenance.position()), (Provenance::MAX_INPUTS - 1, (1 << 40) - 1));
        assert_eq!(Provenance::new(InputId(7), u64::MAX).input(), InputId(7));
    }
}
