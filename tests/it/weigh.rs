//! What several sources come to: publishers, registrations, China's names for places that have codes of their own.

use std::path::{Path, PathBuf};

use landfall::locate::{Gazetteer, listed, survey};
use landfall::model::{Asn, Authority, CountrySet, Location, LocationSource, PublisherId, Standing, Subject};

use super::feeds::addr;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn set(codes: &str) -> CountrySet {
    codes.split(',').map(|code| code.parse::<landfall::model::Country>().unwrap()).collect()
}

fn found(gazetteer: &Gazetteer, address: &str) -> (String, Standing) {
    let location = gazetteer.locate(addr(address)).location;
    (location.possible().to_string(), location.standing())
}

#[test]
fn agreement_on_another_country_than_the_registration_is_heard_alone() {
    let claim = |authority, codes, publisher| (authority, set(codes), PublisherId(publisher));
    let registry = claim(Authority::Registry, "US", 9);
    let says = |codes, publisher| claim(Authority::Indicative, codes, publisher);
    let weigh = |claims: &[_]| {
        let location = Location::weigh_places(claims);
        (location.possible().to_string(), location.standing())
    };
    let (agreed, disputed) = (Standing::Agreed, Standing::Disputed);
    // Two publishers say IE, one repeats the registration.
    assert_eq!(weigh(&[registry, says("IE", 0), says("US", 1), says("IE", 2)]), ("IE".to_owned(), agreed));
    // So is a fourth that departs elsewhere alone; two pairs that depart differ in earnest.
    let four = [says("IE", 0), says("US", 1), says("IE", 2), registry, says("GB", 3)];
    assert_eq!(weigh(&four), ("IE".to_owned(), agreed));
    let pairs = [says("IE", 0), says("US", 1), says("IE", 2), registry, says("GB", 3), says("GB", 4)];
    assert_eq!(weigh(&pairs), ("GB,IE".to_owned(), disputed));
    // One alone departs; or two editions of one publisher.
    assert_eq!(weigh(&[registry, says("CA", 0), says("US", 1)]), ("CA,US".to_owned(), disputed));
    assert_eq!(weigh(&[registry, says("CA", 0), says("US", 1), says("CA", 0)]), ("CA,US".to_owned(), disputed));
    // Nobody knows the registration; or all repeat it; or it is all there is.
    assert_eq!(weigh(&[says("IE", 0), says("US", 1), says("IE", 2)]), ("IE,US".to_owned(), disputed));
    assert_eq!(weigh(&[registry, says("US", 0), says("US", 1)]), ("US".to_owned(), agreed));
    assert_eq!(weigh(&[registry]), ("*".to_owned(), Standing::Unknown));
    // It is a step among databases: providers that differ are both heard, and so is whoever says that it is anycast.
    let provided = |codes, publisher| claim(Authority::Provider, codes, publisher);
    let three = [registry, provided("IE", 0), provided("US", 1), provided("IE", 2), says("FR", 3)];
    assert_eq!(weigh(&three), ("IE,US".to_owned(), disputed));
    let anycast = (Authority::Indicative, CountrySet::ANYWHERE, PublisherId(5));
    assert_eq!(weigh(&[registry, says("IE", 0), says("US", 1), says("IE", 2), anycast]).1, Standing::Anycast);
}

