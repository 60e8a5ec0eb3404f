//! IPv4 (RFC 791), IPv6 (RFC 8200) and the headers between IP and the transport.

use etherparse::err::ipv4::HeaderSliceError as Error4;
use etherparse::err::ipv6::HeaderSliceError as Error6;
use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
};

use super::link::Version;
use super::transport::{self, Segment};
use super::tunnel::{self, Carried};
use super::{Caveats, Fragment, Note, Packet, Unread};
use crate::model::{Addr, Caveat, Protocol, Skip, Tunnel};

/// The most extension headers that are stepped over. RFC 8200 section 4.1 foresees seven.
const MAX_EXTENSIONS: usize = 16;

const IPV6_HEADER: u32 = 40;

/// What the least Ethernet frame, 60 octets without its check sequence, has beyond its own header and that of IPv6.
const ETHERNET_PADDING: u32 = 60 - 14 - IPV6_HEADER;

/// The option type of a jumbo payload and its length (RFC 2675 section 2).
const JUMBO: [u8; 2] = [0xc2, 4];

/// What a packet carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    /// What was captured of the transport payload.
    pub(super) payload: &'a [u8],
    pub(super) carried: Carried<'a>,
}

const CUT: Unread = Unread::new(Skip::CutHeader);
const BAD: Unread = Unread::new(Skip::BadHeader);

/// Reads an IP header and what follows. `on_wire` is what was left of the frame on the wire, with any padding.
#[inline]
pub(super) fn read(version: Version, octets: &[u8], on_wire: u32) -> Result<(Packet, Content<'_>), Unread> {
    let says = octets.first().ok_or(CUT)? >> 4;
    match (version, says) {
        (Version::Four | Version::Either, 4) => four(octets, on_wire),
        (Version::Six | Version::Either, 6) => six(octets, on_wire),
        _ => Err(Unread::noted(Skip::BadHeader, Note::IpVersion(says))),
    }
}

#[inline]
fn four(octets: &[u8], on_wire: u32) -> Result<(Packet, Content<'_>), Unread> {
    let header = Ipv4HeaderSlice::from_slice(octets).map_err(|error| match error {
        Error4::Len(_) => CUT,
        Error4::Content(_) => BAD,
    })?;
    let mut caveats = Caveats::NONE;
    let header_length = u32::from(header.ihl()) * 4;
    let total = match u32::from(header.total_len()) {
        0 => {
            caveats.set(Caveat::OffloadedLength);
            on_wire
        }
        total => total,
    };
    let payload = total.checked_sub(header_length).ok_or(BAD)?;
    if total > on_wire {
        caveats.set(Caveat::ShortPacket);
    }
    let body = within(octets, header_length, payload);
    let mut chain = Chain::start(header.protocol(), body);
    if header.is_fragmenting_payload() {
        chain.fragment = Some(Fragment {
            id: header.identification().into(),
            protocol: header.protocol().0,
            offset: u32::from(header.fragments_offset().value()) * 8,
            length: payload,
            is_last: !header.more_fragments(),
        });
    }
    if !chain.is_later_fragment() {
        // The headers of IPv6 are none in IPv4, whatever number is behind the authentication (RFC 4302 section 3.1.1).
        chain.walk(payload, |next| next == IpNumber::AUTHENTICATION_HEADER);
    }
    let addresses = (Addr::v4(header.source()), Addr::v4(header.destination()));
    let lengths = (total, payload);
    Ok(packet(addresses, header.identification(), &chain, lengths, caveats))
}

fn six(octets: &[u8], on_wire: u32) -> Result<(Packet, Content<'_>), Unread> {
    let header = Ipv6HeaderSlice::from_slice(octets).map_err(|error| match error {
        Error6::Len(_) => CUT,
        Error6::Content(_) => BAD,
    })?;
    let mut caveats = Caveats::NONE;
    let left = on_wire.saturating_sub(IPV6_HEADER);
    let next = header.next_header();
    let payload = match u32::from(header.payload_length()) {
        // A header alone, perhaps padded by the link.
        0 if left <= ETHERNET_PADDING || next == IpNumber::IPV6_NO_NEXT_HEADER => 0,
        0 => jumbo(next, within(octets, IPV6_HEADER, u32::MAX)).unwrap_or_else(|| {
            caveats.set(Caveat::OffloadedLength);
            left
        }),
        payload => payload,
    };
    if payload > left {
        caveats.set(Caveat::ShortPacket);
    }
    let mut chain = Chain::start(next, within(octets, IPV6_HEADER, payload));
    chain.walk(payload, |_| true);
    let addresses = (Addr::v6(header.source()), Addr::v6(header.destination()));
    let lengths = (payload.saturating_add(IPV6_HEADER), payload);
    Ok(packet(addresses, 0, &chain, lengths, caveats))
}

/// The extension headers of the general form (RFC 6564), and those that came before it and have it too.
const fn is_generic(next: IpNumber) -> bool {
    matches!(
        next,
        IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::MOBILITY_HEADER
            | IpNumber::HIP
            | IpNumber::SHIM6
    )
}

/// Whether another header follows that tells what the packet carries.
const fn is_extension(next: IpNumber) -> bool {
    is_generic(next) || matches!(next, IpNumber::AUTHENTICATION_HEADER)
}

