//! `public_ip_ranges.json` of Oracle (<https://docs.oracle.com/iaas/Content/General/Concepts/addressranges.htm>).

use serde::Deserialize;

use super::regions::Regions;
use super::{Rows, Text, parse};
use crate::locate::LocateError;
use crate::locate::layer::Database;
use crate::locate::listing::{Document, Listing, date_in};
use crate::model::Authority;

#[derive(Deserialize)]
struct File<'a> {
    #[serde(rename = "last_updated_timestamp", borrow, default)]
    updated: Text<'a>,
    #[serde(borrow)]
    regions: Rows<Region<'a>>,
}

#[derive(Deserialize)]
struct Region<'a> {
    #[serde(borrow, default)]
    region: Text<'a>,
    #[serde(borrow, default)]
    cidrs: Rows<Network<'a>>,
}

#[derive(Deserialize)]
struct Network<'a> {
    #[serde(borrow, default)]
    cidr: Text<'a>,
}

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let file: File<'_> = parse(document)?;
    let regions = Regions::of("oci");
    let mut listing = Listing::new();
    for region in &file.regions.0 {
        let saying = regions.saying(&mut listing, &region.region.0);
        for network in &region.cidrs.0 {
            listing.written(&network.cidr.0, saying);
        }
    }
    document.database(listing, "feed oci", Authority::Provider, date_in(&file.updated.0))
}
