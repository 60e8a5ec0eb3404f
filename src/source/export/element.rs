//! Information elements: which of them a flow record is made of.
//!
//! Numbers are those of the IANA registry "IP Flow Information Export (IPFIX) Entities", of which those below 128 are also
//! the field types of `NetFlow` version 9 (RFC 3954 section 8).

/// The enterprise number of reverse elements (RFC 5103 section 6.1).
const REVERSE: u32 = 29_305;

macro_rules! slots {
    ($($(#[$doc:meta])* $slot:ident,)*) => {
        /// Where the value of an element is kept while a record is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Slot { $($(#[$doc])* $slot,)* }

        impl Slot {
            /// How many there are.
            pub(super) const COUNT: usize = [$(Self::$slot),*].len();
        }
    };
}

slots! {
    Src4, Dst4, Src6, Dst6,
    /// Ports and protocol.
    SrcPort, DstPort, Protocol, TcpFlags,
    /// Type and code, as in the second half of a `NetFlow` destination port; or the type alone.
    IcmpTypeCode, IcmpType,
    /// Counters since the last report, and since the flow began.
    Octets, Packets, TotalOctets, TotalPackets,
    /// After a middlebox; in version 9 the counters of egress metering.
    PostOctets, PostPackets,
    /// With link-layer headers.
    LinkOctets,
    /// Transport payload by who opened the conversation.
    InitiatorOctets, ResponderOctets, InitiatorPackets, ResponderPackets,
    /// The other direction (RFC 5103).
    ReverseOctets, ReversePackets, ReverseTotalOctets, ReverseTotalPackets, ReverseLinkOctets, ReverseStartMs, ReverseEndMs,
    /// Times: milliseconds of the exporter's uptime, seconds and milliseconds of the epoch, NTP, microseconds before export.
    StartUptime, EndUptime, StartSecs, EndSecs, StartMs, EndMs, StartMicros, EndMicros, StartNanos, EndNanos, StartDelta,
    EndDelta, ObservedSecs, ObservedMs, ObservedMicros, ObservedNanos, DurationMs, DurationMicros, InitTime,
    /// Where it was seen and what became of it.
    Ingress, Egress, Direction, BiflowDirection, EndReason, Forwarding, Firewall, NextAs,
    /// Sampling.
    Interval, SamplerId, TemplateId, RandomInterval, SelectorId, PacketInterval, PacketSpace, SampleSize, Population, Probability,
    /// Parts of sampled packets.
    FrameSize, IpSection, LinkSection,
}

/// Which version of the protocol a template is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Nine,
    Ipfix,
}

/// Where the value of an element is kept; `None` for those that are not needed, and those that are not known.
pub(super) fn slot(version: Version, enterprise: Option<u32>, id: u16) -> Option<Slot> {
    match enterprise {
        None => of_iana(version, id),
        Some(REVERSE) => reverse(id),
        Some(_) => None,
    }
}

fn of_iana(version: Version, id: u16) -> Option<Slot> {
    Some(match id {
        1 => Slot::Octets,
        2 => Slot::Packets,
        4 => Slot::Protocol,
        6 => Slot::TcpFlags,
        7 | 180 | 182 => Slot::SrcPort,
        8 => Slot::Src4,
        10 => Slot::Ingress,
        11 | 181 | 183 => Slot::DstPort,
        12 => Slot::Dst4,
        14 => Slot::Egress,
        21 => Slot::EndUptime,
        22 => Slot::StartUptime,
        23 => Slot::PostOctets,
        24 => Slot::PostPackets,
        27 => Slot::Src6,
        28 => Slot::Dst6,
        32 | 139 => Slot::IcmpTypeCode,
        34 => Slot::Interval,
        48 => Slot::SamplerId,
        50 => Slot::RandomInterval,
        61 => Slot::Direction,
        85 => Slot::TotalOctets,
        86 => Slot::TotalPackets,
        89 => Slot::Forwarding,
        128 => Slot::NextAs,
        145 => Slot::TemplateId,
        136 => Slot::EndReason,
        150 => Slot::StartSecs,
        151 => Slot::EndSecs,
        152 => Slot::StartMs,
        153 => Slot::EndMs,
        154 => Slot::StartMicros,
        155 => Slot::EndMicros,
        156 => Slot::StartNanos,
        157 => Slot::EndNanos,
        158 => Slot::StartDelta,
        159 => Slot::EndDelta,
        160 => Slot::InitTime,
        161 => Slot::DurationMs,
        162 => Slot::DurationMicros,
        176 | 178 => Slot::IcmpType,
        231 => Slot::InitiatorOctets,
        232 => Slot::ResponderOctets,
        233 => Slot::Firewall,
        239 => Slot::BiflowDirection,
        298 => Slot::InitiatorPackets,
        299 => Slot::ResponderPackets,
        302 => Slot::SelectorId,
        305 => Slot::PacketInterval,
        306 => Slot::PacketSpace,
        309 => Slot::SampleSize,
        310 => Slot::Population,
        311 => Slot::Probability,
        312 => Slot::FrameSize,
        313 => Slot::IpSection,
        315 => Slot::LinkSection,
        322 => Slot::ObservedSecs,
        323 => Slot::ObservedMs,
        324 => Slot::ObservedMicros,
        325 => Slot::ObservedNanos,
        352 => Slot::LinkOctets,
        // The firewall event of Cisco ASA before it had a number of its own.
        40_005 if version == Version::Nine => Slot::Firewall,
        _ => return None,
    })
}

fn reverse(id: u16) -> Option<Slot> {
    Some(match id {
        1 => Slot::ReverseOctets,
        2 => Slot::ReversePackets,
        85 => Slot::ReverseTotalOctets,
        86 => Slot::ReverseTotalPackets,
        152 => Slot::ReverseStartMs,
        153 => Slot::ReverseEndMs,
        352 => Slot::ReverseLinkOctets,
        _ => return None,
    })
}

/// The scope of a version 9 options template (RFC 3954 section 6.1): of its types only interfaces and templates tell
/// samplers apart.
pub(super) fn scope_of_nine(id: u16) -> Option<Slot> {
    match id {
        2 => Some(Slot::Ingress),
        5 => Some(Slot::TemplateId),
        _ => None,
    }
}
