//! Where an address is: `MaxMind`'s test databases against their sources, the embedded table, hostile files.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use landfall::locate::embedded::codec::{CodecError, Numbers, decode, encode};
use landfall::locate::embedded::vintage;
use landfall::locate::{Gazetteer, LocateError, Runs, discover};
use landfall::model::{Addr, Asn, Authority, Country, CountrySet, Location, Standing};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// `MaxMind`'s public test data, or `None` with a sentence where it is not there.
fn corpus(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/geo/mmdb-test")).join(path);
    let is_there = path.exists();
    if !is_there {
        println!("skipped: {} is not there", path.display());
    }
    is_there.then_some(path)
}

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().unwrap().into()
}

fn places(codes: &str) -> CountrySet {
    codes.split(',').map(|code| Country::from_code(code).unwrap()).collect()
}

fn open(names: &[&str]) -> Option<Gazetteer> {
    let paths: Option<Vec<PathBuf>> = names.iter().map(|name| corpus(&format!("test-data/{name}.mmdb"))).collect();
    Some(Gazetteer::open(&paths?).unwrap())
}

/// The networks and records that a test database was made of. IPv4 networks are written below `::/96` there, some with
/// bits set behind the prefix.
fn source(name: &str) -> Option<Vec<(IpNet, Value)>> {
    let text = std::fs::read_to_string(corpus(&format!("source-data/{name}.json"))?).unwrap();
    let list: Vec<BTreeMap<String, Value>> = serde_json::from_str(&text).unwrap();
    let network = |text: &str| match text.parse::<IpNet>().unwrap() {
        IpNet::V6(network) if network.prefix_len() >= 96 && u128::from(network.addr()) >> 32 == 0 => {
            let host = u128::from(network.addr()) as u32;
            IpNet::new(IpAddr::V4(host.into()), network.prefix_len() - 96).unwrap().trunc()
        }
        network => network.trunc(),
    };
    Some(list.into_iter().flatten().map(|(text, record)| (network(&text), record)).collect())
}

/// Every network of a test database, by its first and last address, against what it was made of.
fn compare(name: &str) {
    let (Some(gazetteer), Some(source)) = (open(&[name]), source(name)) else { return };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (mut seen, mut located, mut run) = (0, 0, 0);
    for address in source.iter().flat_map(|(network, _)| [network.network(), network.broadcast()]) {
        // Later entries of the source write over earlier ones.
        let longest =
            source.iter().filter(|(network, _)| network.contains(&address)).max_by_key(|(n, _)| n.prefix_len());
        let record = &longest.unwrap().1;
        let found = gazetteer.locate(address.into());
        seen += 1;
        if name.contains("ASN") || name.contains("ISP") {
            let asn = record["autonomous_system_number"].as_u64();
            assert_eq!(found.operator.map(|asn| u64::from(asn.0)), asn, "{name}: {address}");
            run += usize::from(asn.is_some());
            continue;
        }
        let code = text(&record["country"]["iso_code"]);
        let expected = if record["traits"]["is_anycast"].as_bool() == Some(true) {
            Location::ANYCAST
        } else {
            code.map_or(Location::UNKNOWN, |code| Location::stated(places(&code)))
        };
        located += usize::from(expected != Location::UNKNOWN);
        assert_eq!(found.location, expected, "{name}: {address}");

        let claims = gazetteer.claims(address.into());
        let indicative: Vec<_> = claims.iter().filter(|claim| claim.authority == Authority::Indicative).collect();
        assert_eq!(indicative.len(), usize::from(expected != Location::UNKNOWN), "{name}: {address}");
        assert!(claims.iter().all(|claim| claim.network.contains(&address)), "{name}: {address}: {claims:?}");
        assert_eq!(Location::weigh(&claims), expected, "{name}: {address}");
        let registered = claims.iter().find(|claim| claim.authority == Authority::Registry);
        assert_eq!(
            registered.and_then(|claim| claim.places.only()).map(|country| country.code().to_owned()),
            text(&record["registered_country"]["iso_code"]),
            "{name}: {address}"
        );
    }
    assert!(seen > 0 && located + run > 0, "{name}: nothing was compared");
    println!("{name}: {seen} addresses, {located} located, {run} with an operator");
}

