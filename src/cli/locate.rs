//! `landfall locate`: where addresses are, by which claims, and how much rests on one source.

use std::io::{self, BufRead, BufWriter, IsTerminal, Read as _, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use jiff::civil::Date;
use serde::Serialize;

use super::args::GroundsArgs;
use super::vantage::VantageArgs;
use super::{Exit, Stop, plan, tell};
use crate::audit::Grounds;
use crate::locate::horizon::{LEAST_US, MIN_SAMPLES};
use crate::locate::{Horizon, rests_on};
use crate::model::{
    Addr, Asn, Authority, Claim, CountrySet, Decision, Location, Opener, PartyId, Protocol, Reading, Reason, RoundTrip,
    Scope, Standing, Timestamp, ZoneId,
};
use crate::policy::{Policy, Selector, Spent};
use crate::report::visible;

/// The longest line of standard input that is read, in octets.
const MAX_LINE: u64 = 4096;

/// What `locate` is asked.
#[derive(Debug, Args)]
pub struct LocateArgs {
    /// Addresses; without any, or for `-`, they are read from standard input, one a line
    #[arg(value_name = "ADDR")]
    addresses: Vec<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Location data, told apart by content, or `embedded` [default: the store of `db update` and databases
    /// in the usual folders, else embedded]
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    db: Vec<PathBuf>,
    /// Also say what a policy decides of payload sent there
    #[arg(short, long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The zone that sends [default: the only one]
    #[arg(long, value_name = "NAME", requires = "policy")]
    zone: Option<String>,
    /// From where round-trip times were measured.
    #[command(flatten)]
    vantage: VantageArgs,
    /// The least round-trip time to the addresses, in milliseconds: also say what it refutes
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    rtt: Option<RoundTrip>,
    /// The day as of which locations, overrides and the policy are read [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
}

/// What is known of one address. The keys are stable.
#[derive(Serialize)]
struct Row<'a> {
    addr: Addr,
    places: CountrySet,
    standing: Standing,
    claims: Vec<Claimed<'a>>,
    asn: Option<Asn>,
    org: Option<&'a str>,
    /// The provider that lists the address among its own.
    provider: Option<&'a str>,
    /// The sources without which the places that are claimed would be others.
    rests_on: Vec<Rest<'a>>,
    /// What a round-trip time does to the claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    horizon: Option<Reached>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Decided<'a>>,
}

#[derive(Serialize)]
struct Claimed<'a> {
    source: &'a str,
    network: String,
    places: CountrySet,
    authority: Authority,
    as_of: Option<String>,
    region: Option<&'a str>,
    publisher: Option<&'a str>,
    /// How it was read, where that is not as it stands in the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

#[derive(Serialize)]
struct Rest<'a> {
    source: &'a str,
    /// What would be left.
    places: CountrySet,
    standing: Standing,
}

#[derive(Serialize)]
struct Reached {
    vantage: String,
    medium: &'static str,
    rtt_us: u32,
    km: u32,
    /// Every country that near.
    reach: CountrySet,
    claimed: CountrySet,
    claimed_standing: Standing,
    /// What of the claims is out of reach; empty where nothing was claimed.
    refuted: CountrySet,
}

#[derive(Serialize)]
struct Decided<'a> {
    zone: &'a str,
    decision: Decision,
    /// Rules that forbid, or that permit; empty where the policy's default decides.
    rules: Vec<&'a str>,
}

pub(super) fn run(args: &LocateArgs) -> Result<Exit, Stop> {
    let from_stdin = args.addresses.is_empty() || args.addresses == ["-"];
    if args.addresses.is_empty() && io::stdin().is_terminal() {
        return Err(Stop::Failed("no address: name some, or give them on standard input, one a line".to_owned()));
    }
    let today = args.on.unwrap_or_else(plan::today);
    let named = GroundsArgs {
        policy: args.policy.clone(),
        allow: Vec::new(),
        deny: Vec::new(),
        law_without: Vec::new(),
        local: Vec::new(),
        db: args.db.clone(),
    };
    let grounds = plan::grounds_on(&named, Some(&args.vantage), &[], today)?;
    if args.rtt.is_some() && grounds.horizon.is_none() {
        return Err(Stop::Failed(
            "`--rtt` says something only with the place where it was measured: name it with --vantage".to_owned(),
        ));
    }
    let sender = match &grounds.policy {
        Some(policy) => Some((policy, zone(policy, args.zone.as_deref())?)),
        None => None,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    // Without a source that was to be used an answer is not all that could be known.
    let mut exit = if grounds.atlas.faults_so_far().is_empty() { Exit::Clean } else { Exit::Open };
    let mut answer = |text: &str| -> io::Result<()> {
        let Ok(ip) = text.parse::<IpAddr>() else {
            tell(&format!("`{text}` is not an address"));
            exit = Exit::Failed;
            return Ok(());
        };
        let row = row(&grounds, ip.into(), args.rtt, sender, today);
        if args.json {
            serde_json::to_writer(&mut out, &row)?;
            out.write_all(b"\n")
        } else {
            print(&mut out, &row)
        }
    };
    if from_stdin {
        lines(&mut answer)?;
    } else {
        for text in &args.addresses {
            answer(text)?;
        }
    }
    out.flush()?;
    Ok(exit)
}

/// Each line of standard input; empty ones and comments are passed over.
fn lines(answer: &mut impl FnMut(&str) -> io::Result<()>) -> Result<(), Stop> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(|error| Stop::Failed(format!("cannot read standard input: {error}")))? as u64;
        if read == 0 {
            return Ok(());
        }
        if read == MAX_LINE && line.last() != Some(&b'\n') {
            return Err(Stop::Failed(format!("a line of standard input is longer than {MAX_LINE} octets")));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            answer(text)?;
        }
    }
}

