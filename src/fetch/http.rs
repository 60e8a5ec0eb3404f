//! One file over HTTP: through proxies, again where that helps, and never from `https` to `http`.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use jiff::Timestamp as Instant;
use jiff::civil::Date;
use ureq::http::{Response, Uri, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::proxy::Proxies;

/// How often a file is asked for, until it is given up.
const MAX_ATTEMPTS: u32 = 4;
/// The wait after the first attempt; each wait after it is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that a server may ask for (RFC 9110 section 10.2.3); one that asks for more is left alone.
const MAX_WAIT: Duration = Duration::from_mins(2);
/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 10;
/// How much is read at once.
const READ: usize = 1 << 16;

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most octets of an answer.
    pub octets: u64,
    /// The longest that an answer may take as a whole.
    pub whole: Duration,
    /// The longest without a single octet.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { octets: 1 << 30, whole: Duration::from_mins(30), silence: Duration::from_mins(1) }
    }
}

/// An account and its key. Never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// From an account and its key; `None` where they cannot be written in a header.
    pub fn new(account: &str, key: &str) -> Option<Self> {
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
        let pair = format!("{account}:{key}");
        let is_whole = is_plain(account) && is_plain(key) && !account.contains(':');
        is_whole.then(|| Self(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a publisher calls an edition, to ask for another only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Validators {
    /// The day of `Last-Modified`.
    pub(super) fn day(&self) -> Option<Date> {
        let instant = instant(self.last_modified.as_deref()?)?;
        Some(jiff::tz::TimeZone::UTC.to_datetime(instant).date())
    }
}

/// An answer.
pub(super) enum Answer {
    /// What we have is what there is.
    Unchanged,
    /// The file, written where it was asked for.
    Content {
        validators: Validators,
        /// What the server calls the file, or else its address.
        called: String,
    },
}

/// Why a file did not come. No address in it holds what could be a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// An address that cannot be used.
    #[error("`{0}` is not an address that can be fetched: it begins with https:// or http://")]
    Address(String),
    /// The server says no.
    #[error("{url} answers {status}{}", meaning(*status))]
    Status {
        /// The address.
        url: String,
        /// The status (RFC 9110 section 15).
        status: u16,
    },
    /// The server asks to wait for longer than is waited.
    #[error("{url} answers {status} and asks to come back in {seconds} s: try again then")]
    Later {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// How long.
        seconds: u64,
    },
    /// A redirect gives up encryption.
    #[error("{from} redirects to {to}, which is not encrypted: not followed")]
    Downgrade {
        /// From where.
        from: String,
        /// To where.
        to: String,
    },
    /// A redirect without an address that can be followed.
    #[error("{0} redirects to nowhere that can be followed")]
    Nowhere(String),
    /// One redirect too many.
    #[error("{0} redirects more than {MAX_REDIRECTS} times")]
    Circle(String),
    /// The answer is too large.
    #[error("{url} sends more than {most} octets: see --max-size")]
    TooLarge {
        /// The address.
        url: String,
        /// The most that is taken.
        most: u64,
    },
    /// The answer ends before its end.
    #[error("{url} breaks off after {got} of {expected} octets")]
    Short {
        /// The address.
        url: String,
        /// What came.
        got: u64,
        /// What was announced.
        expected: u64,
    },
    /// Credentials would go over a connection that anyone can read.
    #[error("{0} is not encrypted: account and key are not sent there")]
    Plain(String),
    /// The connection failed.
    #[error("{url}: {what}")]
    Connection {
        /// The address.
        url: String,
        /// What happened.
        what: String,
    },
    /// No encrypted connection came about, which another attempt does not change.
    #[error("{url}: cannot be reached encrypted: {what}")]
    Encryption {
        /// The address.
        url: String,
        /// What happened.
        what: String,
    },
    /// It could not be written.
    #[error("cannot write what came: {0}")]
    Write(#[source] io::Error),
    /// Certificates cannot be used.
    #[error("the certificates of {0} cannot be used: {1}")]
    Certificates(String, String),
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 | 403 => ": account or key is wrong, or not allowed to have this",
        404 | 410 => ": there is no such file",
        407 => ": the proxy wants an account",
        429 => ": too many requests",
        500.. => ": the server has a fault",
        _ => "",
    }
}

/// Whether another attempt can help.
fn is_passing(error: &HttpError) -> bool {
    match error {
        HttpError::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
        HttpError::Short { .. } | HttpError::Connection { .. } => true,
        _ => false,
    }
}

/// What fetches.
pub struct Client {
    limits: Limits,
    proxies: Proxies,
    roots: Option<RootCerts>,
    wait: Box<dyn Fn(Duration)>,
}

impl Client {
    /// A client that waits between attempts by calling `wait`.
    pub fn new(limits: Limits, proxies: Proxies, wait: impl Fn(Duration) + 'static) -> Self {
        Self { limits, proxies, roots: None, wait: Box::new(wait) }
    }

    /// Trusts the certificates of a file in PEM form instead of those of Mozilla, as behind a proxy that looks into
    /// encrypted connections.
    pub fn trust(&mut self, path: &Path) -> Result<(), HttpError> {
        let unusable = |what: String| HttpError::Certificates(path.display().to_string(), what);
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let mut found = Vec::new();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| unusable(error.to_string()))? {
                found.push(certificate);
            }
        }
        if found.is_empty() {
            return Err(unusable("there are none in it".to_owned()));
        }
        self.roots = Some(RootCerts::new_with_certs(&found));
        Ok(())
    }

    /// Fetches a file into `into`, unless it is still what the validators say.
    pub(super) fn get(
        &self,
        url: &str,
        known: &Validators,
        secret: Option<&Secret>,
        into: &Path,
    ) -> Result<Answer, HttpError> {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let asked = match self.attempt(url, known, secret, into) {
                Err((error, after)) if is_passing(&error) && attempt < MAX_ATTEMPTS => {
                    let too_long = after.filter(|after| *after > MAX_WAIT);
                    if let (Some(after), HttpError::Status { url, status }) = (too_long, &error) {
                        let (url, seconds) = (url.clone(), after.as_secs());
                        return Err(HttpError::Later { url, status: *status, seconds });
                    }
                    after
                }
                result => return result.map_err(|(error, _)| error),
            };
            (self.wait)(asked.unwrap_or(wait));
            wait *= 2;
            attempt += 1;
        }
    }

    /// A small text, such as a page or a checksum.
    pub(super) fn text(&self, url: &str, secret: Option<&Secret>, beside: &Path) -> Result<String, HttpError> {
        let path = beside.with_extension("text");
        self.get(url, &Validators::default(), secret, &path)?;
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_TEXT).read_to_end(&mut text));
        // What is left is swept away by the next run.
        let _ = std::fs::remove_file(&path);
        read.map_err(HttpError::Write)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The most octets of an answer, and of what is in it.
    pub(super) fn most(&self) -> u64 {
        self.limits.octets
    }

    fn attempt(
        &self,
        url: &str,
        known: &Validators,
        secret: Option<&Secret>,
        into: &Path,
    ) -> Result<Answer, (HttpError, Option<Duration>)> {
        let fatal = |error| (error, None);
        let mut at = address(url).map_err(fatal)?;
        let origin = at.authority().cloned();
        for _ in 0..=MAX_REDIRECTS {
            let same = at.authority().cloned() == origin;
            let secret = secret.filter(|_| same);
            if secret.is_some() && !is_private(&at) {
                return Err(fatal(HttpError::Plain(shown(&at))));
            }
            let response = self.ask(&at, known, secret).map_err(|error| fatal(failed(shown(&at), &error)))?;
            let status = response.status().as_u16();
            match status {
                200 => return self.body(&at, response, into).map_err(fatal),
                304 => return Ok(Answer::Unchanged),
                301 | 302 | 303 | 307 | 308 => {
                    let to = header_of(&response, header::LOCATION.as_str());
                    at = next_hop(&at, to.as_deref().unwrap_or_default()).map_err(fatal)?;
                }
                _ => {
                    let after = retry_after(&response);
                    return Err((HttpError::Status { url: shown(&at), status }, after));
                }
            }
        }
        Err(fatal(HttpError::Circle(shown(&at))))
    }

    fn ask(&self, at: &Uri, known: &Validators, secret: Option<&Secret>) -> Result<Response<Body>, ureq::Error> {
        let mut tls = TlsConfig::builder();
        if let Some(roots) = &self.roots {
            tls = tls.root_certs(roots.clone());
        }
        let agent: Agent = Agent::config_builder()
            .proxy(self.proxies.of(at))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(self.limits.silence))
            .timeout_recv_response(Some(self.limits.silence))
            .timeout_per_read(Some(self.limits.silence))
            .timeout_global(Some(self.limits.whole))
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .build()
            .new_agent();
        let mut request = agent.get(at.clone());
        for (name, value) in [
            (header::AUTHORIZATION, secret.map(|secret| secret.0.as_str())),
            (header::IF_NONE_MATCH, known.etag.as_deref()),
            (header::IF_MODIFIED_SINCE, known.last_modified.as_deref()),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.call()
    }

    fn body(&self, at: &Uri, response: Response<Body>, into: &Path) -> Result<Answer, HttpError> {
        let most = self.limits.octets;
        let too_large = || HttpError::TooLarge { url: shown(at), most };
        let expected =
            header_of(&response, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
        if expected.is_some_and(|expected| expected > most) {
            return Err(too_large());
        }
        let validators = Validators {
            etag: header_of(&response, header::ETAG.as_str()),
            last_modified: header_of(&response, header::LAST_MODIFIED.as_str()),
        };
        let disposition = header_of(&response, header::CONTENT_DISPOSITION.as_str());
        let called = disposition.as_deref().and_then(file_name).unwrap_or_else(|| last_part(at));

        let mut out = File::create(into).map_err(HttpError::Write)?;
        let mut reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        let (mut buffer, mut got) = (vec![0; READ], 0_u64);
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let url = shown(at);
                    return Err(match expected.filter(|expected| got < *expected) {
                        Some(expected) if error.kind() != io::ErrorKind::TimedOut => {
                            HttpError::Short { url, got, expected }
                        }
                        _ => HttpError::Connection { url, what: format!("broke off after {got} octets: {error}") },
                    });
                }
            };
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
            got += read.len() as u64;
            if got > most {
                return Err(too_large());
            }
            out.write_all(read).map_err(HttpError::Write)?;
        }
        if let Some(expected) = expected.filter(|expected| got != *expected) {
            return Err(HttpError::Short { url: shown(at), got, expected });
        }
        out.sync_all().map_err(HttpError::Write)?;
        Ok(Answer::Content { validators, called })
    }
}

