//! Services: protocols and ports to classes, so that rules are selected by one small number.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;

use super::meant::meant_word;
use super::syntax::Sink;
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::Protocol;

/// The most services of a policy: a set of services is 128 bits.
pub(super) const MAX_SERVICES: usize = 128;

/// The most ranges of ports of all services together, which bounds the number of classes.
pub(super) const MAX_RANGES: usize = 1024;

/// Which services fit a flow, or which a rule names: a bit each, in the order of their names.
pub(super) type ServiceSet = u128;

/// A protocol with a range of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PortRange {
    pub(super) protocol: Protocol,
    pub(super) first: u16,
    pub(super) last: u16,
}

/// Flows to classes. A class is the set of services that fit; class 0 is that none does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceTable {
    /// For each protocol that a service names: from each port on, the class until the next.
    protocols: Vec<(Protocol, Vec<(u16, u16)>)>,
    /// The services of each class, sorted.
    classes: Vec<ServiceSet>,
}

impl ServiceTable {
    /// Of services with their ranges of ports. `None` where there are more classes than 16 bits tell apart.
    pub(super) fn new(services: &[Vec<PortRange>]) -> Option<Self> {
        let numbered =
            || services.iter().enumerate().flat_map(|(index, ranges)| ranges.iter().map(move |range| (index, range)));
        let protocols: BTreeSet<Protocol> = numbered().map(|(_, range)| range.protocol).collect();
        let mut sets: BTreeSet<ServiceSet> = BTreeSet::from([0]);
        let mut tables = Vec::new();
        for protocol in protocols {
            let of_protocol = || numbered().filter(move |(_, range)| range.protocol == protocol);
            let mut starts = BTreeSet::from([0]);
            for (_, range) in of_protocol() {
                starts.insert(range.first);
                starts.extend(range.last.checked_add(1));
            }
            let fitting = |port: u16| {
                let fits = of_protocol().filter(|(_, range)| range.first <= port && port <= range.last);
                fits.fold(0, |set, (index, _)| set | 1 << index)
            };
            let table: Vec<(u16, ServiceSet)> = starts.into_iter().map(|start| (start, fitting(start))).collect();
            // Where the responder is not known, either port may be the service's.
            let distinct: BTreeSet<ServiceSet> = table.iter().map(|(_, set)| *set).collect();
            for one in &distinct {
                for other in &distinct {
                    sets.insert(one | other);
                }
                if sets.len() > usize::from(u16::MAX) {
                    return None;
                }
            }
            tables.push((protocol, table));
        }
        let classes: Vec<ServiceSet> = sets.into_iter().collect();
        let class = |set: ServiceSet| classes.binary_search(&set).map_or(0, |index| index as u16);
        let protocols = tables
            .into_iter()
            .map(|(protocol, table)| (protocol, table.into_iter().map(|(start, set)| (start, class(set))).collect()))
            .collect();
        Some(Self { protocols, classes })
    }

    /// Of no services: everything is one class.
    pub(super) fn empty() -> Self {
        Self { protocols: Vec::new(), classes: vec![0] }
    }

    /// The class of a protocol with a port, or with two where it is not known which is the responder's. Further ports are
    /// not looked at.
    pub(super) fn class(&self, protocol: Protocol, ports: &[u16]) -> u16 {
        let Some((_, table)) = self.protocols.iter().find(|(known, _)| *known == protocol) else { return 0 };
        let of_port = |port: u16| {
            let after = table.partition_point(|(start, _)| *start <= port);
            after.checked_sub(1).and_then(|index| table.get(index)).map_or(0, |(_, class)| *class)
        };
        match ports {
            // A protocol without ports: what speaks of the whole protocol covers port 0.
            [] => of_port(0),
            [port] => of_port(*port),
            [one, other, ..] => {
                let (one, other) = (of_port(*one), of_port(*other));
                if one == other {
                    return one;
                }
                let union = self.services(one) | self.services(other);
                self.classes.binary_search(&union).map_or(one, |index| index as u16)
            }
        }
    }

