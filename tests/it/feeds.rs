//! Feeds, geofeeds, lists and overrides, by small files made here.

use std::net::IpAddr;
use std::path::PathBuf;

use landfall::locate::{Gazetteer, LocateError, rests_on, survey};
use landfall::model::{Addr, Authority, Standing};
use proptest::prelude::*;
use serde_json::Value;

pub(crate) fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().unwrap().into()
}

/// A folder of files, gone at the end of the test.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// What a gazetteer says: places, standing, and each claim as `source places authority region`.
pub(crate) fn says(gazetteer: &Gazetteer, address: &str) -> (String, Standing, Vec<String>) {
    let location = gazetteer.locate(addr(address)).location;
    let claims = gazetteer.claims(addr(address));
    let told = claims.iter().map(|claim| {
        let region = claim.region.and_then(|region| gazetteer.region(region)).unwrap_or("-");
        let source = &gazetteer.source(claim.source).unwrap().name;
        format!("{source} {} {} {:?} {region}", claim.network, claim.places, claim.authority)
    });
    (location.possible().to_string(), location.standing(), told.collect())
}

pub(crate) fn places(gazetteer: &Gazetteer, address: &str) -> String {
    gazetteer.locate(addr(address)).location.possible().to_string()
}

const AWS: &str = r#"{"syncToken": "1", "createDate": "2026-08-22-15-17-05", "prefixes": [
  {"ip_prefix": "83.118.0.0/15", "region": "eu-central-1", "service": "AMAZON", "network_border_group": "eu-central-1"},
  {"ip_prefix": "83.119.128.0/18", "region": "eu-central-1", "service": "AMAZON", "network_border_group": "eu-central-1-ist-1"},
  {"ip_prefix": "83.119.128.0/18", "region": "eu-central-1", "service": "EC2", "network_border_group": "eu-central-1-ist-1"},
  {"ip_prefix": "83.119.192.0/24", "region": "us-east-1", "service": "CLOUDFRONT", "network_border_group": "us-east-1"},
  {"ip_prefix": "83.119.192.0/24", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1"},
  {"ip_prefix": "83.119.193.0/24", "region": "GLOBAL", "service": "AMAZON", "network_border_group": "GLOBAL"},
  {"ip_prefix": "83.119.194.0/24", "region": "ap-east-1", "service": "S3", "network_border_group": "ap-east-1"},
  {"ip_prefix": "83.119.195.0/24", "region": "xx-north-9", "service": "EC2", "network_border_group": "xx-north-9"},
  {"ip_prefix": "83.119.196.0/24", "region": "eu-central-1", "service": "EC2", "network_border_group": "eu-central-1-new-1"},
  {"ip_prefix": "10.0.0.0/8", "region": "eu-central-1", "service": "EC2", "network_border_group": "eu-central-1"},
  {"ip_prefix": "fish", "region": "eu-central-1", "service": "EC2", "network_border_group": "eu-central-1"}],
 "ipv6_prefixes": [
  {"ipv6_prefix": "2a05:d07f:e000::/40", "region": "eu-west-1", "service": "AMAZON", "network_border_group": "eu-west-1"}]}"#;

#[test]
fn aws_is_located_by_border_group() {
    let desk = Desk::new();
    let path = desk.put("whatever.txt", AWS);
    let gazetteer = Gazetteer::open(std::slice::from_ref(&path)).unwrap();
    let ist = says(&gazetteer, "83.119.140.1");
    assert_eq!((ist.0.as_str(), ist.1), ("TR", Standing::Agreed));
    assert_eq!(ist.2[0], "whatever 83.119.128.0/18 TR Provider aws:eu-central-1-ist-1");
    assert_eq!(places(&gazetteer, "83.118.0.1"), "DE");
    assert_eq!(places(&gazetteer, "83.119.194.1"), "HK");
    assert_eq!(places(&gazetteer, "2a05:d07f:e000::1"), "IE");
    for edge in ["83.119.192.1", "83.119.193.1"] {
        assert_eq!(gazetteer.locate(addr(edge)).location.standing(), Standing::Anycast, "{edge}");
    }
    // A region of which nothing is known has a name and no place: databases speak alone.
    let unknown = says(&gazetteer, "83.119.195.1");
    assert_eq!(unknown.2[0], "whatever 83.119.195.0/24  Provider aws:xx-north-9");
    let database = Gazetteer::embedded().unwrap();
    assert_eq!(unknown.0, places(&database, "83.119.195.1"));
    // One below a known region is no more than indicative.
    assert!(says(&gazetteer, "83.119.196.1").2[0].ends_with("DE Indicative aws:eu-central-1-new-1"));

    let survey = survey(&path, None).unwrap();
    assert_eq!((survey.source.kind.as_str(), survey.source.authority), ("feed aws", Authority::Provider));
    assert_eq!((survey.source.as_of.as_deref(), survey.source.networks), (Some("2026-08-22"), 10));
    assert_eq!(
        survey.notes,
        [
            "rows that cannot be read and say nothing: 1, the first `fish`",
            "networks that are private or reserved, or contain such, and say nothing: 1, the first `10.0.0.0/8`",
            "rows with a region that is not in the table, which have no place: 1, the first `aws:xx-north-9`",
            "rows with a region that is newer than the table, which count as indicative for the region above: 1, \
             the first `aws:eu-central-1-new-1`",
        ]
    );
}

