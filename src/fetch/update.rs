//! One source, brought up to date.

use std::path::Path;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::catalogue::{Place, Source};
use super::http::{Answer, Client, HttpError, Secret, Validators, redacted};
use super::proof::Proof;
use super::store::{Checks, Incoming, Store, StoreError, Taken};
use crate::model::Timestamp;

/// A source that is to be brought up to date, and how.
#[derive(Debug)]
pub struct Renewal<'a> {
    /// The source.
    pub source: &'a Source,
    /// Its account and key, where it needs them.
    pub secret: Option<&'a Secret>,
    /// What the file has to be.
    pub proof: Proof,
    /// The public key of minisign by which a signature must be that lies beside the file, as `.minisig`.
    pub signed_by: Option<String>,
    /// Whether what looks unlikely is taken, and what is known is fetched again.
    pub checks: Checks,
    /// The time.
    pub now: Timestamp,
}

/// Why a source was not brought up to date. What the store held it still holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// It did not come.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It came, and was not taken.
    #[error("{from}: {error}")]
    Refused {
        /// Where it came from.
        from: String,
        /// Why.
        error: StoreError,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No link on the page leads to it.
    #[error(
        "the page {page} has no link to a file with `{holds}` in its name: fetch it by hand and use --url or `db import`"
    )]
    NoLink {
        /// The page.
        page: String,
        /// What should be in the name.
        holds: String,
    },
    /// What should be a checksum is none.
    #[error("{0} is not a SHA-256")]
    NoChecksum(String),
}

/// Fetches a source, if its publisher has another edition than the store; verifies it and takes it into the store.
/// `None` where the store has what there is.
pub fn renew(store: &mut Store, renewal: &Renewal<'_>, client: &Client) -> Result<Option<Taken>, UpdateError> {
    let source = renewal.source;
    let received = store.incoming();
    let mut last = None;
    for url in addresses(source, client, renewal.now.date(), &received)? {
        match fetch(store, renewal, client, &url, &received) {
            // A month without an edition yet.
            Err(UpdateError::Http(error @ HttpError::Status { status: 404, .. })) => last = Some(error),
            result => return result,
        }
    }
    Err(last.unwrap_or_else(|| HttpError::Address(source.name.clone())).into())
}

/// The addresses to try, in this order.
fn addresses(source: &Source, client: &Client, today: Date, beside: &Path) -> Result<Vec<String>, UpdateError> {
    Ok(match &source.place {
        Place::Url(url) => vec![url.clone()],
        Place::Monthly(url) => {
            let month = |date: Date| url.replace("{month}", &date.strftime("%Y-%m").to_string());
            let before = today.first_of_month().checked_sub(1.day()).ok();
            std::iter::once(today).chain(before).map(month).collect()
        }
        Place::Page { page, begins, holds } => {
            let text = client.text(page, None, beside)?;
            let link = link(&text, begins, holds);
            let none = || UpdateError::NoLink { page: redacted(page), holds: holds.clone() };
            vec![link.ok_or_else(none)?]
        }
    })
}

/// The newest address on a page that begins and contains what it should: their names hold their dates.
fn link(page: &str, begins: &str, holds: &str) -> Option<String> {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>\\".contains(c);
    let found = page.match_indices(begins).filter_map(|(at, _)| page.get(at..)?.split(ends).next());
    let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    found.filter(|url| name(url).contains(holds)).max_by_key(|url| name(url)).map(str::to_owned)
}

fn fetch(
    store: &mut Store,
    renewal: &Renewal<'_>,
    client: &Client,
    url: &str,
    received: &Path,
) -> Result<Option<Taken>, UpdateError> {
    let Renewal { source, secret, checks, now, .. } = renewal;
    let shown = redacted(url);
    let held = store
        .source(&source.name)
        .filter(|held| held.url.as_ref() == Some(&shown) && *checks == Checks::All && store.has_current(&source.name));
    let known = held.map_or_else(Validators::default, |held| Validators {
        etag: held.etag.clone(),
        last_modified: held.last_modified.clone(),
    });
    let answer = client.get(url, &known, *secret, received)?;
    let (validators, called) = match answer {
        Answer::Unchanged => {
            store.note(&source.name, |held| held.asked = Some(*now))?;
            return Ok(None);
        }
        Answer::Content { validators, called } => (validators, called),
    };
    let mut proof = renewal.proof.clone();
    if let (Some(suffix), None) = (&source.checksum, &proof.sha256) {
        let checksum = format!("{url}{suffix}");
        let text = client.text(&checksum, *secret, received)?;
        let digest = text.split_whitespace().next().unwrap_or_default();
        if digest.len() != 64 || !digest.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(UpdateError::NoChecksum(redacted(&checksum)));
        }
        proof.sha256 = Some(digest.to_owned());
    }
    if let Some(public) = &renewal.signed_by {
        let signature = client.text(&format!("{url}.minisig"), *secret, received)?;
        proof.signature = Some((signature, public.clone()));
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let incoming = Incoming {
        name: source.name.clone(),
        path: received.to_owned(),
        called,
        from: shown.clone(),
        now: *now,
        dated: validators.day().map(|day| (day, "publisher")),
        licence: some(&source.licence),
        attribution: source.attribution.clone(),
        keep: Some(source.keep),
        floor: source.floor,
        most: client.most(),
        proof,
    };
    let taken = store.take(&incoming, *checks);
    // What is left is swept away by the next run.
    let _ = std::fs::remove_file(received);
    let taken = taken.map_err(|error| UpdateError::Refused { from: shown.clone(), error })?;
    store.note(&source.name, |held| {
        (held.url, held.asked) = (Some(shown), Some(*now));
        (held.etag, held.last_modified) = (validators.etag, validators.last_modified);
    })?;
    Ok((!taken.known).then_some(taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_found_on_a_page_and_leads_where_it_may() {
        let page = "<a href=\"https://evil.example/ServiceTags_Public_20990101.json\"> \
                    <a href=\"https://download.example/a/ServiceTags_Public_20261110.json\"> \
                    {\"url\":\"https://download.example/b/ServiceTags_Public_20261117.json\"}";
        let found = link(page, "https://download.example/", "ServiceTags_Public_");
        assert_eq!(found.as_deref(), Some("https://download.example/b/ServiceTags_Public_20261117.json"));
        assert_eq!(link(page, "https://download.example/", "geoloc"), None);
    }
}