#[inline]
fn packet<'a>(
    (src, dst): (Addr, Addr),
    identification: u16,
    chain: &Chain<'a>,
    (octets, ip_payload): (u32, u32),
    mut caveats: Caveats,
) -> (Packet, Content<'a>) {
    let protocol = Protocol(chain.next.0);
    let left = ip_payload.saturating_sub(chain.stepped);
    let is_later = chain.is_later_fragment();
    let segment = if is_later {
        // Behind an extension header, the first fragment alone tells the protocol.
        if protocol.has_ports() || is_extension(chain.next) {
            caveats.set(Caveat::FragmentWithoutPorts);
        }
        Segment::data(left)
    } else {
        transport::read(protocol, chain.rest, left)
    };
    if segment.cut || chain.cut {
        caveats.set(Caveat::CutTransport);
    }
    let payload = within(chain.rest, segment.header, segment.payload);
    let (tunnel, carried) = if is_later || chain.cut {
        (Tunnel::None, Carried::Nothing)
    } else {
        tunnel::find(protocol, (segment.sport, segment.dport), payload, segment.payload)
    };
    let packet = Packet {
        src,
        dst,
        protocol,
        sport: segment.sport,
        dport: segment.dport,
        octets,
        payload: segment.payload,
        sequence: segment.sequence,
        acknowledgement: segment.acknowledgement,
        timestamps: segment.timestamps,
        identity: (identification, segment.checksum),
        tcp_flags: segment.tcp_flags,
        icmp_type: segment.icmp_type,
        tunnel,
        fragment: chain.fragment,
        caveats,
    };
    (packet, Content { payload, carried })
}

/// The captured part of `length` octets after the first `skip`.
#[inline]
fn within(octets: &[u8], skip: u32, length: u32) -> &[u8] {
    let rest = octets.get(skip as usize..).unwrap_or_default();
    rest.get(..length as usize).unwrap_or(rest)
}

/// The length in a jumbo payload option, where a hop-by-hop header with one follows and the length needs it (RFC 2675
/// section 3: it is larger than 65,535).
fn jumbo(next: IpNumber, octets: &[u8]) -> Option<u32> {
    if next != IpNumber::IPV6_HEADER_HOP_BY_HOP {
        return None;
    }
    let header = Ipv6RawExtHeaderSlice::from_slice(octets).ok()?;
    let mut options = header.payload();
    while let [kind, after @ ..] = options {
        // Pad1 has no length (RFC 8200 section 4.2).
        if *kind == 0 {
            options = after;
            continue;
        }
        let (&length, data) = after.split_first()?;
        if [*kind, length] == JUMBO {
            let length = u32::from_be_bytes(*data.first_chunk()?);
            return (length > u32::from(u16::MAX)).then_some(length);
        }
        options = data.get(usize::from(length)..)?;
    }
    None
}

/// What came of looking at the next header.
enum Step {
    Over,
    Arrived,
    Cut,
}

/// The way from the IP header to the transport header.
struct Chain<'a> {
    /// The protocol of what follows.
    next: IpNumber,
    /// What was captured of it.
    rest: &'a [u8],
    /// Octets of the headers that were stepped over.
    stepped: u32,
    fragment: Option<Fragment>,
    /// The walk ended at a header that was not captured, or at the bound.
    cut: bool,
}

impl<'a> Chain<'a> {
    fn start(next: IpNumber, rest: &'a [u8]) -> Self {
        Self { next, rest, stepped: 0, fragment: None, cut: false }
    }

    fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0)
    }

    /// Steps over extension headers in `length` octets, as long as they are of those that can stand there. Where one cannot be
    /// read, it is itself taken for the protocol.
    #[inline]
    fn walk(&mut self, length: u32, is_possible: impl Fn(IpNumber) -> bool) {
        for _ in 0..MAX_EXTENSIONS {
            if !is_possible(self.next) {
                return;
            }
            match self.step(length).unwrap_or(Step::Cut) {
                Step::Over => {}
                Step::Arrived => return,
                Step::Cut => break,
            }
        }
        self.cut = true;
    }

    /// `None` where the header at hand was not captured.
    fn step(&mut self, payload: u32) -> Option<Step> {
        let (next, length) = match self.next {
            next if is_generic(next) => {
                let header = Ipv6RawExtHeaderSlice::from_slice(self.rest).ok()?;
                let carries_nothing = header.next_header() == IpNumber::IPV6_NO_NEXT_HEADER;
                let own = matches!(self.next, IpNumber::MOBILITY_HEADER | IpNumber::HIP | IpNumber::SHIM6);
                // Signalling of mobility, HIP and shim6 carries nothing: then it is the protocol itself.
                if carries_nothing && own {
                    return Some(Step::Arrived);
                }
                (header.next_header(), header.slice().len())
            }
            IpNumber::AUTHENTICATION_HEADER => {
                let header = IpAuthHeaderSlice::from_slice(self.rest).ok()?;
                (header.next_header(), header.slice().len())
            }
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let header = Ipv6FragmentHeaderSlice::from_slice(self.rest).ok()?;
                let length = header.slice().len();
                // One that is all of its datagram is none (RFC 6946).
                if header.is_fragmenting_payload() {
                    self.fragment = Some(Fragment {
                        id: header.identification(),
                        protocol: 0,
                        offset: u32::from(header.fragment_offset().value()) * 8,
                        length: payload.saturating_sub(self.stepped + length as u32),
                        is_last: !header.more_fragments(),
                    });
                }
                (header.next_header(), length)
            }
            _ => return Some(Step::Arrived),
        };
        self.next = next;
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.stepped += length as u32;
        Some(if self.is_later_fragment() { Step::Arrived } else { Step::Over })
    }
}
