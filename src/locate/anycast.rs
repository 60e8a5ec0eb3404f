//! Lists of prefixes that are announced from many sites, one a line.
//!
//! Such a list is made by watching announcements, so it names whole announcements, regional parts and all: of one list of
//! 2026, the 48 entries shorter than /20 hold four fifths of its addresses, and would turn a quarter of the regional
//! addresses of one provider into anycast. Its claims are therefore indicative: where a provider says where a network is,
//! the provider speaks alone; elsewhere the list makes a location unknown that databases would put into one country.

use super::LocateError;
use super::layer::{Database, Saying};
use super::listing::{Document, Listing, Refusal, date_in, network};
use crate::model::{Authority, CountrySet};

pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    let mut listing = Listing::new();
    let mut as_of = None;
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
            Some(network) => listing.network(network, Saying::indicative(CountrySet::ANYWHERE)),
            None => listing.refuse(Refusal::Bad, &format!("line {}: {field}", at + 1)),
        }
    }
    document.database(listing, "anycast list", Authority::Indicative, as_of)
}
