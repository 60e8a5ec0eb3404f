//! Octets to headers: link types, IP, TCP and UDP.
//!
//! [`dissect`] reads what a flow meter needs of a frame and no more. Every length is a claim of a stranger: octets are
//! counted as the IP header says, so that neither padding nor a snap length changes a total, and nothing is read beyond
//! what was captured. A tunnel is a packet of its own, and what is inside it another: [`Inside`] leads from one to the next.

mod exchange;
mod ip;
mod link;
mod link_type;
pub mod name;
mod shim;
mod transport;
mod tunnel;
mod wireless;

use std::fmt;

use crate::model::{Addr, Caveat, Protocol, Skip, Tunnel};
use link::Layer;
use tunnel::Carried;

pub use exchange::{Exchange, Put, Token, exchange};
pub use link_type::LinkType;

/// The most tunnels, one in another, that are looked into. Networks have two.
const MAX_TUNNELS: u8 = 4;

/// What a flow meter needs of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source address of the IP header.
    pub src: Addr,
    /// Destination address of the IP header.
    pub dst: Addr,
    /// The transport protocol, after any IPv6 extension headers and IP authentication headers.
    pub protocol: Protocol,
    /// Source port, or zero.
    pub sport: u16,
    /// Destination port, or zero.
    pub dport: u16,
    /// IP octets by the IP header: header and all that follows, without link-layer padding.
    pub octets: u32,
    /// Octets of transport payload by the headers: what follows the header of TCP, UDP, SCTP (12 octets) and ICMP (8);
    /// for other protocols what follows the IP headers; for a later fragment all of its data.
    pub payload: u32,
    /// TCP sequence number; identifier and sequence number of an ICMP echo; or zero.
    pub sequence: u32,
    /// TCP acknowledgement number, or zero.
    pub acknowledgement: u32,
    /// The TCP timestamps option (RFC 7323 section 3.2).
    pub timestamps: Option<Timestamps>,
    /// The identification of the IPv4 header, or zero, and the checksum of the transport header, or zero: what tells a packet
    /// from others of its flow, and not from a copy.
    pub identity: (u16, u16),
    /// TCP flags (the octet of RFC 9293 section 3.1), or zero.
    pub tcp_flags: u8,
    /// ICMP type where the protocol is ICMP or `ICMPv6` and the type was captured.
    pub icmp_type: Option<u8>,
    /// What it is a tunnel of.
    pub tunnel: Tunnel,
    /// Which part of a datagram it is; `None` where it is whole.
    pub fragment: Option<Fragment>,
    /// What limits the evidence.
    pub caveats: Caveats,
}

/// The TCP timestamps option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// What the sender's clock read.
    pub value: u32,
    /// What the receiver's had read in a segment that has reached the sender.
    pub echo: u32,
}

/// A part of a datagram (RFC 791 section 2.3, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// What the parts of a datagram have in common beside the addresses and, in IPv4, the protocol.
    pub id: u32,
    /// The protocol of the IPv4 header, which is part of what they have in common; zero in IPv6.
    pub protocol: u8,
    /// Where its data belongs in the datagram, in octets: a first fragment has zero.
    pub offset: u32,
    /// Octets of its data.
    pub length: u32,
    /// Whether it is the last.
    pub is_last: bool,
}

/// The headers of a packet, and the way to what they carry.
#[derive(Clone, Copy, Debug)]
pub struct Dissected<'a> {
    /// What a flow meter needs.
    pub packet: Packet,
    /// What was captured of the transport payload.
    pub payload: &'a [u8],
    /// What the packet carries, where it is a tunnel's.
    pub inside: Inside<'a>,
}

impl<'a> Dissected<'a> {
    /// Reads what the packet carries, where that is another: `None` where it carries none, or something other than IP. Where
    /// it cannot be read, what was not understood. `inside` is right about it afterwards.
    pub fn open(&mut self) -> Result<Option<Self>, Option<Note>> {
        let within: Tunnelled<'a> = match self.inside {
            Inside::Nothing => return Ok(None),
            Inside::Unread => return Err(None),
            Inside::Tunnelled(within) => within,
        };
        match within.dissect() {
            Ok(found) => Ok(Some(found)),
            Err(Unread { skip: Skip::NotIp, .. }) => {
                self.inside = Inside::Nothing;
                Ok(None)
            }
            Err(unread) => {
                self.inside = Inside::Unread;
                Err(unread.note)
            }
        }
    }
}

/// What is inside a packet of a tunnel.
#[derive(Clone, Copy, Debug)]
pub enum Inside<'a> {
    /// No packet, for all that is known: this is no tunnel, or signalling of one.
    Nothing,
    /// It is encrypted, or not read.
    Unread,
    /// A packet or a frame.
    Tunnelled(Tunnelled<'a>),
}

/// A packet or a frame inside a tunnel.
#[derive(Clone, Copy, Debug)]
pub struct Tunnelled<'a> {
    layer: Layer,
    octets: &'a [u8],
    on_wire: u32,
    depth: u8,
}

