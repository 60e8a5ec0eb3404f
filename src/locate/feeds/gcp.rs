//! `cloud.json` and `goog.json` of Google (<https://support.google.com/a/answer/10026322>).
//!
//! `cloud.json` has a scope for each prefix: a region, or `global` for load balancers that answer from many sites (Google's
//! geofeed puts these in Kansas, which is where nothing is). `goog.json` lists all of Google's prefixes without any scope:
//! its own services, announced from many sites, and customers' regions in between. So it counts as indicative, like a list
//! of anycast prefixes, and where `cloud.json` knows a region that speaks alone.

use serde::Deserialize;

use super::regions::Regions;
use super::{Rows, Text, parse};
use crate::locate::LocateError;
use crate::locate::layer::{Database, Saying};
use crate::locate::listing::{Document, Listing, date_in};
use crate::model::{Authority, CountrySet};

#[derive(Deserialize)]
struct File<'a> {
    #[serde(rename = "creationTime", borrow, default)]
    created: Text<'a>,
    #[serde(borrow)]
    prefixes: Rows<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "ipv4Prefix", alias = "ipv6Prefix", borrow, default)]
    prefix: Text<'a>,
    #[serde(borrow, default)]
    scope: Text<'a>,
}

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let file: File<'_> = parse(document)?;
    let regions = Regions::of("gcp");
    let mut listing = Listing::new();
    for row in &file.prefixes.0 {
        let saying = if row.scope.0.is_empty() {
            Saying { region: listing.region("google"), ..Saying::indicative(CountrySet::ANYWHERE) }
        } else {
            regions.saying(&mut listing, &row.scope.0)
        };
        listing.written(&row.prefix.0, saying);
    }
    document.database(listing, "feed gcp", Authority::Provider, date_in(&file.created.0))
}