#[test]
fn google_azure_and_oracle_are_located_by_region() {
    let desk = Desk::new();
    let gcp = desk.put(
        "gcp",
        r#"{"syncToken": "1", "creationTime": "2026-05-05T19:04:08.194918", "prefixes": [
          {"ipv4Prefix": "34.0.0.0/16", "service": "Google Cloud", "scope": "asia-east2"},
          {"ipv6Prefix": "2600:1900::/35", "service": "Google Cloud", "scope": "us-central1"},
          {"ipv4Prefix": "34.1.0.0/16", "service": "Google Cloud", "scope": "global"}]}"#,
    );
    let goog = desk.put(
        "goog",
        r#"{"creationTime": "2026-05-05T19:04:08", "prefixes": [{"ipv4Prefix": "34.0.0.0/15"}, {"ipv4Prefix": "8.8.8.0/24"}]}"#,
    );
    let azure = desk.put(
        "ServiceTags_Public_20260506",
        r#"{"changeNumber": 398, "cloud": "Public", "values": [
          {"name": "AzureCloud", "properties": {"region": "", "addressPrefixes": ["20.0.0.0/8"]}},
          {"name": "AzureCloud.centralfrance", "properties": {"region": "centralfrance", "addressPrefixes": ["20.1.0.0/16"]}},
          {"name": "Storage.centralfrance", "properties": {"region": "centralfrance", "addressPrefixes": ["20.2.0.0/16"]}},
          {"name": "AzureFrontDoor.Frontend", "properties": {"region": "", "addressPrefixes": ["20.1.7.0/24", "2603:1030::/48"]}}]}"#,
    );
    let oci = desk.put(
        "oci",
        r#"{"last_updated_timestamp": "2025-07-21T07:13:25.457838", "regions": [
          {"region": "eu-zurich-1", "cidrs": [{"cidr": "140.0.0.0/16", "tags": ["OCI"]}]}]}"#,
    );
    let gazetteer = Gazetteer::open(&[gcp, goog, azure, oci]).unwrap();
    let expected = [
        ("34.0.1.1", "HK"),
        ("34.1.1.1", "*"),
        ("8.8.8.8", "*"),
        ("2600:1900::1", "US"),
        ("20.1.0.1", "FR"),
        ("20.1.7.1", "*"),
        ("2603:1030::1", "*"),
        ("140.0.0.1", "CH"),
    ];
    for (address, codes) in expected {
        assert_eq!(places(&gazetteer, address), codes, "{address}");
    }
    let dates: Vec<_> = gazetteer.sources().iter().take(4).map(|source| source.as_of.clone().unwrap()).collect();
    assert_eq!(dates, ["2026-05-05", "2026-05-05", "2026-05-06", "2025-07-21"]);
}

