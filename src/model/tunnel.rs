//! Tunnels by their kind, and what came of their inside.

use serde::{Deserialize, Serialize};

/// What a flow is a tunnel of, where its packets carry others: what was inside is in records of its own, so that octets of
/// both are never added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Tunnel {
    /// No tunnel, or none that is known.
    #[default]
    None,
    /// IP in IP (RFC 2003, RFC 2473, RFC 4213).
    IpInIp,
    /// Generic routing encapsulation (RFC 2784), also in UDP (RFC 8086).
    Gre,
    /// Ethernet of a mirrored port in GRE.
    Erspan,
    /// Ethernet in IP (RFC 3378, RFC 8986).
    #[serde(rename = "etherip")]
    EtherIp,
    /// Layer two tunnelling (RFC 2661, RFC 3931).
    L2tp,
    /// VXLAN and its generic extension (RFC 7348).
    Vxlan,
    /// Geneve (RFC 8926).
    Geneve,
    /// User plane of mobile networks (3GPP TS 29.281).
    GtpU,
    /// IPv6 through NAT (RFC 4380).
    Teredo,
    /// IPv6 to anywhere in UDP (draft-massar-v6ops-ayiya).
    Ayiya,
    /// Wireless access points and their controller (RFC 5415).
    Capwap,
    /// MPLS in IP or UDP (RFC 4023, RFC 7510).
    Mpls,
    /// Locator/ID separation (RFC 9300).
    Lisp,
    /// Multicast on its way to a rendezvous point (RFC 7761 section 4.9.3).
    Pim,
    /// Compressed IP (RFC 3173).
    #[serde(rename = "ipcomp")]
    IpComp,
    /// IP security with encryption (RFC 4303), also in UDP (RFC 3948).
    Esp,
    /// `WireGuard`.
    #[serde(rename = "wireguard")]
    WireGuard,
    /// `OpenVPN`.
    #[serde(rename = "openvpn")]
    OpenVpn,
}

impl Tunnel {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::None,
        Self::IpInIp,
        Self::Gre,
        Self::Erspan,
        Self::EtherIp,
        Self::L2tp,
        Self::Vxlan,
        Self::Geneve,
        Self::GtpU,
        Self::Teredo,
        Self::Ayiya,
        Self::Capwap,
        Self::Mpls,
        Self::Lisp,
        Self::Pim,
        Self::IpComp,
        Self::Esp,
        Self::WireGuard,
        Self::OpenVpn,
    ];

    /// The tunnel of a name in the output.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tunnel| tunnel.name() == Some(name))
    }

    /// The name in the output; `None` for [`Tunnel::None`].
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::IpInIp => "ip-in-ip",
            Self::Gre => "gre",
            Self::Erspan => "erspan",
            Self::EtherIp => "etherip",
            Self::L2tp => "l2tp",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp-u",
            Self::Teredo => "teredo",
            Self::Ayiya => "ayiya",
            Self::Capwap => "capwap",
            Self::Mpls => "mpls",
            Self::Lisp => "lisp",
            Self::Pim => "pim",
            Self::IpComp => "ipcomp",
            Self::Esp => "esp",
            Self::WireGuard => "wireguard",
            Self::OpenVpn => "openvpn",
        })
    }
}

/// What a record counts that is of a tunnel's outer header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outer {
    /// What the flow is a tunnel of.
    pub kind: Tunnel,
    /// Where what is in it was counted.
    pub inside: Inner,
}

impl Outer {
    /// Whether its octets are also in other records.
    pub fn is_counted_inside(self) -> bool {
        self.inside == Inner::Counted
    }
}

/// Where the packets in a tunnel were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inner {
    /// In records of their own, each of them: a sum over all records that is to count every octet once leaves the outer
    /// header's out.
    Counted,
    /// Not all of them could be read: the outer header's record alone tells of those.
    Unread,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_name_tunnels_as_flow_records_do() {
        for kind in [Tunnel::IpInIp, Tunnel::EtherIp, Tunnel::GtpU, Tunnel::IpComp, Tunnel::WireGuard, Tunnel::OpenVpn]
        {
            assert_eq!(serde_json::to_value(kind).unwrap().as_str(), kind.name());
        }
    }
}
