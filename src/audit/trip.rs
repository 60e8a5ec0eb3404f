//! What the tripwires of a policy come to, over everything that was seen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::tripwire::{Attempted, Cell, MAX_CELLS, Wire};
use super::{Audit, Grounds};
use crate::model::{
    Addr, CountrySet, Endpoint, Location, PartyId, Severity, Standing, Tally, Timestamp, Tripped, TripwireResult,
    ZoneId,
};
use crate::policy::Tripwire;
use crate::policy::measure::spell;
use crate::policy::register::Register;
use crate::policy::tripwire::{Edge, Inside, Watch};

/// The most things that a tripwire reports to have tripped it.
const MAX_TRIPPED: usize = 100;
/// The most remarks of a tripwire.
const MAX_REMARKS: usize = 100;

/// Who calls whom, for a fail-over: a host of a zone, and a party.
type Caller = (ZoneId, Option<Addr>, Option<PartyId>);
/// A cell and what was counted in it.
type Counted<'w> = (&'w Cell, &'w Tally);

/// What is being put together for one tripwire.
struct Trips<'a> {
    audit: &'a Audit,
    grounds: &'a Grounds,
    tripped: Vec<Tripped>,
    remarks: Vec<String>,
}

impl Audit {
    /// What every tripwire of the policy came to, in the order of their identifiers.
    pub(super) fn tripwires(&self, grounds: &Grounds) -> Vec<TripwireResult> {
        let tripwires = grounds.policy.as_ref().map_or(&[][..], |policy| policy.tripwires());
        tripwires.iter().enumerate().map(|(index, tripwire)| self.tripwire(grounds, tripwire, index)).collect()
    }

    fn tripwire(&self, grounds: &Grounds, tripwire: &Tripwire, index: usize) -> TripwireResult {
        let none = Wire::default();
        let wire = self.wires.get(index).unwrap_or(&none);
        let mut trips = Trips { audit: self, grounds, tripped: Vec::new(), remarks: Vec::new() };
        if wire.overflowed() {
            trips.remarks.push(format!("More than {MAX_CELLS} things were to be kept: the latest are not looked at"));
        }
        match &tripwire.watch {
            Watch::Failover { inside, attempts, within } => trips.failover(wire, inside, *attempts, *within),
            Watch::NewEdge { by: Edge::Country, baseline } => trips.new_country(wire, *baseline),
            Watch::NewEdge { by: Edge::Party, baseline } => trips.new_party(wire, *baseline),
            Watch::Volume { per, budget, times_tenths, trailing, .. } => {
                trips.volume(wire, *per, *budget, times_tenths.map(|tenths| (tenths, *trailing)));
            }
            Watch::Schedule { quiet, budget, .. } => trips.schedule(wire, &quiet.written, *budget),
            Watch::ChokePoint { .. } => trips.choke_point(wire),
            Watch::Undeclared { register, .. } => trips.undeclared(wire, register.as_ref()),
        }
        trips.finish(tripwire)
    }
}

