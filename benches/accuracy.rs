//! How often locations are right: sources measured against what providers publish of their own networks.
//!
//! `cargo run --release --example accuracy -- --db PATH... --truth PATH... [--withhold NAME]`
//!
//! A truth is a provider's feed or a geofeed. Networks that it puts into one country are asked for; those that it puts
//! nowhere in particular (global services) are not. Of nested networks the inner ones are left out of the outer.
//!
//! | word | means |
//! |---|---|
//! | right | the possible set is the country of the truth alone |
//! | wrong | the country of the truth is not in the possible set |
//! | undecided | it is one of several, or nothing is known |
//!
//! By networks, each counts one, shared by its addresses; by addresses, each address counts one. Each publisher's databases
//! are measured alone; then all together, with the feeds of the other truths beside them (the truth's own publisher
//! withheld), and with its own feed. `--withhold NAME` measures only the truths whose publisher or file has NAME in it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program run by hand talks to its user")]

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use ipnet::IpNet;
use landfall::locate::{Gazetteer, Listed, listed, survey};
use landfall::model::{Addr, Authority, Country, Subject};

/// How many addresses are looked up again and again.
const HOT: usize = 4096;

/// A record as the packages of ip-location-db have it.
#[derive(serde::Deserialize)]
struct Record<'a> {
    country_code: Option<&'a str>,
}

/// A network of a truth without the networks that lie in it.
struct Known {
    network: IpNet,
    inner: Vec<IpNet>,
    country: Country,
}

/// A file with what it says and who made it.
struct Truth {
    path: PathBuf,
    title: String,
    publisher: String,
    known: Vec<Known>,
}