#[test]
fn databases_say_what_they_were_made_of() {
    for name in [
        "GeoLite2-Country-Test",
        "GeoIP2-Country-Test",
        "GeoLite2-City-Test",
        "GeoIP2-City-Test",
        "GeoIP2-Enterprise-Test",
        "GeoIP2-Precision-Enterprise-Test",
        "GeoLite2-ASN-Test",
        "GeoIP2-ISP-Test",
    ] {
        compare(name);
    }
}

#[test]
fn claims_span_what_the_source_says_alike() {
    let Some(gazetteer) = open(&["GeoLite2-Country-Test", "GeoLite2-ASN-Test"]) else { return };
    // Its source has 2.125.160.216/29 in GB, registered in FR, and nothing around it.
    let claims = gazetteer.claims(addr("2.125.160.217"));
    let said: Vec<_> = claims.iter().map(|claim| (claim.network.to_string(), claim.places.to_string())).collect();
    let network = "2.125.160.216/29".to_owned();
    assert_eq!(said, [(network.clone(), "GB".to_owned()), (network, "FR".to_owned())]);
    assert_eq!(claims[1].authority, Authority::Registry);
    let source = gazetteer.source(claims[0].source).unwrap();
    assert_eq!((source.name.as_str(), source.kind.as_str()), ("GeoLite2-Country-Test", "mmdb country"));
    assert!(source.licence.as_deref().unwrap().starts_with("GeoLite2"));
    assert!(source.attribution.as_deref().unwrap().contains("created by MaxMind"));
    assert_eq!(source.as_of.as_deref().unwrap(), claims[0].as_of.unwrap().to_string());

    // An IPv4 host within an IPv6 address: the network is told as that address has it.
    let claims = gazetteer.claims(addr("2002:27d:a0d9::1"));
    assert_eq!(claims[0].network.to_string(), "2002:27d:a0d8::/45");
    let claims = gazetteer.claims(addr("64:ff9b::2.125.160.217"));
    assert_eq!(claims[0].network.to_string(), "64:ff9b::27d:a0d8/125");
    // Teredo: the client is at the end, with every bit turned over.
    let claims = gazetteer.claims(addr("2001:0:1:2:8000:9c40:fd82:5f26"));
    assert_eq!(claims[0].places, places("GB"));
    assert!(claims[0].network.contains(&"2001:0:1:2:8000:9c40:fd82:5f26".parse::<IpAddr>().unwrap()));
    assert_eq!(claims[0].network.prefix_len(), 125);
}

#[test]
fn sources_that_differ_leave_both_places() {
    let Some(path) = corpus("test-data/GeoLite2-Country-Test.mmdb") else { return };
    // The test database puts 175.16.199.0/24 in CN, and the embedded table as well; 89.160.20.128/25 is in SE in both.
    // 2.125.160.216/29 is in GB in both; 67.43.156.0/24 is in BT in the test database and elsewhere in the other.
    let one = Gazetteer::open(&[path.clone(), "embedded".into()]).unwrap();
    let other = Gazetteer::open(&["embedded".into(), path]).unwrap();
    let location = one.locate(addr("67.43.156.1")).location;
    assert_eq!(location.standing(), Standing::Disputed);
    assert!(location.possible().contains(Country::from_code("BT").unwrap()) && location.possible().len() == 2);
    assert_eq!(one.locate(addr("89.160.20.130")).location, Location::stated(places("SE")));
    // The order of the sources changes their numbers and nothing else.
    assert_eq!(one.digest(), other.digest());
    for probe in ["67.43.156.1", "89.160.20.130", "8.8.8.8", "2001:218::1", "214.1.1.1", "10.0.0.1"] {
        assert_eq!(one.locate(addr(probe)), other.locate(addr(probe)), "{probe}");
        assert_eq!(one.claims(addr(probe)).len(), other.claims(addr(probe)).len(), "{probe}");
    }
}

#[test]
fn what_is_missing_is_embedded_and_what_is_twice_is_once() {
    let (Some(country), Some(asn)) =
        (corpus("test-data/GeoLite2-Country-Test.mmdb"), corpus("test-data/GeoLite2-ASN-Test.mmdb"))
    else {
        return;
    };
    let names = |paths: &[&PathBuf]| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).clone()).collect();
        let gazetteer = Gazetteer::open(&paths).unwrap();
        gazetteer.sources().iter().map(|source| source.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[&country]), ["GeoLite2-Country-Test", "ip-location-db-asn", "anycast-services"]);
    assert_eq!(names(&[&asn]), ["GeoLite2-ASN-Test", "dbip-country-lite", "anycast-services"]);
    assert_eq!(names(&[&country, &asn, &country]), ["GeoLite2-Country-Test", "GeoLite2-ASN-Test", "anycast-services"]);
    assert_eq!(names(&[]), ["dbip-country-lite", "ip-location-db-asn", "anycast-services"]);
    assert_eq!(Gazetteer::open(&[]).unwrap().digest(), Gazetteer::embedded().unwrap().digest());
    assert_ne!(Gazetteer::open(&[country]).unwrap().digest(), Gazetteer::open(&[asn]).unwrap().digest());
}

