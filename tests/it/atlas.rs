//! Location data as of the flows: the copy dated nearest speaks, old feeds lose their authority, faults are told.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use landfall::audit::{Audit, Auditor, Grounds, Local};
use landfall::locate::{Atlas, Gazetteer, SourceFile};
use landfall::model::{
    Addr, Authority, BiflowDirection, Counters, FlowRecord, InputId, Outcome, Protocol, Provenance, Timestamp,
};
use landfall::policy::{Library, Policy};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::fixtures::mmdb::{self, Row};
use crate::fixtures::{S, at};
use crate::laws::{self, Observed, audit_of, observed};

/// 52.80.0.0/14 is in one country by a database, built on a day.
pub(crate) fn database(kind: &str, day: &str, country: &'static str) -> Vec<u8> {
    let row = Row { country, asn: 64_500, holder: "Example" };
    mmdb::write(kind, "test", at(&format!("{day}T00:00:00Z")) / S, &[("52.80.0.0/14".parse().unwrap(), row)])
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn files(paths: &[PathBuf]) -> Vec<SourceFile> {
    paths.iter().cloned().map(SourceFile::from).collect()
}

fn open(paths: &[PathBuf], max_age: Option<u32>) -> Atlas {
    Atlas::open(&files(paths), None, max_age).unwrap()
}

fn place(atlas: &Atlas, time: &str) -> String {
    let far: Addr = "52.81.151.250".parse::<std::net::IpAddr>().unwrap().into();
    atlas.at(Timestamp(at(time))).locate(far).location.possible().to_string()
}

/// Three editions of one database, and one of another publisher.
fn editions(folder: &Path) -> Vec<PathBuf> {
    vec![
        write(folder, "a.mmdb", database("DBIP-Country-Lite", "2020-01-01", "CN")),
        write(folder, "b.mmdb", database("DBIP-Country-Lite", "2020-01-11", "JP")),
        write(folder, "c.mmdb", database("DBIP-Country-Lite", "2021-01-01", "KR")),
    ]
}

#[test]
fn the_copy_dated_nearest_speaks() {
    let folder = tempfile::tempdir().unwrap();
    let atlas = open(&editions(folder.path()), None);
    // Half way between the first two is 2020-01-06T00:00; what was known at the time speaks for that instant.
    for (time, country) in [
        ("1990-01-01T00:00:00Z", "CN"),
        ("2020-01-06T00:00:00Z", "CN"),
        ("2020-01-06T00:00:00.000000001Z", "JP"),
        ("2020-01-11T00:00:00Z", "JP"),
        // From 2020-01-11 to 2021-01-01 are 356 days: half of them end on 2020-07-07.
        ("2020-07-07T00:00:00Z", "JP"),
        ("2020-07-07T00:00:01Z", "KR"),
        ("2200-01-01T00:00:00Z", "KR"),
    ] {
        assert_eq!(place(&atlas, time), country, "{time}");
    }
}

#[test]
fn only_editions_of_one_source_stand_in_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = editions(folder.path());
    // Another publisher, and a converted file whose publisher nobody knows: both speak at any time.
    paths.push(write(folder.path(), "d.mmdb", database("GeoLite2-Country", "2020-06-01", "DE")));
    paths.push(write(folder.path(), "e.mmdb", database("country ipvAll", "2019-06-01", "FR")));
    paths.push(write(folder.path(), "f.mmdb", database("country ipvAll", "2021-06-01", "IT")));
    let atlas = open(&paths, None);
    assert_eq!(place(&atlas, "2020-01-01T00:00:00Z"), "CN,DE,FR,IT");
    assert_eq!(place(&atlas, "2021-01-01T00:00:00Z"), "DE,FR,IT,KR");
    // With a date in their names they are editions.
    for (from, to) in [("e.mmdb", "country-2019-06-01.mmdb"), ("f.mmdb", "country-2021-06-01.mmdb")] {
        std::fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    }
    paths.truncate(4);
    paths.extend(["country-2019-06-01.mmdb", "country-2021-06-01.mmdb"].map(|name| folder.path().join(name)));
    assert_eq!(place(&open(&paths, None), "2021-01-01T00:00:00Z"), "DE,IT,KR");
}

