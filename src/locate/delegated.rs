//! Delegations of the regional registries ("delegated-extended" statistics files): to which country a network was given.
//!
//! That is where its holder is registered, never where it is: right for four of ten networks of the large providers. The
//! format: <https://www.apnic.net/about-apnic/corporate-documents/documents/resource-guidelines/rir-statistics-exchange-format/>.
//!
//! `registry|country|type|start|value|date|status[|..]`, with a line of the version first and summaries after it. `value` is
//! a count of addresses for IPv4, which need not be a power of two, and a prefix length for IPv6.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Net};
use jiff::civil::Date;

use super::LocateError;
use super::layer::{Database, Saying};
use super::listing::{Document, Listing, Refusal, date_in};
use crate::model::{Authority, Country};

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let mut listing = Listing::new();
    let mut as_of: Option<Date> = None;
    for (at, line) in document.text.lines().enumerate() {
        let line = line.trim();
        let fields: Vec<&str> = line.splitn(8, '|').map(str::trim).collect();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match fields.as_slice() {
            [version, _, serial, ..] if is_version(version) => as_of = as_of.max(date_in(serial)),
            // Summaries, AS numbers, and networks that nobody holds.
            [_, _, _, _, _, "summary", ..] | [_, _, "asn", ..] => {}
            [_, _, _, _, _, _, status, ..]
                if !["allocated", "assigned"].contains(&status.to_ascii_lowercase().as_str()) => {}
            [_, country, kind, start, value, ..] => {
                let networks = networks(kind, start, value);
                if networks.is_empty() {
                    listing.refuse(Refusal::Bad, &format!("line {}: {line}", at + 1));
                } else if let Some(country) = Country::from_code(country) {
                    let saying =
                        Saying { registered: Some(country), authority: Authority::Registry, ..Saying::NOTHING };
                    for network in networks {
                        listing.network(network, saying);
                    }
                }
            }
            _ => listing.refuse(Refusal::Bad, &format!("line {}: {line}", at + 1)),
        }
    }
    document.database(listing, "registry delegations", Authority::Registry, as_of)
}

/// `2`, `2.3`: the first field of the first line of a file.
fn is_version(field: &str) -> bool {
    field.starts_with(|c: char| c.is_ascii_digit())
        && field.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.')
}

/// The networks of a record, at most 62.
fn networks(kind: &str, start: &str, value: &str) -> Vec<IpNet> {
    match kind {
        "ipv4" => {
            let first = start.parse::<Ipv4Addr>().ok();
            let more = value.parse::<u32>().ok().and_then(|count| count.checked_sub(1));
            let Some((first, last)) =
                first.zip(more).and_then(|(first, more)| Some((first, u32::from(first).checked_add(more)?)))
            else {
                return Vec::new();
            };
            Ipv4Subnets::new(first, Ipv4Addr::from(last), 0).map(IpNet::V4).collect()
        }
        "ipv6" => {
            let network = start.parse::<Ipv6Addr>().ok().zip(value.parse().ok());
            let network = network.and_then(|(start, prefix)| Ipv6Net::new(start, prefix).ok());
            network.map(IpNet::V6).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
