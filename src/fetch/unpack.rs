//! What publishers wrap their data in: gzip, zstd, and tar for `MaxMind`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::diag::with_causes;
use crate::source::compression::unwrap;

/// The most files of an archive that are looked at.
const MAX_ENTRIES: usize = 1000;

/// Writes the content of a file without its wrapping, at most `most` octets, and brings it to disk. An archive must hold
/// one database.
pub(super) fn unpack(from: &Path, into: &Path, most: u64) -> Result<(), String> {
    let told = |error: io::Error| with_causes(&error);
    let file = File::open(from).map_err(told)?;
    // Raw content passes through with the same limit below.
    let unwrapped = unwrap(Box::new(BufReader::new(file)), most).map_err(|error| with_causes(&error))?;
    let mut out = File::create(into).map_err(told)?;
    // POSIX.1-1988 puts its mark at octet 257 of a header.
    if unwrapped.head.get(257..262) == Some(b"ustar") {
        let mut archive = tar::Archive::new(unwrapped.reader);
        let mut found = 0;
        for (at, entry) in archive.entries().map_err(told)?.enumerate() {
            let mut entry = entry.map_err(told)?;
            if at >= MAX_ENTRIES {
                return Err(format!("the archive holds more than {MAX_ENTRIES} files"));
            }
            let is_database = entry.path().is_ok_and(|path| path.extension().is_some_and(|end| end == "mmdb"));
            if is_database && entry.header().entry_type().is_file() {
                found += 1;
                if found == 1 {
                    copy(&mut entry, &mut out, most)?;
                }
            }
        }
        if found != 1 {
            return Err(format!("the archive holds {found} databases (.mmdb), and should hold one"));
        }
    } else {
        let mut reader = unwrapped.reader;
        copy(&mut reader, &mut out, most)?;
    }
    out.sync_all().map_err(told)
}

fn copy(from: &mut impl Read, into: &mut File, most: u64) -> Result<(), String> {
    let count = io::copy(&mut from.take(most + 1), into).map_err(|error| with_causes(&error))?;
    if count > most { Err(format!("more than {most} octets of content")) } else { Ok(()) }
}