impl Trips<'_> {
    fn finish(mut self, tripwire: &Tripwire) -> TripwireResult {
        self.tripped.sort_by(|one, other| (one.since, &one.sentence).cmp(&(other.since, &other.sentence)));
        if self.tripped.len() > MAX_TRIPPED {
            self.remarks.insert(0, format!("{} more are not listed", self.tripped.len() - MAX_TRIPPED));
            self.tripped.truncate(MAX_TRIPPED);
        }
        if self.remarks.len() > MAX_REMARKS {
            let more = self.remarks.len() - MAX_REMARKS;
            self.remarks.truncate(MAX_REMARKS);
            self.remarks.push(format!("{more} more remarks are left out"));
        }
        TripwireResult {
            id: tripwire.id.clone(),
            kind: tripwire.kind().to_owned(),
            title: tripwire.title.clone(),
            severity: tripwire.severity,
            basis: tripwire.basis.clone(),
            why: tripwire.why.clone(),
            tripped: self.tripped,
            remarks: self.remarks,
        }
    }

    fn trip(&mut self, sentence: String, since: Timestamp, cell: Option<&Cell>, zone: ZoneId, tally: &Tally) {
        let to = cell.map(|cell| self.far_end(cell, tally.last));
        self.tripped.push(Tripped {
            sentence,
            since,
            last: tally.last,
            zone: self.grounds.zone_name(zone).to_owned(),
            to,
            flows: tally.uniflows,
            sent: tally.sent,
            examples: tally.exemplars().iter().map(|exemplar| self.audit.example(exemplar)).collect(),
        });
    }

    /// Attempts inside go unanswered, then a place outside answers the same host for the same party.
    fn failover(&mut self, wire: &Wire, inside: &Inside, attempts: usize, within: u64) {
        let mut open: BTreeMap<Caller, VecDeque<(u64, &Tally)>> = BTreeMap::new();
        for (cell, tally) in wire.cells() {
            let failed = open.entry((cell.zone, cell.host, cell.party)).or_default();
            while failed.front().is_some_and(|(at, _)| at.saturating_add(within) < cell.time) {
                failed.pop_front();
            }
            match cell.attempted(inside) {
                Some(Attempted::Unanswered) => {
                    // One moment can hold several attempts.
                    for _ in 0..tally.uniflows.min(attempts as u64) {
                        failed.push_back((cell.time, tally));
                    }
                    while failed.len() > attempts.max(8) {
                        failed.pop_front();
                    }
                }
                Some(Attempted::AnsweredOutside) if failed.len() >= attempts => {
                    let since = failed.front().map_or(cell.time, |(at, _)| *at);
                    let seconds = (cell.time - since) as f64 / Timestamp::SECOND as f64;
                    let host = cell.host.map(|host| host.to_string()).unwrap_or_default();
                    let sentence = format!(
                        "{} attempts of {host} to reach {} in {} went unanswered; {seconds:.1} s after the first, somebody \
                         outside answered, in {}",
                        failed.len(),
                        self.who(cell),
                        inside.written,
                        place(cell.location),
                    );
                    let mut whole = tally.clone();
                    let mut merged = BTreeSet::new();
                    for (at, attempt) in failed.drain(..) {
                        if merged.insert(at) {
                            whole.merge(attempt.clone());
                        }
                    }
                    self.trip(sentence, Timestamp(since), Some(cell), cell.zone, &whole);
                }
                _ => {}
            }
        }
    }

    /// A far end trips where every country that it can be in is new: one that can be in a known one as well was not shown to
    /// be anywhere new, and is told in a remark. A country is known where anything before the baseline can have been in it.
    fn new_country(&mut self, wire: &Wire, baseline: Timestamp) {
        let mut known: BTreeMap<ZoneId, CountrySet> = BTreeMap::new();
        let mut fresh: BTreeMap<(ZoneId, Location), (&Cell, Tally)> = BTreeMap::new();
        let mut undecided: BTreeMap<(ZoneId, CountrySet), u64> = BTreeMap::new();
        let (mut unknown_before, mut unknown) = (0, 0);
        for (cell, tally) in wire.cells() {
            let possible = cell.location.possible();
            if cell.time == 0 {
                let places = known.entry(cell.zone).or_insert(CountrySet::NOWHERE);
                if possible.is_anywhere() {
                    unknown_before += tally.uniflows;
                } else {
                    *places = places.union(possible);
                }
            } else if possible.is_anywhere() {
                unknown += tally.uniflows;
            } else if let Some(known) = known.get(&cell.zone) {
                match possible.split_by(known) {
                    (true, false) => {}
                    (false, _) => add(&mut fresh, (cell.zone, cell.location), cell, tally),
                    (true, true) => *undecided.entry((cell.zone, possible)).or_default() += tally.uniflows,
                }
            }
        }
        if unknown_before > 0 && !fresh.is_empty() {
            self.remarks.push(format!(
                "{unknown_before} flows before {baseline} went to places that no source knows: what is new can have been \
                 among them"
            ));
        }
        for ((zone, location), (cell, tally)) in fresh {
            let cell = Cell { operator: None, party: None, ..*cell };
            let since = tally.first;
            let (places, it) = match location.possible().only() {
                Some(country) => (country.code().to_owned(), "it"),
                None => (format!("One of {}", location.possible()), "any of them"),
            };
            let sentence =
                format!("{places} was reached first at {since}: nothing was exchanged with {it} before {baseline}");
            self.trip(sentence, since, Some(&cell), zone, &tally);
        }
        for ((zone, possible), flows) in undecided {
            let new = possible.difference(known.get(&zone).copied().unwrap_or(CountrySet::NOWHERE));
            self.remarks.push(format!(
                "{flows} flows of zone {} went to one of {possible}, of which {new} would be new: whether they went there \
                 cannot be told",
                self.grounds.zone_name(zone)
            ));
        }
        if unknown > 0 {
            self.remarks.push(format!(
                "{unknown} flows went to places that no source knows: whether they are new cannot be told"
            ));
        }
        self.without_baseline(wire, baseline);
    }

    fn new_party(&mut self, wire: &Wire, baseline: Timestamp) {
        let mut known: BTreeSet<(ZoneId, PartyId)> = BTreeSet::new();
        let mut fresh: BTreeMap<(ZoneId, PartyId), (&Cell, Tally)> = BTreeMap::new();
        let zones: BTreeSet<ZoneId> =
            wire.cells().filter(|(cell, _)| cell.time == 0).map(|(cell, _)| cell.zone).collect();
        for (cell, tally) in wire.cells() {
            let Some(party) = cell.party else { continue };
            if cell.time == 0 {
                known.insert((cell.zone, party));
            } else if zones.contains(&cell.zone) && !known.contains(&(cell.zone, party)) {
                add(&mut fresh, (cell.zone, party), cell, tally);
            }
        }
        for ((zone, _), (cell, tally)) in fresh {
            let since = tally.first;
            let sentence = format!(
                "{} was reached first at {since}: nothing was exchanged with it before {baseline}",
                self.who(cell)
            );
            self.trip(sentence, since, Some(cell), zone, &tally);
        }
        self.without_baseline(wire, baseline);
    }

    fn without_baseline(&mut self, wire: &Wire, baseline: Timestamp) {
        let seen = |time| wire.cells().filter(move |(cell, _)| cell.time == time).map(|(cell, _)| cell.zone);
        let before: BTreeSet<ZoneId> = seen(0).collect();
        for zone in seen(1).collect::<BTreeSet<_>>().difference(&before) {
            let zone = self.grounds.zone_name(*zone);
            self.remarks
                .push(format!("The inputs hold nothing of zone {zone} before {baseline}: what is new cannot be told"));
        }
    }

    fn volume(&mut self, wire: &Wire, per: u64, budget: Option<u64>, times: Option<(u64, usize)>) {
        let mut series: BTreeMap<(ZoneId, Option<PartyId>), Vec<Counted<'_>>> = BTreeMap::new();
        for (cell, tally) in wire.cells() {
            series.entry((cell.zone, cell.party)).or_default().push((cell, tally));
        }
        for ((zone, _), periods) in series {
            let mut over: Option<(String, Timestamp, Tally, u64)> = None;
            let (mut compared, mut rare) = (0_u64, 0_u64);
            for (at, (cell, tally)) in periods.iter().enumerate() {
                let moved = tally.sent.octets;
                let mut reasons = Vec::new();
                if let Some(budget) = budget.filter(|budget| moved > *budget) {
                    reasons.push(format!("the budget is {budget}"));
                }
                let median = times.and_then(|(_, trailing)| median_before(&periods, at, trailing));
                compared += u64::from(median.is_some_and(|median| median > 0));
                rare += u64::from(median == Some(0));
                if let Some((tenths, trailing)) = times
                    && let Some(median) = median.filter(|median| *median > 0)
                    && u128::from(moved) * 10 > u128::from(median) * u128::from(tenths)
                {
                    let ratio = moved as f64 / median as f64;
                    reasons.push(format!(
                        "the median of the {trailing} periods before is {median}, which makes {ratio:.1} times"
                    ));
                }
                if reasons.is_empty() {
                    continue;
                }
                if let Some((_, _, whole, count)) = &mut over {
                    whole.merge((*tally).clone());
                    *count += 1;
                    continue;
                }
                let since = Timestamp(cell.time.saturating_mul(per));
                let sentence = format!(
                    "{moved} octets moved between zone {} and {} in the {} from {since}: {}",
                    self.grounds.zone_name(zone),
                    self.who(cell),
                    spell(per),
                    reasons.join(", and "),
                );
                over = Some((sentence, since, (*tally).clone(), 1));
            }
            if let (Some((_, trailing)), Some((cell, _))) = (times, periods.first()) {
                self.uncompared(zone, cell, trailing, compared, rare);
            }
            if let Some((sentence, since, tally, count)) = over {
                let sentence =
                    if count > 1 { format!("{sentence}; {count} periods since then are over it") } else { sentence };
                let cell = periods.first().map(|(cell, _)| **cell);
                self.trip(sentence, since, cell.as_ref(), zone, &tally);
            }
        }
    }

    /// Says of whom nothing, or not everything, was compared with a median: quiet is not the same as looked at.
    fn uncompared(&mut self, zone: ZoneId, cell: &Cell, trailing: usize, compared: u64, rare: u64) {
        let seldom = format!("nothing moved in most of the {trailing} periods before");
        let why = match (compared, rare) {
            (0, 0) => format!("nothing was compared, because the input does not hold {trailing} periods before"),
            (0, _) => format!("nothing was compared, because {seldom}"),
            (_, 0) => return,
            (_, 1) => format!("1 period was not compared, because {seldom}"),
            (_, rare) => format!("{rare} periods were not compared, because {seldom}"),
        };
        let (zone, who) = (self.grounds.zone_name(zone), self.who(cell));
        self.remarks.push(format!("Zone {zone} and {who}: {why}"));
    }

    fn schedule(&mut self, wire: &Wire, hours: &str, budget: u64) {
        let total = wire.cells().fold(0_u64, |sum, (_, tally)| sum.saturating_add(tally.sent.octets));
        if total <= budget {
            if total > 0 {
                self.remarks
                    .push(format!("{total} octets moved in the quiet hours {hours}, within the budget of {budget}"));
            }
            return;
        }
        let mut cells: Vec<_> = wire.cells().collect();
        cells.sort_by_key(|(cell, tally)| (Reverse(tally.sent.octets), **cell));
        for (cell, tally) in cells {
            let sentence = format!(
                "{} octets moved between zone {} and {} in {} in the quiet hours {hours}; {total} in all",
                tally.sent.octets,
                self.grounds.zone_name(cell.zone),
                self.who(cell),
                place(cell.location),
            );
            self.trip(sentence, tally.first, Some(cell), cell.zone, tally);
        }
    }

    fn choke_point(&mut self, wire: &Wire) {
        for (cell, tally) in wire.cells() {
            let sentence = format!(
                "zone {} reached {} in {} past its gateways",
                self.grounds.zone_name(cell.zone),
                self.who(cell),
                place(cell.location),
            );
            self.trip(sentence, tally.first, Some(cell), cell.zone, tally);
        }
    }

    fn undeclared(&mut self, wire: &Wire, register: Option<&Register>) {
        let Some(register) = register else {
            self.remarks.push("The register was not read: nothing was compared".to_owned());
            return;
        };
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for (cell, tally) in wire.cells() {
            let names = self.names(cell);
            let declared = register.declared(names.iter().map(String::as_str));
            let where_ = place(cell.location);
            let sentence = match declared {
                None => format!("{} in {where_} receives data and is not in the register", self.who(cell)),
                Some((written, countries)) => {
                    seen.insert(written.to_owned());
                    match cell.location.possible().split_by(&countries) {
                        _ if countries.is_empty() => continue,
                        (true, false) => continue,
                        (false, _) => format!("{written} receives data in {where_}: the register declares {countries}"),
                        (true, true) => {
                            self.remarks
                                .push(format!("{written} could be in {where_}; the register declares {countries}"));
                            continue;
                        }
                    }
                }
            };
            self.trip(sentence, tally.first, Some(cell), cell.zone, tally);
        }
        for (recipient, countries) in register.recipients().filter(|(recipient, _)| !seen.contains(*recipient)) {
            let countries = if countries.is_empty() { String::new() } else { format!(" in {countries}") };
            self.remarks.push(format!("{recipient} is declared{countries} and was not seen"));
        }
    }

    /// The far end of a cell, as location data of a time describes it.
    fn far_end(&self, cell: &Cell, at: Timestamp) -> Endpoint {
        let (places, standing) = (cell.location.possible(), cell.location.standing());
        self.grounds.endpoint(places, standing, cell.operator, cell.party, None, at)
    }

    /// The names that a register can know a far end by.
    fn names(&self, cell: &Cell) -> Vec<String> {
        let to = self.far_end(cell, self.audit.period().1);
        let title =
            cell.party.zip(self.grounds.policy.as_ref()).map(|(party, policy)| policy.party_title(party).to_owned());
        [to.party, title, to.organisation].into_iter().flatten().filter(|name| !name.is_empty()).collect()
    }

    /// The far end, as it is called: its party, or who runs it.
    fn who(&self, cell: &Cell) -> String {
        let to = self.far_end(cell, self.audit.period().1);
        match (to.party, to.organisation, to.asn) {
            (Some(party), ..) => format!("party {party}"),
            (None, Some(organisation), _) => organisation,
            (None, None, Some(asn)) => asn.to_string(),
            (None, None, None) => "a far end that is no party".to_owned(),
        }
    }
}