#[test]
fn geofeeds_are_read_as_rfc_8805_says() {
    let desk = Desk::new();
    let path = desk.put(
        "geofeed.csv",
        "# a geofeed\n# Last modified: 2026-03-30 10:00\nip_prefix,alpha2code,region,city,postal\n\
         82.102.16.0/24,de,DE-HE,Frankfurt,\r\n82.102.17.0/24,,,,\n82.102.18.7,FR\nnonsense\n\
         82.102.19.0/24,Germany,,,\n10.0.0.0/8,DE,,,\n0.0.0.0/0,RU,,,\n\"82.102.20.0/24\",\"CN\",\"\",\"Hong Kong\",\n\
         82.102.21.0/24,CN,CN-TW,,\n82.102.22.0/24,CN,CN-92,,\n82.102.23.0/24,CN,CN-BJ,Beijing,\n82.102.24.0/24,EU,,,\n",
    );
    let gazetteer = Gazetteer::open(std::slice::from_ref(&path)).unwrap();
    let feed = |address: &str| says(&gazetteer, address).2[0].clone();
    assert_eq!(feed("82.102.16.1"), "geofeed 82.102.16.0/24 DE Provider DE-HE");
    assert_eq!(feed("82.102.18.7"), "geofeed 82.102.18.7/32 FR Provider -");
    for (address, code) in [("20.1", "HK"), ("21.1", "TW"), ("22.1", "MO"), ("23.1", "CN")] {
        assert_eq!(places(&gazetteer, &format!("82.102.{address}")), code);
    }
    let database = Gazetteer::embedded().unwrap();
    for quiet in ["82.102.17.1", "82.102.19.1", "82.102.24.1", "5.255.255.70"] {
        assert_eq!(places(&gazetteer, quiet), places(&database, quiet));
    }
    let survey = survey(&path, None).unwrap();
    assert_eq!((survey.source.as_of.as_deref(), survey.source.networks), (Some("2026-03-30"), 6));
    assert_eq!(
        survey.notes,
        [
            "rows that cannot be read and say nothing: 3, the first `line 7: nonsense`",
            "networks that are private or reserved, or contain such, and say nothing: 2, the first `10.0.0.0/8`",
            "rows that say CN of Hong Kong, Macao or Taiwan, which were taken by their own codes: 3, \
             the first `line 11: \"82.102.20.0/24\",\"CN\",\"\",\"Hong Kong\",`",
        ]
    );
}

#[test]
fn a_list_makes_anycast_of_what_databases_place_but_not_of_what_a_provider_places() {
    let desk = Desk::new();
    let list = desk.put("anycast.txt", "# seen 2026-08-22\n1.1.1.0/24\n83.0.0.0/8\n2606:4700::/32\t\n\n");
    let pairs = desk.put("anycast.csv", "9.9.9.0/24,9.9.9.9\n");
    let aws = desk.put("ip-ranges.json", AWS);
    let alone = Gazetteer::open(&[list.clone(), pairs.clone()]).unwrap();
    for address in ["1.1.1.1", "9.9.9.9", "2606:4700::1111", "83.119.140.1"] {
        assert_eq!(alone.locate(addr(address)).location.standing(), Standing::Anycast, "{address}");
    }
    let both = Gazetteer::open(&[list, pairs, aws]).unwrap();
    assert_eq!(places(&both, "83.119.140.1"), "TR");
    assert_eq!(both.locate(addr("83.1.1.1")).location.standing(), Standing::Anycast);
}

#[test]
fn delegations_never_place_anything() {
    let desk = Desk::new();
    let path = desk.put(
        "delegated-arin-extended-latest",
        "2|arin|20260601|4|19700101|20260531|-0500\narin|*|ipv4|*|2|summary\narin|US|ipv4|3.0.0.0|768|19880223|allocated|x\n\
         arin|US|asn|1|1|20010920|assigned|x\narin|US|ipv6|2600:1f00::|24|20100101|allocated|x\narin||ipv4|4.0.0.0|256||available|\n\
         arin|US|ipv4|300.0.0.0|256|19880223|allocated|x\n",
    );
    let gazetteer = Gazetteer::open(std::slice::from_ref(&path)).unwrap();
    let database = Gazetteer::embedded().unwrap();
    for address in ["3.0.2.1", "2600:1f00::1"] {
        assert_eq!(places(&gazetteer, address), places(&database, address));
        let claims = gazetteer.claims(addr(address));
        assert!(claims.iter().any(|claim| claim.authority == Authority::Registry && claim.places.to_string() == "US"));
    }
    // 768 addresses are a /23 and a /24.
    let survey = survey(&path, None).unwrap();
    assert_eq!((survey.source.networks, survey.source.as_of.as_deref()), (3, Some("2026-06-01")));
    assert_eq!(survey.notes.len(), 1);
}