/// Shares of networks, and addresses.
#[derive(Clone, Copy, Default)]
struct Score {
    networks: [f64; 3],
    addresses: [f64; 3],
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("accuracy: {error}");
            eprintln!("usage: accuracy --db PATH... --truth PATH... [--withhold NAME]");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut databases, mut paths, mut withhold) = (Vec::new(), Vec::new(), None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{}` needs a value", flag.display()))?;
        match flag.to_str() {
            Some("--db") => databases.push(PathBuf::from(value)),
            Some("--truth") => paths.push(PathBuf::from(value)),
            Some("--withhold") => withhold = Some(value.to_string_lossy().to_lowercase()),
            _ => return Err(format!("`{}` is not known", flag.display()).into()),
        }
    }
    if databases.is_empty() || paths.is_empty() {
        return Err("name databases and truths".into());
    }
    let truths = paths.into_iter().map(truth).collect::<Result<Vec<_>, _>>()?;
    let mut publishers: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in &databases {
        let source = survey(path, None)?.source;
        println!("{}: {}, {}", path.display(), source.kind, source.as_of.as_deref().unwrap_or("undated"));
        if source.subjects.contains(&Subject::Places) {
            publishers.entry(source.publisher.unwrap_or(source.name)).or_default().push(path.clone());
        }
    }
    let mut gazetteers: Vec<(String, Gazetteer)> = Vec::new();
    for (publisher, paths) in publishers {
        gazetteers.push((publisher, Gazetteer::open(&paths)?));
    }
    gazetteers.push(("all together".to_owned(), Gazetteer::open(&databases)?));
    speed(&databases, &truths)?;
    println!("{:<34} {:>8}  networks: right, wrong, undecided  addresses: right, wrong, undecided", "", "networks");
    for truth in &truths {
        let names = format!("{} {}", truth.publisher, truth.title).to_lowercase();
        if withhold.as_ref().is_some_and(|name| !names.contains(name)) {
            continue;
        }
        println!("{} ({})", truth.title, truth.publisher);
        for (name, gazetteer) in &gazetteers {
            tell(name, truth, gazetteer);
        }
        let others = truths.iter().filter(|other| other.publisher != truth.publisher).map(|other| other.path.clone());
        let others: Vec<PathBuf> = databases.iter().cloned().chain(others).collect();
        tell("and the feeds of others", truth, &Gazetteer::open(&others)?);
        let with: Vec<PathBuf> = databases.iter().chain([&truth.path]).cloned().collect();
        tell("and its own feed", truth, &Gazetteer::open(&with)?);
    }
    Ok(())
}

/// How long the table of all sources together takes to build, and a look-up in it beside `maxminddb`'s own in the same
/// run, over the same few thousand addresses of the truths again and again.
fn speed(databases: &[PathBuf], truths: &[Truth]) -> Result<(), Box<dyn Error>> {
    let all: Vec<PathBuf> = databases.iter().cloned().chain(truths.iter().map(|truth| truth.path.clone())).collect();
    let begun = Instant::now();
    let gazetteer = Gazetteer::open(&all)?;
    let (runs, octets) = gazetteer.size();
    let took = begun.elapsed().as_secs_f64();
    println!("{} sources in {took:.2} s: {runs} runs, {} MB", gazetteer.sources().len(), octets >> 20);
    let mut networks: Vec<IpNet> = truths.iter().flat_map(|truth| &truth.known).map(|known| known.network).collect();
    networks.sort_unstable();
    for (family, is_v4) in [("v4", true), ("v6", false)] {
        let of = networks.iter().map(IpNet::network).filter(|addr| addr.is_ipv4() == is_v4);
        let addresses: Vec<std::net::IpAddr> = of.collect();
        let step = (addresses.len() / HOT).max(1);
        let hot: Vec<std::net::IpAddr> = addresses.into_iter().step_by(step).take(HOT).collect();
        if hot.is_empty() {
            continue;
        }
        let keys: Vec<Addr> = hot.iter().map(|addr| Addr::from(*addr)).collect();
        let ours = each(hot.len(), |at| gazetteer.locate(keys[at]).location.possible().is_anywhere());
        println!("  {family}: {ours:.1} ns a look-up in the table of all");
        for path in databases.iter().filter(|path| path.extension().is_some_and(|extension| extension == "mmdb")) {
            let reader = maxminddb::Reader::open_readfile(path)?;
            let theirs = each(hot.len(), |at| {
                let found = reader.lookup(hot[at]).ok();
                found.is_some_and(|found| {
                    found
                        .decode::<Record<'_>>()
                        .is_ok_and(|record| record.is_some_and(|record| record.country_code.is_some()))
                })
            });
            println!("  {family}: {theirs:.1} ns by maxminddb, decoded, in {}", path.display());
        }
    }
    Ok(())
}

/// Nanoseconds of one call in the best of many short rounds, which other work on the machine hardly falls into.
fn each(count: usize, mut call: impl FnMut(usize) -> bool) -> f64 {
    const ROUNDS: usize = 2000;
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for at in 0..count {
            black_box(call(black_box(at)));
        }
        least = least.min(begun.elapsed().as_nanos() as f64 / count as f64);
    }
    least
}

/// Reads a truth.
fn truth(path: PathBuf) -> Result<Truth, Box<dyn Error>> {
    let source = survey(&path, None)?.source;
    let title = format!("{} {}", source.name, source.as_of.as_deref().unwrap_or("undated"));
    let mut open: Vec<(Listed, Vec<IpNet>)> = Vec::new();
    let mut known = Vec::new();
    let mut close = |(listed, inner): (Listed, Vec<IpNet>)| {
        // Any place that a provider is sure of: not a region that is newer than the table, and not many sites.
        if let Some(country) = listed.places.only().filter(|_| listed.authority == Authority::Provider) {
            known.push(Known { network: listed.network, inner, country });
        }
    };
    for listed in listed(&path)? {
        while let Some(outer) = open.pop() {
            if outer.0.network.contains(&listed.network) {
                open.push(outer);
                break;
            }
            close(outer);
        }
        if let Some((_, inner)) = open.last_mut() {
            inner.push(listed.network);
        }
        open.push((listed, Vec::new()));
    }
    open.into_iter().for_each(&mut close);
    if known.is_empty() {
        return Err(format!("{} places no network", path.display()).into());
    }
    Ok(Truth { publisher: source.publisher.unwrap_or(source.name), path, title, known })
}

fn tell(name: &str, truth: &Truth, gazetteer: &Gazetteer) {
    for (family, is_v4) in [("v4", true), ("v6", false)] {
        let known: Vec<&Known> = truth.known.iter().filter(|known| known.network.addr().is_ipv4() == is_v4).collect();
        let mut all = Score::default();
        let mut counted = 0;
        for known in &known {
            let score = score(known, gazetteer);
            let addresses: f64 = score.iter().sum();
            if addresses == 0.0 {
                // Nothing is left of it beside the networks in it.
                continue;
            }
            counted += 1;
            for (at, share) in score.into_iter().enumerate() {
                all.networks[at] += share / addresses;
                all.addresses[at] += share;
            }
        }
        if counted == 0 {
            continue;
        }
        let percent = |shares: [f64; 3]| {
            let whole: f64 = shares.iter().sum();
            shares.map(|share| share / whole * 100.0)
        };
        let shares = [percent(all.networks), percent(all.addresses)];
        let [networks, addresses] = shares.map(|shares| shares.map(|share| format!("{share:>8.3}")).join(" "));
        println!("  {name:<29} {family} {counted:>8}  {networks}  {addresses}");
    }
}

/// How many addresses of a network are located rightly, wrongly, and not for certain.
fn score(known: &Known, gazetteer: &Gazetteer) -> [f64; 3] {
    let mut score = [0.0; 3];
    let mut count = |network: IpNet, sign: f64| {
        for (first, last, place) in gazetteer.stretches(network) {
            let number = |addr: std::net::IpAddr| match addr {
                std::net::IpAddr::V4(addr) => u128::from(u32::from(addr)),
                std::net::IpAddr::V6(addr) => u128::from(addr),
            };
            let possible = place.location.possible();
            let at = match (possible.contains(known.country), possible.len()) {
                (true, 1) => 0,
                (false, _) => 1,
                (true, _) => 2,
            };
            score[at] += sign * ((number(last) - number(first)) as f64 + 1.0);
        }
    };
    count(known.network, 1.0);
    for inner in &known.inner {
        count(*inner, -1.0);
    }
    // What is left of differences of large numbers.
    let whole: f64 = 2f64.powi(i32::from(known.network.max_prefix_len() - known.network.prefix_len()));
    score.map(|share| if share.abs() < whole * 1e-12 { 0.0 } else { share })
}
