//! What was seen, what was not, and why.
//!
//! Nothing is skipped silently: what cannot be used is counted by reason, and the reasons add up. For a capture,
//! packets read = packets in flows + packets skipped.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::file_digest::FileDigest;
use super::flow::InputId;
use super::lack::Lack;
use super::mark::Mark;
use super::party::Asn;
use super::time::Timestamp;

/// How many, and how many octets they held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// How many packets, lines or records.
    pub count: u64,
    /// Their octets, as the source counts them.
    pub octets: u64,
}

impl Count {
    /// Counts one more.
    pub fn add(&mut self, octets: u64) {
        self.count += 1;
        self.octets = self.octets.saturating_add(octets);
    }

    /// Adds another count.
    pub fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.octets = self.octets.saturating_add(other.octets);
    }
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $code:literal, $sentence:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$item_doc])* #[serde(rename = $code)] $item,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$item),*];

            /// The stable code, as in the JSON report.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$item => $code,)* }
            }

            /// What happened, in a sentence for the report.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$item => $sentence,)* }
            }
        }
    };
}
pub(super) use reasons;

reasons! {
    /// Why a packet, line or record is in no flow.
    Skip {
        /// ARP, spanning tree and the like.
        NotIp = "not-ip", "link-layer traffic that is not IP (ARP, spanning tree and the like)";
        /// A link type that is not dissected.
        UnknownLinkType = "unknown-link-type", "frames of a link type that is not read";
        /// Shims between link and network layer that can carry IP.
        Encapsulated = "encapsulated", "frames whose encapsulation can carry IP and is not read";
        /// The capture ends before the IP header does.
        CutHeader = "cut-header", "frames cut before the end of the link or IP header";
        /// The IP header contradicts itself.
        BadHeader = "bad-header", "frames whose IP header is malformed";
        /// A frame of zero octets.
        EmptyFrame = "empty-frame", "frames of no octets";
        /// A pcapng block or pcap record that contradicts itself and was stepped over.
        BadBlock = "bad-block", "capture blocks that are malformed";
        /// A line that does not parse.
        MalformedLine = "malformed-line", "lines that are not a record of the format";
        /// A line that is longer than is read.
        LongLine = "long-line", "lines longer than the limit";
        /// A log record that says that there was no traffic.
        NoData = "no-data", "records that say that there was no traffic (NODATA)";
        /// A log record that says that records are missing.
        SkipData = "skip-data", "records that say that the flow log service lost records (SKIPDATA)";
        /// A record with the identifier and the content of one before.
        Repeated = "repeated", "records that repeat one before, identifier and all: counted once";
        /// A record without addresses.
        NoAddress = "no-address", "records without addresses";
        /// Flow telemetry whose template was never sent, or not kept.
        NoTemplate = "no-template", "sets of flow records whose template was not seen: how many flows and octets they held is not known";
        /// A datagram or message of flow telemetry that contradicts itself.
        BadMessage = "bad-message", "messages of flow telemetry that are malformed or cut: what follows the fault is not read";
        /// A datagram of a flow exporter for which there is no room.
        ExporterCrowdedOut = "exporter-crowded-out", "messages of flow exporters beyond the limit";
        /// A packet of a capture that is read for the flow telemetry in it.
        NotTelemetry = "not-telemetry", "packets that are not flow telemetry: the capture is read for the telemetry in it, and they are not metered";
        /// A flow record that says again what another has said.
        Duplicate = "duplicate", "flow records of packets that were metered at their ingress and at their egress: counted once";
        /// A file of an archive without the file that says what the inputs held.
        PartOfArchive = "part-of-archive", "files of an archive read without its `inputs.parquet`: what else the input held, and what of it could not be used, is not known";
    }
}

impl Skip {
    /// Whether traffic that a policy speaks of can hide behind this reason: then the audit is incomplete.
    pub const fn hides_traffic(self) -> bool {
        !matches!(
            self,
            Self::NotIp | Self::NoData | Self::EmptyFrame | Self::Repeated | Self::NotTelemetry | Self::Duplicate
        )
    }
}