#[test]
fn a_database_of_another_kind_is_refused_by_its_fields() {
    for (name, field) in [("GeoIP2-Connection-Type-Test", "connection_type"), ("GeoIP2-Domain-Test", "domain")] {
        let Some(path) = corpus(&format!("test-data/{name}.mmdb")) else { return };
        let error = Gazetteer::open(std::slice::from_ref(&path)).unwrap_err();
        assert!(matches!(&error, LocateError::NoKnownField { fields, .. } if fields == &[field]), "{error:?}");
        let expected =
            format!("{} holds neither countries nor AS numbers: its records have the fields `{field}`", path.display());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn every_test_database_is_read_or_refused() {
    let Some(root) = corpus("") else { return };
    let mut folders = vec![root];
    let (mut read, mut refused) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "mmdb") {
                match Gazetteer::open(std::slice::from_ref(&path)) {
                    Ok(gazetteer) => {
                        read += 1;
                        for probe in ["1.1.1.1", "89.160.20.130", "2001:218::1"] {
                            let _ = (gazetteer.locate(addr(probe)), gazetteer.claims(addr(probe)));
                        }
                    }
                    Err(error) => refused.push(error.to_string()),
                }
            }
        }
    }
    refused.sort();
    println!("{read} read; refused:\n{}", refused.join("\n"));
    let is_named = |what: &str| refused.iter().any(|text| text.contains(what));
    assert!(is_named("broken-search-tree-24.mmdb is damaged") && is_named("broken-pointers-24.mmdb is damaged"));
    assert!(is_named("Broken-Double-Format.mmdb is damaged"), "a record is checked to its last value");
    assert!(is_named("cyclic-data-structure.mmdb"));
    assert!(read >= 10 && refused.len() >= 20);
}

#[test]
fn what_is_no_database_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        Gazetteer::open(&[path]).unwrap_err().to_string()
    };
    assert!(write("empty.mmdb", b"").contains("empty.mmdb is not a MaxMind DB file"));
    assert!(write("text.mmdb", b"not a database\n").contains("text.mmdb is not a MaxMind DB file"));
    assert!(write("a.mmdb", b"\x1f\x8b\x08\x00").ends_with("it is compressed; unpack it"));
    let missing = Gazetteer::open(&[folder.path().join("missing.mmdb")]).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read "), "{missing}");
    assert!(matches!(Gazetteer::open(&[folder.path().to_owned()]).unwrap_err(), LocateError::Io { .. }));
}

/// A database with these nodes, record size 32, IPv6, and the octets of its data section.
fn database(nodes: &[[u32; 2]], data: &[u8]) -> Vec<u8> {
    let mut file: Vec<u8> = nodes.iter().flatten().flat_map(|record| record.to_be_bytes()).collect();
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let text = |text: &str| [&[0x40 | text.len() as u8], text.as_bytes()].concat();
    let number = |number: u32| [&[0xc4_u8][..], &number.to_be_bytes()].concat();
    let short = |number: u16| [&[0xa2_u8][..], &number.to_be_bytes()].concat();
    let entries = [
        ("node_count", number(nodes.len() as u32)),
        ("record_size", short(32)),
        ("ip_version", short(6)),
        ("binary_format_major_version", short(2)),
        ("binary_format_minor_version", short(0)),
        // Type 9 (uint64) is extended: two octets of header.
        ("build_epoch", vec![0x04, 0x02, 0x60, 0, 0, 0]),
        ("database_type", text("test")),
        ("languages", vec![0x00, 0x04]),
        ("description", vec![0xe0]),
    ];
    file.push(0xe0 | entries.len() as u8);
    for (key, value) in entries {
        file.extend(text(key));
        file.extend(value);
    }
    file
}