impl<'a> Tunnelled<'a> {
    /// Reads the headers. A frame of something other than IP is [`Skip::NotIp`].
    pub fn dissect(&self) -> Result<Dissected<'a>, Unread> {
        let mut found = read(self.layer, self.octets, self.on_wire, self.depth)?;
        found.packet.caveats.set(Caveat::Tunnelled);
        Ok(found)
    }
}

/// A set of [`Caveat`]s: several can hold for one packet, and each is counted.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Caveats(u64);

const _: () = assert!(Caveat::ALL.len() <= 64, "caveats are bits of a word");

impl Caveats {
    /// No limit.
    pub const NONE: Self = Self(0);

    /// Adds `caveat`.
    pub const fn set(&mut self, caveat: Caveat) {
        self.0 |= 1 << caveat as u32;
    }

    /// Takes `caveat` out.
    pub const fn clear(&mut self, caveat: Caveat) {
        self.0 &= !(1 << caveat as u32);
    }

    /// Whether `caveat` is in the set.
    pub const fn has(self, caveat: Caveat) -> bool {
        self.0 >> caveat as u32 & 1 == 1
    }

    /// Whether nothing limits the evidence.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Caveat::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Caveat> {
        Caveat::ALL.iter().copied().filter(move |caveat| self.has(*caveat))
    }
}

impl fmt::Debug for Caveats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Why a frame is in no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The reason, to be counted.
    pub skip: Skip,
    /// What was not understood, to be named once.
    pub note: Option<Note>,
}

impl Unread {
    const fn new(skip: Skip) -> Self {
        Self { skip, note: None }
    }

    const fn noted(skip: Skip, note: Note) -> Self {
        Self { skip, note: Some(note) }
    }
}

/// What was not understood in a frame: a note of the coverage, written only when it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// An Ethernet type that is not read.
    EtherType(u16),
    /// The version field of what should be an IP header.
    IpVersion(u8),
    /// The address family of a loopback frame.
    Family(u32),
    /// The hardware type of a cooked capture (ARPHRD_ values).
    Hardware(u16),
    /// The protocol of a SNAP header: the organisation's identifier and its own number.
    Snap(u32, u16),
    /// A link type that is not read.
    LinkType(LinkType),
    /// The protocol of a PPP frame.
    Ppp(u16),
    /// IEEE 802.11 with its body encrypted.
    Encrypted80211,
    /// Several frames of IEEE 802.11 in one.
    Aggregate80211,
    /// More headers before IP than are stepped over.
    Nested,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EtherType(number) => write!(f, "ethertype {number:#06x}"),
            Self::IpVersion(number) => write!(f, "ip version {number}"),
            Self::Family(number) => write!(f, "address family {number}"),
            Self::Hardware(number) => write!(f, "hardware type {number}"),
            Self::Snap(organisation, number) => write!(f, "snap protocol {organisation:06x}:{number:04x}"),
            Self::LinkType(link) => link.fmt(f),
            Self::Ppp(number) => write!(f, "ppp protocol {number:#06x}"),
            Self::Encrypted80211 => f.write_str("802.11 encrypted"),
            Self::Aggregate80211 => f.write_str("802.11 aggregate"),
            Self::Nested => f.write_str("headers nested deeper than are read"),
        }
    }
}

/// Reads the outermost headers of a frame. `octets` is what was captured, `original_length` what was on the wire; where a
/// capture claims to hold more than was on the wire, the longer of the two is taken.
///
/// Each caveat that applies is in [`Packet::caveats`]. A frame that ends before its IP header does is
/// [`Skip::CutHeader`], even where the addresses could be read: its length field may not be there.
#[inline]
pub fn dissect(link: LinkType, octets: &[u8], original_length: u32) -> Result<Dissected<'_>, Unread> {
    let captured = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    if captured == 0 {
        return Err(Unread::new(if original_length == 0 { Skip::EmptyFrame } else { Skip::CutHeader }));
    }
    let mut found = read(Layer::Link(link), octets, original_length.max(captured), 0)?;
    if captured < original_length {
        found.packet.caveats.set(Caveat::Snapped);
    }
    Ok(found)
}

/// Reads what `depth` tunnels are around.
#[inline]
fn read(layer: Layer, octets: &[u8], on_wire: u32, depth: u8) -> Result<Dissected<'_>, Unread> {
    let (version, rest) = link::strip(layer, octets)?;
    let stripped = (octets.len() - rest.len()) as u32;
    let (packet, content) = ip::read(version, rest, on_wire.saturating_sub(stripped))?;
    let inside = match content.carried {
        Carried::Nothing => Inside::Nothing,
        Carried::Layer(layer, octets) if depth < MAX_TUNNELS => {
            let header = content.payload.len().saturating_sub(octets.len()) as u32;
            let on_wire = packet.payload.saturating_sub(header);
            Inside::Tunnelled(Tunnelled { layer, octets, on_wire, depth: depth + 1 })
        }
        Carried::Unread | Carried::Layer(..) => Inside::Unread,
    };
    Ok(Dissected { packet, payload: content.payload, inside })
}
