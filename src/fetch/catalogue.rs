//! What there is to fetch: who publishes it, where, under which terms, and whether old copies may be kept.
//!
//! Addresses and terms were read on 2026-11-22. A source whose publisher moves it is reached with `--url` until the table is
//! mended.

/// A source of location data that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in the store and in reports.
    pub name: String,
    /// What it holds.
    pub what: String,
    /// Where it is.
    pub place: Place,
    /// What is put behind its address for the address of its SHA-256, where its publisher has one beside it.
    pub checksum: Option<String>,
    /// Its licence.
    pub licence: String,
    /// Where the licence can be read.
    pub terms: String,
    /// The attribution that the licence asks for.
    pub attribution: Option<String>,
    /// Whether copies that were superseded may be kept.
    pub keep: Keep,
    /// What has to be shown to get it.
    pub key: Key,
    /// The least networks of a copy that is whole.
    pub floor: u64,
    /// Whether it is fetched where no source is named and the store is empty.
    pub starter: bool,
}

/// Where a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At one address.
    Url(String),
    /// At an address for each month, written `{month}` in it (`2026-11`): this month's, and if there is none yet the last's.
    Monthly(String),
    /// At an address that a page links to.
    Page {
        /// The page.
        page: String,
        /// How the address begins, so that a page cannot send us elsewhere.
        begins: String,
        /// What is in it.
        holds: String,
    },
}

/// Whether superseded copies may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// They may: old flows are judged with them.
    Dated,
    /// They must go, or nobody says that they may stay: what is kept is that they were used.
    Current,
}

/// What has to be shown to get a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Nothing.
    None,
    /// Account and licence key of `MaxMind`.
    MaxMind,
}

