//! The manifest of a store: what it holds, in TOML that a person can read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::Keep;
use crate::model::{Authority, LocationSource, Timestamp};

/// The version of the manifest that is written, and the newest that is read.
pub(super) const VERSION: u32 = 1;
/// The longest name of a source.
const MAX_NAME: usize = 64;

/// Everything that a store knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) version: u32,
    /// Licences that were accepted, by source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) accepted: BTreeMap<String, Acceptance>,
    /// Sources, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) source: BTreeMap<String, Held>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Acceptance {
    pub(super) licence: String,
    pub(super) on: Timestamp,
}

/// A source that a store holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Held {
    /// What tells its copies from those of another source.
    pub series: String,
    /// Whether superseded copies are kept.
    pub keep: Keep,
    /// Its licence, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The attribution that the licence asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// Where it was last fetched, without what could be a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What its publisher calls the edition that was last fetched (RFC 9110 section 8.8.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When its publisher last changed it, in the publisher's words (RFC 9110 section 8.8.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// When its publisher was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// Its copies, oldest first: never empty.
    #[serde(default)]
    pub copy: Vec<Copy>,
    /// What was used once and is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Past>,
    /// How many of these are no longer listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgotten: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One copy of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Copy {
    /// The file, within the store.
    pub file: String,
    /// Its date: its own word, or its publisher's, or the day when it came.
    pub date: String,
    /// Who says that it is of that date: `content`, `publisher` (by HTTP), `user`, or nobody: `arrival`.
    pub dated_by: String,
    /// When it came.
    pub obtained: Timestamp,
    /// Where it came from, without what could be a secret.
    pub from: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The digest that reports name it by, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Octets of the file.
    pub size: u64,
    /// What kind of source it is.
    pub kind: String,
    /// How much its claims count.
    pub authority: Authority,
    /// How many networks it speaks of.
    pub networks: u64,
    /// How many IPv4 addresses it says something of.
    pub ipv4_addresses: u64,
    /// What should be known of rows that were not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A copy that is gone: what a report that names it rested on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Past {
    /// Its date.
    pub date: String,
    /// The digest that reports name it by.
    pub digest: String,
    /// When it came.
    pub obtained: Timestamp,
    /// When it was removed.
    pub removed: Timestamp,
}

impl Copy {
    /// The digest that reports name it by.
    pub fn digest(&self) -> &str {
        self.digest.as_deref().unwrap_or(&self.sha256)
    }
}

impl Held {
    /// The copy with the newest date.
    pub fn current(&self) -> Option<&Copy> {
        self.copy.last()
    }

    /// A copy as a report lists it.
    pub fn listed(&self, name: &str, origin: String, copy: &Copy) -> LocationSource {
        LocationSource {
            name: name.to_owned(),
            origin,
            kind: copy.kind.clone(),
            authority: copy.authority,
            as_of: Some(copy.date.clone()),
            digest: copy.digest().to_owned(),
            licence: self.licence.clone(),
            attribution: self.attribution.clone(),
            networks: copy.networks,
            // What the file itself tells.
            publisher: None,
            subjects: Vec::new(),
        }
    }
}

/// Whether a text can name a source: lower-case letters, digits, and `.`, `_`, `-` within.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |octet: &u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
    text.len() <= MAX_NAME
        && text.as_bytes().first().is_some_and(is_plain)
        && text.bytes().all(|octet| is_plain(&octet) || b"._-".contains(&octet))
}

/// A name for a source after a file or an address.
pub fn name_of(text: &str) -> String {
    let plain = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '_' { c } else { '-' }
    };
    let name: String = text.chars().map(plain).take(MAX_NAME).collect();
    name.trim_start_matches(['.', '_', '-']).trim_end_matches(['.', '_', '-']).to_owned()
}