    /// The services that fit the flows of a class.
    pub(super) fn services(&self, class: u16) -> ServiceSet {
        self.classes.get(usize::from(class)).copied().unwrap_or(0)
    }

    /// Every class.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.classes.len()
    }
}

/// Reads `tcp/443`, `udp/8801-8802`, or a protocol alone for all of it.
pub(super) fn ports(written: &Spanned<String>, sink: &mut Sink) -> Option<PortRange> {
    match parse_ports(written.get_ref()) {
        Ok(range) => Some(range),
        Err(help) => {
            let message = format!("{} is not a protocol with ports", quoted(written.get_ref()));
            sink.push(Diagnostic::error(Code::BadPort, message).at(written.span(), "").help(help));
            None
        }
    }
}

fn parse_ports(text: &str) -> Result<PortRange, String> {
    const EXAMPLE: &str = "write for example `tcp/443`, `udp/8801-8802` or `icmp`";
    let (name, ports) = text.split_once('/').map_or((text, None), |(name, ports)| (name, Some(ports)));
    let protocol = Protocol::from_name(name).ok_or_else(|| {
        if name.parse::<u64>().is_ok() || Protocol::from_name(ports.unwrap_or("")).is_some() {
            return format!("the protocol comes first: {EXAMPLE}");
        }
        let known = ["tcp", "udp", "sctp", "icmp", "icmpv6", "gre", "esp", "ah"];
        meant_word(name, &known.into_iter())
            .map_or_else(|| EXAMPLE.to_owned(), |meant| format!("did you mean `{meant}`? {EXAMPLE}"))
    })?;
    let whole = |range: Range<u16>| PortRange { protocol, first: range.start, last: range.end };
    let Some(ports) = ports else {
        if text.parse::<u64>().is_ok() {
            return Err(format!("say which protocol: `tcp/{text}` or `udp/{text}`"));
        }
        return Ok(whole(0..u16::MAX));
    };
    if !protocol.has_ports() {
        return Err(format!("`{name}` has no ports: write `{name}` alone"));
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first <= last => Ok(whole(first..last)),
        (Ok(first), Ok(last)) => {
            Err(format!("the range is the wrong way round; did you mean `{name}/{last}-{first}`?"))
        }
        _ => Err(format!("ports are numbers from 0 to 65535: {EXAMPLE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_classes() {
        let range = |text: &str| parse_ports(text).unwrap();
        let web = vec![range("tcp/443"), range("udp/443")];
        let zoom = vec![range("tcp/443"), range("tcp/8801-8802")];
        let ping = vec![range("icmp")];
        let table = ServiceTable::new(&[web, zoom, ping]).unwrap();
        let services = |protocol, ports: &[u16]| table.services(table.class(protocol, ports));
        assert_eq!(services(Protocol::TCP, &[443]), 0b011);
        assert_eq!(services(Protocol::UDP, &[443]), 0b001);
        assert_eq!(services(Protocol::TCP, &[8802]), 0b010);
        assert_eq!(services(Protocol::TCP, &[8803]), 0);
        assert_eq!(services(Protocol::TCP, &[50000, 8801]), 0b010, "either port may be the responder's");
        assert_eq!(services(Protocol::ICMP, &[]), 0b100);
        assert_eq!(services(Protocol::SCTP, &[443]), 0);
        assert!(table.len() <= 5);
    }

    #[test]
    fn mistakes_are_explained() {
        let help = |text: &str| parse_ports(text).unwrap_err();
        assert!(help("443").contains("`tcp/443`"));
        assert!(help("443/tcp").contains("protocol comes first") && help("8080").contains("protocol comes first"));
        assert!(help("web/tcp").contains("protocol comes first"));
        // A number alone can be a protocol's.
        assert_eq!(help("80"), "say which protocol: `tcp/80` or `udp/80`");
        assert!(help("tpc/443").contains("`tcp`"));
        assert!(help("tcp/90-80").contains("`tcp/80-90`"));
        assert!(help("icmp/8").contains("no ports"));
        assert!(help("tcp/70000").contains("65535"));
    }
}
