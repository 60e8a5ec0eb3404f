//! Deciding a uniflow against 200 rules, all of which its selector selects.
//!
//! First what the auditor does with every record, from its addresses to its place in the audit, beside the same under a
//! policy of two rules: the difference is what 200 rules cost. Then the parts: the decision alone, and the decision with its
//! reasons, which the auditor asks for once for records that are decided alike.
//!
//! `cargo bench --bench policy`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::net::IpAddr;
use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use foldhash::fast::FixedState;
use landfall::audit::{Auditor, Grounds, Local};
use landfall::locate::{Gazetteer, Horizon, Medium};
use landfall::model::{
    Addr, BiflowDirection, Counters, Country, CountrySet, FlowRecord, InputId, Location, Opener, Protocol, Provenance,
    Timestamp,
};
use landfall::policy::{Library, Policy, Selector, Spent};

/// Every country, one of which is the first and another the 121st: half of the rules permit those before, half of them
/// forbid most of those from there on.
fn codes() -> Vec<&'static str> {
    let mut codes: Vec<&str> = Country::all().map(Country::code).collect();
    for (place, code) in [(0, "CN"), (121, "SE")] {
        let from = codes.iter().position(|one| *one == code).expect("a country");
        codes.swap(place, from);
    }
    codes
}

/// As many permits as forbids, each over three countries.
fn policy(rules: usize) -> Policy {
    let codes = codes();
    let mut text = "[policy]\nid = \"bench\"\ndefault = \"forbid\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n".to_owned();
    for rule in 0..rules {
        let effect = if rule % 2 == 0 { "permit" } else { "forbid" };
        let first = rule % 2 * 120;
        let to: Vec<String> =
            (0..3).map(|n| format!("\"{}\"", codes[(rule / 2 + rule % 2 + n * 40) % 120 + first])).collect();
        let _ = write!(
            text,
            "[[rule]]\nid = \"r{rule}\"\neffect = \"{effect}\"\nfrom = [\"z\"]\nto = [{}]\nmovement = \"either\"\n",
            to.join(", ")
        );
    }
    Policy::parse("bench.toml", &text, Library::embedded()).policy.expect("a policy")
}

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().expect("an address").into()
}

/// A record of which one direction alone carried something.
fn record(far: &str) -> FlowRecord {
    let at = Timestamp::from_secs(1_600_000_000);
    let mut record = FlowRecord::new(addr("10.0.0.1"), addr(far), Protocol::TCP, at, Provenance::new(InputId(0), 1));
    record.forward = Counters { octets: 1500, packets: 1, payload: 1460 };
    record.direction = BiflowDirection::Initiator;
    (record.sport, record.dport) = (50_000, 443);
    record
}

const NAMES: [&str; 3] = ["a permitted place", "a forbidden place", "nobody knows where"];

fn records(c: &mut Criterion) {
    let places = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/places.mmdb");
    for rules in [2, 200] {
        let gazetteer = Gazetteer::open(std::slice::from_ref(&places)).expect("the samples' places");
        let grounds =
            Grounds { policy: Some(policy(rules)), atlas: gazetteer.into(), local: Local::Zones, horizon: None };
        for (name, far) in NAMES.into_iter().zip(["203.0.113.7", "192.0.2.7", "8.8.8.8"]) {
            let record = record(far);
            let mut auditor = Auditor::new(&grounds);
            c.bench_function(&format!("observe a record under {rules} rules: {name}"), |b| {
                b.iter(|| auditor.observe(black_box(&record), None));
            });
        }
    }
}

fn decisions(c: &mut Criterion) {
    let policy = policy(200);
    let selector = Selector {
        zone: policy.zone_of(addr("10.0.0.1")).expect("a zone"),
        epoch: policy.epoch(Timestamp::from_secs(1_600_000_000)).expect("in force"),
        outward: true,
        moved: true,
        opened_by: Opener::Local,
        party: None,
        service: policy.service_class(Protocol::TCP, &[443]),
        spent: Spent::default(),
    };
    let borders = HashMap::<_, _, FixedState>::from_iter([(selector, policy.borders(&selector).expect("borders"))]);
    let place = |code| Location::stated(CountrySet::of(Country::from_code(code).expect("a country")));
    for (name, place) in NAMES.into_iter().zip([place("CN"), place("SE"), Location::UNKNOWN]) {
        c.bench_function(&format!("decide among 200 rules: {name}"), |b| {
            b.iter(|| borders.get(black_box(&selector)).map(|borders| borders.decision(black_box(&place), None)));
        });
        c.bench_function(&format!("decide among 200 rules, with reasons: {name}"), |b| {
            b.iter(|| borders.get(black_box(&selector)).map(|borders| borders.decide(black_box(&place), None)));
        });
    }
}

/// What `watch` does after each batch: one record is settled by everything that waits. Rules with limits hold the windows of
/// their time, a vantage holds far addresses.
fn settling(c: &mut Criterion) {
    let places = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/places.mmdb");
    let text = "[policy]\nid = \"bench\"\ndefault = \"forbid\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n\
                [[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"*\"]\n\
                limit = { octets = \"1 GB\", per = \"1h\" }\n";
    for (name, held, vantage) in [
        ("4096 windows", 4096_u32, None),
        ("4096 addresses", 4096, Some("50.11,8.68")),
        ("65536 addresses", 65_536, Some("50.11,8.68")),
    ] {
        let gazetteer = Gazetteer::open(std::slice::from_ref(&places)).expect("the samples' places");
        let policy = Policy::parse("bench.toml", text, Library::embedded()).policy.expect("a policy");
        let horizon = vantage.map(|at| Horizon::new(at.parse().expect("a vantage"), Medium::Fibre));
        let grounds = Grounds { policy: Some(policy), atlas: gazetteer.into(), local: Local::Zones, horizon };
        let mut whole = Auditor::new(&grounds);
        for number in 0..held {
            let mut one = record("203.0.113.7");
            if vantage.is_some() {
                one.dst = Addr::v4([20, (number >> 16) as u8, (number >> 8) as u8, number as u8]);
            } else {
                one.start = Timestamp::from_secs(u64::from(number) * 3600);
                one.end = one.start;
            }
            whole.observe(&one, None);
        }
        let whole = whole.finish();
        c.bench_function(&format!("settle one record among {name}"), |b| {
            b.iter(|| {
                let mut batch = Auditor::new(&grounds);
                batch.observe(black_box(&record("203.0.113.7")), None);
                batch.finish().settled_by(&whole.cases, &grounds)
            });
        });
    }
}

criterion_group!(all, records, decisions, settling);
criterion_main!(all);