#[test]
fn trees_that_never_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, nodes: &[[u32; 2]], data: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, database(nodes, data)).unwrap();
        Gazetteer::open(&[path]).map(|_| ()).unwrap_err().to_string()
    };
    let data = b"\xe1\x4ccountry_code\x42DE";
    // A node that is its own child.
    assert!(refused("cycle", &[[0, 0]], data).contains("is damaged"));
    // A hundred levels, each of which leads to the next both ways: 2 to the power of 100 leaves, with a record, without
    // one, and with one that looks like an alias of the IPv4 tree.
    for last in [100 + 16, 100] {
        let mut nodes: Vec<[u32; 2]> = (1..=99).map(|next| [next, next]).collect();
        nodes.push([last, last]);
        let text = refused("wide", &nodes, data);
        assert!(text.contains("is damaged") && text.contains("more leaves than nodes allow"), "{text}");
    }
    // The same file with a sound tree is read: everything below 8000::/1 is in DE.
    let path = folder.path().join("sound.mmdb");
    std::fs::write(&path, database(&[[1, 1 + 16]], data)).unwrap();
    let gazetteer = Gazetteer::open(&[path]).unwrap();
    assert_eq!(gazetteer.locate(addr("9000::1")).location, Location::stated(places("DE")));
    assert_eq!(gazetteer.locate(addr("2600::1")).location, Location::UNKNOWN);
    assert_eq!(gazetteer.claims(addr("9000::1"))[0].network.to_string(), "8000::/1");
    let source = &gazetteer.sources()[0];
    assert_eq!((source.networks, source.kind.as_str()), (1, "mmdb country, IPv6 only"));
    assert_eq!(source.as_of.as_deref(), Some("2021-01-14"), "the build epoch is 0x60000000");
}

#[test]
fn a_record_that_unfolds_without_end_is_refused() {
    // Each map has two entries: the first points to the next map, the second is the next map itself, which stands right
    // behind. That makes 2 to the power of 40 values behind one record.
    let mut data = Vec::new();
    for level in 0..40_u16 {
        let next = (level + 1) * 7;
        let [high, low] = next.to_be_bytes();
        data.extend([0xe2, 0x41, b'a', 0x20 | high, low, 0x41, b'b']);
    }
    data.extend(b"\xe1\x4ccountry_code\x42DE");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unfolding.mmdb");
    std::fs::write(&path, database(&[[1, 1 + 16]], &data)).unwrap();
    let error = Gazetteer::open(&[path]).unwrap_err();
    assert!(matches!(error, LocateError::Corrupt { network: Some(_), .. }), "{error:?}");
}

/// Half of what a thread of the test harness has, without optimisation: a server's threads may have less than a program's
/// main thread.
#[test]
fn a_record_that_is_nested_deep_is_refused_on_a_small_stack() {
    let folder = tempfile::tempdir().unwrap();
    // A map whose one entry is the next map; an array (an extended type) of the next; a pointer to the next, which stands
    // right behind: two octets that hold the offset.
    let maps = |levels: u16| b"\xe1\x41a".repeat(levels.into());
    let arrays = |levels: u16| b"\x01\x04".repeat(levels.into());
    let pointers = |levels: u16| -> Vec<u8> {
        (1..=levels).map(|next| next * 2).flat_map(|next| [0x20 | (next >> 8) as u8, next as u8]).collect()
    };
    let open = |nesting: Vec<u8>| {
        let data = [&nesting[..], b"\xe1\x4ccountry_code\x42DE"].concat();
        let path = folder.path().join("nested.mmdb");
        std::fs::write(&path, database(&[[1, 1 + 16]], &data)).unwrap();
        let stack = std::thread::Builder::new().stack_size(1 << 20);
        let opened = stack.spawn(move || Gazetteer::open(&[path]).map(|_| ()).map_err(|error| error.to_string()));
        opened.unwrap().join().unwrap()
    };
    for nesting in [maps(16), maps(505), maps(5000), arrays(505), arrays(5000)] {
        let error = open(nesting).unwrap_err();
        assert!(error.contains("is damaged") && error.contains("nested deeper than 16"), "{error}");
    }
    // Its field is not one that is known, and that is all that is wrong with it.
    assert!(open(maps(15)).unwrap_err().contains("holds neither countries nor AS numbers"));
    // One is as it should be, and a second is not.
    assert_eq!(open(pointers(1)), Ok(()));
    for levels in [2, 500, 1000] {
        assert!(open(pointers(levels)).unwrap_err().contains("a pointer points to a pointer"));
    }
}