#[test]
fn publishers_are_counted_and_not_files() {
    let desk = Desk::new();
    // Files of one content are one source, so each has its name in it.
    let registry = desk.put(
        "delegated",
        "2|ripencc|20260601|1|19700101|20260531|+0000\nripencc|US|ipv4|82.102.16.0|4096|20200101|allocated|x\n",
    );
    let range = |name: &str, code: &str| desk.put(name, &format!("# {name}\n82.102.16.0,82.102.31.255,{code}\n"));
    let (city, country) = (range("dbip-city-ipv4.csv", "IE"), range("dbip-country.csv", "IE"));
    let (other, repeats) = (range("geolite2-country.csv", "IE"), range("ipfire.csv", "US"));
    let same = Gazetteer::open(&[registry.clone(), city.clone(), country, repeats.clone()]).unwrap();
    assert_eq!(found(&same, "82.102.16.1"), ("IE,US".to_owned(), Standing::Disputed));
    assert_eq!(LocationSource::publishers_of_places(same.sources()), 2);
    let several = Gazetteer::open(&[registry, city.clone(), other, repeats]).unwrap();
    assert_eq!(found(&several, "82.102.16.1"), ("IE".to_owned(), Standing::Agreed));
    assert_eq!(LocationSource::publishers_of_places(several.sources()), 3);
    // Delegations are asked for where databases of two publishers are, and where none is loaded the embedded are.
    assert!(several.sources().iter().all(|source| source.name != "nro-delegations"));
    let names = |paths: &[PathBuf]| -> Vec<String> {
        Gazetteer::open(paths).unwrap().sources().iter().map(|source| source.name.clone()).collect()
    };
    assert_eq!(names(std::slice::from_ref(&city)), ["dbip-city-ipv4", "ip-location-db-asn", "anycast-services"]);
    let two = names(&[city, "embedded".into(), range("geo-whois-asn-country.csv", "IE")]);
    assert_eq!(two.last().unwrap(), "nro-delegations");
}

#[test]
fn the_default_alone_rests_on_one_database() {
    let embedded = Gazetteer::embedded().unwrap();
    assert_eq!(LocationSource::publishers_of_places(embedded.sources()), 1);
    let subjects: Vec<_> = embedded.sources().iter().map(|source| source.subjects.clone()).collect();
    assert_eq!(subjects, [vec![Subject::Places], vec![Subject::Operators], vec![Subject::Networks]]);
}

#[test]
fn a_table_of_ranges_is_a_database() {
    let desk = Desk::new();
    let path = desk.put(
        "geoip",
        "# This file has been converted from the IPFire Location database\n#\n# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n\
         # Vendor:    IPFire Project\n# License:   CC BY-SA 4.0\n16777216,16777471,AU\n16777472,16778239,??\n\
         16777300,16777301,FR\nfish\n16842752,16843007,AP\n2001:200::,2001:200:134:ffff:ffff:ffff:ffff:ffff,JP\n",
    );
    let survey = survey(&path, None).unwrap();
    let source = &survey.source;
    assert_eq!((source.kind.as_str(), source.as_of.as_deref()), ("ranges country", Some("2026-06-25")));
    assert_eq!((source.publisher.as_deref(), source.licence.as_deref()), (Some("IPFire"), Some("CC BY-SA 4.0")));
    assert_eq!(survey.notes, ["rows that cannot be read and say nothing: 2, the first `line 9: fish`"]);
    let gazetteer = Gazetteer::open(&[path]).unwrap();
    // 1.0.0.0 to 1.0.0.255 by number; then a code that names no country; then Asia and the Pacific, which is none either.
    for (address, places) in [("1.0.0.0", "AU"), ("1.0.0.255", "AU"), ("1.0.1.0", "*"), ("1.1.0.9", "*")] {
        assert_eq!(found(&gazetteer, address).0, places, "{address}");
    }
    assert_eq!(found(&gazetteer, "2001:200:134::1").0, "JP");
    assert_eq!(found(&gazetteer, "2001:200:135::1").0, "*");
}

#[test]
fn a_table_of_registrations_places_nothing() {
    let desk = Desk::new();
    let path = desk.put("iptoasn-country.csv", "3.5.140.0,3.5.141.255,US\n");
    let gazetteer = Gazetteer::open(&[path, "embedded".into()]).unwrap();
    // GEO, section 1.1: DB-IP says KR, the registration is in US.
    assert_eq!(found(&gazetteer, "3.5.140.2"), ("KR".to_owned(), Standing::Agreed));
    let claims = gazetteer.claims(addr("3.5.140.2"));
    let registry: Vec<_> = claims.iter().filter(|claim| claim.authority == Authority::Registry).collect();
    assert_eq!((registry.len(), registry[0].places), (1, set("US")));
    assert_eq!(gazetteer.sources()[0].publisher.as_deref(), Some("IPtoASN"));
    assert_eq!(gazetteer.sources()[0].subjects, [Subject::Registrations]);
}

