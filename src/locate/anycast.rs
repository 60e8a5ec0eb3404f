//! Lists of prefixes that are announced from many sites, one a line.
//!
//! Such a list is made by watching announcements, so it names whole announcements, regional parts and all: of one list of
//! 2026, the 48 entries shorter than /20 hold four fifths of its addresses, and would turn a quarter of the regional
//! addresses of one provider into anycast. Its claims are therefore indicative: where a provider says where a network is,
//! the provider speaks alone; elsewhere the list makes a location unknown that databases would put into one country. Its
//! networks shorter than /20 (IPv6: /44) say nothing, and are counted.
//!
//! A delivery network's list of its own blocks, as Cloudflare's, has the same form and means all of them. The two are told
//! apart by what they list: at least half of what a watcher sees are the longest announcements that routers take.

use ipnet::IpNet;

use super::LocateError;
use super::layer::{Database, Saying};
use super::listing::{Document, Listing, MAX_NETWORKS, Refusal, date_in, network};
use crate::model::{Authority, CountrySet};

/// How many bits shorter than the longest announcement a network on a watched list may be.
const SPARE: u8 = 4;

/// The length of the longest announcement that routers take.
fn finest(network: IpNet) -> u8 {
    if network.addr().is_ipv4() { 24 } else { 48 }
}

/// Whether a list was made by watching announcements.
fn is_watched(networks: &[IpNet]) -> bool {
    networks.iter().filter(|network| network.prefix_len() >= finest(**network)).count() * 2 >= networks.len()
}

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let mut listing = Listing::new();
    let mut as_of = None;
    let mut networks = Vec::new();
    for (at, line) in document.text.lines().enumerate() {
        if let Some(comment) = line.trim().strip_prefix('#') {
            as_of = as_of.or_else(|| date_in(comment));
            continue;
        }
        let field = line.split([',', '#']).next().unwrap_or_default().trim().trim_matches('"');
        if field.is_empty() {
            continue;
        }
        match network(field) {
            Some(network) if networks.len() < MAX_NETWORKS => networks.push(network),
            Some(_) => return Err(document.unusable(format!("it lists more than {MAX_NETWORKS} networks"))),
            None => listing.refuse(Refusal::Bad, &format!("line {}: {field}", at + 1)),
        }
    }
    let watched = is_watched(&networks);
    for network in networks {
        if watched && network.prefix_len() < finest(network) - SPARE {
            listing.refuse(Refusal::Wide, &network.to_string());
        } else {
            listing.network(network, Saying::indicative(CountrySet::ANYWHERE));
        }
    }
    document.database(listing, "anycast list", Authority::Indicative, as_of)
}