/// Why there was no answer.
fn failed(url: String, error: &ureq::Error) -> HttpError {
    let what = error.to_string();
    let is_fatal = match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => true,
        // What a certificate or a handshake did wrong comes by way of the connection.
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    };
    if is_fatal { HttpError::Encryption { url, what } } else { HttpError::Connection { url, what } }
}

/// The most octets of a page or a checksum that are looked at.
const MAX_TEXT: u64 = 4 << 20;
/// The longest header that is kept.
const MAX_HEADER: usize = 1024;

fn header_of(response: &Response<Body>, name: &str) -> Option<String> {
    let value = response.headers().get(name)?.to_str().ok()?;
    (value.len() <= MAX_HEADER).then(|| value.to_owned())
}

fn address(url: &str) -> Result<Uri, HttpError> {
    let wrong = || HttpError::Address(redacted(url));
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    // An account in an address would be seen in lists of processes, logs and the manifest.
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
    if is_plain && is_web { Ok(uri) } else { Err(wrong()) }
}

/// Where a redirect leads (RFC 9110 section 10.2.2, RFC 3986 section 5.2): never from `https` to `http`.
pub fn next_hop(from: &Uri, location: &str) -> Result<Uri, HttpError> {
    let nowhere = || HttpError::Nowhere(shown(from));
    let scheme = from.scheme_str().unwrap_or_default();
    let authority = from.authority().map(ToString::to_string).unwrap_or_default();
    let location = location.trim().split('#').next().unwrap_or_default();
    let whole = if location.is_empty() {
        return Err(nowhere());
    } else if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let to = address(&whole).map_err(|_| nowhere())?;
    if scheme == "https" && to.scheme_str() != Some("https") {
        return Err(HttpError::Downgrade { from: shown(from), to: shown(&to) });
    }
    Ok(to)
}

