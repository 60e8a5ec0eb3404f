//! Addresses of a delivery network, as Fastly lists them (<https://www.fastly.com/documentation/reference/api/utils/public-ip-list/>):
//! every one is announced from many sites.

use serde::Deserialize;

use super::{Rows, Text, parse};
use crate::locate::LocateError;
use crate::locate::layer::Database;
use crate::locate::listing::{Document, Listing, provided};
use crate::model::{Authority, CountrySet};

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    addresses: Rows<Text<'a>>,
    #[serde(borrow, default)]
    ipv6_addresses: Rows<Text<'a>>,
}

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let file: File<'_> = parse(document)?;
    let mut listing = Listing::new();
    for address in file.addresses.0.iter().chain(&file.ipv6_addresses.0) {
        listing.written(&address.0, provided(CountrySet::ANYWHERE, None));
    }
    document.database(listing, "feed edge", Authority::Provider, None)
}
