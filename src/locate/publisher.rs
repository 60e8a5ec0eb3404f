//! Who made a database, and on what terms.
//!
//! The type in a file's metadata tells it for the publishers' own files. Converted files (ip-location-db) carry no more
//! than `country ipv4`, so there the name of the file tells. A file of which neither tells anything is taken for a
//! publisher of its own.

/// What is known of a publisher's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Publisher {
    pub(super) name: &'static str,
    /// How the types of its files, or their names, begin; in lower case.
    begins: &'static [&'static str],
    pub(super) licence: Option<&'static str>,
    pub(super) attribution: Option<&'static str>,
    pub(super) countries: Countries,
}

/// What the countries of a publisher's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Countries {
    /// Where networks are.
    Located,
    /// Where their holders are registered: the files look the same.
    Registered,
}

const NOTHING: Publisher =
    Publisher { name: "", begins: &[], licence: None, attribution: None, countries: Countries::Located };

/// The first that fits counts.
const KNOWN: [Publisher; 9] = [
    Publisher {
        name: "MaxMind",
        begins: &["geolite2"],
        licence: Some("GeoLite2 End User License Agreement"),
        attribution: Some(
            "This product includes GeoLite2 data created by MaxMind, available from https://www.maxmind.com",
        ),
        ..NOTHING
    },
    Publisher {
        name: "MaxMind",
        begins: &["geoip2", "geoip-"],
        licence: Some("MaxMind End User License Agreement"),
        ..NOTHING
    },
    Publisher {
        name: "DB-IP",
        begins: &["dbip-country-lite", "dbip-city-lite", "dbip-asn-lite", "dbip-country", "dbip-city-ip", "dbip-asn"],
        licence: Some("CC BY 4.0"),
        attribution: Some("IP Geolocation by DB-IP (https://db-ip.com)"),
        ..NOTHING
    },
    Publisher { name: "DB-IP", begins: &["dbip"], ..NOTHING },
    Publisher {
        name: "IPinfo",
        begins: &["ipinfo_lite", "ipinfo lite"],
        licence: Some("CC BY-SA 4.0"),
        attribution: Some("IP address data powered by IPinfo (https://ipinfo.io)"),
        ..NOTHING
    },
    Publisher { name: "IPinfo", begins: &["ipinfo", "country_asn"], ..NOTHING },
    Publisher { name: "IP2Location", begins: &["ip2location", "ip2l"], ..NOTHING },
    Publisher {
        name: "IPtoASN",
        begins: &["iptoasn"],
        licence: Some("PDDL 1.0"),
        countries: Countries::Registered,
        ..NOTHING
    },
    Publisher {
        name: "IPFire",
        begins: &["ipfire"],
        licence: Some("CC BY-SA 4.0"),
        attribution: Some("IPFire Location (https://location.ipfire.org)"),
        ..NOTHING
    },
];

/// The publisher of a file with this type in its metadata and this name.
pub(super) fn publisher(kind: &str, stem: &str) -> Option<Publisher> {
    let fits = |text: &str| {
        let text = text.to_ascii_lowercase();
        KNOWN.into_iter().find(|known| known.begins.iter().any(|begin| text.starts_with(begin)))
    };
    fits(kind).or_else(|| fits(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_is_told_by_the_type_or_else_by_the_name() {
        let told = |kind, stem| publisher(kind, stem).map(|publisher| (publisher.name, publisher.licence));
        assert_eq!(told("DBIP-Country-Lite", "x"), Some(("DB-IP", Some("CC BY 4.0"))));
        assert_eq!(told("DBIP-Location (compat=City)", "x"), Some(("DB-IP", None)));
        assert_eq!(told("GeoLite2-City", "dbip"), Some(("MaxMind", Some("GeoLite2 End User License Agreement"))));
        assert_eq!(told("city ipv4", "dbip-city-ipv4"), Some(("DB-IP", Some("CC BY 4.0"))));
        assert_eq!(told("country ipvAll", "iptoasn-country").map(|told| told.0), Some("IPtoASN"));
        assert_eq!(told("country ipvAll", "geo-whois-asn-country"), None);
    }
}
