//! Archives: the audit of one is the audit of what it was made of, octet by octet.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use landfall::audit::{Grounds, Local};
use landfall::locate::horizon::Medium;
use landfall::locate::{Atlas, Horizon, SourceFile};
use landfall::model::{
    Addr, Batch, BiflowDirection, Counters, FlowEndReason, FlowFlags, FlowRecord, InputCoverage, InputId, Name,
    NameSource, Protocol, Provenance, Report, RoundTrip, SamplingInterval, Skip, Timestamp, Tunnel,
};
use landfall::policy::{Library, Policy};
use landfall::run::archive::{Archived, Spool};
use landfall::run::batch::{self, Advance, Input, PlanError};
use landfall::source::Options;
use landfall::source::archive::{FlowsWriter, INPUTS, Kept, Label, Row, Rows};
use proptest::prelude::*;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Everywhere but Germany is forbidden, so that there are findings in whatever comes.
fn strict() -> Grounds {
    let networks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"].map(str::to_owned);
    let made = Policy::from_flags(&["DE".to_owned()], &[], &networks, Library::embedded());
    let horizon = Some(Horizon::new("DE".parse().unwrap(), Medium::Fibre));
    Grounds { policy: Some(made.policy.unwrap()), atlas: Atlas::embedded().unwrap(), local: Local::Zones, horizon }
}

/// Limits and tripwires, on whatever comes.
fn watchful() -> Grounds {
    let text = r#"
[policy]
id      = "watchful"
default = "forbid"

[zone.ours]
networks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
country  = "DE"

[[rule]]
id = "little"
effect = "permit"
from = ["*"]
to = ["US", "CN", "DE"]
severity = "high"
limit = { octets = "1000", per = "1h" }
why = "More than a little has to be looked at."

[[tripwire]]
id = "over"
kind = "failover"
from = ["ours"]
inside = ["DE"]
attempts = 1
within = "1h"

[[tripwire]]
id = "nights"
kind = "schedule"
from = ["ours"]
movement = "either"
quiet = "00:00-23:00"
time-zone = "UTC"
"#;
    let parsed = Policy::parse("watchful", text, Library::embedded());
    let policy = parsed.policy.unwrap_or_else(|| panic!("{:#?}", parsed.diagnostics));
    Grounds { policy: Some(policy), ..strict() }
}

/// The grounds of a sample.
fn of_sample(name: &str) -> Grounds {
    let text = fs::read_to_string(root().join(format!("rules/{name}.toml"))).unwrap();
    let mut policy = Policy::parse(name, &text, Library::embedded()).policy.unwrap();
    policy.read_registers(|register| fs::read(root().join("rules").join(register))).unwrap();
    let places = SourceFile::from(root().join("samples/places.mmdb"));
    let atlas = Atlas::open(&[places], None, None).unwrap();
    Grounds { policy: Some(policy), atlas, local: Local::Zones, horizon: None }
}

fn plan(paths: &[PathBuf]) -> (Vec<Input>, Vec<PlanError>) {
    batch::plan(paths)
}

/// The report on inputs, which are kept in `archive`.
fn audit(inputs: &[Input], grounds: &Grounds, threads: usize, archive: Option<&Path>) -> (Report, Option<Archived>) {
    let spool = archive.map(|folder| Spool::create(folder).unwrap());
    let options = Options::default();
    let audits = batch::audits(inputs, &[grounds], &options, threads, &Arc::new(Advance::default()), spool.as_ref());
    (audits[0].report(grounds, None), spool.map(|spool| spool.finish().unwrap()))
}

fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).unwrap()
}

/// Every file below a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut left, mut found) = (vec![folder.to_owned()], BTreeMap::new());
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Inputs and the archive of them give one report, and the archive is the same every time. How many findings there are.
fn rounds(paths: &[PathBuf], grounds: &Grounds) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, again] = ["one", "two", "again"].map(|name| folder.path().join(name));
    let (inputs, errors) = plan(paths);
    assert!(errors.is_empty(), "{errors:?}");
    let (original, archived) = audit(&inputs, grounds, 1, Some(&one));
    audit(&inputs, grounds, 3, Some(&two));
    assert_eq!(files(&one), files(&two), "threads do not matter");
    let archived = archived.unwrap();
    assert_eq!(files(&one).len(), archived.files + 1);

    let (inputs, errors) = plan(&[one]);
    assert!(errors.is_empty(), "{errors:?}");
    // An archive of the archive is one too.
    let (report, second) = audit(&inputs, grounds, 2, Some(&again));
    assert_eq!(json(&report), json(&original));
    assert_eq!(second.unwrap().records, archived.records);
    let (inputs, _) = plan(&[again]);
    assert_eq!(json(&audit(&inputs, grounds, 1, None).0), json(&original));
    report.findings.len()
}

