//! What providers publish of their own networks: JSON documents with prefixes and the regions that they are in.
//!
//! A region is not a country: [`regions`] has the table from the one to the other. Documents are bounded in size and rows;
//! an error in one names line and column; a row that cannot be used is counted.

mod aws;
mod azure;
mod edge;
mod gcp;
mod oci;
mod regions;

pub use regions::{RegionError, region_country};

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::LocateError;
use super::layer::{Database, tidy};
use super::listing::Document;
use crate::model::Subject;

/// The largest document that is read, in octets: Azure's, the largest, has 4.4 MB.
const MAX_DOCUMENT: usize = 48 << 20;
/// The most rows of one list in a document.
const MAX_ROWS: usize = 1 << 20;

/// The keys that tell whose document it is.
#[derive(Deserialize)]
struct Keys {
    prefixes: Option<IgnoredAny>,
    #[serde(rename = "createDate")]
    create_date: Option<IgnoredAny>,
    ipv6_prefixes: Option<IgnoredAny>,
    values: Option<IgnoredAny>,
    regions: Option<IgnoredAny>,
    addresses: Option<IgnoredAny>,
}

/// Reads a provider's document.
pub(super) fn read(document: Document<'_>) -> Result<Database, LocateError> {
    if document.text.len() > MAX_DOCUMENT {
        return Err(LocateError::TooLarge { path: document.path.to_owned() });
    }
    let keys: Keys = parse(document)?;
    let taken = |form| Document { form, ..document };
    if keys.prefixes.is_some() && (keys.create_date.is_some() || keys.ipv6_prefixes.is_some()) {
        let operator = Operator { publisher: "Amazon Web Services", asn: 16509, name: "Amazon.com, Inc." };
        aws::read(taken("the ranges of AWS")).map(|feed| operator.runs(feed))
    } else if keys.prefixes.is_some() {
        let operator = Operator { publisher: "Google", asn: 15169, name: "Google LLC" };
        gcp::read(taken("the ranges of Google")).map(|feed| operator.runs(feed))
    } else if keys.values.is_some() {
        let operator = Operator { publisher: "Microsoft Azure", asn: 8075, name: "Microsoft Corporation" };
        azure::read(taken("the service tags of Azure")).map(|feed| operator.runs(feed))
    } else if keys.regions.is_some() {
        let operator = Operator { publisher: "Oracle Cloud", asn: 31898, name: "Oracle Corporation" };
        oci::read(taken("the ranges of Oracle")).map(|feed| operator.runs(feed))
    } else if keys.addresses.is_some() {
        edge::read(taken("the addresses of a delivery network"))
    } else {
        Err(document.unusable("it is JSON, but has the keys of no feed that is known"))
    }
}

/// Who runs the networks of a feed.
struct Operator {
    /// The provider's name.
    publisher: &'static str,
    /// Its main autonomous system, which stands for it where no database knows the one that announces a network.
    asn: u32,
    /// The holder of that.
    name: &'static str,
}

impl Operator {
    fn runs(&self, mut feed: Database) -> Database {
        let asn = |saying: u32| if saying == 0 { 0 } else { self.asn };
        feed.layer.systems = (feed.layer.places.0.clone().map(asn), feed.layer.places.1.clone().map(asn));
        feed.layer.organisations = [(self.asn, self.name.to_owned())].into_iter().collect();
        feed.source.publisher = Some(self.publisher.to_owned());
        feed.source.subjects = feed.layer.subjects(Subject::Networks);
        feed
    }
}

/// Parses a document; what is wrong is told with line and column.
fn parse<'a, T: Deserialize<'a>>(document: Document<'a>) -> Result<T, LocateError> {
    serde_json::from_str(document.text).map_err(|error| {
        let what = error.to_string();
        let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
        document.unusable(format!("line {}, column {}: {}", error.line(), error.column(), tidy(what)))
    })
}

/// A text of a document, borrowed where it has no escapes.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A list with a bound.
struct Rows<T>(Vec<T>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
            type Value = Rows<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Rows<T>, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = seq.next_element()? {
                    if rows.len() >= MAX_ROWS {
                        return Err(serde::de::Error::custom(format!("more than {MAX_ROWS} rows in one list")));
                    }
                    rows.push(row);
                }
                Ok(Rows(rows))
            }
        }

        deserializer.deserialize_seq(Bounded(PhantomData))
    }
}
