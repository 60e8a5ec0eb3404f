//! The laws for the targets of the fuzzer, which lie in `targets`.

use std::path::Path;

#[path = "laws/mod.rs"]
mod laws;

pub use laws::*;

/// Before a target runs: where `SEEDS_FROM` names folders, seeds are made of the files below them, written to the folder that
/// `SEEDS_TO` names, and that is all.
pub fn begin(law: &str) {
    let (Some(from), Some(to)) = (std::env::var_os("SEEDS_FROM"), std::env::var_os("SEEDS_TO")) else { return };
    let law = LAWS.iter().find(|known| known.name == law).expect("a law of this name");
    let folders: Vec<_> = std::env::split_paths(&from).collect();
    for (number, seed) in seeds(law, &folders).into_iter().enumerate() {
        std::fs::write(Path::new(&to).join(format!("seed-{number:04}")), seed)
            .expect("a folder that can be written to");
    }
    std::process::exit(0);
}
