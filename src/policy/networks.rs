//! Networks to what they stand for: one sorted table of disjoint ranges for each version of IP.

use std::ops::Range;

use ipnet::{IpNet, Ipv4Net};
use toml::Spanned;

use super::syntax::Sink;
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{Addr, Scope};

/// A table in which the most specific network wins.
#[derive(Clone, Debug)]
pub(super) struct NetworkTable<T> {
    v4: Ranges<u32, T>,
    v6: Ranges<u128, T>,
}

/// From each start on, until the next.
#[derive(Clone, Debug)]
struct Ranges<K, T> {
    starts: Vec<K>,
    values: Vec<Option<T>>,
}

impl<T: Copy + PartialEq> NetworkTable<T> {
    /// Of networks with what they stand for. Of two that are the same, the smaller value counts.
    pub(super) fn new(networks: impl IntoIterator<Item = (IpNet, T)>) -> Self
    where
        T: Ord,
    {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (network, value) in networks {
            match network {
                IpNet::V4(net) => {
                    v4.push((u128::from(u32::from(net.network())), u128::from(u32::from(net.broadcast())), value));
                }
                IpNet::V6(net) => v6.push((u128::from(net.network()), u128::from(net.broadcast()), value)),
            }
        }
        let narrow = |start: u128| u32::try_from(start).ok();
        Self { v4: flatten(v4, u128::from(u32::MAX), narrow), v6: flatten(v6, u128::MAX, Some) }
    }

    /// What the most specific network of an address stands for.
    pub(super) fn get(&self, addr: Addr) -> Option<T> {
        match addr.as_v4() {
            Some(number) => self.v4.get(number),
            None => self.v6.get(addr.as_u128()),
        }
    }
}

impl<K: Ord + Copy, T: Copy> Ranges<K, T> {
    fn get(&self, key: K) -> Option<T> {
        let after = self.starts.partition_point(|start| *start <= key);
        self.values.get(after.checked_sub(1)?).copied().flatten()
    }
}

/// Nested networks to disjoint ranges: networks either contain each other or do not meet, so that a stack of those that
/// are open is enough.
fn flatten<K, T: Copy + PartialEq + Ord>(
    mut networks: Vec<(u128, u128, T)>,
    last: u128,
    narrow: impl Fn(u128) -> Option<K>,
) -> Ranges<K, T> {
    networks.sort_by_key(|(start, end, value)| (*start, std::cmp::Reverse(*end), std::cmp::Reverse(*value)));
    let mut edges: Vec<(u128, Option<T>)> = Vec::new();
    let mut open: Vec<(u128, T)> = Vec::new();
    // Of edges at one place the last one counts.
    let mut mark = |at: u128, value: Option<T>| edges.push((at, value));
    for (start, end, value) in networks {
        while let Some((open_end, _)) = open.last().copied().filter(|(open_end, _)| *open_end < start) {
            open.pop();
            mark(open_end + 1, open.last().map(|(_, value)| *value));
        }
        mark(start, Some(value));
        open.push((end, value));
    }
    while let Some((end, _)) = open.pop() {
        if end < last {
            mark(end + 1, open.last().map(|(_, value)| *value));
        }
    }
    let (starts, values) = edges.into_iter().filter_map(|(start, value)| Some((narrow(start)?, value))).unzip();
    Ranges { starts, values }
}

/// Reads a network that a person wrote: CIDR, or an address alone for a network of one. IPv4 in IPv6 form is IPv4.
pub(super) fn network(written: &Spanned<String>, sink: &mut Sink) -> Option<IpNet> {
    match parse_network(written.get_ref()) {
        Ok(network) => Some(network),
        Err(help) => {
            let message = format!("{} is not a network", quoted(written.get_ref()));
            sink.push(
                Diagnostic::error(Code::BadNetwork, message)
                    .at(written.span(), "expected an address and a prefix length")
                    .help(help),
            );
            None
        }
    }
}

pub(super) fn parse_network(text: &str) -> Result<IpNet, String> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let octets: Vec<&str> = address.split('.').collect();
    if octets.len() > 1
        && octets
            .iter()
            .any(|octet| octet.len() > 1 && octet.starts_with('0') && octet.bytes().all(|b| b.is_ascii_digit()))
    {
        // Some programs read such numbers to the base of eight (RFC 6943 section 3.1.1).
        let plain =
            octets.iter().map(|octet| octet.trim_start_matches('0')).map(|one| if one.is_empty() { "0" } else { one });
        let plain = plain.collect::<Vec<_>>().join(".");
        let length = length.map(|length| format!("/{length}")).unwrap_or_default();
        return Err(format!("numbers have no leading zeros; did you mean `{plain}{length}`?"));
    }
    if let Ok(net) = text.parse::<IpNet>() {
        if net.addr() != net.network() {
            return Err(format!("bits are set behind the prefix; did you mean `{}`?", net.trunc()));
        }
        return Ok(unmap(net));
    }
    if let Ok(addr) = text.parse::<std::net::IpAddr>() {
        return Ok(IpNet::from(Addr::from(addr).to_ip()));
    }
    Err(help(address, &octets, length))
}