#[test]
fn the_archive_of_a_sample_is_judged_as_the_sample() {
    let cases: [(&str, &[&str]); 4] = [
        ("zoom-2020", &["meeting.pcap"]),
        ("tiktok-oracle", &["enclave.log"]),
        ("spotify-partners-2020", &["before.log", "since.log"]),
        ("spotify-intrusion-2014", &["border.pcapng"]),
    ];
    for (name, inputs) in cases {
        let paths: Vec<_> = inputs.iter().map(|input| root().join("samples").join(name).join(input)).collect();
        assert!(rounds(&paths, &of_sample(name)) > 0, "{name}");
    }
}

#[test]
fn the_archive_of_captures_and_logs_is_judged_as_they_are() {
    let corpus = root().join("../shared/corpus");
    if !corpus.is_dir() {
        println!("skipped: no corpus");
        return;
    }
    let folders = ["cloud", "netflow/exported", "zeek", "suricata", "captures/tcpdump", "bad"];
    let grounds = strict();
    let mut found = 0;
    for folder in folders {
        found += rounds(&[corpus.join(folder)], &grounds);
    }
    assert!(found > 10, "{found}");
    // Limits and tripwires, of several inputs of several kinds at once.
    let several = ["cloud", "zeek", "captures/tcpdump"].map(|folder| corpus.join(folder));
    rounds(&several, &watchful());
}

/// Of a later version it is said that it is one.
#[test]
fn a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _, grounds) = meeting(folder.path());
    for path in files(&archive).into_keys() {
        let path = archive.join(path);
        let mut octets = fs::read(&path).unwrap();
        // A key and its value in the footer: the field's number and type, a length of one, and the version.
        let key = b"landfall.version\x18\x011";
        let at = octets.windows(key.len()).position(|window| window == key).unwrap() + key.len() - 1;
        octets[at] = b'2';
        fs::write(path, octets).unwrap();
    }
    let (inputs, _) = plan(&[archive]);
    let (report, _) = audit(&inputs, &grounds, 1, None);
    assert_eq!(report.inputs.len(), 3);
    for input in &report.inputs {
        let said = input.error.as_deref().unwrap();
        assert!(said.contains("an archive of version `2`: version 1 is read"), "{said}");
    }
}

/// What a killed run leaves is no archive, and in nobody's way but that of the same folder, where it is told.
#[test]
fn a_killed_run_leaves_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let grounds = of_sample("zoom-2020");
    let (inputs, _) = plan(&[root().join("samples/zoom-2020/meeting.pcap")]);
    let asked = folder.path().join("archive");
    let spool = Spool::create(&asked).unwrap();
    let options = Options::default();
    batch::audits(&inputs, &[&grounds], &options, 1, &Arc::new(Advance::default()), Some(&spool));
    // Neither finished nor dropped.
    std::mem::forget(spool);
    assert!(!asked.exists());
    let said = Spool::create(&asked).err().unwrap().to_string();
    assert!(said.contains("archive.partial` is left of a run that did not end"), "{said}");
    Spool::create(&folder.path().join("another")).unwrap().finish().unwrap();
}

/// An archive of the meeting of 2020, and what is said of it.
fn meeting(folder: &Path) -> (PathBuf, Report, Grounds) {
    let grounds = of_sample("zoom-2020");
    let archive = folder.join("archive");
    let (inputs, _) = plan(&[root().join("samples/zoom-2020/meeting.pcap")]);
    let (report, _) = audit(&inputs, &grounds, 1, Some(&archive));
    (archive, report, grounds)
}

/// A part is judged, and it is said that it is one.
#[test]
fn what_is_missing_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, report, grounds) = meeting(folder.path());
    let hours: Vec<_> = files(&archive).into_keys().filter(|path| !path.ends_with(INPUTS)).collect();
    // 2020-03-30, from 14:59 UTC on, as the sample's README says.
    assert_eq!(hours, ["14", "15"].map(|hour| PathBuf::from(format!("date=2020-03-30/hour={hour}/flows.parquet"))));

    let (inputs, errors) = plan(&[archive.join("date=2020-03-30")]);
    assert!(errors.is_empty());
    let (part, _) = audit(&inputs, &grounds, 1, None);
    assert_eq!(serde_json::to_value(&part.findings).unwrap(), serde_json::to_value(&report.findings).unwrap());
    let [input] = &part.inputs[..] else { panic!("{:?}", part.inputs) };
    assert_eq!((&input.name, &*input.kind), (&report.inputs[0].name, "landfall-archive"));
    assert!(input.skipped.contains_key(&Skip::PartOfArchive) && !input.is_complete());

    fs::remove_file(archive.join(&hours[1])).unwrap();
    let (inputs, errors) = plan(std::slice::from_ref(&archive));
    let [PlanError::Part { path, .. }] = &errors[..] else { panic!("{errors:?}") };
    assert!(path.ends_with("hour=15/flows.parquet"), "{path}");
    // The call to Beijing was at 15:00:09.
    let (before, _) = audit(&inputs, &grounds, 1, None);
    assert_eq!(before.inputs, report.inputs);
    let beijing: std::net::IpAddr = "52.81.151.250".parse().unwrap();
    let calls = |report: &Report| {
        report.findings.iter().flat_map(|finding| &finding.examples).filter(|flow| flow.far.to_ip() == beijing).count()
    };
    assert!(calls(&before) == 0 && calls(&report) > 0);
}