#[test]
fn the_order_of_files_means_nothing_and_one_date_is_the_gazetteer() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = editions(folder.path());
    let digest = open(&paths, None).digest().to_owned();
    paths.reverse();
    assert_eq!(open(&paths, None).digest(), digest);
    assert_ne!(open(&paths[1..], None).digest(), digest, "every copy is part of the basis");
    let one = &paths[..1];
    assert_eq!(open(one, None).digest(), Gazetteer::open(one).unwrap().digest());
}

#[test]
fn many_editions_are_bounded_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let day = |number: i64| jiff::civil::date(2020, 1, 1).saturating_add(jiff::Span::new().days(number * 10));
    let paths: Vec<PathBuf> = (0..40)
        .map(|number| {
            let code = if number % 2 == 0 { "CN" } else { "JP" };
            let octets = database("DBIP-Country-Lite", &day(number).to_string(), code);
            write(folder.path(), &format!("{number}.mmdb"), octets)
        })
        .collect();
    let atlas = open(&paths, None);
    assert_eq!(atlas.joined(), 40 - landfall::locate::MAX_EPOCHS);
    assert_eq!(place(&atlas, "1990-01-01T00:00:00Z"), "CN");
    assert_eq!(place(&atlas, "2199-01-01T00:00:00Z"), "JP");
}

/// What a report says of its location data, counted in days and in notes by hand.
#[test]
fn a_report_says_how_old_its_data_is_and_what_was_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let limits = |paths: &[PathBuf], time: &str| {
        let grounds = Grounds { policy: None, atlas: open(paths, None), local: Local::private(&[]), horizon: None };
        audit(&grounds, &[time]).report(&grounds, None).limits
    };
    let one = [write(folder.path(), "a.mmdb", database("DBIP-Country-Lite", "2020-01-01", "CN"))];
    let told = |time: &str, words: &str| limits(&one, time).iter().any(|limit| limit.contains(words));
    // Ninety days after 1 January 2020 is 31 March, 180 days is 29 June.
    let (old, stale) = ("more than 90 days", "more than 180 days");
    assert!(!told("2020-03-31T12:00:00Z", old) && told("2020-04-01T12:00:00Z", old));
    assert!(told("2020-06-29T12:00:00Z", old) && !told("2020-06-29T12:00:00Z", stale));
    assert!(told("2020-06-30T12:00:00Z", stale) && !told("2020-06-30T12:00:00Z", old));
    // As many changes as are told apart, and one more.
    let editions: Vec<PathBuf> = (0..=i64::try_from(landfall::locate::MAX_EPOCHS).expect("a small number"))
        .map(|number| {
            let day = jiff::civil::date(2020, 1, 1).saturating_add(jiff::Span::new().days(number * 10));
            let octets = database("DBIP-Country-Lite", &day.to_string(), "CN");
            write(folder.path(), &format!("e{number}.mmdb"), octets)
        })
        .collect();
    let joined = |paths: &[PathBuf]| {
        limits(paths, "2020-01-01T12:00:00Z")
            .into_iter()
            .filter(|limit| limit.contains("told apart"))
            .collect::<Vec<_>>()
    };
    assert_eq!(joined(&editions[1..]), Vec::<String>::new());
    assert_eq!(
        joined(&editions),
        ["Copies of location data change too often to be told apart: 1 changes were taken later than they were due."]
    );
    // A row of each feed that is none; 24 such notes are named.
    let feeds: Vec<PathBuf> = (0..26)
        .map(|n| write(folder.path(), &format!("feed-{n}.csv"), format!("192.0.2.{n}/32,DE,,,\nnowhere,DE,,,\n")))
        .collect();
    let notes = |count: usize| {
        let limits = limits(&feeds[..count], "2020-01-01T12:00:00Z");
        let named = limits.iter().filter(|limit| limit.starts_with("Of the location data ")).count();
        (named, limits.into_iter().find(|limit| limit.contains("notes more")))
    };
    assert_eq!(notes(23), (23, None));
    assert_eq!(notes(24), (24, None));
    assert_eq!(notes(26), (24, Some("2 notes more on location data: `landfall db check` shows them.".to_owned())));
}

const FEED: &str = "52.80.0.0/14,JP,,,\n";

