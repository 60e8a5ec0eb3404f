//! The audit of real captures: every one ends with a result that adds up, and what it says of some agrees with what another
//! tool counted in them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use landfall::audit::{Grounds, Local};
use landfall::locate::Atlas;
use landfall::model::{Addr, Outcome, Scope};
use landfall::policy::{Library, Policy};
use landfall::run::batch::{self, Advance};
use landfall::source::Options;

fn corpus() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: there is no corpus of captures beside the project");
    None
}

static GROUNDS: LazyLock<Grounds> = LazyLock::new(|| {
    let private = Local::private(&[]);
    let networks: Vec<String> = private.networks().iter().map(ToString::to_string).collect();
    let flags = Policy::from_flags(&["@eu.gdpr-area".to_owned()], &[], &networks, Library::embedded());
    Grounds { policy: flags.policy, atlas: Atlas::embedded().unwrap(), local: private, horizon: None }
});

#[test]
fn every_capture_ends_with_a_result_that_adds_up() {
    let Some(corpus) = corpus() else { return };
    let (inputs, errors) = batch::plan(&[corpus.join("captures"), corpus.join("bad")]);
    assert!(errors.is_empty());
    let is_truth =
        |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "tsv" || extension == "csv");
    let captures: Vec<_> = inputs.into_iter().filter(|input| !is_truth(&input.name)).collect();
    assert!(captures.len() > 1500, "{} captures", captures.len());
    let audit = batch::audit(&captures, &GROUNDS, &Options::default(), 2, &Arc::new(Advance::default()));
    assert_eq!(audit.coverage.inputs.len(), captures.len(), "every input is accounted for");
    for input in audit.coverage.inputs.values() {
        let skipped: u64 = input.skipped.values().map(|occurrences| occurrences.total.count).sum();
        assert_eq!(input.read.count, input.used.count + skipped, "packets read = in flows + skipped: {}", input.name);
        assert!(input.read.count > 0 || input.error.is_some() || input.is_complete() || input.truncated_at.is_some());
    }
    // The whole of it makes a report in every format.
    let report = audit.report(&GROUNDS, None);
    assert_eq!(report.outcome, Outcome::Forbidden);
    for (name, format) in landfall::report::Format::ALL {
        let mut out = Vec::new();
        landfall::report::write(&report, format, landfall::report::Style::default(), &mut out).unwrap();
        assert!(!out.is_empty(), "{name}");
    }
}

/// IP octets by far address as tshark counted them: what private addresses sent to it, and what they received.
fn truth(capture: &Path) -> BTreeMap<Addr, (u64, u64)> {
    let mut table = capture.as_os_str().to_owned();
    table.push(".truth.tsv");
    let mut sums: BTreeMap<Addr, (u64, u64)> = BTreeMap::new();
    for line in std::fs::read_to_string(table).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let ["pair", "outer", a, b, _, _, octets_ab, _, _, octets_ba] = fields[..] else { continue };
        let addr = |text: &str| Addr::from(text.parse::<IpAddr>().unwrap());
        let (a, b, ab, ba): (_, _, u64, u64) =
            (addr(a), addr(b), octets_ab.parse().unwrap(), octets_ba.parse().unwrap());
        let (far, sent, received) = match (a.scope(), b.scope()) {
            (Scope::Private, Scope::Global) => (b, ab, ba),
            (Scope::Global, Scope::Private) => (a, ba, ab),
            _ => continue,
        };
        let sum = sums.entry(far).or_default();
        (sum.0, sum.1) = (sum.0 + sent, sum.1 + received);
    }
    sums
}

/// (capture, what the inventory names, every place is inside the area where the GDPR applies)
const REAL: [(&str, &[&str], bool); 5] = [
    ("ndpi/netflix.pcap", &["US", "Netflix", "Amazon"], false),
    ("ndpi/alicloud.pcap", &["DE", "Alibaba"], true),
    ("ndpi/iqiyi.pcap", &["CN", "CHINANET"], false),
    ("ndpi/google_ssl.pcap", &["BG", "Google"], true),
    ("ndpi/instagram.pcap", &["IT", "Facebook", "Tiscali", "CZ", "Akamai"], false),
];

fn landfall(args: &[&str]) -> (i32, serde_json::Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_landfall")).args(args).output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap_or(-1), json)
}

#[test]
fn the_inventory_of_real_applications_names_countries_and_organisations() {
    let Some(corpus) = corpus() else { return };
    for (name, words, all_inside) in REAL {
        let path = corpus.join("captures").join(name);
        if !path.exists() {
            println!("skipped: {name} is not in this corpus");
            continue;
        }
        let capture = path.to_str().unwrap();
        let (code, report) = landfall(&["audit", capture, "--db", "embedded", "--format", "json"]);
        assert_eq!(code, 0, "{name}");
        let rows = report["inventory"].as_array().unwrap();
        let text = serde_json::to_string(rows).unwrap();
        for word in words {
            assert!(text.contains(word), "{name}: {word} in {text}");
        }
        let sum = |rows: &[serde_json::Value], key: &str| -> u64 {
            rows.iter().map(|row| row[key]["octets"].as_u64().unwrap()).sum()
        };
        let truth = truth(&path);
        assert_eq!(sum(rows, "sent"), truth.values().map(|(sent, _)| sent).sum::<u64>(), "{name}: octets sent");
        assert_eq!(
            sum(rows, "received"),
            truth.values().map(|(_, received)| received).sum::<u64>(),
            "{name}: received"
        );

        let (code, report) =
            landfall(&["audit", capture, "--db", "embedded", "--format", "json", "--allow", "@eu.gdpr-area"]);
        assert_eq!(code, i32::from(!all_inside), "{name}");
        let findings = report["findings"].as_array().unwrap();
        assert_eq!(findings.is_empty(), all_inside, "{name}");
        // Each finding is about a far end that tshark saw as well.
        for example in findings.iter().flat_map(|finding| finding["examples"].as_array().unwrap()) {
            let far: IpAddr = example["far"].as_str().unwrap().parse().unwrap();
            assert!(truth.contains_key(&Addr::from(far)), "{name}: {far}");
        }
    }
}