#[test]
fn damaged_databases_never_panic() {
    for name in ["GeoLite2-Country-Test", "GeoLite2-ASN-Test", "GeoIP2-City-Test"] {
        let Some(path) = corpus(&format!("test-data/{name}.mmdb")) else { return };
        let sound = std::fs::read(path).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (mut state, mut read) = (0x9e37_79b9_7f4a_7c15_u64, 0);
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for round in 0..60 {
            let mut octets = sound.clone();
            for _ in 0..=random(8) {
                let at = random(octets.len());
                octets[at] = random(256) as u8;
            }
            if round % 8 == 0 {
                octets.truncate(random(sound.len()));
            }
            let path = folder.path().join("damaged.mmdb");
            std::fs::write(&path, octets).unwrap();
            read += usize::from(Gazetteer::open(&[path, "embedded".into()]).is_ok());
        }
        println!("{name}: {read} of 60 could still be read");
    }
}

#[test]
fn embedded_table_knows_the_networks_of_the_survey() {
    let gazetteer = Gazetteer::embedded().unwrap();
    // GEO.md, section 1.1, the column of DB-IP.
    for (address, code) in [
        ("3.5.140.2", "KR"),
        ("2a05:d018::1", "IE"),
        ("2606:4700::1111", "CA"),
        // The relay of 3.5.140.2, it behind NAT64, and as a Teredo client.
        ("2002:305:8c02::1", "KR"),
        ("64:ff9b::3.5.140.2", "KR"),
        ("2001:0:1:2:0:3:fcfa:73fd", "KR"),
        ("::ffff:3.5.140.2", "KR"),
    ] {
        assert_eq!(gazetteer.locate(addr(address)).location, Location::stated(places(code)), "{address}");
    }
    for (address, asn, name) in [("8.8.8.8", 15169, "Google LLC"), ("1.1.1.1", 13335, "Cloudflare, Inc.")] {
        assert_eq!(gazetteer.locate(addr(address)).operator, Some(Asn(asn)), "{address}");
        assert_eq!(gazetteer.organisation(Asn(asn)), Some(name));
    }
    assert_eq!(gazetteer.organisation(Asn(0)), None);
    assert_eq!(gazetteer.organisation(Asn(u32::MAX)), None);

    // The database places resolvers that answer from many sites; their operators know better.
    for (address, code) in [("1.1.1.1", "AU"), ("8.8.8.8", "US"), ("2001:4860:4860::8888", "CA")] {
        let location = gazetteer.locate(addr(address)).location;
        assert_eq!(location, Location::ANYCAST, "{address}");
        assert_eq!(gazetteer.claims(addr(address))[0].places, places(code), "{address}");
    }
    for address in ["198.41.0.4", "2001:500:2f::f", "9.9.9.9", "2620:119:35::35", "192.175.48.42"] {
        assert_eq!(gazetteer.locate(addr(address)).location, Location::ANYCAST, "{address}");
    }

    let claims = gazetteer.claims(addr("8.8.8.8"));
    assert_eq!(claims.len(), 2);
    assert!(claims[0].network.contains(&"8.8.8.8".parse::<IpAddr>().unwrap()));
    let source = gazetteer.source(claims[0].source).unwrap();
    assert_eq!((source.origin.as_str(), source.as_of.as_deref()), ("embedded", Some("2026-06-01")));
    assert_eq!(source.attribution.as_deref(), Some("IP Geolocation by DB-IP (https://db-ip.com)"));
    let licences: Vec<_> = gazetteer.sources().iter().map(|source| source.licence.as_deref().unwrap()).collect();
    assert_eq!(licences, ["CC BY 4.0", "CC BY 4.0", "MIT OR Apache-2.0"]);
}

#[test]
fn addresses_that_are_not_global_are_nowhere_known() {
    let Some(gazetteer) = open(&["GeoIP2-Country-Test"]) else { return };
    for address in [
        "10.1.2.3",
        "192.168.1.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "2002:a00:1::1",
        "64:ff9b::192.168.1.1",
        "2001:0:1:2:0:3:f5ff:fffe",
    ] {
        let place = gazetteer.locate(addr(address));
        assert_eq!((place.location, place.operator), (Location::UNKNOWN, None), "{address}");
        assert!(gazetteer.claims(addr(address)).is_empty(), "{address}");
    }
}