/// The zone of a policy that is named, or its only one.
fn zone(policy: &Policy, name: Option<&str>) -> Result<ZoneId, Stop> {
    let zones: Vec<ZoneId> = (0..policy.zone_count()).map(|zone| ZoneId(zone as u16)).collect();
    let names: Vec<String> = zones.iter().map(|zone| format!("`{}`", policy.zone_name(*zone))).collect();
    let found = match (name, zones.as_slice()) {
        (None, [only]) => Some(*only),
        (None, _) => None,
        (Some(name), _) => zones.iter().copied().find(|zone| policy.zone_name(*zone) == name),
    };
    found.ok_or_else(|| match name {
        Some(name) => Stop::Failed(format!("the policy has no zone `{name}`; it has {}", names.join(", "))),
        None => Stop::Failed(format!("the policy has several zones: name one with --zone: {}", names.join(", "))),
    })
}

fn row<'a>(
    grounds: &'a Grounds,
    addr: Addr,
    rtt: Option<RoundTrip>,
    sender: Option<(&'a Policy, ZoneId)>,
    today: Date,
) -> Row<'a> {
    let gazetteer = grounds.atlas.at(Timestamp::at_midnight(today));
    let place = gazetteer.locate(addr);
    let horizon = rtt.zip(grounds.horizon.as_ref()).map(|(rtt, horizon)| reached(horizon, rtt, place.location));
    let location = horizon.as_ref().map_or(place.location, |reached| place.location.within_reach(reached.reach));
    let claims = gazetteer.claims(addr);
    let name = |source| gazetteer.source(source).map_or("", |source| source.name.as_str());
    let rest = |(source, left): (_, Location)| Rest {
        source: name(source),
        places: left.possible(),
        standing: left.standing(),
    };
    let claimed = |claim: &Claim| Claimed {
        source: name(claim.source),
        network: claim.network.to_string(),
        places: claim.places,
        authority: claim.authority,
        as_of: claim.as_of.map(|date| date.to_string()),
        region: claim.region.and_then(|region| gazetteer.region(region)),
        publisher: gazetteer.source(claim.source).and_then(|source| source.publisher.as_deref()),
        note: claim.reading.map(Reading::told),
    };
    Row {
        addr,
        places: location.possible(),
        standing: location.standing(),
        claims: claims.iter().map(claimed).collect(),
        asn: place.operator,
        org: place.operator.and_then(|asn| gazetteer.organisation(asn)),
        provider: claims.iter().find_map(|claim| gazetteer.source(claim.source)?.provider()),
        rests_on: rests_on(&claims).into_iter().map(rest).collect(),
        horizon,
        decision: sender.and_then(|(policy, zone)| {
            let regions = grounds.regions(policy, addr, Timestamp::at_midnight(today));
            let party = policy.party_of(addr, place.operator, None, regions);
            decide(policy, zone, addr, location, party, today)
        }),
    }
}

/// What a round-trip time does to a location.
fn reached(horizon: &Horizon, rtt: RoundTrip, claimed: Location) -> Reached {
    let reach = horizon.reach(rtt);
    let rtt_us = rtt.least_us().unwrap_or_default();
    let said = if claimed.possible().is_anywhere() { CountrySet::NOWHERE } else { claimed.possible() };
    Reached {
        vantage: horizon.vantage().to_string(),
        medium: horizon.medium().name(),
        rtt_us,
        km: horizon.km(rtt_us),
        reach,
        claimed: claimed.possible(),
        claimed_standing: claimed.standing(),
        refuted: said.difference(reach),
    }
}

/// A round-trip time in milliseconds. Who types it vouches that it is the least of enough samples.
fn milliseconds(text: &str) -> Result<RoundTrip, String> {
    let least = f64::from(LEAST_US) / 1000.0;
    let most = f64::from(RoundTrip::MAX_US) / 1000.0;
    let time = text.parse::<f64>().ok().filter(|time| (least..=most).contains(time));
    let rtt = time.and_then(|time| RoundTrip::new((time * 1000.0).ceil() as u32, MIN_SAMPLES));
    rtt.ok_or_else(|| format!("not a round-trip time in milliseconds, from {least} to {most:.0}"))
}