#[test]
fn overrides_speak_alone_until_they_expire() {
    let desk = Desk::new();
    let path = desk.put(
        "overrides.toml",
        "[[override]]\nnetwork = \"83.119.140.0/24\"\nplaces = [\"CH\"]\nowner = \"network team\"\n\
         reason = \"our rack\"\nexpires = 2026-12-31\n",
    );
    let aws = desk.put("aws.json", AWS);
    let day = |text: &str| Some(text.parse().unwrap());
    let open = |today| Gazetteer::open_on(&[aws.clone(), path.clone()], today).unwrap();
    let (before, after) = (open(day("2026-12-31")), open(day("2027-01-01")));
    assert_eq!((places(&before, "83.119.140.1"), places(&after, "83.119.140.1")), ("CH".into(), "TR".into()));
    assert_ne!(before.digest(), after.digest(), "another basis");
    assert_eq!(open(None).digest(), before.digest());
    let claims = before.claims(addr("83.119.140.1"));
    let rests: Vec<_> =
        rests_on(&claims).iter().map(|(source, left)| (source.0, left.possible().to_string())).collect();
    assert_eq!(rests, [(1, "TR".to_owned())], "without the override the feed speaks");

    let wrong = |text: &str| Gazetteer::open(&[desk.put("wrong.toml", text)]).unwrap_err().to_string();
    let entry = |network: &str, places: &str, more: &str| {
        wrong(&format!("# ours\n[[override]]\nnetwork = \"{network}\"\nplaces = {places}\nowner = \"a\"\n{more}"))
    };
    assert!(
        entry("fish", "[\"DE\"]", "reason = \"b\"")
            .ends_with("line 3: `fish` is not a network in CIDR form, such as 192.0.2.0/24")
    );
    assert!(entry("10.0.0.0/8", "[\"DE\"]", "reason = \"b\"").contains("line 3: `10.0.0.0/8` is private or reserved"));
    assert!(entry("83.0.0.0/8", "[\"UK\"]", "reason = \"b\"").contains("line 4: "));
    assert!(entry("83.0.0.0/8", "[\"DE\"]", "").contains("missing field `reason`"));
    assert!(entry("83.0.0.0/8", "[\"DE\"]", "reason = \" \"").contains("line 6: `reason` is empty"));
    assert!(
        entry("83.0.0.0/8", "[\"DE\"]", "reason = \"b\"\nexpires = \"soon\"")
            .contains("line 7: `expires` is not a date")
    );
    assert!(entry("83.0.0.0/8", "[\"DE\"]", "reason = \"b\"\nexpire = 2027-01-01").contains("line 7: "));
}