#[test]
fn embedded_files_are_those_of_their_vintage() {
    let vintage = vintage().unwrap();
    let files = [("country.bin", &vintage.country), ("asn.bin", &vintage.asn), ("registered.bin", &vintage.registered)];
    for (name, origin) in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/locate/embedded").join(name);
        let packed = std::fs::read(path).unwrap();
        let digest: String =
            Sha256::digest(&packed).iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"));
        assert_eq!(digest, origin.packed, "{name}");
        assert!(packed.len() < 3_000_000, "{name}");
        assert!(origin.date.parse::<jiff::civil::Date>().is_ok() && origin.inputs.values().all(|hex| hex.len() == 64));
        let table = decode(&packed).unwrap();
        assert_eq!((table.v4.said() + table.v6.said()) as u64, origin.networks, "{name}");
    }
}

#[test]
fn databases_are_found_where_tools_put_them() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    for (folder, name) in [
        (&first, "GeoLite2-Country.mmdb"),
        (&first, "dbip-country-lite-2026-05.mmdb"),
        (&first, "dbip-country-lite-latest.mmdb"),
        (&first, "GeoLite2-ASN.mmdb"),
        (&first, "notes.txt"),
        (&second, "GeoLite2-City.mmdb"),
        (&second, "GeoLite2-ASN.mmdb"),
        (&second, "dbip-country-lite-2026-06.mmdb"),
        (&second, "dbip-asn-lite-2026-06.mmdb"),
        (&second, "ipinfo_lite.mmdb"),
    ] {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(name), b"").unwrap();
    }
    let found = discover(&[&first, &second, &folder.path().join("missing")]);
    let expected = [
        second.join("GeoLite2-City.mmdb"),
        second.join("dbip-country-lite-2026-06.mmdb"),
        second.join("ipinfo_lite.mmdb"),
        first.join("GeoLite2-ASN.mmdb"),
        second.join("dbip-asn-lite-2026-06.mmdb"),
    ];
    assert_eq!(found, expected);
    assert!(discover(&[]).is_empty());
}

fn numbers(v4: &[(u32, u16, u32)], v6: &[(u128, u32, u32)]) -> Numbers {
    let mut starts: BTreeMap<u32, u32> = v4.iter().map(|(start, low, value)| (start << (low % 32), *value)).collect();
    starts.insert(0, 0);
    let mut wide: BTreeMap<u128, u32> = v6.iter().map(|(start, low, value)| (start << (low % 128), *value)).collect();
    wide.insert(0, 7);
    let mut named: Vec<u32> = starts.values().chain(wide.values()).copied().filter(|value| *value != 0).collect();
    named.sort_unstable();
    named.dedup();
    let names: Vec<String> = named.iter().map(|number| format!("holder {number} é")).collect();
    let last = |mut list: Vec<(u128, u32)>| {
        list.dedup_by(|b, a| a.1 == b.1);
        list
    };
    let v4: Vec<(u128, u32)> = last(starts.into_iter().map(|(start, value)| (u128::from(start), value)).collect());
    let v6 = last(wide.into_iter().collect());
    Numbers {
        v4: Runs::from_parts(v4.iter().map(|(start, _)| *start as u32).collect(), v4.iter().map(|r| r.1).collect())
            .unwrap(),
        v6: Runs::from_parts(v6.iter().map(|(start, _)| *start).collect(), v6.iter().map(|r| r.1).collect()).unwrap(),
        named,
        names: names.join("\n"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn packed_tables_come_back(
        v4 in prop::collection::vec((any::<u32>(), any::<u16>(), 0..5_u32), 0..50),
        v6 in prop::collection::vec((any::<u128>(), any::<u32>(), any::<u32>()), 0..50),
        damage in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let table = numbers(&v4, &v6);
        let mut packed = encode(&table).unwrap();
        prop_assert_eq!(&decode(&packed).unwrap(), &table);
        prop_assert_eq!(&encode(&table).unwrap(), &packed);
        let at = damage.0.index(packed.len());
        let before = std::mem::replace(&mut packed[at], damage.1);
        if before != damage.1 {
            // Never a panic; and nothing wrong comes back, since the frame has a checksum.
            prop_assert!(decode(&packed).map_or(true, |back| back == table));
        }
        packed.truncate(at);
        prop_assert!(decode(&packed).is_err());
    }
}

#[test]
fn what_is_not_packed_is_refused() {
    assert_eq!(decode(b""), Err(CodecError::Magic));
    assert_eq!(decode(b"LFT1\xff"), Err(CodecError::Short));
    assert_eq!(decode(b"LFT1\xff\xff\xff\xff"), Err(CodecError::Size));
    assert_eq!(decode(b"LFT1\x10\0\0\0garbage"), Err(CodecError::Unpack));
}
