//! Transport protocols by their numbers (IANA, Assigned Internet Protocol Numbers).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An IANA protocol number (IE 4, protocolIdentifier).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Internet Control Message Protocol, RFC 792.
    pub const ICMP: Self = Self(1);
    /// Transmission Control Protocol, RFC 9293.
    pub const TCP: Self = Self(6);
    /// User Datagram Protocol, RFC 768.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6, RFC 4443.
    pub const ICMPV6: Self = Self(58);
    /// Stream Control Transmission Protocol, RFC 9260.
    pub const SCTP: Self = Self(132);

    const NAMES: [(u8, &'static str); 19] = [
        (1, "icmp"),
        (2, "igmp"),
        (4, "ipip"),
        (6, "tcp"),
        (17, "udp"),
        (33, "dccp"),
        (41, "ipv6"),
        (46, "rsvp"),
        (47, "gre"),
        (50, "esp"),
        (51, "ah"),
        (58, "icmpv6"),
        (88, "eigrp"),
        (89, "ospf"),
        (97, "etherip"),
        (103, "pim"),
        (112, "vrrp"),
        (115, "l2tp"),
        (132, "sctp"),
    ];

    /// The protocol of a name as it is written, or of a number.
    pub fn from_name(name: &str) -> Option<Self> {
        let named = Self::NAMES.iter().find(|(_, known)| *known == name).map(|(number, _)| Self(*number));
        named.or_else(|| name.parse().ok().map(Self))
    }

    /// Whether the protocol's ports are kept in the flow key.
    pub fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP)
    }
}

impl fmt::Display for Protocol {
    /// The keyword of the IANA registry in lower case, or the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
