//! Location data over HTTP, from a server on loopback that does everything wrong that a server can.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use landfall::fetch::catalogue::{Keep, Key, Place, Source, from_url};
use landfall::fetch::{Checks, Client, Limits, Proof, Proxies, Renewal, Secret, Store, Taken, UpdateError, renew};
use landfall::model::Timestamp;
use tempfile::TempDir;

use crate::atlas::database;
use crate::fixtures::at;
use crate::fixtures::server::{Reply, Server, reply};

const NOW: &str = "2026-11-22T12:00:00Z";

/// A client whose waits are written down and not waited.
fn client(limits: Limits, proxies: Proxies) -> (Client, Rc<RefCell<Vec<u64>>>) {
    let waits = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&waits);
    (Client::new(limits, proxies, move |wait: Duration| kept.borrow_mut().push(wait.as_secs())), waits)
}

fn limits() -> Limits {
    Limits { octets: 1 << 20, whole: Duration::from_secs(20), silence: Duration::from_secs(5) }
}

struct Site {
    folder: TempDir,
    waits: Vec<u64>,
}

impl Site {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), waits: Vec::new() }
    }

    fn renew(&mut self, source: &Source) -> Result<Option<Taken>, UpdateError> {
        self.renew_with(source, |_| {})
    }

    fn renew_with(
        &mut self,
        source: &Source,
        change: impl FnOnce(&mut Renewal<'_>),
    ) -> Result<Option<Taken>, UpdateError> {
        let (client, waits) = client(limits(), Proxies::default());
        let result = self.renew_by(source, &client, change);
        self.waits = waits.take();
        result
    }

    fn renew_by<'a>(
        &self,
        source: &'a Source,
        client: &Client,
        change: impl FnOnce(&mut Renewal<'a>),
    ) -> Result<Option<Taken>, UpdateError> {
        let mut store = Store::open_to_write(self.folder.path()).unwrap();
        let mut renewal = Renewal {
            source,
            secret: None,
            proof: Proof::default(),
            signed_by: None,
            checks: Checks::All,
            now: Timestamp(at(NOW)),
        };
        change(&mut renewal);
        renew(&mut store, &renewal, client)
    }

    /// The dates of the copies, each of which is sound.
    fn dates(&self) -> Vec<String> {
        let store = Store::open(self.folder.path()).unwrap();
        let copies: Vec<_> = store.sources().flat_map(|(_, held)| held.copy.clone()).collect();
        for copy in &copies {
            store.verify(copy).unwrap();
        }
        // Nothing else lies there: no half of a file.
        let files = files_below(self.folder.path());
        assert_eq!(files, copies.len(), "{files} files");
        copies.into_iter().map(|copy| copy.date).collect()
    }
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let count = |entry: std::fs::DirEntry| match entry.file_name().to_str().unwrap() {
        "manifest.toml" | ".lock" | ".incoming" => 0,
        _ if entry.path().is_dir() => files_below(&entry.path()),
        _ => 1,
    };
    entries.map(count).sum()
}

fn june() -> Vec<u8> {
    database("DBIP-Country-Lite", "2026-06-01", "CN")
}

fn november() -> Vec<u8> {
    database("DBIP-Country-Lite", "2026-11-01", "JP")
}

/// A site that holds the edition of June, and a server with a script for the next.
fn site(script: Vec<Reply>) -> (Site, Server, Source) {
    let mut all = vec![reply(200, &["ETag: \"june\"", "Last-Modified: Mon, 01 Jun 2026 00:00:00 GMT"], &june())];
    all.extend(script);
    let server = Server::new(all);
    let source = Source { keep: Keep::Dated, ..from_url("places", &server.url("/places.mmdb?token=secret")) };
    let mut site = Site::new();
    site.renew(&source).unwrap().unwrap();
    assert_eq!(site.dates(), ["2026-06-01"]);
    (site, server, source)
}

/// An attempt that fails, leaves what was held, and says why without any secret.
fn fails(script: Vec<Reply>, why: &str) -> (Site, Server) {
    let (mut site, server, source) = site(script);
    let error = landfall::diag::with_causes(&site.renew(&source).unwrap_err());
    assert!(error.contains(why), "{error}");
    assert!(!error.contains("secret"), "{error}");
    assert_eq!(site.dates(), ["2026-06-01"]);
    (site, server)
}

