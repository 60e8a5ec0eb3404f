//! The lint of zones that hold more of the Internet than anybody does. What goes to a zone never leaves what is ours, so that
//! such a zone takes from judgement what was to be judged.
//!
//! Three things are told, each of which no holder of networks can mean:
//! - the zones together hold every public address of a version of IP;
//! - a network is larger than the largest block that IANA gives to a registry or holder: a /8 of IPv4, a /12 of IPv6 (IANA,
//!   IPv4 Address Space; IPv6 Global Unicast Address Assignments);
//! - a network holds private or shared addresses (RFC 1918, RFC 6598), which are given to nobody, and public ones beside
//!   them: `172.0.0.0/8` where `172.16.0.0/12` was meant.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::lint::Facts;
use super::networks::Claimed;
use super::syntax::Sink;
use crate::diag::{Code, Diagnostic};

/// The first and the last IPv4 address that can be a machine's on the Internet: what is below names none (RFC 1122), what is
/// above is multicast and reserved (RFC 1112).
const V4: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(1, 0, 0, 0), Ipv4Addr::new(223, 255, 255, 255));
/// Global unicast as far as it is assigned: `2000::/3` (RFC 4291 section 2.4).
const V6: (Ipv6Addr, Ipv6Addr) = (
    Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0),
    Ipv6Addr::new(0x3fff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff),
);

/// What is private or shared (RFC 1918, RFC 6598), in order.
const PRIVATE: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];
/// What is a machine's own, or its link's (RFC 1122, RFC 3927).
const LOCAL: [Ipv4Net; 2] =
    [Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8), Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)];

/// The prefix of the largest block that IANA gives out.
const BLOCK_V4: u8 = 8;
/// The same of IPv6.
const BLOCK_V6: u8 = 12;

/// The help where nothing better can be said.
const NAME_YOURS: &str = "what goes to a zone does not leave what is ours: name the networks that you hold";

/// Says which zones hold what nobody holds.
pub(super) fn wide_zones(facts: &Facts<'_>, sink: &mut Sink) {
    let (v4, v6): (Vec<&Claimed>, Vec<&Claimed>) =
        facts.claims.iter().partition(|claim| matches!(claim.network, IpNet::V4(_)));
    let nowhere_public = PRIVATE.iter().chain(&LOCAL).map(|network| IpNet::V4(*network));
    let held_v4 = v4.iter().map(|claim| claim.network).chain(nowhere_public);
    let versions = [
        (covers(held_v4, (u128::from(V4.0.to_bits()), u128::from(V4.1.to_bits()))), "IPv4", v4),
        (covers(v6.iter().map(|claim| claim.network), (V6.0.to_bits(), V6.1.to_bits())), "IPv6", v6),
    ];
    for (all, version, claims) in versions {
        if all {
            say_all(version, &claims, sink);
            continue;
        }
        for claim in claims {
            let name = facts.policy.zones.get(usize::from(claim.owner)).map_or("", |zone| zone.name.as_str());
            if let Some(said) = too_wide(claim, name) {
                sink.push(said);
            }
        }
    }
}

/// Whether networks together hold every address from the first to the last.
fn covers(networks: impl Iterator<Item = IpNet>, (first, last): (u128, u128)) -> bool {
    let mut spans: Vec<(u128, u128)> = networks.map(|network| bounds(&network)).collect();
    spans.sort_unstable();
    // The first address that is not held yet.
    let mut next = first;
    for (start, end) in spans {
        if start > next {
            break;
        }
        next = next.max(end.saturating_add(1));
    }
    next > last
}

/// The first and the last address of a network, as numbers.
fn bounds(network: &IpNet) -> (u128, u128) {
    match network {
        IpNet::V4(net) => (u128::from(net.network().to_bits()), u128::from(net.broadcast().to_bits())),
        IpNet::V6(net) => (net.network().to_bits(), net.broadcast().to_bits()),
    }
}