reasons! {
    /// What limits the evidence of records that are in flows all the same.
    Caveat {
        /// Ports are unknown because the capture was cut.
        CutTransport = "cut-transport", "packets cut before their ports: counted in flows without ports";
        /// A fragment after the first, which was not seen before it.
        FragmentWithoutPorts = "fragment-without-ports", "later fragments whose first was not seen before them: counted in flows without ports";
        /// A fragment that says again what another has said, or something else.
        OverlappingFragment = "overlapping-fragment", "fragments that repeat or overlap an earlier one";
        /// A packet inside another.
        Tunnelled = "tunnelled", "packets inside tunnels: counted in flows of their own, beside those of the tunnel";
        /// A tunnel whose packets are not read.
        TunnelUnread = "tunnel-unread", "packets of tunnels whose inside is encrypted or not read: the tunnel is judged, what is in it is not";
        /// The capture holds less than was on the wire. Octets come from the IP header and are whole.
        Snapped = "snapped", "packets captured in part: octets come from the IP header, names may be missing";
        /// The packet is shorter than its own header says.
        ShortPacket = "short-packet", "packets shorter than their IP header says: octets as the header says";
        /// IP length zero: segmentation was left to the network card.
        OffloadedLength = "offloaded-length", "packets without a length in the IP header (segmentation offload): octets as captured";
        /// Time stamps that go backwards.
        ClockBackwards = "clock-backwards", "packets with an earlier time than the packet before";
        /// The same packet again, within a moment.
        DuplicatedPacket = "duplicated-packet", "packets that were captured twice, as by a mirror port that copies both ways: volumes are counted as captured";
        /// A TCP connection of which one direction was captured.
        OneSided = "one-sided", "tcp flows of which one direction alone was captured: what went the other way is not judged";
        /// An address that no machine has.
        BogonAddress = "bogon-address", "flows with an address that no machine can send from: malformed, forged or misread";
        /// An address that is private when read backwards.
        SwappedAddress = "swapped-address", "flows between addresses that are private when read backwards: whoever wrote them may have swapped their octets";
        /// The capture holds too little of packets for names.
        SnapShort = "snap-short", "flows whose first payload was not captured whole: names may be missing";
        /// No room to measure round-trip times.
        RoundTripCrowdedOut = "round-trip-crowded-out", "packets from which no round-trip time was measured for want of memory";
        /// Packets or records without a time.
        NoTime = "no-time", "packets or records without a time stamp";
        /// The sensor saw gaps.
        MissedOctets = "missed-octets", "flows of which the sensor missed octets: what they held was not seen";
        /// The flow table was full.
        Evicted = "evicted", "flows cut because the flow table was full";
        /// No first packet was seen.
        InitiatorGuessed = "initiator-guessed", "flows whose beginning was not seen: who opened them is told from ports, or unknown";
        /// The source counts no payload.
        PayloadEstimated = "payload-estimated", "flows without a payload count: movement is what exceeds the headers";
        /// The source counts neither octets nor packets.
        CountersUnknown = "counters-unknown", "flows without octet or packet counts: they are taken for movement of unknown volume";
        /// Nobody says whether packets were sampled.
        SamplingUnknown = "sampling-unknown", "flow records of which no flow exporter says whether packets were sampled: counted as they are";
        /// Counted before it was known that they were sampled.
        SampledBefore = "sampled-before", "flow records that came before their flow exporter said that it samples: counted as they are, which is too little";
        /// Octets without headers.
        PayloadOctets = "payload-octets", "flow records that count payload alone: headers are not in their octets";
        /// Octets with link-layer headers.
        LinkOctets = "link-octets", "flow records that count link-layer headers too: 14 octets a packet are taken off, and tags where the records tell of them";
        /// Octets and packets that whoever wrote the log has multiplied.
        ScaledAtSource = "scaled-at-source", "flow records whose counts the log's writer estimated from a sample of packets: flows of few packets can be missing";
        /// Counters that go on growing.
        TotalCounters = "total-counters", "flow records that count from the beginning of the flow: what was reported before is in them again";
        /// Another observation point tells of the same flow.
        SeenElsewhere = "seen-elsewhere", "flow records of flows that another observation point reports for the same time: counted at each";
        /// The log says that a flow was refused.
        Rejected = "rejected", "flows refused at the observation point: attempts, nothing moved";
        /// Unknown fields in a header line.
        UnknownField = "unknown-field", "fields that are not known and were ignored";
        /// An encrypted hello within a hello (RFC 9849), or what looks like one.
        OuterName = "outer-name", "hellos that hold an encrypted one, or seem to: the name that is read can be that of a front";
        /// A hello or request that is not whole.
        NameGivenUp = "name-given-up", "hellos and requests that were not seen whole: the flow has no name from them";
        /// No room for what is held of hellos, names and answers.
        NameCrowdedOut = "name-crowded-out", "names given up for want of memory";
        /// A name that none can be.
        NameRejected = "name-rejected", "hellos and requests whose name is malformed";
        /// The local side was taken to be the side that opened the flow.
        LocalAssumed = "local-assumed", "flows with no end in a local network: the initiator's side was taken as local";
    }
}