#[test]
fn what_is_new_is_taken_and_what_may_stay_stays() {
    let (mut site, server, source) = site(vec![reply(200, &[], &november())]);
    let taken = site.renew(&source).unwrap().unwrap();
    assert_eq!((taken.copy.date.as_str(), taken.copy.dated_by.as_str()), ("2026-11-01", "content"));
    assert_eq!(site.dates(), ["2026-06-01", "2026-11-01"]);
    assert!(server.requests()[0].starts_with("GET /places.mmdb?token=secret HTTP/1.1\r\n"));
    let manifest = std::fs::read_to_string(site.folder.path().join("manifest.toml")).unwrap();
    assert!(!manifest.contains("secret"), "{manifest}");
}

#[test]
fn what_must_not_stay_goes_and_its_record_stays() {
    let (mut site, _server, source) = site(vec![reply(200, &[], &november())]);
    site.renew(&Source { keep: Keep::Current, ..source }).unwrap().unwrap();
    assert_eq!(site.dates(), ["2026-11-01"]);
    let store = Store::open(site.folder.path()).unwrap();
    let past = &store.source("places").unwrap().past;
    // sha256 of the file, by the same function that every report's digest comes from.
    let digest = sha256(&june());
    assert_eq!((past.len(), past[0].date.as_str(), past[0].digest.as_str()), (1, "2026-06-01", digest.as_str()));
}

fn sha256(octets: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(octets);
    digest
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .map(|four| char::from_digit(four.into(), 16).unwrap())
        .collect()
}

#[test]
fn an_edition_that_is_known_is_not_sent_again() {
    let (mut site, server, source) = site(vec![reply(304, &[], b"")]);
    assert_eq!(site.renew(&source).unwrap(), None);
    let asked = server.requests()[1].to_ascii_lowercase();
    assert!(asked.contains("if-none-match: \"june\"\r\n"), "{asked}");
    assert!(asked.contains("if-modified-since: mon, 01 jun 2026 00:00:00 gmt\r\n"), "{asked}");
    assert_eq!(site.dates(), ["2026-06-01"]);
}

#[test]
fn an_edition_that_is_lost_is_asked_for_whole() {
    let (mut site, server, source) = site(vec![reply(200, &[], &june())]);
    let store = Store::open(site.folder.path()).unwrap();
    std::fs::remove_file(store.path(store.source("places").unwrap().current().unwrap())).unwrap();
    assert!(site.renew(&source).unwrap().is_some());
    assert!(!server.requests()[1].to_ascii_lowercase().contains("if-none-match"));
    assert_eq!(site.dates(), ["2026-06-01"]);
}

#[test]
fn refusals_are_told() {
    fails(vec![reply(404, &[], b"")], "/places.mmdb answers 404: there is no such file");
    fails(vec![reply(401, &[], b"")], "answers 401: account or key is wrong");
    let (_, server) = fails(vec![reply(403, &[], b"")], "answers 403");
    assert_eq!(server.requests().len(), 2, "asking again would not help");
}

#[test]
fn a_fault_that_passes_is_waited_out() {
    let (mut site, server, source) = site(vec![
        reply(500, &[], b""),
        reply(503, &["Retry-After: 7"], b""),
        reply(429, &["Retry-After: Sun, 22 Nov 2026 12:01:30 GMT", "Date: Sun, 22 Nov 2026 12:00:00 GMT"], b""),
        reply(200, &[], &november()),
    ]);
    assert!(site.renew(&source).unwrap().is_some());
    assert_eq!(site.waits, [1, 7, 90]);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_fault_that_does_not_pass_is_given_up() {
    let (site, server) = fails((0..9).map(|_| reply(500, &[], b"")).collect(), "answers 500: the server has a fault");
    assert_eq!((site.waits.as_slice(), server.requests().len()), ([1, 2, 4].as_slice(), 5));
    let (site, _) = fails(vec![reply(429, &["Retry-After: 86400"], b"")], "asks to come back in 86400 s");
    assert!(site.waits.is_empty());
}

#[test]
fn a_transfer_that_is_cut_is_not_taken() {
    let whole = november();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", whole.len());
    let cut = || Reply::Raw([head.as_bytes(), &whole[..whole.len() / 2]].concat());
    let (site, _) = fails((0..4).map(|_| cut()).collect(), "breaks off after");
    assert_eq!(site.waits, [1, 2, 4]);
    // The second attempt is whole.
    let (mut site, _server, source) = self::site(vec![cut(), reply(200, &[], &whole)]);
    assert!(site.renew(&source).unwrap().is_some());
    // In chunks, where the end is missing.
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", whole.len());
    fails((0..4).map(|_| Reply::Raw([chunked.as_bytes(), &whole[..100]].concat())).collect(), "broke off after");
}

#[test]
fn a_length_that_is_too_small_leaves_a_file_that_is_not_one() {
    let whole = november();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", whole.len() - 30);
    fails(vec![Reply::Raw([head.as_bytes(), &whole].concat())], "places.mmdb: it ");
}

#[test]
fn a_body_without_end_is_bounded() {
    let endless = || Reply::Endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec());
    fails(vec![endless()], "sends more than 1048576 octets");
    let announced = Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec());
    fails(vec![announced], "sends more than 1048576 octets");
}