/// Says that everything is ours, at the widest network.
fn say_all(version: &str, claims: &[&Claimed], sink: &mut Sink) {
    let Some(widest) = claims.iter().min_by_key(|claim| (claim.network.prefix_len(), claim.span.start)) else { return };
    let label = match claims.len() {
        1 => "all of them".to_owned(),
        count => format!("the widest of {count} networks that hold them together"),
    };
    sink.push(
        Diagnostic::warning(Code::WideZone, format!("every {version} address of the Internet is in a zone"))
            .at(widest.span.clone(), label)
            .help("nothing is judged as leaving: name the networks that you hold, and no more"),
    );
}

/// What is to be said of one network.
fn too_wide(claim: &Claimed, zone: &str) -> Option<Diagnostic> {
    let network = claim.network;
    let (start, end) = bounds(&network);
    let (block, first, last) = match network {
        IpNet::V4(_) => (BLOCK_V4, u128::from(V4.0.to_bits()), u128::from(V4.1.to_bits())),
        IpNet::V6(_) => (BLOCK_V6, V6.0.to_bits(), V6.1.to_bits()),
    };
    // Multicast, link-local and unique local networks are nobody's part of the Internet.
    let public = start <= last && end >= first;
    let within: Vec<&Ipv4Net> = PRIVATE
        .iter()
        .filter(|private| network.contains(&IpNet::V4(**private)) && network.prefix_len() < private.prefix_len())
        .collect();
    let message = if public && network.prefix_len() < block {
        format!("`{network}` is more than anybody holds")
    } else if !within.is_empty() {
        format!("`{network}` holds private and public addresses")
    } else {
        return None;
    };
    let label = match (network.prefix_len() < block, network) {
        (false, _) => format!("in the zone `{zone}`"),
        (true, IpNet::V4(_)) => format!("in the zone `{zone}`; the largest blocks that are given out are /{BLOCK_V4}"),
        (true, IpNet::V6(_)) => format!("in the zone `{zone}`; the largest blocks that are given out are /{BLOCK_V6}"),
    };
    let help = match within.as_slice() {
        // Of half the Internet nobody knows what was meant.
        [private] if network.prefix_len() + 1 >= block => format!("did you mean `{private}`? {NAME_YOURS}"),
        _ => NAME_YOURS.to_owned(),
    };
    Some(Diagnostic::warning(Code::WideZone, message).at(claim.span.clone(), label).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(network: &str) -> Option<(String, Option<String>)> {
        let network = super::super::networks::parse_network(network).expect("a network");
        too_wide(&Claimed { network, owner: 0, span: 0..1 }, "z").map(|said| (said.message, said.help))
    }

    #[test]
    fn what_somebody_can_hold_is_not_told() {
        // 17.0.0.0/8 is one company's; 2001:db8::/32 and 2600::/12 are blocks as registries give and get them.
        for fine in [
            "10.0.0.0/8",
            "100.64.0.0/10",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "17.0.0.0/8",
            "172.32.0.0/11",
            "2001:db8::/32",
            "2600::/12",
            "fc00::/7",
            "fe80::/10",
            "ff00::/8",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ] {
            assert_eq!(said(fine), None, "{fine}");
        }
    }

    #[test]
    fn what_nobody_can_hold_is_told() {
        for (wide, meant) in [
            ("172.0.0.0/8", Some("`172.16.0.0/12`")),
            ("172.0.0.0/11", Some("`172.16.0.0/12`")),
            ("192.168.0.0/15", Some("`192.168.0.0/16`")),
            ("100.0.0.0/8", Some("`100.64.0.0/10`")),
            ("10.0.0.0/7", Some("`10.0.0.0/8`")),
            ("16.0.0.0/7", None),
            ("0.0.0.0/1", None),
            ("0.0.0.0/4", None),
            ("192.0.0.0/8", Some("`192.168.0.0/16`")),
            ("2000::/4", None),
            ("2600::/11", None),
        ] {
            let (_, help) = said(wide).unwrap_or_else(|| panic!("{wide}"));
            let help = help.expect("a help");
            assert_eq!(help.contains("did you mean"), meant.is_some(), "{wide}: {help}");
            assert!(meant.is_none_or(|meant| help.contains(meant)), "{wide}: {help}");
        }
    }
}