/// Whatever happens to a file: no panic, and what is not as it was is told, or makes no difference.
#[test]
fn damaged_archives_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, report, grounds) = meeting(folder.path());
    let mut told = 0;
    for (path, whole) in files(&archive) {
        let path = archive.join(path);
        let step = whole.len() / 41;
        for at in (0..whole.len()).step_by(step.max(1)) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x55;
            for damaged in [flipped, whole[..at].to_vec()] {
                fs::write(&path, &damaged).unwrap();
                let (inputs, errors) = plan(std::slice::from_ref(&archive));
                let (damaged, _) = audit(&inputs, &grounds, 1, None);
                let complete = errors.is_empty() && damaged.inputs.iter().all(InputCoverage::is_complete);
                told += usize::from(!complete);
                // What is not told made no difference.
                assert!(!complete || json(&damaged) == json(&report), "{} at {at}", path.display());
            }
        }
        // Half a file is no file.
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let (inputs, errors) = plan(std::slice::from_ref(&archive));
        let (half, _) = audit(&inputs, &grounds, 1, None);
        assert!(!errors.is_empty() || half.inputs.iter().any(|input| input.error.is_some()));
        fs::write(&path, &whole).unwrap();
    }
    assert!(told > 82, "every cut is told at least: {told}");
    let (inputs, _) = plan(&[archive]);
    assert_eq!(json(&audit(&inputs, &grounds, 1, None).0), json(&report), "and whole again");
}

#[test]
fn the_command_keeps_and_reads_archives() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("kept");
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_landfall")).current_dir(root()).args(args).output().unwrap();
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let archive = archive.to_str().unwrap();
    let common = ["--db", "embedded", "--allow", "DE", "--local", "10.0.0.0/8", "--format", "json"];
    let args = |input: &'static str| [vec!["audit", input], common.to_vec()].concat();
    let original = run(&args("samples/zoom-2020/meeting.pcap"));
    let kept = run(&[args("samples/zoom-2020/meeting.pcap"), vec!["--archive", archive]].concat());
    assert_eq!((kept.0, &kept.1), (original.0, &original.1), "{}", kept.2);
    assert!(kept.2.contains("flow records archived in 2 files"), "{}", kept.2);
    let again = run(&[vec!["audit", archive], common.to_vec()].concat());
    assert_eq!(again, original);

    let occupied = run(&[args("samples/zoom-2020/meeting.pcap"), vec!["--archive", archive]].concat());
    assert_eq!(occupied.0, Some(2));
    assert!(occupied.2.contains("is there already and not empty"), "{}", occupied.2);

    let flows = |input: &str| run(&["flows", input, "--db", "embedded", "--format", "csv"]);
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&flows(archive).1), sorted(&flows("samples/zoom-2020/meeting.pcap").1));
}

fn counters() -> impl Strategy<Value = Counters> {
    let number = prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
    (number.clone(), number.clone(), number).prop_map(|(octets, packets, payload)| Counters {
        octets,
        packets,
        payload,
    })
}

fn addr() -> impl Strategy<Value = Addr> {
    prop_oneof![any::<[u8; 4]>().prop_map(Addr::v4), any::<[u8; 16]>().prop_map(Addr::v6)]
}

fn round_trip() -> impl Strategy<Value = RoundTrip> {
    let measured = (1..=RoundTrip::MAX_US, 1..=RoundTrip::MAX_SAMPLES);
    prop_oneof![
        Just(RoundTrip::UNMEASURED),
        measured.prop_map(|(least, samples)| RoundTrip::new(least, samples).unwrap())
    ]
}

fn name() -> impl Strategy<Value = Option<Name>> {
    let from = prop::sample::select(vec![
        NameSource::Sni,
        NameSource::Quic,
        NameSource::Dns,
        NameSource::Host,
        NameSource::OuterSni,
        NameSource::OuterQuic,
        NameSource::Certificate,
    ]);
    prop::option::of(("\\PC{0,40}", from).prop_map(|(text, from)| Name { text: text.into(), from }))
}