/// What was lost before we could read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Drops {
    /// Dropped by the kernel or the capture program for want of buffer (`ps_drop`, pcapng `isb_osdrop`).
    pub kernel: u64,
    /// Dropped by the interface (`ps_ifdrop`, pcapng `isb_ifdrop`).
    pub interface: u64,
}

/// What flow exporters had sent and we did not get, by their sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lost {
    /// Datagrams (`NetFlow` version 9, sFlow): how many flows were in them is not known.
    pub datagrams: u64,
    /// Flow records (`NetFlow` version 5, IPFIX).
    pub records: u64,
    /// Sampled packets that an sFlow agent had no room to send.
    pub samples: u64,
}

impl Lost {
    fn merge(&mut self, other: Self) {
        self.datagrams = self.datagrams.saturating_add(other.datagrams);
        self.records = self.records.saturating_add(other.records);
        self.samples = self.samples.saturating_add(other.samples);
    }
}

/// How packets were sampled before they were counted. Octets and packets of such records are estimates: what was counted,
/// times the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// The least interval of all records: one packet in so many.
    pub least: u32,
    /// The greatest.
    pub greatest: u32,
    /// The records with an interval of more than one, and their octets as scaled.
    pub records: Count,
}

impl Sampling {
    /// Adds what other records say.
    pub fn merge(&mut self, other: Self) {
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.records.merge(other.records);
    }

    /// Whether some packets were not looked at.
    pub const fn left_out(&self) -> bool {
        self.greatest > 1
    }

    /// The fewest packets of an exchange that would have been noticed with a probability of 95 %, at the greatest interval.
    ///
    /// A transfer of `n` packets of which each is looked at with the probability `1/N` is missed with the probability
    /// `(1 - 1/N)^n`: that is at most 5 % from `n = ln 0.05 / ln(1 - 1/N)` on.
    pub fn noticed_from(&self) -> u64 {
        if self.greatest <= 1 {
            return 1;
        }
        let missed = -1.0 / f64::from(self.greatest);
        (0.05_f64.ln() / missed.ln_1p()).ceil() as u64
    }
}

/// How many positions are kept with a reason: the first.
const MAX_POSITIONS: usize = 3;

/// A reason's count and the first places where it was met.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Occurrences {
    /// How many.
    #[serde(flatten)]
    pub total: Count,
    /// The first frames or lines, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<u64>,
}

impl Occurrences {
    fn add(&mut self, position: u64, count: Count) {
        self.total.merge(count);
        self.keep(position);
    }

    fn merge(&mut self, other: &Self) {
        self.total.merge(other.total);
        for position in &other.positions {
            self.keep(*position);
        }
    }

    fn keep(&mut self, position: u64) {
        let place = self.positions.partition_point(|kept| *kept <= position);
        if place < MAX_POSITIONS {
            self.positions.insert(place, position);
            self.positions.truncate(MAX_POSITIONS);
        }
    }
}

