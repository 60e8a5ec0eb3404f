//! The samples: what is committed is what the generators write.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixtures::{intrusion, partners, places, tiktok, zoom};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a committed file with what it should be; with `UPDATE=1`, writes it.
fn compare(path: &Path, expected: &[u8]) {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for samples");
        fs::write(path, expected).expect("a sample is written");
        return;
    }
    let found = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; UPDATE=1 writes it", path.display()));
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    let at = differs.unwrap_or_else(|| found.len().min(expected.len()));
    assert!(
        found == expected,
        "{} differs from what it should be at octet {at} of {}; UPDATE=1 writes it",
        path.display(),
        expected.len()
    );
}

#[test]
fn the_committed_samples_are_what_the_generators_write() {
    let files = [
        ("places.mmdb", places::database()),
        ("zoom-2020/meeting.pcap", zoom::meeting()),
        ("tiktok-oracle/enclave.log", tiktok::enclave().into_bytes()),
        ("spotify-partners-2020/before.log", partners::before().into_bytes()),
        ("spotify-partners-2020/since.log", partners::since().into_bytes()),
        ("spotify-intrusion-2014/border.pcapng", intrusion::border()),
    ];
    for (name, octets) in &files {
        assert!(octets.len() < 300_000, "{name} has {} octets: samples are small", octets.len());
        compare(&root().join("samples").join(name), octets);
    }
}