const FEED: &str = r#"{"createDate": "2026-08-22-15-17-05", "prefixes": [
  {"ip_prefix": "18.162.0.0/16", "region": "ap-east-1", "service": "AMAZON", "network_border_group": "ap-east-1"},
  {"ip_prefix": "52.80.0.0/16", "region": "cn-north-1", "service": "AMAZON", "network_border_group": "cn-north-1"}]}"#;

#[test]
fn hong_kong_is_its_own_code_whatever_a_feed_says() {
    let desk = Desk::new();
    let geofeed =
        desk.put("geo-ip-feed.csv", "18.162.0.0/16,CN,,,\n52.80.0.0/16,CN,,,\n18.163.0.0/16,CN,,Hong Kong,\n");
    let feed = desk.put("ip-ranges.json", FEED);
    let database = desk.put("some.csv", "18.162.0.0,18.163.255.255,CN\n");
    // Without a city the country stands as it is written, until the provider's own region says what it means.
    let alone = Gazetteer::open(std::slice::from_ref(&geofeed)).unwrap();
    assert_eq!(found(&alone, "18.162.0.1"), ("CN".to_owned(), Standing::Agreed));
    assert_eq!(found(&alone, "18.163.0.1"), ("HK".to_owned(), Standing::Agreed));
    let both = Gazetteer::open(&[geofeed.clone(), feed.clone(), database]).unwrap();
    for address in ["18.162.0.1", "18.163.0.1"] {
        assert_eq!(found(&both, address), ("HK".to_owned(), Standing::Agreed), "{address}");
        let claims = both.claims(addr(address));
        let geofeed = claims.iter().find(|claim| claim.source.0 == 0).unwrap();
        assert_eq!((geofeed.places, geofeed.reading.is_some()), (set("HK"), true));
        // A database is shown as it stands.
        let database = claims.iter().find(|claim| claim.source.0 == 2).unwrap();
        assert_eq!((database.places, database.reading), (set("CN"), None));
    }
    assert_eq!(found(&both, "52.80.0.1"), ("CN".to_owned(), Standing::Agreed));
    assert!(both.claims(addr("52.80.0.1")).iter().all(|claim| claim.reading.is_none()));

    let (geofeed, feed) = (geofeed.to_str().unwrap(), feed.to_str().unwrap());
    let run = |args: &[&str]| {
        let output = assert_cmd::Command::cargo_bin("landfall").unwrap().args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let out = run(&["locate", "--db", geofeed, "--db", feed, "18.162.0.1"]);
    assert!(out.starts_with("18.162.0.1  HK (Hong Kong), agreed\n"), "{out}");
    assert!(out.contains("  provider: Amazon Web Services, by its own list\n"), "{out}");
    let note = "the source says CN; the place has a code of its own, and is taken by it";
    assert!(out.contains(&format!("geo-ip-feed: HK for 18.162.0.0/15 (provider, undated)\n    {note}\n")), "{out}");

    // And in a report: the sample's Beijing, as if its feed had called Hong Kong CN.
    let own = desk.put("own.csv", "52.81.0.0/16,CN,CN-HK,,\n");
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/zoom-2020/meeting.pcap");
    let (own, capture) = (own.to_str().unwrap(), capture.to_str().unwrap());
    let out = run(&["audit", capture, "--deny", "HK", "--db", own, "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let evidence = report["findings"][0]["evidence"].as_array().unwrap();
    assert!(evidence.iter().any(|row| row["source"] == "own" && row["note"] == note), "{evidence:?}");
    let out = run(&["audit", capture, "--deny", "HK", "--db", own]);
    assert!(out.split_whitespace().collect::<Vec<_>>().join(" ").contains(note), "{out}");
}

#[test]
fn a_watched_list_says_nothing_of_wide_networks() {
    let desk = Desk::new();
    let watched = desk.put("watched.txt", "34.32.0.0/11\n1.12.0.0/20\n1.1.1.0/24\n2.16.40.0/24\n5.1.1.0/24\n2600:1901::/32\n2001:500:2::/48\n2001:500:c::/44\n");
    let survey = survey(&watched, None).unwrap();
    assert_eq!(survey.source.networks, 6);
    assert!(survey.notes[0].ends_with("say nothing: 2, the first `34.32.0.0/11`"), "{:?}", survey.notes);
    // A delivery network's own blocks have no such announcements.
    let own = desk.put("own.txt", "104.16.0.0/13\n173.245.48.0/20\n2606:4700::/32\n");
    let gazetteer = Gazetteer::open(&[own]).unwrap();
    for address in ["104.16.1.1", "173.245.48.1", "2606:4700::1"] {
        assert_eq!(found(&gazetteer, address).1, Standing::Anycast, "{address}");
    }
}

#[test]
fn a_feed_tells_who_runs_what_no_database_knows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/geo/mmdb-test/test-data/GeoLite2-ASN-Test.mmdb");
    if !path.exists() {
        println!("skipped: {} is missing", path.display());
        return;
    }
    let desk = Desk::new();
    // 1.128.0.0/11 is AS1221 in the test database, which knows nothing of the other network.
    let feed = desk.put(
        "ranges.json",
        r#"{"createDate": "2026-08-22-15-17-05", "prefixes": [
        {"ip_prefix": "83.119.128.0/18", "region": "ap-east-1", "service": "AMAZON", "network_border_group": "ap-east-1"},
        {"ip_prefix": "1.128.0.0/16", "region": "ap-east-1", "service": "AMAZON", "network_border_group": "ap-east-1"}]}"#,
    );
    let gazetteer = Gazetteer::open(&[feed, path]).unwrap();
    let operator = |address| gazetteer.locate(addr(address)).operator;
    assert_eq!((operator("83.119.128.1"), operator("1.128.0.1")), (Some(Asn(16509)), Some(Asn(1221))));
    assert_eq!(gazetteer.organisation(Asn(16509)), Some("Amazon.com, Inc."));
    assert_eq!(gazetteer.sources()[0].provider(), Some("Amazon Web Services"));
}