/// What a policy decides of payload that a zone sends to an address in a conversation that it opened, over no service in
/// particular. `None` where the policy is not in force or judges nothing of the kind.
fn decide(
    policy: &Policy,
    zone: ZoneId,
    addr: Addr,
    location: Location,
    party: Option<PartyId>,
    today: Date,
) -> Option<Decided<'_>> {
    let stated = policy.zone_of(addr).and_then(|far| policy.zone_country(far));
    let selector = Selector {
        zone,
        epoch: policy.epoch(Timestamp::at_midnight(today))?,
        outward: true,
        moved: true,
        opened_by: Opener::Local,
        party,
        service: policy.service_class(Protocol::TCP, &[]),
        spent: Spent::default(),
    };
    let control = party.and_then(|party| policy.controlled_from(party));
    let judgement = policy.borders(&selector)?.decide(&stated.map_or(location, Location::stated), control);
    let forbidding = judgement.reasons.iter().filter_map(|(_, reason, _)| match reason {
        Reason::Rule(rule) => Some(*rule),
        Reason::Default => None,
    });
    let mut rules: Vec<&str> =
        forbidding.chain(judgement.permitted_by.iter().copied()).map(|rule| policy.rule(rule).id.as_str()).collect();
    rules.dedup();
    Some(Decided { zone: policy.zone_name(zone), decision: judgement.decision, rules })
}

fn print(out: &mut impl Write, row: &Row<'_>) -> io::Result<()> {
    writeln!(out, "{}  {}", row.addr, meaning(row.places, row.standing))?;
    if row.addr.scope() != Scope::Global {
        writeln!(out, "  not a global address: no source is asked")?;
    }
    if let Some(asn) = row.asn {
        writeln!(out, "  operator: {asn} {}", visible(row.org.unwrap_or_default()))?;
    }
    if let Some(provider) = row.provider {
        writeln!(out, "  provider: {}, by its own list", visible(provider))?;
    }
    for claim in &row.claims {
        let places = if claim.places.is_empty() {
            "no known country".to_owned()
        } else if claim.places.is_anywhere() {
            "many sites".to_owned()
        } else {
            claim.places.to_string()
        };
        let says = if claim.authority == Authority::Registry { "registered in " } else { "" };
        let region = claim.region.map(|region| format!(", region {}", visible(region))).unwrap_or_default();
        let as_of = claim.as_of.as_deref().unwrap_or("undated");
        let authority = word(&claim.authority);
        writeln!(
            out,
            "  {}: {says}{places} for {} ({authority}, {as_of}{region})",
            visible(claim.source),
            claim.network
        )?;
        if let Some(note) = claim.note {
            writeln!(out, "    {note}")?;
        }
    }
    match row.rests_on.as_slice() {
        [] if row.claims.is_empty() => {}
        [] => writeln!(out, "  rests on no source alone: without any one of them the answer is the same")?,
        rests => {
            for rest in rests {
                let left = meaning(rest.places, rest.standing);
                writeln!(out, "  rests on {}: without it {left}", visible(rest.source))?;
            }
        }
    }
    if let Some(reached) = &row.horizon {
        print_reached(out, row, reached)?;
    }
    if let Some(decided) = &row.decision {
        let by =
            if decided.rules.is_empty() { "by default".to_owned() } else { format!("by {}", decided.rules.join(", ")) };
        writeln!(out, "  from zone {}: {} {}", visible(decided.zone), word(&decided.decision), visible(&by))?;
    }
    Ok(())
}

fn print_reached(out: &mut impl Write, row: &Row<'_>, reached: &Reached) -> io::Result<()> {
    let Reached { vantage, medium, km, .. } = reached;
    let ms = f64::from(reached.rtt_us) / 1000.0;
    writeln!(out, "  horizon: {ms} ms from {vantage}, so at most {km} km away through {medium}")?;
    let near = if reached.reach.is_anywhere() { "every country".to_owned() } else { reached.reach.to_string() };
    writeln!(out, "  in reach: {near}")?;
    if reached.refuted.is_empty() {
        let claimed = meaning(reached.claimed, reached.claimed_standing);
        return writeln!(out, "  refutes nothing of what is claimed: {claimed}");
    }
    let all = if row.standing == Standing::Refuted { "every claim" } else { "of the claims" };
    writeln!(out, "  refutes {all}: {}", reached.refuted)
}

/// A set of places and their standing for people.
fn meaning(places: CountrySet, standing: Standing) -> String {
    match (standing, places.only()) {
        (Standing::Anycast, _) if places.is_anywhere() => "anywhere: announced from many sites".to_owned(),
        (Standing::Unknown, _) if places.is_anywhere() => "anywhere: no source places it".to_owned(),
        (Standing::Unknown, None) => format!("{places}: no source places it"),
        (_, Some(country)) => format!("{} ({}), {}", country.code(), country.name(), word(&standing)),
        _ => format!("{places}, {}", word(&standing)),
    }
}

/// The word of a value in our formats.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