/// What one input held and what of it could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InputCoverage {
    /// The path, or the name of the interface.
    pub name: String,
    /// The format: `pcap`, `pcapng`, `aws-vpc-flow-logs`, `live`.
    pub kind: String,
    /// Packets, lines or records read.
    pub read: Count,
    /// Packets in flows, or records used. For captures, their IP octets.
    pub used: Count,
    /// The earliest time in the input.
    pub first: Option<Timestamp>,
    /// The latest time in the input.
    pub last: Option<Timestamp>,
    /// Link types by their number in the registry of the pcap format, with frames.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub link_types: BTreeMap<u32, u64>,
    /// What was not used, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<Skip, Occurrences>,
    /// What limits the evidence of what was used, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub caveats: BTreeMap<Caveat, Occurrences>,
    /// What the format cannot tell, whatever the input holds.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lacks: BTreeSet<Lack>,
    /// What the log says of records besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<Mark, Count>,
    /// Over how many seconds the longest record of a flow log adds up; zero where the input is none, or no record has a span.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub longest_window: u64,
    /// Ethernet types, IP versions and fields that were not understood, named once each, at most [`InputCoverage::MAX_NOTES`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub notes: BTreeSet<String>,
    /// What else is to be known of the whole input, a sentence each, at most [`InputCoverage::MAX_NOTES`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remarks: BTreeSet<String>,
    /// How many TCP flows packets were put together to, so that the share of those with a caveat of theirs can be told; zero
    /// where the input has flow records.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tcp_flows: u64,
    /// What was lost before the input was written, as the input says; `None` where it does not say.
    pub drops: Option<Drops>,
    /// What flow exporters had sent and was lost on the way; `None` where the format has no sequence numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// How packets were sampled; `None` where no record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// The autonomous systems between the ends of flows, as the routes of sFlow agents and exporters name them, with the
    /// records that crossed them: evidence of transit, never of where an end is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub transit: BTreeMap<Asn, Count>,
    /// The offset at which the input breaks off in the middle of a record.
    pub truncated_at: Option<u64>,
    /// Why reading ended before the end of the input.
    pub error: Option<String>,
    /// What names its content; `None` where that was not asked for, where it was not read to its end, and of what has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<FileDigest>,
}

impl InputCoverage {
    /// The most notes that an input keeps, and the most remarks.
    pub const MAX_NOTES: usize = 16;

    /// The most autonomous systems that an input keeps in [`InputCoverage::transit`].
    pub const MAX_TRANSIT: usize = 4096;

    /// Of nothing yet.
    pub fn new(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { name: name.into(), kind: kind.into(), ..Self::default() }
    }

    /// Of a format that cannot tell some things.
    #[must_use]
    pub fn lacking(mut self, lacks: &[Lack]) -> Self {
        self.lacks.extend(lacks);
        self
    }

    /// Counts what is not used. `position` is the frame or line, from one.
    pub fn skip(&mut self, reason: Skip, position: u64, octets: u64) {
        self.skip_all(reason, position, Count { count: 1, octets });
    }

    /// Counts several that are not used, all at one position.
    pub fn skip_all(&mut self, reason: Skip, position: u64, count: Count) {
        self.skipped.entry(reason).or_default().add(position, count);
    }

    /// Counts what is used with a limit to its evidence.
    pub fn caveat(&mut self, reason: Caveat, position: u64, octets: u64) {
        self.caveat_all(reason, position, Count { count: 1, octets });
    }

    /// Counts several that are used with a limit to their evidence, all at one position.
    pub fn caveat_all(&mut self, reason: Caveat, position: u64, count: Count) {
        self.caveats.entry(reason).or_default().add(position, count);
    }

    /// Counts traffic that crossed an autonomous system on its way, by the routes of whoever reports it.
    pub fn crossed(&mut self, system: Asn, octets: u64) {
        self.transit.entry(system).or_default().add(octets);
        self.bound_transit();
    }

    /// The smallest numbers are kept, so that the order of what is merged means nothing.
    fn bound_transit(&mut self) {
        while self.transit.len() > Self::MAX_TRANSIT {
            self.transit.pop_last();
            self.note("more autonomous systems on the way than are kept");
        }
    }

