//! What must hold of every parser, whatever octets it is given: each law takes octets and panics where it is broken.
//!
//! The targets of `tests/fuzz` try them on octets that libFuzzer makes up, and the tests of `tests/it/fuzz.rs` on seeds and
//! noise, so that a law cannot rot unseen. The first octets of an input choose how the rest is used: [`Input`].

use std::collections::BTreeSet;
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
}

/// All of them.
pub const LAWS: [Law; 11] = [
    Law { name: "link", holds: link, seeds: wire::link_seeds },
    Law { name: "ip", holds: ip, seeds: wire::ip_seeds },
    Law { name: "meter", holds: meter, seeds: wire::meter_seeds },
    Law { name: "tls", holds: tls, seeds: names::tls_seeds },
    Law { name: "quic", holds: quic, seeds: quic::seeds },
    Law { name: "dns", holds: dns, seeds: names::dns_seeds },
    Law { name: "capture", holds: capture, seeds: sources::capture_seeds },
    Law { name: "telemetry", holds: telemetry, seeds: sources::telemetry_seeds },
    Law { name: "log", holds: log, seeds: logs::seeds },
    Law { name: "policy", holds: policy, seeds: policy::seeds },
    Law { name: "database", holds: database, seeds: database::seeds },
];

/// The longest file of the corpus that is looked at for seeds.
const LONGEST_FILE: u64 = 1 << 20;

/// The most seeds of a law.
const MOST_SEEDS: usize = 2000;

/// What a law makes of the files below some folders.
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
                && seeds.len() < MOST_SEEDS
            {
                seeds.extend((law.seeds)(&file));
            }
        }
    }
    seeds
}
