//! Service tags of Azure (<https://www.microsoft.com/en-us/download/details.aspx?id=56519>).
//!
//! The tags `AzureCloud.<region>` hold every prefix of a region; other tags repeat those by service and are not read. The
//! names of regions in tags are not those of the rest of Azure (`centralfrance` for `francecentral`). Front Door and
//! Traffic Manager answer from many sites.

use serde::Deserialize;

use super::regions::Regions;
use super::{Rows, Text, parse};
use crate::locate::LocateError;
use crate::locate::layer::Database;
use crate::locate::listing::{Document, Listing, provided};
use crate::model::{Authority, CountrySet};

const REGIONAL: &str = "AzureCloud.";
const EDGE: [&str; 2] = ["AzureFrontDoor", "AzureTrafficManager"];

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    values: Rows<Tag<'a>>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    properties: Properties<'a>,
}

#[derive(Default, Deserialize)]
struct Properties<'a> {
    #[serde(rename = "addressPrefixes", borrow, default)]
    prefixes: Rows<Text<'a>>,
}

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let file: File<'_> = parse(document)?;
    let regions = Regions::of("azure");
    let mut listing = Listing::new();
    for tag in &file.values.0 {
        let name = tag.name.0.as_ref();
        let saying = if let Some(region) = name.strip_prefix(REGIONAL) {
            regions.saying(&mut listing, region)
        } else if EDGE.contains(&name.split('.').next().unwrap_or_default()) {
            provided(CountrySet::ANYWHERE, listing.region(&format!("azure:{name}")))
        } else {
            continue;
        };
        for prefix in &tag.properties.prefixes.0 {
            listing.written(&prefix.0, saying);
        }
    }
    document.database(listing, "feed azure", Authority::Provider, None)
}