#[test]
fn redirects_are_followed_so_far() {
    let circle = || (0..12).map(|_| reply(302, &["Location: /places.mmdb?token=secret"], b"")).collect();
    let (_, server) = fails(circle(), "redirects more than 10 times");
    assert_eq!(server.requests().len(), 12);
    fails(vec![reply(302, &[], b"")], "redirects to nowhere");
    fails(vec![reply(302, &["Location: file:///etc/passwd"], b"")], "redirects to nowhere");
    let (mut site, server, source) = site(vec![reply(307, &["Location: there"], b""), reply(200, &[], &november())]);
    assert!(site.renew(&source).unwrap().is_some());
    assert!(server.requests()[2].starts_with("GET /there "));
}

#[test]
fn what_is_not_location_data_is_not_taken() {
    fails(vec![reply(200, &[], b"<html>Please sign in</html>")], "it is not a MaxMind DB file");
    fails(vec![reply(200, &[], b"")], "it is not a MaxMind DB file");
    let mut broken = november();
    broken[40] ^= 0xff;
    let (mut site, _server, source) = site(vec![reply(200, &[], &broken[..broken.len() - 200])]);
    assert!(site.renew(&source).is_err());
    assert_eq!(site.dates(), ["2026-06-01"]);
}

#[test]
fn what_is_unlikely_is_taken_by_force_only() {
    use crate::fixtures::mmdb::{Row, write};
    let rows = |count: u8| -> Vec<_> {
        let row = Row { country: "CN", asn: 64_500, holder: "" };
        (0..count).map(|net| (format!("52.{net}.0.0/24").parse().unwrap(), row)).collect()
    };
    let built = |day: &str| at(&format!("{day}T00:00:00Z")) / crate::fixtures::S;
    let before = write("x", "x", built("2026-06-01"), &rows(10));
    // 79 % of 10 networks are not enough, 80 % are.
    for (count, is_taken) in [(7, false), (8, true)] {
        let after = || reply(200, &[], &write("x", "x", built("2026-11-01"), &rows(count)));
        let server = Server::new(vec![reply(200, &[], &before), after(), after()]);
        let source = from_url("few", &server.url("/few.mmdb"));
        let mut site = Site::new();
        site.renew(&source).unwrap();
        let result = site.renew(&source);
        assert_eq!(result.is_ok(), is_taken, "{result:?}");
        if let Err(error) = result {
            let said = error.to_string();
            assert!(said.contains("7 networks, less than 80 % of the 10") && said.contains("--force"), "{said}");
            assert_eq!(site.dates(), ["2026-06-01"]);
            site.renew_with(&source, |renewal| renewal.checks = Checks::SoundOnly).unwrap().unwrap();
            assert_eq!(site.dates(), ["2026-11-01"]);
        }
    }
    let (mut site, _server, source) = site(vec![reply(200, &[], b"52.80.0.0/14,JP,,,\n")]);
    let error = site.renew(&source).unwrap_err().to_string();
    assert!(error.contains("the copy before is `mmdb country and asn, IPv4 only`"), "{error}");
    let server = Server::new(vec![reply(200, &[], &june())]);
    let floor = Source { floor: 300_000, ..from_url("floor", &server.url("/x")) };
    assert!(Site::new().renew(&floor).unwrap_err().to_string().contains("300000 are the least"));
}

#[test]
fn a_digest_that_differs_is_refused() {
    let (mut site, server, source) = site(vec![
        reply(200, &[], &november()),
        reply(200, &[], format!("{}  places.tar.gz\n", sha256(&june())).as_bytes()),
        reply(200, &[], &november()),
        reply(200, &[], b"<html>no checksum</html>"),
        reply(200, &[], &november()),
        reply(200, &[], sha256(&november()).as_bytes()),
    ]);
    let source = Source { checksum: Some(".sha256".to_owned()), ..source };
    let error = site.renew(&source).unwrap_err().to_string();
    assert!(error.contains(&format!("its sha256 is {}, not {}", sha256(&november()), sha256(&june()))), "{error}");
    assert!(site.renew(&source).unwrap_err().to_string().contains("is not a SHA-256"));
    assert_eq!(site.dates(), ["2026-06-01"]);
    assert!(site.renew(&source).unwrap().is_some());
    assert!(server.requests()[2].starts_with("GET /places.mmdb?token=secret.sha256 "));
}