#[test]
fn hostile_feeds_are_refused_with_the_place() {
    let desk = Desk::new();
    let open = |text: &str| Gazetteer::open(&[desk.put("feed", text)]).unwrap_err();
    let torn = open("{\"prefixes\": [\n{\"ip_prefix\": \"1.0");
    assert!(torn.to_string().contains("line 2, column"), "{torn}");
    assert!(open("{\"prefixes\": 7, \"createDate\": \"\"}").to_string().contains("line 1, column"));
    assert!(open("{\"cats\": []}").to_string().contains("has the keys of no feed"));
    assert!(open(&"{\"a\":".repeat(100_000)).to_string().contains("line 1, column"));
    assert!(open("{\"prefixes\": []}").to_string().contains("no row of it can be used"));
    assert!(open("1.2.3.4,DEU,,,\n").to_string().contains("the first `line 1: 1.2.3.4,DEU,,,`"));
    let many = format!("{{\"createDate\": \"\", \"prefixes\": [{}{{}}]}}", "{},".repeat(1 << 20));
    assert!(open(&many).to_string().contains("more than 1048576 rows"));
    assert!(matches!(open(&format!("{{{}", " ".repeat(49 << 20))), LocateError::TooLarge { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_is_a_panic(at in 0..2000_usize, junk in ".{0,12}", form in 0..3_usize) {
        let desk = Desk::new();
        let geofeed = "82.102.16.0/24,DE,DE-HE,Frankfurt,\n82.102.17.0/24,CN,HK,,\n".repeat(10);
        let delegated = "2|arin|20260601|4|19700101|20260531|-0500\narin|US|ipv4|3.0.0.0|768|1988|allocated|x\n".repeat(10);
        let text = [AWS, &geofeed, &delegated][form];
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let _ = survey(&desk.put("feed", format!("{}{junk}{}", &text[..at], &text[at..])), None);
    }
}

/// Runs the program: exit code, standard output, standard error.
fn run(args: &[&str], input: &str) -> (i32, String, String) {
    let output = assert_cmd::Command::cargo_bin("landfall").unwrap().args(args).write_stdin(input).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn locate_prints_claims_and_what_the_answer_rests_on() {
    let desk = Desk::new();
    let feed = desk.put("ranges.json", AWS);
    let feed = feed.to_str().unwrap();
    let (code, out, err) = run(&["locate", "--db", feed, "--json", "83.119.140.1", "10.0.0.1"], "");
    assert_eq!(code, 0, "{err}");
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["addr", "places", "standing", "claims", "asn", "org"] {
        assert!(keys.contains(&key), "{keys:?}");
    }
    assert_eq!((&rows[0]["places"], &rows[0]["standing"]), (&serde_json::json!(["TR"]), &Value::from("agreed")));
    assert_eq!(rows[0]["provider"], "Amazon Web Services");
    let claim = serde_json::json!({
        "source": "ranges", "network": "83.119.128.0/18", "places": ["TR"], "authority": "provider",
        "as_of": "2026-08-22", "region": "aws:eu-central-1-ist-1", "publisher": "Amazon Web Services",
    });
    assert_eq!(rows[0]["claims"][0], claim);
    // Without the feed the database speaks; without the database nothing changes.
    let rests = rows[0]["rests_on"].as_array().unwrap();
    assert!(rests.len() <= 1 && rests.iter().all(|rest| rest["source"] == "ranges"), "{rests:?}");
    assert_eq!((&rows[1]["places"], &rows[1]["standing"]), (&Value::from("*"), &Value::from("unknown")));

    let (code, out, err) = run(&["locate", "--db", feed], "# ours\n83.119.193.7\nfish\n");
    assert_eq!(code, 2);
    assert_eq!(err, "landfall: `fish` is not an address\n");
    assert!(out.starts_with("83.119.193.7  anywhere: announced from many sites\n"), "{out}");
    assert!(out.contains("ranges: many sites for 83.119.193.0/24 (provider, 2026-08-22, region aws:GLOBAL)"), "{out}");
}

#[test]
fn locate_says_what_a_policy_decides() {
    let desk = Desk::new();
    let feed = desk.put("ranges.json", AWS);
    let policy = desk.put(
        "policy.toml",
        "[policy]\nid = \"p\"\ndefault = \"forbid\"\n[zone.office]\nnetworks = [\"10.0.0.0/8\"]\n\
         [[rule]]\nid = \"home\"\neffect = \"permit\"\nfrom = [\"office\"]\nto = [\"DE\"]\nbasis = [\"home\"]\n",
    );
    let args = ["locate", "--db", feed.to_str().unwrap(), "-p", policy.to_str().unwrap(), "--json"];
    let (code, out, err) = run(&args, "83.118.0.1\n83.119.140.1\n");
    assert_eq!(code, 0, "{err}");
    let decisions: Vec<Value> =
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["decision"]["decision"].clone()).collect();
    assert_eq!(decisions, ["permit", "forbid"]);
    let (code, _, err) = run(&[&args[..], &["--zone", "cellar", "1.1.1.1"]].concat(), "");
    assert_eq!((code, err.as_str()), (2, "landfall: the policy has no zone `cellar`; it has `office`\n"));

    let two = std::fs::read_to_string(&policy).unwrap() + "[zone.lab]\nnetworks = [\"192.168.0.0/16\"]\n";
    std::fs::write(&policy, two).unwrap();
    let (code, out, err) = run(&[&args[..], &["--zone", "lab", "83.118.0.1"]].concat(), "");
    assert_eq!(code, 0, "{err}");
    let row: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(row["decision"]["decision"], "forbid", "no rule speaks of the lab");
    let (code, _, err) = run(&[&args[..], &["83.118.0.1"]].concat(), "");
    let several = "landfall: the policy has several zones: name one with --zone: `lab`, `office`";
    assert!(code == 2 && err.contains(several), "{err}");
}

#[test]
fn location_data_is_listed_and_checked() {
    let desk = Desk::new();
    let feed = desk.put("ranges.json", AWS);
    let feed = feed.to_str().unwrap();
    let (code, out, _) = run(&["db", "list", "--db", feed, "--today", "2026-11-22", "--json"], "");
    assert_eq!(code, 0);
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The feed, and the embedded tables beside it. From 22 August to 22 November it is 92 days.
    assert_eq!((rows.len(), &rows[0]["name"], &rows[0]["age"]), (4, &Value::from("ranges"), &Value::from(92)));
    assert_eq!(rows[1]["licence"], "CC BY 4.0");
    let (_, out, _) = run(&["db", "list", "--db", feed, "--today", "2026-11-22"], "");
    assert!(out.contains("2026-08-22, 92 days old: due for renewal; 10 networks"), "{out}");

    let torn = desk.put("torn.json", "{\"prefixes\": [");
    let (code, out, err) = run(&["db", "check", feed, torn.to_str().unwrap(), "--today", "2026-11-22"], "");
    assert_eq!(code, 2);
    assert!(out.contains("note: rows that cannot be read and say nothing: 1, the first `fish`"), "{out}");
    assert!(err.contains("torn.json cannot be used as a provider's feed: line 1, column"), "{err}");
    assert_eq!(run(&["db", "check", feed], "").0, 0);
}
