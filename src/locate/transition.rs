//! IPv6 addresses that stand for an IPv4 host.
//!
//! The far end of a packet to `2002:c000:204::1` is the relay of 192.0.2.4, wherever a database puts `2002::/16` as a
//! whole. Such addresses are turned into the IPv4 address before anything is looked up, so nothing that a database says
//! of these networks is ever used.

use crate::model::Addr;

/// An IPv4 host behind an IPv6 address, and how many bits of the IPv6 address come before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) host: u32,
    pub(super) before: u8,
}

/// 6to4, RFC 3056.
const SIX_TO_FOUR: (u128, u32) = (0x2002 << 112, 16);
/// Teredo, RFC 4380.
const TEREDO: (u128, u32) = (0x2001_0000 << 96, 32);
/// The well-known prefix of NAT64, RFC 6052.
const NAT64: (u128, u32) = (0x64_ff9b << 96, 96);
/// IPv4-mapped addresses, RFC 4291 section 2.5.5.2.
const MAPPED: (u128, u32) = (0xffff << 32, 96);
/// IPv4-compatible addresses (deprecated), RFC 4291 section 2.5.5.1: where MMDB files keep their IPv4 tree.
const COMPATIBLE: (u128, u32) = (0, 96);

/// The IPv4 host that an IPv6 address stands for.
#[inline]
pub(super) fn behind(addr: Addr) -> Option<Behind> {
    let number = addr.as_u128();
    let is_in = |(network, prefix): (u128, u32)| (number ^ network) >> (128 - prefix) == 0;
    if is_in(SIX_TO_FOUR) {
        Some(Behind { host: (number >> 80) as u32, before: 16 })
    } else if is_in(TEREDO) {
        // The client's address, with every bit turned over (section 4).
        Some(Behind { host: !(number as u32), before: 96 })
    } else if is_in(NAT64) {
        Some(Behind { host: number as u32, before: 96 })
    } else {
        None
    }
}

/// The rest of the IPv6 address space, as networks in ascending order.
pub(super) fn native_networks() -> Vec<(u128, u32)> {
    let mut networks = Vec::new();
    split(0, 0, &mut networks);
    networks
}

fn split(start: u128, prefix: u32, networks: &mut Vec<(u128, u32)>) {
    let shared = |(other, length): (u128, u32)| (start ^ other).leading_zeros() >= prefix.min(length);
    let touching = [COMPATIBLE, MAPPED, NAT64, TEREDO, SIX_TO_FOUR].into_iter().find(|other| shared(*other));
    match touching {
        None => networks.push((start, prefix)),
        Some((_, length)) if length <= prefix => {}
        Some(_) => {
            split(start, prefix + 1, networks);
            split(start | 1 << (127 - prefix), prefix + 1, networks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(addr: &str) -> Option<String> {
        let addr: std::net::IpAddr = addr.parse().unwrap();
        behind(addr.into()).map(|behind| std::net::Ipv4Addr::from(behind.host).to_string())
    }

    #[test]
    fn hosts_are_found() {
        assert_eq!(host("2002:c000:204::1").as_deref(), Some("192.0.2.4"));
        assert_eq!(host("64:ff9b::192.0.2.33").as_deref(), Some("192.0.2.33"));
        // By hand: !0x3fff_fdd2 is 0xc000_022d.
        assert_eq!(host("2001:0:4136:e378:8000:63bf:3fff:fdd2").as_deref(), Some("192.0.2.45"));
        assert_eq!(host("2001:db8::1"), None);
        assert_eq!(host("64:ff9b:1::192.0.2.33"), None);
    }

    #[test]
    fn native_networks_and_the_others_are_all_there_is() {
        let native = native_networks();
        let others = [COMPATIBLE, MAPPED, NAT64, TEREDO, SIX_TO_FOUR];
        let size = |(_, prefix): &(u128, u32)| 1_u128 << (127 - prefix);
        assert_eq!(native.iter().chain(&others).map(size).sum::<u128>(), 1 << 127);
        assert!(native.is_sorted_by(|a, b| a < b));
    }
}