/// A key pair and signature of minisign 0.11 over `test` (from the documentation of the crate that verifies them).
const PUBLIC: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==
";

#[test]
fn a_signature_over_another_file_is_refused() {
    let (mut site, server, source) =
        site(vec![reply(200, &[], &november()), reply(200, &[], SIGNATURE.as_bytes()), reply(200, &[], &november())]);
    let signed = |renewal: &mut Renewal<'_>| renewal.signed_by = Some(PUBLIC.to_owned());
    let error = site.renew_with(&source, signed).unwrap_err().to_string();
    assert!(error.contains("its signature does not hold"), "{error}");
    assert!(server.requests()[2].contains(".minisig "));
    // No signature at all.
    let error = site.renew_with(&source, signed).unwrap_err().to_string();
    assert!(error.contains("answers 418"), "{error}");
    assert_eq!(site.dates(), ["2026-06-01"]);
}

/// A geofeed, and a signature over it in the format of minisign (<https://jedisct1.github.io/minisign/>), made with Python's
/// `cryptography` and `hashlib.blake2b` from the Ed25519 seed of the octets 0 to 31.
pub(crate) const FEED: &str = "192.0.2.0/24,DE,,,\n198.51.100.0/24,FR,,,\n";
pub(crate) const FEED_KEY: &str = "RWRsYW5kZmFsbAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
pub(crate) const FEED_SIGNATURE: &str = "untrusted comment: signature of a test
RURsYW5kZmFsbJvYuD/7UojQDJ1mJoem8Lrgg6qwlmdtd6mi67cpLpuelhvhCLf1WkkiPP4IJdPhdg3xuKGvVG7o2fjVpNFKxQY=
trusted comment: file:places.csv\thashed
/PdFH1lz+5zvSjeohWP1XKx/YTKHlJ3f9NVDKoutw1QlTMOJ2zqCqFtJzJlBMMHvghMZZ0HCn/QmHSl/5Dh3DQ==
";

#[test]
fn a_signature_holds_for_its_file_and_for_no_other_bit_of_it() {
    let dated = "Last-Modified: Mon, 01 Jun 2026 00:00:00 GMT";
    // The last octet but one of the signature over the file is another: `Q` is `R` there.
    let forged = FEED_SIGNATURE.replace("NFKxQY=", "NFKxRY=");
    assert_ne!(forged, FEED_SIGNATURE);
    let flipped = FEED.replace("192.0.2.0", "192.0.3.0");
    let server = Server::new(vec![
        reply(200, &[dated], flipped.as_bytes()),
        reply(200, &[], FEED_SIGNATURE.as_bytes()),
        reply(200, &[dated], FEED.as_bytes()),
        reply(200, &[], forged.as_bytes()),
        reply(200, &[dated], FEED.as_bytes()),
        reply(200, &[], FEED_SIGNATURE.as_bytes()),
    ]);
    let source = from_url("places", &server.url("/places.csv"));
    let mut site = Site::new();
    let signed = |renewal: &mut Renewal<'_>| renewal.signed_by = Some(FEED_KEY.to_owned());
    for _ in 0..2 {
        let error = site.renew_with(&source, signed).unwrap_err().to_string();
        assert!(error.contains("its signature does not hold"), "{error}");
        assert!(site.dates().is_empty());
    }
    let taken = site.renew_with(&source, signed).unwrap().unwrap();
    assert!(!taken.known);
    assert_eq!(site.dates().len(), 1);
    assert!(server.requests()[5].starts_with("GET /places.csv.minisig "), "{:?}", server.requests());
}

/// It is never silent and never ends: neither silence nor, for a long time, its size gives it away.
#[test]
fn a_body_that_does_not_end_ends_with_the_time_for_all_of_it() {
    let endless = || Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec());
    let server = Server::new((0..8).map(|_| endless()).collect());
    let all = Limits { octets: 1 << 40, whole: Duration::from_millis(50), silence: Duration::from_mins(10) };
    let (client, _) = client(all, Proxies::default());
    let site = Site::new();
    let source = from_url("places", &server.url("/places.csv"));
    let error = landfall::diag::with_causes(&site.renew_by(&source, &client, |_| {}).unwrap_err());
    assert!(error.contains("time"), "{error}");
    assert!(site.dates().is_empty());
}

