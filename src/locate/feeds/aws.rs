//! `ip-ranges.json` of AWS (<https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html>).
//!
//! `network_border_group` says where a prefix is announced from, `region` only to which region it belongs: local zones of
//! `us-east-1` are in Peru, Mexico and Chile, and one of `eu-central-1` in Istanbul. A prefix stands in the file once for
//! each service; one that an edge service uses is announced from many sites whatever region it has.

use serde::Deserialize;

use super::regions::Regions;
use super::{Rows, Text, parse};
use crate::locate::LocateError;
use crate::locate::layer::Database;
use crate::locate::listing::{Document, Listing, Refusal, date_in, provided};
use crate::model::{Authority, CountrySet};

/// Services that answer from the site nearest to the client.
const EDGE: [&str; 3] = ["CLOUDFRONT", "GLOBALACCELERATOR", "ROUTE53"];

#[derive(Deserialize)]
struct File<'a> {
    #[serde(rename = "createDate", borrow, default)]
    created: Text<'a>,
    #[serde(borrow, default)]
    prefixes: Rows<Row<'a>>,
    #[serde(borrow, default)]
    ipv6_prefixes: Rows<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(alias = "ipv6_prefix", borrow, default)]
    ip_prefix: Text<'a>,
    #[serde(borrow, default)]
    region: Text<'a>,
    #[serde(borrow, default)]
    service: Text<'a>,
    #[serde(borrow, default)]
    network_border_group: Text<'a>,
}

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let file: File<'_> = parse(document)?;
    let regions = Regions::of("aws");
    let mut listing = Listing::new();
    for row in file.prefixes.0.iter().chain(&file.ipv6_prefixes.0) {
        let group = if row.network_border_group.0.is_empty() { &row.region.0 } else { &row.network_border_group.0 };
        if group.is_empty() {
            listing.refuse(Refusal::Bad, &row.ip_prefix.0);
        } else if EDGE.contains(&row.service.0.as_ref()) {
            let region = listing.region(&format!("aws:{group}"));
            listing.written(&row.ip_prefix.0, provided(CountrySet::ANYWHERE, region));
        } else {
            let saying = regions.saying(&mut listing, group);
            listing.written(&row.ip_prefix.0, saying);
        }
    }
    document.database(listing, "feed aws", Authority::Provider, date_in(&file.created.0))
}