/// Adds a tally to those of a key, and keeps the first cell for the key.
fn add<'w, K: Ord>(map: &mut BTreeMap<K, (&'w Cell, Tally)>, key: K, cell: &'w Cell, tally: &Tally) {
    match map.get_mut(&key) {
        Some((_, whole)) => whole.merge(tally.clone()),
        None => {
            map.insert(key, (cell, tally.clone()));
        }
    }
}

/// The median of the octets of the `trailing` periods before the one at `at`; periods in which nothing was seen count as
/// nothing. `None` where the series has not gone on for so long.
fn median_before(periods: &[Counted<'_>], at: usize, trailing: usize) -> Option<u64> {
    let (now, _) = periods.get(at)?;
    let (first, _) = periods.first()?;
    if now.time - first.time < trailing as u64 {
        return None;
    }
    let before = periods.get(..at)?.iter().rev().take_while(|(cell, _)| now.time - cell.time <= trailing as u64);
    let mut amounts: Vec<u64> = before.map(|(_, tally)| tally.sent.octets).collect();
    amounts.resize(trailing, 0);
    amounts.sort_unstable();
    let middle = trailing / 2;
    let upper = *amounts.get(middle)?;
    // Of an even number, the mean of the two in the middle (rounded down).
    if trailing % 2 == 1 { Some(upper) } else { Some(u64::midpoint(*amounts.get(middle - 1)?, upper)) }
}

fn place(location: Location) -> String {
    let places = location.possible();
    match location.standing() {
        Standing::Anycast => "an anycast network".to_owned(),
        _ if places.is_anywhere() => "a place that no source knows".to_owned(),
        _ => places.to_string(),
    }
}

/// Whether what tripped fails a run: what is worth knowing, or minor, does not.
pub(super) fn fails(results: &[TripwireResult]) -> bool {
    results.iter().any(|result| result.severity >= Severity::Medium && !result.tripped.is_empty())
}