#[test]
fn the_month_before_stands_in_for_one_without_an_edition() {
    let server = Server::new(vec![reply(404, &[], b""), reply(200, &[], &june())]);
    let place = Place::Monthly(server.url("/places-{month}.mmdb.gz"));
    let source = Source { place, ..from_url("places", "") };
    let mut site = Site::new();
    assert!(site.renew(&source).unwrap().is_some());
    let asked: Vec<String> = server.requests().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(asked, ["/places-2026-11.mmdb.gz", "/places-2026-10.mmdb.gz"]);
}

#[test]
fn a_page_leads_to_a_file_and_nowhere_else() {
    let server = Server::new(Vec::new());
    let other = server.url("/");
    let page = |link: &str| reply(200, &[], format!("<a href=\"{link}\">Tags</a>").as_bytes());
    let source = |server: &Server| {
        let place = Place::Page { page: server.url("/page"), begins: server.url("/files/"), holds: "Tags_".to_owned() };
        Source { place, ..from_url("tags", "") }
    };
    let server = Server::new(vec![page(&format!("{other}files/Tags_20260506.json"))]);
    let error = Site::new().renew(&source(&server)).unwrap_err().to_string();
    assert!(error.contains("has no link to a file with `Tags_` in its name"), "{error}");
}

#[test]
fn account_and_key_go_to_their_host_only_and_are_never_shown() {
    let elsewhere = Server::new(vec![reply(200, &[], &november())]);
    let away = format!("Location: {}", elsewhere.url("/signed?x=secret"));
    let server = Server::new(vec![reply(302, &[&away], b"")]);
    let source = Source { key: Key::MaxMind, ..from_url("paid", &server.url("/paid")) };
    let secret = Secret::new("4711", "hush-hush").unwrap();
    let site = Site::new();
    let (client, _) = client(limits(), Proxies::default());
    let taken = site.renew_by(&source, &client, |renewal| renewal.secret = Some(&secret)).unwrap();
    assert!(taken.is_some());
    // RFC 7617: base64 of `4711:hush-hush`, by hand with coreutils.
    let header = "authorization: basic NDcxMTpodXNoLWh1c2g=".to_ascii_lowercase();
    assert!(server.requests()[0].to_ascii_lowercase().contains(&header), "{:?}", server.requests());
    assert!(!elsewhere.requests()[0].to_ascii_lowercase().contains("authorization"));
    // Over a connection that anyone can read they are not sent at all.
    let plain = from_url("paid", "http://maxmind.example/paid");
    let error = site.renew_by(&plain, &client, |renewal| renewal.secret = Some(&secret)).unwrap_err();
    let error = format!("{error} {error:?}");
    assert!(error.contains("account and key are not sent there") && !error.contains("hush"), "{error}");
}

#[test]
fn a_proxy_is_used_but_not_for_what_is_near() {
    let proxy = Server::new(vec![reply(200, &[], &june())]);
    let address = proxy.url("").replace("http://", "http://user:hush@");
    let read = move |name: &str| match name {
        "http_proxy" => Some(address.clone()),
        "no_proxy" => Some("127.0.0.0/8".to_owned()),
        _ => None,
    };
    let proxies = Proxies::from_environment(read).unwrap();
    let (client, _) = client(limits(), proxies);
    let site = Site::new();
    let far = from_url("far", "http://far.example/places.mmdb");
    assert!(site.renew_by(&far, &client, |_| {}).unwrap().is_some());
    assert!(proxy.requests()[0].starts_with("CONNECT far.example:80 "), "{:?}", proxy.requests());
    let near = Server::new(vec![reply(200, &[], &november())]);
    assert!(site.renew_by(&from_url("near", &near.url("/places.mmdb")), &client, |_| {}).unwrap().is_some());
    assert_eq!(near.requests().len(), 1);
}

#[test]
fn a_server_that_nobody_answers_for_is_told() {
    let gone = Server::new(Vec::new()).url("/places.mmdb");
    let mut site = Site::new();
    let error = site.renew(&from_url("gone", &gone)).unwrap_err().to_string();
    assert!(error.starts_with(&gone) && error.to_lowercase().contains("refused"), "{error}");
    assert_eq!(site.waits, [1, 2, 4]);
}