/// What to write instead of a text that is no network.
fn help(address: &str, octets: &[&str], length: Option<&str>) -> String {
    let example = "write for example `10.20.0.0/16` or `2001:db8:20::/48`";
    let known: Vec<&str> = octets.iter().copied().take_while(|octet| octet.parse::<u8>().is_ok()).collect();
    let stars = octets.iter().skip(known.len()).all(|octet| matches!(*octet, "*" | "x"));
    if length.is_none() && octets.len() == 4 && stars && (1..4).contains(&known.len()) {
        let mut whole = known.clone();
        whole.resize(4, "0");
        return format!("did you mean `{}/{}`?", whole.join("."), 8 * known.len());
    }
    let most = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => Some(("IPv4", 32)),
        Ok(std::net::IpAddr::V6(_)) => Some(("IPv6", 128)),
        Err(_) => None,
    };
    match (most, length) {
        (Some((version, bits)), Some(length)) if length.parse::<std::net::IpAddr>().is_err() => {
            format!("the prefix of an {version} network has at most {bits} bits: {example}")
        }
        (Some(_), Some(_)) => format!("the prefix is a number of bits, not a mask: {example}"),
        _ if address.contains('-') => {
            format!("a range is written as one network or several, each with its prefix: {example}")
        }
        _ => example.to_owned(),
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8` (RFC 4291 section 2.5.5.2).
fn unmap(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(length)) => Ipv4Net::new(v4, length).map_or(net, IpNet::V4),
        _ => net,
    }
}

/// Whether a network is private or shared throughout (RFC 1918, RFC 4193, RFC 6598).
pub(super) fn is_private(network: &IpNet) -> bool {
    let private = |ip: std::net::IpAddr| Addr::from(ip).scope() == Scope::Private;
    private(network.network()) && private(network.broadcast())
}

/// A network with its owner and the place where it is written.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub(super) network: IpNet,
    pub(super) owner: u16,
    pub(super) span: Range<usize>,
}

/// Pairs of networks with different owners of which the second lies in the first: each network with the nearest around it.
pub(super) fn nested(mut claimed: Vec<Claimed>) -> Vec<(Claimed, Claimed)> {
    let key = |claim: &Claimed| match claim.network {
        IpNet::V4(net) => (0, u128::from(u32::from(net.network())), net.prefix_len(), claim.owner),
        IpNet::V6(net) => (1, u128::from(net.network()), net.prefix_len(), claim.owner),
    };
    claimed.sort_by_key(key);
    let mut open: Vec<Claimed> = Vec::new();
    let mut pairs = Vec::new();
    for claim in claimed {
        while open.last().is_some_and(|outer| !outer.network.contains(&claim.network)) {
            open.pop();
        }
        if let Some(outer) = open.last()
            && outer.owner != claim.owner
        {
            pairs.push((outer.clone(), claim.clone()));
        }
        open.push(claim);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_specific_network_wins_and_versions_are_apart() {
        let net = |text: &str| parse_network(text).unwrap();
        let table = NetworkTable::new([
            (net("10.0.0.0/8"), 1),
            (net("10.1.0.0/16"), 2),
            (net("10.1.2.3"), 3),
            (net("255.255.255.0/24"), 5),
            (net("10.1.2.9"), 7),
            (net("10.1.2.9"), 6),
            (net("::/0"), 4),
        ]);
        let get = |text: &str| table.get(text.parse::<std::net::IpAddr>().unwrap().into());
        assert_eq!(get("9.255.255.255"), None);
        assert_eq!(get("10.0.0.0"), Some(1));
        assert_eq!(get("10.1.0.0"), Some(2));
        assert_eq!(get("10.1.2.3"), Some(3));
        assert_eq!(get("10.1.2.4"), Some(2));
        assert_eq!(get("10.1.2.9"), Some(6), "of two that are the same the smaller value");
        assert_eq!(get("10.1.2.10"), Some(2));
        assert_eq!(get("10.2.0.0"), Some(1));
        assert_eq!(get("11.0.0.0"), None);
        assert_eq!(get("255.255.255.255"), Some(5));
        assert_eq!(get("2001:db8::1"), Some(4));
        assert_eq!(net("::ffff:10.0.0.0/104"), net("10.0.0.0/8"));
        for (text, help) in [
            ("10.0.0.1/8", "`10.0.0.0/8`"),
            ("010.20.0.0/16", "`10.20.0.0/16`"),
            ("10.20.00.1", "`10.20.0.1`"),
            ("10.20.*.*", "`10.20.0.0/16`"),
            ("10.20.0.0/36", "at most 32 bits"),
            ("10.20.0.0/255.255.0.0", "not a mask"),
            ("10.20.0.0-10.20.0.255", "a range"),
            ("2001:db8::/129", "at most 128 bits"),
            ("nowhere", "for example"),
        ] {
            assert!(parse_network(text).unwrap_err().contains(help), "{text}: {:?}", parse_network(text));
        }
    }

    #[test]
    fn a_network_is_private_where_all_of_it_is() {
        let private = |text: &str| is_private(&parse_network(text).unwrap());
        assert!(private("10.0.0.0/8") && private("172.16.0.0/12") && private("100.64.0.0/10") && private("fd00::/8"));
        assert!(!private("10.0.0.0/7") && !private("172.0.0.0/11") && !private("192.0.2.0/24") && !private("::/0"));
    }
}
