//! What makes a capture doubtful: the same packet twice, and addresses that cannot be.
//!
//! Nothing here changes a count: a copy of a packet is a packet that was captured, and which of the two was on the wire is not
//! ours to say.

use std::net::IpAddr;

use crate::model::{Addr, Caveat, Protocol, Scope, Timestamp};
use crate::wire::{Caveats, Packet};

/// For how long a copy is looked for, in nanoseconds: the ways through a switch differ by less, and what is sent again is sent
/// later (RFC 6298 section 2.4: a second; RFC 9002: no sooner than a third of one; Linux: 200 ms).
const MOMENT: u64 = Timestamp::SECOND / 50;

/// How many packets are remembered, one for each hash: the latest.
const REMEMBERED: usize = 1 << 13;

/// Packets of late.
pub(super) struct Copies {
    /// A hash, and when by the meter's clock, in units of 1,024 ns: modulo 2^32, which is more than an hour.
    seen: Vec<(u32, u32)>,
}

impl Copies {
    pub(super) fn new() -> Self {
        Self { seen: vec![(0, 0); REMEMBERED] }
    }

    /// Whether `packet` was seen a moment ago.
    ///
    /// Its identification and the checksum of its transport header tell it from others. Where there is no identification
    /// (IPv6, and datagrams that are not cut up, RFC 6864), only TCP with payload tells copies from packets that say the same.
    #[inline]
    pub(super) fn again(&mut self, packet: &Packet, now: u64) -> bool {
        let (identification, checksum) = packet.identity;
        let is_told = identification != 0 || (checksum != 0 && packet.payload > 0 && packet.protocol == Protocol::TCP);
        if !is_told {
            return false;
        }
        let offset = packet.fragment.map_or(0, |fragment| fragment.offset);
        let numbers = [
            packet.src.as_u128() as u64,
            packet.dst.as_u128() as u64,
            u64::from(identification) << 48 | u64::from(checksum) << 32 | u64::from(packet.octets),
            u64::from(packet.sequence) << 32 | u64::from(packet.acknowledgement),
            u64::from(packet.sport) << 48
                | u64::from(packet.dport) << 32
                | u64::from(offset ^ u32::from(packet.tcp_flags)),
        ];
        // Two halves of a product, each folded into the other.
        let hash = numbers.iter().fold(0x243f_6a88_85a3_08d3, |hash: u64, number| {
            let product = u128::from(hash ^ number) * 0x9e37_79b9_7f4a_7c15;
            product as u64 ^ (product >> 64) as u64
        });
        let Some(seen) = self.seen.get_mut(hash as usize % REMEMBERED) else { return false };
        // Never zero, which stands for nothing.
        let (hash, tick) = ((hash >> 32) as u32 | 1, (now >> 10) as u32);
        let again = seen.0 == hash && u64::from(tick.wrapping_sub(seen.1)) <= MOMENT >> 10;
        *seen = (hash, tick);
        again
    }
}

/// What is wrong with the addresses of a flow.
pub(super) fn of_addresses(src: Addr, dst: Addr) -> Caveats {
    let mut caveats = Caveats::NONE;
    if is_no_source(src) || is_reserved(dst) {
        caveats.set(Caveat::BogonAddress);
    }
    let is_global = |addr: Addr| addr.scope() == Scope::Global;
    if is_global(src) && is_global(dst) && (is_swapped(src) || is_swapped(dst)) {
        caveats.set(Caveat::SwappedAddress);
    }
    caveats
}

/// Whether no machine can send from an address: groups, and what is reserved (RFC 1112 section 4, RFC 6890).
fn is_no_source(addr: Addr) -> bool {
    match addr.to_ip() {
        // Whoever has no address yet sends from zero.
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            ip.is_multicast() || ip.is_broadcast() || (first == 0 && !ip.is_unspecified()) || is_reserved(addr)
        }
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

/// 240.0.0.0/4 but for the broadcast address.
fn is_reserved(addr: Addr) -> bool {
    addr.as_v4().is_some_and(|number| number >> 28 == 0xf && number != u32::MAX)
}

/// Whether an address is in 192.168.0.0/16 when it is read backwards: of public addresses, one in 65,536 is by chance. Of the
/// other private networks it would be one in 256.
fn is_swapped(addr: Addr) -> bool {
    addr.as_v4().is_some_and(|number| number.swap_bytes() >> 16 == 0xc0a8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be() {
        let found = |src, dst| of_addresses(Addr::v4(src), Addr::v4(dst)).iter().collect::<Vec<_>>();
        let host = [9, 9, 9, 9];
        assert_eq!(found([10, 0, 0, 1], host), []);
        assert_eq!(found([0, 0, 0, 0], [255; 4]), [], "a host that asks for an address");
        assert_eq!(found([224, 0, 0, 1], host), [Caveat::BogonAddress]);
        assert_eq!(found([255; 4], host), [Caveat::BogonAddress]);
        assert_eq!(found(host, [241, 0, 0, 1]), [Caveat::BogonAddress]);
        assert_eq!(found(host, [7, 1, 168, 192]), [Caveat::SwappedAddress]);
        assert_eq!(found([192, 168, 1, 7], [7, 1, 168, 192]), [], "what is on the other side was read well");
    }
}
