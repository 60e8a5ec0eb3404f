//! What shows that a file is the one that its publisher meant: a digest, or a signature of minisign.
//!
//! Of the catalogue, `MaxMind` publishes a SHA-256 beside each file, over the same connection; no publisher of it signs. For
//! one's own mirror there are signatures: `minisign -S -m FILE` makes one.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use minisign_verify::{PublicKey, Signature};
use sha2::{Digest as _, Sha256};

use crate::locate::hex;

/// How much of a file is read at once.
const READ: usize = 1 << 16;

/// What a file has to be, beyond being sound.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Its SHA-256, in hexadecimal.
    pub sha256: Option<String>,
    /// A signature in the format of minisign, and the public key that it must be by, in base64.
    pub signature: Option<(String, String)>,
}

/// A file is not what it has to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Reading failed.
    #[error("cannot read it again: {0}")]
    Io(#[from] std::io::Error),
    /// Its digest is another.
    #[error("its sha256 is {found}, not {expected}")]
    Digest {
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The key or the signature cannot be used, or the signature is not by that key over this file.
    #[error("its signature does not hold: {0}")]
    Signature(String),
}

/// Shows that a file is what it has to be; gives its SHA-256.
pub(super) fn check(path: &Path, proof: &Proof) -> Result<String, ProofError> {
    let bad = |error: minisign_verify::Error| ProofError::Signature(error.to_string());
    let mut key = None;
    if let Some((signature, public)) = &proof.signature {
        let signature = Signature::decode(signature).map_err(bad)?;
        let public = PublicKey::from_base64(public.trim()).or_else(|_| PublicKey::decode(public)).map_err(bad)?;
        key = Some((public, signature));
    }
    let mut verifier = match &key {
        Some((public, signature)) => Some(public.verify_stream(signature).map_err(bad)?),
        None => None,
    };
    let (mut hash, mut file) = (Sha256::new(), File::open(path)?);
    let mut buffer = vec![0; READ];
    loop {
        let count = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
        if let Some(verifier) = &mut verifier {
            verifier.update(read);
        }
    }
    if let Some(mut verifier) = verifier {
        verifier.finalize().map_err(bad)?;
    }
    let found = hex(&hash.finalize());
    match &proof.sha256 {
        Some(expected) if !expected.trim().eq_ignore_ascii_case(&found) => {
            Err(ProofError::Digest { found, expected: expected.trim().to_owned() })
        }
        _ => Ok(found),
    }
}
