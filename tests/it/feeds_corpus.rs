//! Feeds and lists as their providers publish them: the answers against the survey of regions, and how much they are worth.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use landfall::locate::{Gazetteer, survey};
use landfall::model::Standing;
use serde_json::Value;

use super::feeds::{addr, places, says};

/// The providers' files, or `None` with a sentence where they are not there.
fn corpus(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/geo/feeds")).join(path);
    let is_there = path.exists();
    if !is_there {
        println!("skipped: {} is not there", path.display());
    }
    is_there.then_some(path)
}

/// A region and its country in the survey of 2026-11-22; `None` is no country.
fn table() -> Option<HashMap<(String, String), Option<String>>> {
    let text = std::fs::read_to_string(corpus("region_country.tsv")?).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let country = Some(fields[3].to_owned()).filter(|code| !code.is_empty());
        ((fields[0].to_owned(), fields[2].to_owned()), country)
    };
    Some(text.lines().skip(1).map(row).collect())
}

/// Every prefix of a feed with its region (empty for an edge service), read in another way than the program's.
fn prefixes(provider: &str, document: &Value) -> Vec<(IpNet, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let net = |value: &Value| text(value).parse::<IpNet>().unwrap().trunc();
    match provider {
        "aws" => {
            let rows = [list(&document["prefixes"]), list(&document["ipv6_prefixes"])].concat();
            let region = |row: &Value| match row["service"].as_str().unwrap() {
                "CLOUDFRONT" | "GLOBALACCELERATOR" | "ROUTE53" => String::new(),
                _ => text(&row["network_border_group"]),
            };
            let prefix = |row: &Value| net(row.get("ip_prefix").unwrap_or(&row["ipv6_prefix"]));
            rows.iter().map(|row| (prefix(row), region(row))).collect()
        }
        "gcp" => list(&document["prefixes"])
            .iter()
            .map(|row| (net(row.get("ipv4Prefix").unwrap_or(&row["ipv6Prefix"])), text(&row["scope"])))
            .collect(),
        "oci" => list(&document["regions"])
            .iter()
            .flat_map(|region| {
                list(&region["cidrs"]).into_iter().map(|row| (net(&row["cidr"]), text(&region["region"])))
            })
            .collect(),
        _ => list(&document["values"])
            .iter()
            .flat_map(|tag| {
                let name = text(&tag["name"]);
                let is_edge = name.starts_with("AzureFrontDoor") || name.starts_with("AzureTrafficManager");
                let region = name.strip_prefix("AzureCloud.").map(str::to_owned).or(is_edge.then(String::new));
                let prefixes = list(&tag["properties"]["addressPrefixes"]);
                prefixes.into_iter().filter_map(move |prefix| Some((net(&prefix), region.clone()?))).collect::<Vec<_>>()
            })
            .collect(),
    }
}

#[test]
fn fewer_than_one_in_a_thousand_prefixes_of_a_loaded_feed_is_wrong() {
    let Some(table) = table() else { return };
    let files = [
        ("aws", "aws/ip-ranges.2026-08-22.json"),
        ("aws", "aws/ip-ranges.2026-06-17.json"),
        ("aws", "aws/ip-ranges.2025-08-22.json"),
        ("gcp", "gcp/cloud.2026-05-06.json"),
        ("gcp", "gcp/cloud.2025-07-24.json"),
        ("azure", "azure/ServiceTags_Public.2026-05-06.json"),
        ("azure", "azure/ServiceTags_Public.2025-07-22.json"),
        ("oci", "oci/public_ip_ranges.2025-07-21.json"),
    ];
    for (provider, file) in files {
        let Some(path) = corpus(file) else { return };
        let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        // All that is said of one prefix; an edge service, or two countries, is `*`.
        let mut said: BTreeMap<IpNet, String> = BTreeMap::new();
        for (network, region) in prefixes(provider, &document) {
            let country = if region.is_empty() { None } else { table[&(provider.to_owned(), region)].clone() };
            let country = country.unwrap_or_else(|| "*".to_owned());
            let entry = said.entry(network).or_insert_with(|| country.clone());
            if *entry != country {
                "*".clone_into(entry);
            }
        }
        let gazetteer = Gazetteer::open(&[path]).unwrap();
        let mut wrong = Vec::new();
        for network in said.keys() {
            // The first address of a prefix can be in a more specific one: that speaks.
            let first = IpNet::from(network.network());
            let expected = (0..=first.prefix_len())
                .rev()
                .find_map(|length| said.get(&IpNet::new(first.network(), length).unwrap().trunc()))
                .unwrap();
            let found = gazetteer.locate(network.network().into()).location.possible().to_string();
            if found != *expected {
                wrong.push(format!("{network}: {found}, not {expected}"));
            }
        }
        println!("{file}: {} of {} prefixes are wrong", wrong.len(), said.len());
        assert!(wrong.len() * 1000 < said.len(), "{file}: {wrong:?}");
    }
}