#[test]
fn a_feed_beyond_max_age_counts_as_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [
        write(folder.path(), "db.mmdb", database("DBIP-Country-Lite", "2020-01-01", "CN")),
        write(folder.path(), "feed-2020-01-01.csv", FEED),
    ];
    // The provider speaks alone; by the policy's max-age it does so for thirty days around its date.
    assert_eq!(place(&open(&paths, None), "2030-01-01T00:00:00Z"), "JP");
    let atlas = open(&paths, Some(30));
    for (time, countries) in [
        ("2019-12-01T23:59:59Z", "CN,JP"),
        ("2019-12-02T00:00:00Z", "JP"),
        ("2020-01-31T23:59:59Z", "JP"),
        ("2020-02-01T00:00:00Z", "CN,JP"),
    ] {
        assert_eq!(place(&atlas, time), countries, "{time}");
    }
    // A feed without a date proves no age at all.
    let undated = [paths[0].clone(), write(folder.path(), "feed.csv", FEED)];
    assert_eq!(place(&open(&undated, Some(30)), "2020-01-01T00:00:00Z"), "CN,JP");
    assert_eq!(place(&open(&undated, None), "2020-01-01T00:00:00Z"), "JP");
}

fn flow(time: &str) -> FlowRecord {
    let addr = |text: &str| text.parse::<std::net::IpAddr>().unwrap().into();
    let time = Timestamp(at(time));
    let mut record =
        FlowRecord::new(addr("10.1.2.3"), addr("52.81.151.250"), Protocol::TCP, time, Provenance::new(InputId(0), 1));
    record.direction = BiflowDirection::Initiator;
    record.forward = Counters { octets: 100, packets: 1, payload: 60 };
    record
}

fn audit(grounds: &Grounds, times: &[&str]) -> Audit {
    let mut auditor = Auditor::new(grounds);
    for time in times {
        auditor.observe(&flow(time), None);
    }
    auditor.finish()
}

#[test]
fn a_report_lists_the_copies_of_its_period_with_their_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::parse("laws.toml", laws::POLICY, Library::embedded()).policy;
    let grounds = Grounds { policy, atlas: open(&editions(folder.path()), None), local: Local::Zones, horizon: None };
    let report = audit(&grounds, &["2020-01-02T00:00:00Z"]).report(&grounds, None);
    let names = |report: &landfall::model::Report| {
        let named = report.location_sources.iter().filter(|source| source.name != "anycast-services");
        named.map(|source| source.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&report), ["a"]);
    assert!(!report.limits.iter().any(|limit| limit.contains("days before or after")), "{:?}", report.limits);

    let report = audit(&grounds, &["2020-01-02T00:00:00Z", "2020-01-12T00:00:00Z"]).report(&grounds, None);
    assert_eq!(names(&report), ["a", "b"]);
    let said: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.to.places.to_string(), finding.evidence[0].source.clone()))
        .collect();
    assert!(said.contains(&("CN".to_owned(), "a".to_owned())), "{said:?}");
    assert!(said.contains(&("JP".to_owned(), "b".to_owned())), "{said:?}");
}

#[test]
fn location_data_far_from_the_flows_is_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let atlas = open(&editions(folder.path())[2..], None);
    let grounds = Grounds { policy: None, atlas, local: Local::private(&[]), horizon: None };
    let limit = |time: &str| {
        let limits = audit(&grounds, &[time]).report(&grounds, None).limits;
        limits.into_iter().find(|limit| limit.contains("days before or after"))
    };
    // 2021-01-01 and 90 days are 2021-04-01; 180 days are 2021-06-30; 90 days before are 2020-10-03.
    assert_eq!(limit("2021-04-01T23:00:00Z"), None);
    assert!(limit("2021-04-02T00:00:00Z").unwrap().contains("more than 90 days"));
    assert!(limit("2021-06-30T00:00:00Z").unwrap().contains("c of 2021-01-01 (180 days)"));
    assert!(limit("2021-07-01T00:00:00Z").unwrap().contains("more than 180 days"));
    assert_eq!(limit("2020-10-03T00:00:00Z"), None);
    assert!(limit("2020-10-02T23:59:59Z").unwrap().contains("(91 days)"));
}

