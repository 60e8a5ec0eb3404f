//! Deciding a uniflow against 200 rules, all of which its selector selects: as the auditor does it, with the borders of a
//! selector looked up; then with the reasons, which only what is not permitted is asked for.
//!
//! `cargo bench --bench policy`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use foldhash::fast::FixedState;
use landfall::model::{Addr, Country, CountrySet, Location, Opener, Protocol, Timestamp};
use landfall::policy::{Library, Policy, Selector, Spent};

/// A hundred permits and a hundred forbids, each over three countries.
fn policy() -> Policy {
    let codes: Vec<&str> = Country::all().map(Country::code).collect();
    let mut text = "[policy]\nid = \"bench\"\ndefault = \"forbid\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n".to_owned();
    for rule in 0..200 {
        let effect = if rule % 2 == 0 { "permit" } else { "forbid" };
        // Permits and forbids are over different countries, so that some of each is left.
        let to: Vec<String> =
            (0..3).map(|n| format!("\"{}\"", codes[(rule * 2 + n * 40) % 120 + rule % 2 * 120])).collect();
        let _ = write!(
            text,
            "[[rule]]\nid = \"r{rule}\"\neffect = \"{effect}\"\nfrom = [\"z\"]\nto = [{}]\nmovement = \"either\"\n",
            to.join(", ")
        );
    }
    Policy::parse("bench.toml", &text, Library::embedded()).policy.expect("a policy")
}

fn benches(c: &mut Criterion) {
    let policy = policy();
    let near: Addr = "10.0.0.1".parse::<std::net::IpAddr>().expect("an address").into();
    let selector = Selector {
        zone: policy.zone_of(near).expect("a zone"),
        epoch: policy.epoch(Timestamp::from_secs(1_600_000_000)).expect("in force"),
        outward: true,
        moved: true,
        opened_by: Opener::Local,
        party: None,
        service: policy.service_class(Protocol::TCP, &[443]),
        spent: Spent::default(),
    };
    let borders = HashMap::<_, _, FixedState>::from_iter([(selector, policy.borders(&selector).expect("borders"))]);
    let codes: Vec<Country> = Country::all().collect();
    let places: [Location; 3] =
        [Location::stated(CountrySet::of(codes[0])), Location::stated(CountrySet::of(codes[121])), Location::UNKNOWN];
    for (name, place) in ["a permitted place", "a forbidden place", "nobody knows where"].into_iter().zip(places) {
        c.bench_function(&format!("decide among 200 rules: {name}"), |b| {
            b.iter(|| borders.get(black_box(&selector)).map(|borders| borders.decision(black_box(&place), None)));
        });
        c.bench_function(&format!("the same with its reasons: {name}"), |b| {
            b.iter(|| borders.get(black_box(&selector)).map(|borders| borders.decide(black_box(&place), None)));
        });
    }
}

criterion_group!(all, benches);
criterion_main!(all);