/// Whether nobody between can read what goes there: it is encrypted, or never leaves this host.
fn is_private(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("https") || is_here
}

/// An address without what could be a secret: no account, no query.
fn shown(uri: &Uri) -> String {
    let host = uri.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default().to_owned());
    format!("{}://{}{}", uri.scheme_str().unwrap_or_default(), host.unwrap_or_default(), uri.path())
}

/// An address without what could be a secret.
pub(super) fn redacted(url: &str) -> String {
    if let Ok(uri) = url.parse::<Uri>() {
        return if uri.authority().is_some() { shown(&uri) } else { uri.path().to_owned() };
    }
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    plain.rsplit('@').next().unwrap_or_default().to_owned()
}

fn last_part(uri: &Uri) -> String {
    uri.path().rsplit('/').find(|part| !part.is_empty()).unwrap_or("data").to_owned()
}

/// `attachment; filename=GeoLite2-Country_20261121.tar.gz` (RFC 6266), without any folder.
fn file_name(disposition: &str) -> Option<String> {
    let value = disposition.split(';').find_map(|part| part.trim().strip_prefix("filename="))?;
    let name = value.trim_matches('"').rsplit(['/', '\\']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// An instant as HTTP writes it (RFC 9110 section 5.6.7).
fn instant(text: &str) -> Option<Instant> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// How long the server asks to wait: seconds, or until an instant by its own clock.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let text = header_of(response, header::RETRY_AFTER.as_str())?;
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let now = instant(&header_of(response, header::DATE.as_str())?)?;
    let seconds = instant(&text)?.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_never_give_up_encryption() {
        let from: Uri = "https://db.example/a/b?token=secret".parse().unwrap();
        let to = |location: &str| next_hop(&from, location).map(|uri| uri.to_string());
        assert_eq!(to("https://cdn.example/x").unwrap(), "https://cdn.example/x");
        assert_eq!(to("//cdn.example/x").unwrap(), "https://cdn.example/x");
        assert_eq!(to("/x").unwrap(), "https://db.example/x");
        assert_eq!(to("c?d").unwrap(), "https://db.example/a/c?d");
        let error = to("http://cdn.example/x?signature=secret").unwrap_err();
        assert!(matches!(error, HttpError::Downgrade { .. }), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
        for nowhere in ["", "ftp://cdn.example/x", "https://user:key@cdn.example/", "file:///etc/passwd"] {
            assert!(matches!(to(nowhere), Err(HttpError::Nowhere(_))), "{nowhere}");
        }
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        assert_eq!(redacted("https://u:p@db.example/x?token=secret"), "https://db.example/x");
        assert!(!address("https://u:secret@db.example/").unwrap_err().to_string().contains("secret"));
        assert_eq!(format!("{:?}", Secret::new("1", "k").unwrap()), "Secret");
        // RFC 7617 section 2.
        assert_eq!(Secret::new("Aladdin", "open-sesame").unwrap().0, "Basic QWxhZGRpbjpvcGVuLXNlc2FtZQ==");
        assert!(Secret::new("a:b", "k").is_none() && Secret::new("a", "k\r\nx: y").is_none());
    }

    #[test]
    fn dates_are_those_of_http() {
        // RFC 9110 section 5.6.7.
        let validators = Validators { etag: None, last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()) };
        assert_eq!(validators.day(), Some(jiff::civil::date(1994, 11, 6)));
        assert_eq!(file_name("attachment; filename=\"../x_20261121.tar.gz\"").as_deref(), Some("x_20261121.tar.gz"));
    }
}
