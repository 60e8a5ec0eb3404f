//! What names the content of an input.

use serde::{Deserialize, Serialize};

/// The content of an input as it was read: as it lies on disk, before anything is decompressed. Whoever has a file of this
/// length and digest has the input that was audited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileDigest {
    /// How many octets.
    pub octets: u64,
    /// Their SHA-256 (FIPS 180-4), in hexadecimal.
    pub sha256: String,
}
