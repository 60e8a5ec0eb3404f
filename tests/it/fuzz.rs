//! The laws that `tests/fuzz` tries on octets that a fuzzer makes up, on seeds of the corpus and on noise.

use std::path::PathBuf;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[expect(unreachable_pub, reason = "the targets of the fuzzer use them from outside")]
#[path = "../fuzz/laws/mod.rs"]
pub(crate) mod laws;

use laws::{LAWS, Law};

/// How many seeds of a law are tried.
const SEEDS: usize = 150;

/// How many variations of a seed, and inputs of noise alone.
const NOISE: u32 = 300;

fn law(name: &str) {
    let law = LAWS.iter().find(|law| law.name == name).unwrap();
    // The same everywhere, and some of every corner.
    let seeds: Vec<_> = laws::pick(seeds(law), SEEDS).into_iter().collect();
    for seed in &seeds {
        (law.holds)(seed);
    }
    let config = Config { cases: NOISE, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let noise = (
        any::<prop::sample::Index>(),
        prop::collection::vec((any::<u16>(), any::<u8>()), 0..12),
        prop::collection::vec(any::<u8>(), 0..400),
    );
    let held = runner.run(&noise, |(which, changes, tail)| {
        let mut input = if seeds.is_empty() { Vec::new() } else { which.get(&seeds).clone() };
        for (at, octet) in changes {
            let length = input.len().max(1);
            if let Some(changed) = input.get_mut(usize::from(at) % length) {
                *changed = octet;
            }
        }
        input.extend(&tail[..if seeds.is_empty() { tail.len() } else { tail.len() / 20 }]);
        (law.holds)(&input);
        Ok(())
    });
    held.unwrap();
}

/// Of the corpus, and of the project's own pages of policies; none where they are missing.
fn seeds(law: &Law) -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("../shared");
    if !corpus.is_dir() {
        println!("{} is missing: noise alone is tried", corpus.display());
    }
    let own = ["tests/policy", "samples", "rules"].map(|folder| root.join(folder));
    laws::seeds(law, &[&[corpus], &own[..]].concat()).into_iter().collect()
}

macro_rules! laws {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            law(stringify!($name));
        })*

        #[test]
        fn none_is_left_out() {
            assert_eq!(LAWS.map(|law| law.name), [$(stringify!($name)),*]);
        }
    };
}

laws! { link ip meter tls quic dns capture telemetry log policy database }