#[test]
fn stretches_and_lists_are_what_was_written() {
    let desk = Desk::new();
    let geofeed = desk.put("feed.csv", "82.102.16.0/24,DE\n82.102.16.64/26,FR\n2a02:1::/32,SE\n");
    let listed: Vec<String> = listed(&geofeed)
        .unwrap()
        .iter()
        .map(|listed| format!("{} {} {:?}", listed.network, listed.places, listed.authority))
        .collect();
    assert_eq!(listed, ["82.102.16.0/24 DE Provider", "82.102.16.64/26 FR Provider", "2a02:1::/32 SE Provider"]);
    let gazetteer = Gazetteer::open(&[geofeed]).unwrap();
    let said = |network: &str| -> Vec<String> {
        let stretches = gazetteer.stretches(network.parse().unwrap());
        stretches.iter().map(|(first, last, place)| format!("{first} {last} {}", place.location.possible())).collect()
    };
    assert_eq!(said("82.102.16.32/27").first().map(String::as_str), Some("82.102.16.32 82.102.16.63 DE"));
    assert_eq!(said("82.102.16.0/24").iter().filter(|stretch| stretch.ends_with("FR")).count(), 1);
    assert!(said("82.102.16.0/24").contains(&"82.102.16.64 82.102.16.127 FR".to_owned()));
    assert_eq!(said("2a02:1:2::/48"), ["2a02:1:2:: 2a02:1:2:ffff:ffff:ffff:ffff:ffff SE"]);
}