#[test]
fn the_cases_of_the_survey() {
    let files =
        ["aws/ip-ranges.2026-08-22.json", "gcp/cloud.2026-05-06.json", "azure/ServiceTags_Public.2026-05-06.json"];
    let lists = [
        "cdn/cloudflare-v4.2026-05-06.txt",
        "cdn/cloudflare-v6.2026-05-06.txt",
        "cdn/fastly-public-ip-list.json",
        "anycast/anycatch-v4-prefixes.txt",
        "anycast/anycatch-v6-prefixes.csv",
    ];
    let paths: Option<Vec<PathBuf>> = files.iter().chain(&lists).map(|name| corpus(name)).collect();
    let Some(paths) = paths else { return };
    let gazetteer = Gazetteer::open(&paths).unwrap();
    assert_eq!(places(&gazetteer, "83.119.128.1"), "TR");
    assert_eq!(places(&gazetteer, "83.119.191.254"), "TR");
    let beijing = says(&gazetteer, "52.81.151.250");
    assert_eq!((beijing.0.as_str(), beijing.1), ("CN", Standing::Agreed));
    assert!(beijing.2[0].contains("CN Provider aws:cn-north-1"), "{:?}", beijing.2);
    // Cloudflare, Fastly, CloudFront, Global Accelerator; resolvers of Cloudflare, Google, Quad9 and OpenDNS.
    let anycast = [
        "104.16.1.1",
        "2606:4700::1111",
        "151.101.1.1",
        "13.32.0.1",
        "75.2.0.1",
        "1.1.1.1",
        "8.8.8.8",
        "9.9.9.9",
        "149.112.112.112",
        "208.67.222.222",
        "2620:fe::fe",
    ];
    for address in anycast {
        assert_eq!(gazetteer.locate(addr(address)).location.standing(), Standing::Anycast, "{address}");
    }
    // The list has 34.32.0.0/11 as one announcement; the provider knows its regions.
    assert_eq!(places(&gazetteer, "34.32.1.1"), places(&Gazetteer::open(&paths[1..2]).unwrap(), "34.32.1.1"));
}

#[test]
fn every_other_file_of_the_corpus_is_read_or_refused() {
    let Some(root) = corpus("") else { return };
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let told = match survey(&path, None) {
                Ok(survey) => format!(
                    "{} of {:?}, {} networks; {}",
                    survey.source.kind,
                    survey.source.as_of,
                    survey.source.networks,
                    survey.notes.join("; ")
                ),
                Err(error) => error.to_string(),
            };
            println!("{}: {told}", path.file_name().unwrap().display());
        }
    }
    let Some(feed) = corpus("geofeed/linode.2025-07-24.txt") else { return };
    let feed = survey(&feed, None).unwrap();
    assert_eq!((feed.source.kind.as_str(), feed.source.as_of.as_deref()), ("geofeed", Some("2025-07-24")));
}

/// Prefixes that were answered rightly, wrongly, and with more than the right country.
#[derive(Default)]
struct Score {
    right: u32,
    wrong: u32,
    undecided: u32,
}

impl Score {
    fn of(gazetteer: &Gazetteer, truth: &BTreeMap<IpNet, String>) -> Self {
        let mut score = Self::default();
        for (network, country) in truth {
            let possible = gazetteer.locate(network.network().into()).location.possible();
            match (possible.to_string() == *country, possible.contains(country.parse().unwrap())) {
                (true, _) => score.right += 1,
                (_, true) => score.undecided += 1,
                _ => score.wrong += 1,
            }
        }
        score
    }

    fn percent(&self) -> f64 {
        f64::from(self.right) * 100.0 / f64::from(self.right + self.wrong + self.undecided)
    }
}

#[test]
fn a_feed_of_last_year_beats_the_database_alone() {
    let Some(table) = table() else { return };
    // By IPv4 prefix, as the survey measured it (GEO, 3.5): an old feed before DB-IP, and DB-IP alone.
    let cases = [
        ("aws", "aws/ip-ranges.2025-08-22.json", "aws/ip-ranges.2026-08-22.json", 95.37, 86.18),
        ("gcp", "gcp/cloud.2025-07-24.json", "gcp/cloud.2026-05-06.json", 99.18, 98.31),
        ("azure", "azure/ServiceTags_Public.2025-07-22.json", "azure/ServiceTags_Public.2026-05-06.json", 98.78, 92.17),
    ];
    let database = Gazetteer::embedded().unwrap();
    for (provider, old, new, fused_then, alone_then) in cases {
        let (Some(old), Some(new)) = (corpus(old), corpus(new)) else { return };
        let document: Value = serde_json::from_str(&std::fs::read_to_string(new).unwrap()).unwrap();
        let (mut truth, mut edges) = (BTreeMap::new(), BTreeSet::new());
        for (network, region) in
            prefixes(provider, &document).into_iter().filter(|(network, _)| network.addr().is_ipv4())
        {
            match table.get(&(provider.to_owned(), region)).cloned().flatten() {
                Some(country) => drop(truth.insert(network, country)),
                None => drop(edges.insert(network)),
            }
        }
        truth.retain(|network, _| !edges.contains(network));
        // The first address of a prefix is judged by the most specific prefix that it starts.
        let longest: BTreeMap<IpAddr, u8> =
            truth.keys().map(|network| (network.network(), network.prefix_len())).collect();
        truth.retain(|network, _| longest[&network.network()] == network.prefix_len());
        let fused = Score::of(&Gazetteer::open(&[old, PathBuf::from("embedded")]).unwrap(), &truth);
        let alone = Score::of(&database, &truth);
        for (name, score, then) in [("old feed and DB-IP", &fused, fused_then), ("DB-IP alone", &alone, alone_then)] {
            let Score { right, wrong, undecided } = score;
            println!(
                "{provider}, {name}: {right} right, {wrong} wrong, {undecided} undecided, {:.2} % ({then} %)",
                score.percent()
            );
            assert!(
                (score.percent() - then).abs() < 2.0,
                "{provider}, {name}: {:.2} %, then {then} %",
                score.percent()
            );
        }
        assert!(fused.wrong * 3 < alone.wrong * 2, "{provider}");
    }
}