/// A row of the table: name, address, what it holds, the terms that it is under, the least networks.
type Row = (&'static str, &'static str, &'static str, Terms, u64);

/// The terms of a publisher.
#[derive(Clone, Copy)]
struct Terms {
    licence: &'static str,
    url: &'static str,
    attribution: Option<&'static str>,
    keep: Keep,
}

const DBIP: Terms = Terms {
    licence: "CC BY 4.0 (DB-IP Lite)",
    url: "https://db-ip.com/db/lite.php",
    attribution: Some("IP Geolocation by DB-IP (https://db-ip.com)"),
    keep: Keep::Dated,
};
const MAXMIND: Terms = Terms {
    licence: "GeoLite2 End User License Agreement",
    url: "https://www.maxmind.com/en/geolite2/eula",
    attribution: Some("This product includes GeoLite2 data created by MaxMind, available from https://www.maxmind.com"),
    // Section 3(d) of the agreement: superseded copies are destroyed within thirty days.
    keep: Keep::Current,
};
const PDDL: Terms = Terms {
    licence: "PDDL 1.0 (ip-location-db)",
    url: "https://github.com/sapics/ip-location-db",
    attribution: None,
    keep: Keep::Dated,
};
const SAPICS_DBIP: Terms = Terms { url: "https://github.com/sapics/ip-location-db", ..DBIP };
const NRO: Terms = Terms {
    licence: "CC BY 4.0 (NRO statistics); the registry's terms of use",
    url: "https://www.nro.net/about/rirs/statistics/",
    attribution: Some("Delegations by the regional Internet registries"),
    keep: Keep::Dated,
};
/// bgp.tools states no licence: nobody says that old copies may stay.
const BGPTOOLS: Terms = Terms {
    licence: "none stated (bgp.tools)",
    url: "https://github.com/bgptools/anycast-prefixes",
    attribution: Some("Anycast prefixes by bgp.tools"),
    keep: Keep::Current,
};

/// Facts that a provider publishes of its own networks.
const fn provider(licence: &'static str, url: &'static str) -> Terms {
    Terms { licence, url, attribution: None, keep: Keep::Dated }
}

const AWS: Terms = provider(
    "published by AWS of its own networks",
    "https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html",
);
const GOOGLE: Terms = provider(
    "published by Google of its own networks",
    "https://cloud.google.com/vpc/docs/configure-private-google-access",
);
const MICROSOFT: Terms = provider(
    "published by Microsoft of its own networks",
    "https://www.microsoft.com/en-us/download/details.aspx?id=56519",
);

/// What is fetched where nothing is named: one database of places, one of operators, and what providers say of themselves.
const STARTER: [&str; 9] = [
    "dbip-country-lite",
    "dbip-asn-lite",
    "aws-ip-ranges",
    "gcp-cloud",
    "azure-service-tags",
    "oci-ip-ranges",
    "cloudflare-v4",
    "cloudflare-v6",
    "fastly",
];

const ROWS: &[Row] = &[
    (
        "dbip-country-lite",
        "https://download.db-ip.com/free/dbip-country-lite-{month}.mmdb.gz",
        "countries, monthly",
        DBIP,
        300_000,
    ),
    (
        "dbip-city-lite",
        "https://download.db-ip.com/free/dbip-city-lite-{month}.mmdb.gz",
        "cities, monthly",
        DBIP,
        300_000,
    ),
    (
        "dbip-asn-lite",
        "https://download.db-ip.com/free/dbip-asn-lite-{month}.mmdb.gz",
        "AS numbers, monthly",
        DBIP,
        200_000,
    ),
    (
        "geolite2-country",
        "https://download.maxmind.com/geoip/databases/GeoLite2-Country/download?suffix=tar.gz",
        "countries",
        MAXMIND,
        300_000,
    ),
    (
        "geolite2-city",
        "https://download.maxmind.com/geoip/databases/GeoLite2-City/download?suffix=tar.gz",
        "cities",
        MAXMIND,
        300_000,
    ),
    (
        "geolite2-asn",
        "https://download.maxmind.com/geoip/databases/GeoLite2-ASN/download?suffix=tar.gz",
        "AS numbers",
        MAXMIND,
        200_000,
    ),
    (
        "server-country",
        "https://github.com/sapics/ip-location-db/releases/download/latest/server-country.mmdb",
        "countries from geofeeds and routing",
        PDDL,
        100_000,
    ),
    (
        "user-country",
        "https://github.com/sapics/ip-location-db/releases/download/latest/user-country.mmdb",
        "countries of users",
        PDDL,
        100_000,
    ),
    (
        "origin-asn",
        "https://github.com/sapics/ip-location-db/releases/download/latest/origin-asn.mmdb",
        "AS numbers from routing",
        PDDL,
        100_000,
    ),
    (
        "ip-location-db-dbip-country",
        "https://github.com/sapics/ip-location-db/releases/download/latest/dbip-country.mmdb",
        "DB-IP Lite countries, converted",
        SAPICS_DBIP,
        300_000,
    ),
    ("aws-ip-ranges", "https://ip-ranges.amazonaws.com/ip-ranges.json", "AWS regions and border groups", AWS, 5_000),
    ("aws-geofeed", "https://ip-ranges.amazonaws.com/geo-ip-feed.csv", "AWS geofeed", AWS, 1_000),
    ("gcp-cloud", "https://www.gstatic.com/ipranges/cloud.json", "Google Cloud regions", GOOGLE, 300),
    ("google-goog", "https://www.gstatic.com/ipranges/goog.json", "all networks of Google", GOOGLE, 30),
    ("google-geofeed", "https://www.gstatic.com/ipranges/cloud_geofeed", "Google Cloud geofeed", GOOGLE, 300),
    (
        "oci-ip-ranges",
        "https://docs.oracle.com/iaas/tools/public_ip_ranges.json",
        "Oracle Cloud regions",
        provider(
            "published by Oracle of its own networks",
            "https://docs.oracle.com/iaas/Content/General/Concepts/addressranges.htm",
        ),
        300,
    ),
    (
        "cloudflare-v4",
        "https://www.cloudflare.com/ips-v4",
        "Cloudflare, IPv4: many sites",
        provider("published by Cloudflare of its own networks", "https://www.cloudflare.com/ips/"),
        5,
    ),
    (
        "cloudflare-v6",
        "https://www.cloudflare.com/ips-v6",
        "Cloudflare, IPv6: many sites",
        provider("published by Cloudflare of its own networks", "https://www.cloudflare.com/ips/"),
        3,
    ),
    (
        "fastly",
        "https://api.fastly.com/public-ip-list",
        "Fastly: many sites",
        provider(
            "published by Fastly of its own networks",
            "https://www.fastly.com/documentation/reference/api/utils/public-ip-list/",
        ),
        5,
    ),
    (
        "digitalocean-geofeed",
        "https://digitalocean.com/geo/google.csv",
        "DigitalOcean geofeed",
        provider("published by DigitalOcean of its own networks", "https://digitalocean.com/geo/google.csv"),
        300,
    ),
    (
        "linode-geofeed",
        "https://geoip.linode.com/",
        "Linode geofeed",
        provider("published by Akamai of its own networks", "https://geoip.linode.com/"),
        300,
    ),
    (
        "starlink-geofeed",
        "https://geoip.starlinkisp.net/feed.csv",
        "Starlink geofeed: where its users are",
        provider("published by SpaceX of its own networks", "https://geoip.starlinkisp.net/"),
        300,
    ),
    (
        "bgptools-anycast-v4",
        "https://raw.githubusercontent.com/bgptools/anycast-prefixes/master/anycatch-v4-prefixes.txt",
        "anycast prefixes, IPv4",
        BGPTOOLS,
        1_000,
    ),
    (
        "bgptools-anycast-v6",
        "https://raw.githubusercontent.com/bgptools/anycast-prefixes/master/anycatch-v6-prefixes.txt",
        "anycast prefixes, IPv6",
        BGPTOOLS,
        300,
    ),
    (
        "delegated-afrinic",
        "https://ftp.afrinic.net/pub/stats/afrinic/delegated-afrinic-extended-latest",
        "where networks are registered: AFRINIC",
        NRO,
        1_000,
    ),
    (
        "delegated-apnic",
        "https://ftp.apnic.net/stats/apnic/delegated-apnic-extended-latest",
        "where networks are registered: APNIC",
        NRO,
        10_000,
    ),
    (
        "delegated-arin",
        "https://ftp.arin.net/pub/stats/arin/delegated-arin-extended-latest",
        "where networks are registered: ARIN",
        NRO,
        10_000,
    ),
    (
        "delegated-lacnic",
        "https://ftp.lacnic.net/pub/stats/lacnic/delegated-lacnic-extended-latest",
        "where networks are registered: LACNIC",
        NRO,
        5_000,
    ),
    (
        "delegated-ripencc",
        "https://ftp.ripe.net/pub/stats/ripencc/delegated-ripencc-extended-latest",
        "where networks are registered: RIPE NCC",
        NRO,
        10_000,
    ),
];

/// Files of Microsoft, whose addresses change with every edition: name, number of the page, what is in the address.
const PAGES: [(&str, &str, &str, &str, u64); 2] = [
    ("azure-service-tags", "56519", "ServiceTags_Public_", "Azure regions", 5_000),
    ("microsoft-geofeed", "53601", "geoloc-Microsoft", "Microsoft geofeed", 300),
];

/// Every source that is known by name, sorted by it.
pub fn catalogue() -> Vec<Source> {
    let source = |name: &str, place, what: &str, terms: Terms, floor| Source {
        name: name.to_owned(),
        what: what.to_owned(),
        place,
        checksum: (terms.licence == MAXMIND.licence).then(|| ".sha256".to_owned()),
        licence: terms.licence.to_owned(),
        terms: terms.url.to_owned(),
        attribution: terms.attribution.map(str::to_owned),
        keep: terms.keep,
        key: if terms.licence == MAXMIND.licence { Key::MaxMind } else { Key::None },
        floor,
        starter: STARTER.contains(&name),
    };
    let rows = ROWS.iter().map(|(name, url, what, terms, floor)| {
        let place = if url.contains("{month}") { Place::Monthly } else { Place::Url };
        source(name, place((*url).to_owned()), what, *terms, *floor)
    });
    let pages = PAGES.iter().map(|(name, id, holds, what, floor)| {
        let place = Place::Page {
            page: format!("https://www.microsoft.com/en-us/download/details.aspx?id={id}"),
            begins: "https://download.microsoft.com/".to_owned(),
            holds: (*holds).to_owned(),
        };
        source(name, place, what, MICROSOFT, *floor)
    });
    let mut all: Vec<Source> = rows.chain(pages).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Names of files that many have.
const COMMON: [&str; 4] = ["feed", "google", "download", "public-ip-list"];

/// The source that a file is, by the name that its publisher gives it, with any date and packing.
pub fn called(file: &str) -> Option<Source> {
    let stem = stem(file);
    catalogue().into_iter().find(|source| match &source.place {
        Place::Url(url) | Place::Monthly(url) => {
            let published =
                self::stem(url.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default());
            source.name == stem || (published == stem && !published.is_empty() && !COMMON.contains(&published.as_str()))
        }
        Place::Page { holds, .. } => source.name == stem || self::stem(holds) == stem,
    })
}

/// The name of a file in lower case without its date and endings: `dbip-country-lite` of `dbip-country-lite-2026-11.mmdb.gz`,
/// `geolite2-city` of `GeoLite2-City_20261120.tar.gz`, `ip-ranges` of `ip-ranges.2026-08-22.json`.
fn stem(file: &str) -> String {
    let stem = file.split('.').next().unwrap_or_default().replace("{month}", "").to_ascii_lowercase();
    let is_date = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    let mut rest = stem.trim_end_matches(['-', '_']);
    while let Some((before, _)) = rest.rsplit_once(['-', '_']).filter(|(_, last)| is_date(last)) {
        rest = before;
    }
    rest.to_owned()
}

/// A source that the user names by its address: nothing is known of it.
pub fn from_url(name: &str, url: &str) -> Source {
    Source {
        name: name.to_owned(),
        what: "named by its address".to_owned(),
        place: Place::Url(url.to_owned()),
        checksum: None,
        licence: String::new(),
        terms: String::new(),
        attribution: None,
        keep: Keep::Current,
        key: Key::None,
        floor: 0,
        starter: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let all = catalogue();
        for source in &all {
            assert!(super::super::manifest::is_name(&source.name), "{}", source.name);
            let url = match &source.place {
                Place::Url(url) | Place::Monthly(url) | Place::Page { page: url, .. } => url,
            };
            assert!(url.starts_with("https://") && source.terms.starts_with("https://"), "{source:?}");
            assert!(source.floor > 0 && !source.licence.is_empty(), "{source:?}");
            // MaxMind's agreement has superseded copies destroyed.
            assert_eq!(source.key == Key::MaxMind, source.checksum.is_some());
            assert!(source.key == Key::None || source.keep == Keep::Current);
        }
        for (file, name) in [
            ("dbip-country-lite-2026-11.mmdb.gz", Some("dbip-country-lite")),
            ("GeoLite2-City_20261120.tar.gz", Some("geolite2-city")),
            ("GeoLite2-ASN.mmdb", Some("geolite2-asn")),
            ("ServiceTags_Public_20261116.json", Some("azure-service-tags")),
            ("ip-ranges.2026-08-22.json", Some("aws-ip-ranges")),
            ("cloud.json", Some("gcp-cloud")),
            ("dbip-country.mmdb", Some("ip-location-db-dbip-country")),
            ("delegated-apnic-extended-latest", Some("delegated-apnic")),
            ("geoloc-Microsoft.csv", Some("microsoft-geofeed")),
            ("feed.csv", None),
            ("", None),
            ("ours.mmdb", None),
        ] {
            assert_eq!(called(file).map(|source| source.name).as_deref(), name, "{file}");
        }
        let names: std::collections::BTreeSet<&str> = all.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        assert!(STARTER.iter().all(|name| names.contains(name)));
    }
}
