//! What must hold of every parser, whatever octets it is given: each law takes octets and panics where it is broken.
//!
//! The targets of `tests/fuzz` try them on octets that libFuzzer makes up, and the tests of `tests/it/fuzz.rs` on seeds and
//! noise, so that a law cannot rot unseen. The first octets of an input choose how the rest is used: [`Input`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

mod database;
mod input;
mod logs;
mod names;
mod policy;
pub mod quic;
mod readings;
mod sources;
mod wire;

pub use database::database;
pub use logs::log;
pub use names::{dns, tls};
pub use policy::policy;
pub use quic::quic;
pub use sources::{capture, telemetry};
pub use wire::{ip, link, meter};

/// A law by its name, and how its seeds are made of real inputs.
pub struct Law {
    /// The name, which is that of its target.
    pub name: &'static str,
    /// The law itself.
    pub holds: fn(&[u8]),
    /// Inputs for this law made of a file; none where it holds none.
    pub seeds: fn(&[u8]) -> Vec<Vec<u8>>,
    /// Small files that it has seeds of wherever it runs.
    pub made: &'static [&'static str],
}

/// All of them.
pub const LAWS: [Law; 11] = [
    Law { name: "link", holds: link, seeds: wire::link_seeds, made: &[] },
    Law { name: "ip", holds: ip, seeds: wire::ip_seeds, made: &[] },
    Law { name: "meter", holds: meter, seeds: wire::meter_seeds, made: &[] },
    Law { name: "tls", holds: tls, seeds: names::tls_seeds, made: &[] },
    Law { name: "quic", holds: quic, seeds: quic::seeds, made: &[] },
    Law { name: "dns", holds: dns, seeds: names::dns_seeds, made: &[] },
    Law { name: "capture", holds: capture, seeds: sources::capture_seeds, made: &[] },
    Law { name: "telemetry", holds: telemetry, seeds: sources::telemetry_seeds, made: &[] },
    Law { name: "log", holds: log, seeds: logs::seeds, made: logs::MADE },
    Law { name: "policy", holds: policy, seeds: policy::seeds, made: &[] },
    Law { name: "database", holds: database, seeds: database::seeds, made: &[] },
];

/// The longest file of the corpus that is looked at for seeds.
const LONGEST_FILE: u64 = 1 << 20;

/// The most seeds of a law.
const MOST_SEEDS: usize = 2000;

/// What a law makes of the files below some folders: some of every kind.
pub fn seeds(law: &Law, folders: &[PathBuf]) -> BTreeSet<Vec<u8>> {
    let mut folders = folders.to_vec();
    let mut seeds = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = folder.read_dir() else { continue };
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if path.metadata().is_ok_and(|metadata| metadata.len() <= LONGEST_FILE)
                && let Ok(file) = fs::read(&path)
            {
                seeds.extend((law.seeds)(&file));
            }
        }
    }
    seeds.extend(law.made.iter().flat_map(|file| (law.seeds)(file.as_bytes())));
    pick(seeds, MOST_SEEDS)
}

/// Up to `most` of some seeds: of those that begin alike (with the same link type, or the same choices) no more than of others,
/// as long as there are others, and from all over.
pub fn pick(seeds: impl IntoIterator<Item = Vec<u8>>, most: usize) -> BTreeSet<Vec<u8>> {
    /// A prime, so that every seed of a group has its turn.
    const STRIDE: usize = 7919;
    let mut groups = BTreeMap::<[u8; 2], Vec<Vec<u8>>>::new();
    for seed in seeds {
        groups.entry(seed.first_chunk().copied().unwrap_or_default()).or_default().push(seed);
    }
    let longest = groups.values().map(Vec::len).max().unwrap_or(0);
    let in_turn = |turn| {
        groups.values().filter(move |group| turn < group.len()).map(move |group| &group[turn * STRIDE % group.len()])
    };
    (0..longest).flat_map(in_turn).take(most).cloned().collect()
}