fn row() -> impl Strategy<Value = Row> {
    let directions = vec![
        BiflowDirection::Arbitrary,
        BiflowDirection::Initiator,
        BiflowDirection::ReverseInitiator,
        BiflowDirection::Perimeter,
    ];
    let reasons = vec![
        FlowEndReason::IdleTimeout,
        FlowEndReason::ActiveTimeout,
        FlowEndReason::EndOfFlow,
        FlowEndReason::ForcedEnd,
        FlowEndReason::LackOfResources,
    ];
    let ends = (addr(), addr(), any::<u16>(), any::<u16>(), any::<u8>());
    let counted = (counters(), counters(), round_trip(), round_trip(), 1..=SamplingInterval::MAX);
    let kinds = (
        prop::sample::select(directions),
        prop::sample::select(reasons),
        prop::sample::select(Tunnel::ALL.to_vec()),
        any::<u8>(),
    );
    let place = (any::<u64>(), any::<u64>(), 0..Provenance::MAX_INPUTS, 0..1_u64 << 40, name());
    (ends, counted, kinds, place).prop_map(|(ends, counted, kinds, place)| {
        let (start, end, input, position, name) = place;
        let provenance = Provenance::new(InputId(input), position);
        let mut record = FlowRecord::new(ends.0, ends.1, Protocol(ends.4), Timestamp(start), provenance);
        record.end = Timestamp(end);
        (record.sport, record.dport) = (ends.2, ends.3);
        (record.forward, record.reverse) = (counted.0, counted.1);
        (record.src_rtt, record.dst_rtt) = (counted.2, counted.3);
        record.sampling_interval = SamplingInterval::new(counted.4).unwrap();
        (record.direction, record.end_reason, record.tunnel, record.flags) =
            (kinds.0, kinds.1, kinds.2, FlowFlags(kinds.3));
        Row { record, name, input: format!("input {input}").into() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every field comes back as it was, at whatever value.
    #[test]
    fn records_come_back_as_they_were(rows in prop::collection::vec(row(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.parquet");
        let mut file = FlowsWriter::new(File::create(&path).unwrap(), &Label::unsorted(), Kept::ForGood).unwrap();
        for row in &rows {
            file.push(row.clone()).unwrap();
        }
        file.finish().unwrap();
        let mut read = Rows::open(File::open(&path).unwrap()).unwrap();
        for row in rows {
            prop_assert_eq!(read.read().unwrap(), Some(row));
        }
        prop_assert_eq!(read.read().unwrap(), None);
    }
}

/// A record of a flow log: when, from whom to whom, how much, and whether it was let through.
fn line() -> impl Strategy<Value = String> {
    let far = prop_oneof![
        "203\\.0\\.113\\.[1-9]",
        "198\\.51\\.100\\.[1-9]",
        "8\\.8\\.8\\.[1-9]",
        Just("10.0.0.9".to_owned())
    ];
    let times = (1_700_000_000_u64..1_700_020_000, 0..600_u64);
    let ports = (any::<u16>(), prop::sample::select(vec![22_u16, 53, 443]));
    let said = prop::sample::select(vec!["ACCEPT OK", "REJECT OK", "- NODATA", "- SKIPDATA", "what"]);
    (far, times, ports, 1..9_u64, any::<bool>(), said).prop_map(|(far, (start, lasted), ports, packets, out, said)| {
        let near = "10.0.0.5".to_owned();
        let ((src, sport), (dst, dport)) =
            if out { ((near, ports.0), (far, ports.1)) } else { ((far, ports.1), (near, ports.0)) };
        let octets = packets * 400;
        format!("2 1 eni-1 {src} {dst} {sport} {dport} 6 {packets} {octets} {start} {} {said}\n", start + lasted)
    })
}

/// What random flows are judged by.
static BOTH: LazyLock<[Grounds; 2]> = LazyLock::new(|| [strict(), watchful()]);

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever flows there are, in however many inputs: the archive is judged as they are.
    #[test]
    fn the_archive_of_random_flows_is_judged_as_they_are(
        inputs in prop::collection::vec(prop::collection::vec(line(), 1..30), 1..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (number, lines) in inputs.iter().enumerate() {
            let text = format!(
                "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
                 log-status\n{}",
                lines.concat()
            );
            fs::write(folder.path().join(format!("{number}.log")), text).unwrap();
        }
        for grounds in &*BOTH {
            rounds(&[folder.path().to_owned()], grounds);
        }
    }
}

/// What a batch says of where records come from is as long as the batch.
#[test]
fn origins_go_with_their_batch() {
    let mut batch = Batch::default();
    batch.add_origin(InputId(7), "a.pcap");
    batch.add_origin(InputId(7), "another name of the same input");
    assert_eq!((batch.origin(InputId(7)), batch.origin(InputId(1))), (Some("a.pcap"), None));
    batch.clear();
    assert_eq!(batch.origin(InputId(7)), None);
}
