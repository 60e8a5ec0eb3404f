//! Tunnels by their kind.

/// What a flow is a tunnel of, where its packets carry others: what was inside is in records of its own, so that octets of
/// both are never added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
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
    IpComp,
    /// IP security with encryption (RFC 4303), also in UDP (RFC 3948).
    Esp,
    /// `WireGuard`.
    WireGuard,
    /// `OpenVPN`.
    OpenVpn,
}

impl Tunnel {
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