#[test]
fn a_source_that_cannot_be_read_makes_the_audit_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let sound = write(folder.path(), "sound.mmdb", database("DBIP-Country-Lite", "2020-01-01", "US"));
    let bad = write(folder.path(), "bad.csv", "52.80.0.0/14,FISH,,,\n");
    let atlas = open(&[bad, sound], None);
    assert_eq!(place(&atlas, "2020-01-01T00:00:00Z"), "US");
    let grounds = Grounds { policy: None, atlas, local: Local::private(&[]), horizon: None };
    let report = audit(&grounds, &["2020-01-01T00:00:00Z"]).report(&grounds, None);
    assert_eq!(report.outcome, Outcome::Incomplete);
    let told = report.limits.iter().find(|limit| limit.contains("bad.csv")).unwrap();
    assert!(told.contains("line 1"), "{told}");
}

#[test]
fn an_edition_that_changes_under_the_program_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let paths = editions(folder.path());
    let atlas = open(&paths, None);
    std::fs::write(&paths[0], database("DBIP-Country-Lite", "2020-01-01", "RU")).unwrap();
    let grounds = Grounds { policy: None, atlas, local: Local::private(&[]), horizon: None };
    let report = audit(&grounds, &["2020-01-01T00:00:00Z"]).report(&grounds, None);
    assert_eq!(report.outcome, Outcome::Incomplete);
    assert!(report.limits.iter().any(|limit| limit.contains("has changed since")), "{:?}", report.limits);
    assert!(!report.inventory.iter().any(|row| row.to.places.to_string() == "RU"));
}

#[test]
fn notes_on_sources_are_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [write(folder.path(), "feed-2020-01-01.csv", "52.80.0.0/14,JP,,,\nfish,DE,,,\n10.0.0.0/8,DE,,,\n")];
    let grounds = Grounds { policy: None, atlas: open(&paths, None), local: Local::private(&[]), horizon: None };
    let report = audit(&grounds, &["2020-01-01T00:00:00Z"]).report(&grounds, None);
    let notes: Vec<_> = report.limits.iter().filter(|limit| limit.contains("feed-2020-01-01")).collect();
    assert!(
        notes.iter().any(|note| note.contains("cannot be read and say nothing: 1, the first `line 2")),
        "{notes:?}"
    );
    assert!(notes.iter().any(|note| note.contains("private or reserved")), "{notes:?}");
    let feed = report.location_sources.iter().find(|source| source.name == "feed-2020-01-01").unwrap();
    assert_eq!(feed.authority, Authority::Provider);
}

static DATED: LazyLock<(TempDir, Grounds)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::parse("laws.toml", laws::POLICY, Library::embedded()).policy;
    let mut paths = editions(folder.path());
    paths.push(write(folder.path(), "feed-2020-02-01.csv", "52.81.0.0/16,HK,,,\n8.8.8.0/24,US,,,\n"));
    let atlas = open(&paths, Some(20));
    (folder, Grounds { policy, atlas, local: Local::Zones, horizon: None })
});

proptest! {
    #![proptest_config(laws::config())]

    /// As-of selection keeps the law of the auditor: any split, any order, the same audit and report.
    #[test]
    fn an_audit_by_dated_copies_is_the_same_however_it_is_split(
        records in prop::collection::vec(observed(), 0..120),
        parts in 1usize..5,
    ) {
        let grounds = &DATED.1;
        let whole = audit_of(grounds, &records);
        let mut merged = Audit::of_nothing(grounds.basis());
        for part in (0..parts).rev() {
            let mine: Vec<&Observed> = records.iter().rev().skip(part).step_by(parts).collect();
            merged.merge(audit_of(grounds, mine)).unwrap();
        }
        prop_assert_eq!(&whole, &merged);
        prop_assert_eq!(whole.report(grounds, None), merged.report(grounds, None));
    }
}

#[test]
fn max_age_is_a_number_of_days() {
    let parse = |value: &str| {
        let text =
            laws::POLICY.replacen("default = \"forbid\"", &format!("default = \"forbid\"\nmax-age = {value}"), 1);
        Policy::parse("laws.toml", &text, Library::embedded())
    };
    assert_eq!(parse("\"180d\"").policy.unwrap().max_age(), Some(180));
    assert_eq!(parse("\"2w\"").policy.unwrap().max_age(), Some(14));
    for wrong in ["\"180\"", "\"0d\"", "\"+5d\"", "\"36h\"", "\"six months\"", "\"99999d\"", "180"] {
        let parsed = parse(wrong);
        let told: Vec<_> = parsed.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(parsed.policy.is_none() && told.len() == 1, "{wrong}: {told:?}");
    }
}
