//! The store as its user sees it: import, update, list, check, audit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::atlas::database;

struct Site(TempDir);

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn run(&self, args: &[&str]) -> Said {
        self.run_in(args, &[])
    }

    fn run_in(&self, args: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.args(args).current_dir(self.0.path()).env("LANDFALL_STORE", self.path("store"));
        for name in ["http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE"] {
            command.env_remove(name);
        }
        let Output { status, stdout, stderr } =
            command.envs(environment.iter().copied()).stdin(std::process::Stdio::null()).output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
    }

    fn place(&self, day: &str) -> String {
        let said = self.run(&["locate", "52.81.151.250", "--json", "--on", day]);
        let row: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}", said.err));
        row["places"].to_string()
    }
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

#[test]
fn a_site_without_a_network_imports_and_audits_by_date() {
    let site = Site::new();
    site.write("dbip-country-lite-2026-06.mmdb.gz", gzip(&database("DBIP-Country-Lite", "2026-06-01", "CN")));
    site.write("dbip-country-lite-2026-11.mmdb", database("DBIP-Country-Lite", "2026-11-01", "JP"));
    let said = site.run(&["db", "import", "dbip-country-lite-2026-06.mmdb.gz", "dbip-country-lite-2026-11.mmdb"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(
        said.out.starts_with("dbip-country-lite: mmdb country and asn, IPv4 only of 2026-06-01, 1 networks, sha256 ")
    );

    // Each day has the copy that is nearest to it; the sources need not be named.
    assert_eq!((site.place("2026-06-02"), site.place("2026-11-02")), ("[\"CN\"]".to_owned(), "[\"JP\"]".to_owned()));
    let said = site.run(&["db", "list", "--today", "2026-11-22"]);
    assert_eq!(said.code, 0, "{}", said.err);
    for line in [
        "dbip-country-lite-2026-11-01\n",
        "2026-11-01, 21 days old; 1 networks, 0.0 % of IPv4",
        "licence: CC BY 4.0 (DB-IP Lite)",
        "older copies: 2026-06-01",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    let said = site.run(&["db", "check"]);
    assert_eq!((said.code, said.out.matches("sha256").count()), (0, 2), "{}", said.err);
    // The store as any other folder.
    let said = site.run(&["locate", "52.81.151.250", "--on", "2026-06-01", "--db", "store"]);
    assert!(said.out.contains("China"), "{}", said.out);
}

#[test]
fn the_archive_of_maxmind_is_taken_and_its_superseded_copy_removed() {
    let site = Site::new();
    let pack = |day: &str| {
        let file = format!("GeoLite2-Country_{}/GeoLite2-Country.mmdb", day.replace('-', ""));
        archive(&[("LICENSE.txt", b"terms"), (&file, &database("GeoLite2-Country", day, "JP"))])
    };
    site.write("GeoLite2-Country_20261101.tar.gz", pack("2026-11-01"));
    site.write("GeoLite2-Country_20261108.tar.gz", pack("2026-11-08"));
    for file in ["GeoLite2-Country_20261101.tar.gz", "GeoLite2-Country_20261108.tar.gz"] {
        assert_eq!(site.run(&["db", "import", file]).code, 0);
    }
    let held: Vec<_> = std::fs::read_dir(site.path("store/geolite2-country")).unwrap().collect();
    assert_eq!(held.len(), 1);
    let said = site.run(&["db", "list", "--json"]);
    let row: serde_json::Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
    assert_eq!((row["as-of"].as_str(), row["past"].as_u64()), (Some("2026-11-08"), Some(1)));
    // And back again: not without a word.
    let said = site.run(&["db", "import", "GeoLite2-Country_20261101.tar.gz"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("older than the copy of 2026-11-08 that is held; `--force`"), "{}", said.err);

    site.write("two.tar.gz", archive(&[("a.mmdb", b"x"), ("b.mmdb", b"y")]));
    site.write("none.tar.gz", archive(&[("README.txt", b"x")]));
    let said = site.run(&["db", "import", "two.tar.gz", "none.tar.gz"]);
    assert_eq!(said.code, 2);
    for line in ["holds 2 databases (.mmdb), and should hold one", "holds 0 databases"] {
        assert!(said.err.contains(line), "{}", said.err);
    }
}

#[test]
fn what_is_bad_is_told_and_the_rest_taken() {
    let site = Site::new();
    site.write("good.mmdb", database("x", "2026-11-01", "JP"));
    site.write("bad.mmdb", &database("x", "2026-11-01", "JP")[..300]);
    site.write("cut.csv.gz", &gzip(b"52.80.0.0/14,JP,,,\n")[..20]);
    site.write(
        "ours.toml",
        "[[override]]\nnetwork = \"52.80.0.0/14\"\nplaces = [\"DE\"]\nowner = \"o\"\nreason = \"r\"\n",
    );
    let said = site.run(&["db", "import", "bad.mmdb", "cut.csv.gz", "ours.toml", "good.mmdb", "missing.mmdb"]);
    assert_eq!((said.code, said.out.lines().count()), (3, 1), "{}{}", said.out, said.err);
    for line in [
        "landfall: bad.mmdb: it is not a MaxMind DB file",
        "landfall: cut.csv.gz: ",
        "landfall: ours.toml: it holds overrides, which are your own word",
        "landfall: missing.mmdb: ",
    ] {
        assert!(said.err.contains(line), "{line}: {}", said.err);
    }
    let digest = "0".repeat(64);
    let said = site.run(&["db", "import", "good.mmdb", "--sha256", &digest]);
    assert!(said.code == 2 && said.err.contains(&format!("not {digest}")), "{}", said.err);
    let said = site.run(&["db", "import", "good.mmdb", "--max-size", "100"]);
    assert!(said.code == 2 && said.err.contains("more than 100 octets"), "{}", said.err);
    let said = site.run(&["db", "import", "good.mmdb", "--name", "../x"]);
    assert!(said.code == 2 && said.err.contains("`../x` cannot name a source"), "{}", said.err);
}

#[test]
fn a_store_that_was_touched_is_found_out() {
    let site = Site::new();
    site.write("places.mmdb", database("x", "2026-11-01", "JP"));
    assert_eq!(site.run(&["db", "import", "places.mmdb"]).code, 0);
    let file = std::fs::read_dir(site.path("store/places")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, database("x", "2026-11-01", "RU")).unwrap();
    let said = site.run(&["db", "check"]);
    assert!(said.code == 2 && said.err.contains("its sha256 is"), "{}", said.err);
    // An audit goes on without it, and says so.
    let said = site.run(&["locate", "52.81.151.250"]);
    assert_eq!(said.code, 3);
    assert!(
        said.err.contains("has changed since it was stored") && !said.out.contains("RU"),
        "{}{}",
        said.out,
        said.err
    );
    std::fs::write(site.path("store/manifest.toml"), "version = 1\n[source.x]\nfish = 1\n").unwrap();
    let said = site.run(&["db", "list"]);
    assert!(said.code == 2 && said.err.contains("manifest.toml cannot be used: line 3"), "{}", said.err);
}

#[test]
fn data_without_a_date_gets_one() {
    let site = Site::new();
    site.write("feed.csv", "52.80.0.0/14,JP,,,\n");
    let said = site.run(&["db", "import", "feed.csv", "--as-of", "2025-07-22"]);
    assert!(said.out.starts_with("feed: geofeed of 2025-07-22, "), "{}{}", said.out, said.err);
    let manifest = std::fs::read_to_string(site.path("store/manifest.toml")).unwrap();
    assert!(manifest.contains("dated-by = \"user\""), "{manifest}");
    // What the content says comes before it.
    site.write("feed-2025-08-01.csv", "52.80.0.0/14,KR,,,\n");
    let said = site.run(&["db", "import", "feed-2025-08-01.csv", "--as-of", "2025-07-22"]);
    assert!(said.out.starts_with("feed: geofeed of 2025-08-01, "), "{}{}", said.out, said.err);
}

#[test]
fn a_folder_stands_for_the_location_data_in_it() {
    let site = Site::new();
    std::fs::create_dir(site.path("data")).unwrap();
    site.write("data/a.mmdb", database("DBIP-Country-Lite", "2026-06-01", "CN"));
    site.write("data/b.csv", "52.81.0.0/16,JP,,,\n");
    site.write("data/LICENSE.txt", "terms");
    let said = site.run(&["locate", "52.81.151.250", "--db", "data"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.contains("Japan") && said.err.contains("no location data: LICENSE.txt"),
        "{}{}",
        said.out,
        said.err
    );
    site.write("data/c.json", "{\"fish\": 1}");
    let said = site.run(&["locate", "52.81.151.250", "--db", "data"]);
    assert!(said.code == 3 && said.err.contains("c.json") && said.out.contains("Japan"), "{}{}", said.out, said.err);
}

/// Every source that an audit is given and cannot read is told, and the others are used.
#[test]
fn an_audit_goes_on_without_a_source_that_cannot_be_read() {
    let site = Site::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/zoom-2020/meeting.pcap");
    let sample = sample.to_str().unwrap();
    let mut bad: Vec<(String, &str)> = [
        ("cut.mmdb", database("x", "2026-11-01", "JP")[..200].to_vec(), "cut.mmdb is not a MaxMind DB file"),
        ("feed.json", b"{\"syncToken\": \"1\", \"prefixes\": [{\"ip_prefix\": 7}]}".to_vec(), "feed.json"),
        ("geo.csv", b"192.0.2.0/24,FISH,,,\n".to_vec(), "line 1"),
        ("over.toml", b"[[override]]\nnetwork = \"8.8.8.0/24\"\n".to_vec(), "line 1"),
        ("text.txt", b"not a database\n".to_vec(), "text.txt is not a MaxMind DB file"),
    ]
    .into_iter()
    .map(|(name, content, said)| (site.write(name, content).display().to_string(), said))
    .collect();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/geo/mmdb-test/bad-data");
    if shared.exists() {
        let cyclic = shared.join("maxminddb-golang/cyclic-data-structure.mmdb");
        bad.push((cyclic.display().to_string(), "cyclic-data-structure.mmdb"));
    } else {
        println!("skipped: {} is not there", shared.display());
    }
    let good = site.write("good.mmdb", database("x", "2020-03-01", "CN")).display().to_string();
    for (path, told) in &bad {
        let said = site.run(&["audit", sample, "--db", path, "--db", &good]);
        assert_eq!(said.code, 3, "{path}: {}", said.err);
        assert!(said.err.contains(told), "{path}: {}", said.err);
        assert!(said.out.contains("China (CN)"), "{path}");
        assert!(said.out.replace('\n', " ").contains("Location data was not used"), "{path}: {}", said.out);
        // Nothing that was named can be used: there is no run.
        let said = site.run(&["audit", sample, "--db", path]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{path}: {}", said.err);
    }
}

#[cfg(feature = "fetch")]
mod fetching {
    use super::*;
    use crate::fixtures::server::{Server, reply};

    #[test]
    fn a_licence_is_accepted_once() {
        let site = Site::new();
        let said = site.run(&["db", "update", "aws-ip-ranges"]);
        assert_eq!(said.code, 2);
        assert!(said.err.contains("accept it once with --accept-licence aws-ip-ranges"), "{}", said.err);
        let said = site.run(&["db", "update", "aws-ip-rnges"]);
        assert!(said.code == 2 && said.err.contains("did you mean `aws-ip-ranges`?"), "{}", said.err);
        // A proxy that nobody answers for keeps the test from the world.
        let gone = Server::new(Vec::new()).url("");
        let closed = [("https_proxy", gone.as_str())];
        let said = site.run_in(&["db", "update", "geolite2-asn", "--accept-licence", "geolite2-asn"], &closed);
        assert!(said.code == 2 && said.err.contains("needs an account and a licence key"), "{}", said.err);
        let manifest = std::fs::read_to_string(site.path("store/manifest.toml")).unwrap();
        assert!(manifest.contains("[accepted.geolite2-asn]"), "{manifest}");
        let said = site.run_in(&["db", "update", "geolite2-asn"], &closed);
        assert!(!said.err.contains("accept"), "{}", said.err);
    }

    #[test]
    fn any_address_is_fetched_and_renewed_by_name() {
        let site = Site::new();
        let server = Server::new(vec![
            reply(200, &["ETag: \"1\""], &gzip(&database("x", "2026-06-01", "CN"))),
            reply(304, &[], b""),
            reply(200, &[], b"<html>"),
        ]);
        let said = site.run(&["db", "update", "--url", &server.url("/our-places.mmdb.gz")]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.starts_with("our-places: mmdb country and asn, IPv4 only of 2026-06-01"), "{}", said.out);
        let said = site.run(&["db", "update"]);
        assert_eq!((said.code, said.out.as_str()), (0, "our-places: unchanged, of 2026-06-01\n"), "{}", said.err);
        assert!(server.requests()[1].to_ascii_lowercase().contains("if-none-match: \"1\""));
        let said = site.run(&["db", "update", "our-places", "nobody"]);
        assert_eq!(said.code, 2, "{}", said.err);
        assert_eq!(site.place("2026-06-01"), "[\"CN\"]");
    }

    #[test]
    fn account_and_key_are_never_told() {
        let site = Site::new();
        let conf = site.write("GeoIP.conf", "# ours\nAccountID 4711\nLicenseKey hush-hush\nEditionIDs GeoLite2-ASN\n");
        let args = ["db", "update", "geolite2-asn", "--accept-licence", "geolite2-asn", "--maxmind-conf"];
        let args: Vec<&str> = args.into_iter().chain(conf.to_str()).collect();
        // The proxy speaks no TLS: a fault that is not tried again.
        let proxy = Server::new(vec![reply(403, &[], b"")]);
        let url = proxy.url("").replace("http://", "http://user:hush-proxy@");
        let said = site.run_in(&args, &[("https_proxy", &url)]);
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(!format!("{}{}", said.err, said.out).contains("hush"), "{}", said.err);
        let said = site.run_in(&args, &[("https_proxy", "http://user:hush-proxy@")]);
        assert!(said.code == 2 && said.err.contains("`https_proxy`") && !said.err.contains("hush"), "{}", said.err);
    }

    #[test]
    fn the_catalogue_is_listed_with_its_licences() {
        let said = Site::new().run(&["db", "update", "--list"]);
        assert_eq!(said.code, 0);
        for line in ["dbip-country-lite\n", "GeoLite2 End User License Agreement", "superseded copies are removed"] {
            assert!(said.out.contains(line), "{line}");
        }
    }
}

#[cfg(feature = "fetch")]
#[test]
fn an_imported_file_is_held_against_its_signature() {
    use crate::db_update::{FEED, FEED_KEY, FEED_SIGNATURE};
    let site = Site::new();
    site.write("places.csv", FEED);
    site.write("elsewhere.sig", FEED_SIGNATURE);
    let import = ["db", "import", "places.csv", "--as-of", "2026-06-01", "--public-key", FEED_KEY];
    let said = site.run(&import);
    assert!(said.code == 2 && said.err.contains("places.csv.minisig"), "{}{}", said.out, said.err);
    let named = [&import[..], &["--signature", "elsewhere.sig"]].concat();
    site.write("places.csv", FEED.replace("FR", "FS"));
    let said = site.run(&named);
    assert!(said.code != 0 && said.err.contains("its signature does not hold"), "{}{}", said.out, said.err);
    site.write("places.csv", FEED);
    let said = site.run(&named);
    assert!(said.code == 0 && said.out.starts_with("places: geofeed of 2026-06-01, "), "{}{}", said.out, said.err);
    site.write("places.csv.minisig", FEED_SIGNATURE);
    let said = site.run(&import);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}
