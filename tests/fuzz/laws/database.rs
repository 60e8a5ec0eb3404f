//! Laws of location databases.

use std::net::IpAddr;

use landfall::locate::Gazetteer;
use landfall::model::{Addr, Country};

/// The longest file that becomes a seed.
const LONGEST_SEED: usize = 12 << 10;

/// What a record says of the place, where it is laid out as `MaxMind` does.
#[derive(serde::Deserialize)]
struct Record {
    country: Named,
    country_code: Option<serde::de::IgnoredAny>,
}

#[derive(serde::Deserialize)]
struct Named {
    iso_code: String,
}

/// The country of an address, read by the crate alone.
fn written(octets: &[u8], addr: IpAddr) -> Option<Country> {
    let reader = maxminddb::Reader::from_source(octets).ok()?;
    let record: Record = reader.lookup(addr).ok()?.decode().ok()??;
    record.country_code.is_none().then(|| Country::from_code(&record.country.iso_code))?
}

/// A `MaxMind` DB file: it is read or refused; no address is nowhere, and each can be where a lookup of it alone says; what is
/// claimed of an address is claimed of a network that holds it; and reading the file again says the same.
pub fn database(octets: &[u8]) {
    let path = std::env::temp_dir().join(format!(
        "landfall-law-{}-{:?}.mmdb",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::write(&path, octets).expect("a folder for temporary files");
    let opened = [(); 2].map(|()| Gazetteer::open(std::slice::from_ref(&path)));
    std::fs::remove_file(&path).expect("the file just written");
    match opened {
        [Ok(gazetteer), Ok(again)] => {
            assert_eq!((gazetteer.digest(), gazetteer.size()), (again.digest(), again.size()));
            for probe in ["0.0.0.0", "1.1.1.1", "89.160.20.130", "255.255.255.255", "2001:218::1", "9000::1"] {
                let addr: Addr = probe.parse::<IpAddr>().expect("an address").into();
                let place = gazetteer.locate(addr);
                assert!(!place.location.possible().is_empty(), "{probe} is nowhere");
                if let Some(country) = written(octets, addr.to_ip()) {
                    assert!(place.location.possible().contains(country), "{probe} is not in {country:?}: {place:?}");
                }
                for claim in gazetteer.claims(addr) {
                    assert!(claim.network.contains(&addr.to_ip()), "{:?} does not hold {probe}", claim.network);
                }
            }
        }
        [Err(error), Err(again)] => assert_eq!(error.to_string(), again.to_string()),
        [first, second] => panic!("read once and refused once: {:?} {:?}", first.err(), second.err()),
    }
}

pub(crate) fn seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let is_database = file.windows(14).any(|window| window == b"\xab\xcd\xefMaxMind.com");
    if is_database && file.len() <= LONGEST_SEED { vec![file.to_vec()] } else { Vec::new() }
}