    /// Names something that was not understood, once. The smallest few are kept, so that the order means nothing.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.insert(text.into());
        if self.notes.len() > Self::MAX_NOTES {
            self.notes.pop_last();
        }
    }

    /// Says what is to be known of the whole input, once. The smallest few are kept, as of notes.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.remarks.insert(text.into());
        if self.remarks.len() > Self::MAX_NOTES {
            self.remarks.pop_last();
        }
    }

    /// Takes note of a time in the input.
    pub fn saw(&mut self, time: Timestamp) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }

    /// Whether everything that the input held could be judged.
    pub fn is_complete(&self) -> bool {
        let drops = self.drops.unwrap_or_default();
        self.truncated_at.is_none()
            && self.error.is_none()
            && drops == Drops::default()
            && self.lost.unwrap_or_default() == Lost::default()
            && !self.sampling.is_some_and(|sampling| sampling.left_out())
            && !self.skipped.keys().any(|skip| skip.hides_traffic())
    }

    /// Adds the coverage of another part of the same input.
    pub fn merge(&mut self, other: Self) {
        if self.name.is_empty() {
            (self.name, self.kind) = (other.name, other.kind);
        }
        self.read.merge(other.read);
        self.used.merge(other.used);
        self.tcp_flows += other.tcp_flows;
        for time in [other.first, other.last].into_iter().flatten() {
            self.saw(time);
        }
        for (link_type, frames) in other.link_types {
            let known = self.link_types.entry(link_type).or_default();
            *known = known.saturating_add(frames);
        }
        for (reason, count) in other.skipped {
            self.skipped.entry(reason).or_default().merge(&count);
        }
        for (reason, count) in other.caveats {
            self.caveats.entry(reason).or_default().merge(&count);
        }
        self.lacks.extend(other.lacks);
        for (mark, count) in other.marks {
            self.marks.entry(mark).or_default().merge(count);
        }
        self.longest_window = self.longest_window.max(other.longest_window);
        for note in other.notes {
            self.note(note);
        }
        for remark in other.remarks {
            self.remark(remark);
        }
        if let Some(drops) = other.drops {
            let mine = self.drops.get_or_insert_default();
            mine.kernel = mine.kernel.saturating_add(drops.kernel);
            mine.interface = mine.interface.saturating_add(drops.interface);
        }
        if let Some(lost) = other.lost {
            self.lost.get_or_insert_default().merge(lost);
        }
        if let Some(sampling) = other.sampling {
            match &mut self.sampling {
                Some(mine) => mine.merge(sampling),
                None => self.sampling = Some(sampling),
            }
        }
        for (system, count) in other.transit {
            self.transit.entry(system).or_default().merge(count);
        }
        self.bound_transit();
        self.truncated_at = self.truncated_at.into_iter().chain(other.truncated_at).min();
        self.error = self.error.take().into_iter().chain(other.error).min();
        self.digest = self.digest.take().into_iter().chain(other.digest).min();
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What every input held and what could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Coverage {
    /// The inputs, in the order of the plan.
    pub inputs: BTreeMap<InputId, InputCoverage>,
}

impl Coverage {
    /// The coverage of one input.
    pub fn of(id: InputId, input: InputCoverage) -> Self {
        Self { inputs: BTreeMap::from([(id, input)]) }
    }

    /// Adds other coverage.
    pub fn merge(&mut self, other: Self) {
        for (id, input) in other.inputs {
            self.inputs.entry(id).or_default().merge(input);
        }
    }

    /// Whether everything could be judged.
    pub fn is_complete(&self) -> bool {
        self.inputs.values().all(InputCoverage::is_complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the table of probabilities `1 - (1 - 1/N)^n` for 1:1000: 10 packets 1.0 %, 1000 packets 63.2 %, 3000 packets 95.0 %.
    #[test]
    fn small_exchanges_can_be_missed() {
        let sampled = |greatest| Sampling { least: 1, greatest, records: Count::default() };
        assert_eq!(sampled(1).noticed_from(), 1);
        // 0.5^4 = 6.25 %, 0.5^5 = 3.1 %.
        assert_eq!(sampled(2).noticed_from(), 5);
        // 0.9^28 = 5.2 %, 0.9^29 = 4.7 %.
        assert_eq!(sampled(10).noticed_from(), 29);
        assert_eq!(sampled(1000).noticed_from(), 2995);
    }
}
