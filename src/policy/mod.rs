//! A policy: a text to sets.
//!
//! # What a policy means
//!
//! 1. A flow between a zone and somewhere else is two directions, and each is judged on its own: what the zone sends, and
//!    what it receives. The flow's decision is the worse of the two.
//! 2. A rule speaks of a direction where its `from`, `party`, `service`, `movement`, `initiator` and `in-force` fit. A
//!    field that is not written fits everything, but for `movement`.
//! 3. `movement = "out"` is what the zone sends, `"in"` what it receives, `"either"` both. Where it is not written, a forbid
//!    speaks of what the zone sends; a permit speaks of both directions, because it names an exchange with someone, and the
//!    reply to a permitted request needs no rule of its own. What is written is taken as written.
//! 4. What no rule speaks of is decided by the policy's `default`, in both directions.
//! 5. A forbid overrides every permit. The order of rules means nothing.
//! 6. The decision is taken over every place that the far end can be: permit where all are permitted, forbid where all are
//!    forbidden, else indeterminate. Unknown is every place.
//! 7. A rule has `to` or `to-control`. `to` speaks of places; `to-control` of the countries that the operator of the far
//!    end answers to (`controlled-from` of its party; where nobody says, any country). The two are decided apart and the
//!    worse stands. Control is judged only where a rule speaks of it: a default of `forbid` forbids what permits with
//!    `to-control` leave out, and nothing where there is none.
//! 8. A direction in which nothing moved is contact. Only rules with `contact = true` judge it, in the places that they name;
//!    the default does not, and what none of them forbids or permits stays contact.
//! 9. Where it is not known who opened a conversation, a rule with `initiator` may or may not speak. Both are judged: if
//!    they come to the same decision, that is it, else it is indeterminate.
//! 10. `in-force` is from its first day until before its last, in UTC, on the day when the flow began. Sets with dates are
//!     those of that day; under `law = DATE`, rules and sets are those of that date, and the policy's own `in-force` is
//!     still compared with the flow.
//! 11. A membership with a condition (certified organisations only) counts in a permit for the parties that it names, and in
//!     every forbid; for `unlisted`, and in a permit without a party, it does not.
//! 12. The port of a service is the responder's. Where it is not known which side that is, either port may be it.
//! 13. The most specific network decides an address's zone; the most specific match decides a far end's party
//!     (a network before a name, a name before a provider's region, a region before an autonomous system).
//! 14. A waiver never changes a decision: it marks findings under a rule or the default, from its zones to its networks, or to
//!     far ends that can be in no other country than its. They stay in every report and do not fail the run. It covers
//!     flows that begin before the day on which it expires, in UTC; of flows from that day on the report says that they were
//!     covered once. A run is refused where a waiver would hold for more than a year from its day.
//!
//! 15. A permit with a `limit` permits so many octets in each window of time. Windows begin at the multiples of `per` since
//!     1970, in UTC: those of `24h` at midnight, those of `7d` on Thursdays. A flow counts in the window in which it began,
//!     with all of it.
//! 16. What counts is the IP octets that went between the zone and the far end in the directions that the rule permits, as
//!     decided before any limit is asked: also what another rule permits too, and nothing of what is forbidden or not
//!     decided. Each zone has a limit of its own; where the rule names parties, so has each party. Sampled sources count with
//!     what their samples stand for.
//! 17. In a window in which more than the limit moved, the rule permits nothing: all flows of that window, the first like the
//!     last, are judged as if it permitted no place. Other rules and the default decide. Exactly the limit is not more. It is
//!     measured when all was seen, so that no split and no order of the input makes a difference.
//!
//! `vantage` is for the horizon, which cuts down where a far end can be before a rule is asked. `document`, `owner` and
//! `holds` are kept and shown, and nothing is judged by them yet.

mod broken;
mod document;
mod flags;
mod flow;
mod library;
mod limit;
mod lint;
mod lower;
mod meant;
pub mod measure;
mod mutate;
mod names;
mod networks;
mod party;
mod places;
pub mod register;
mod service;
mod show;
mod slips;
mod syntax;
mod terms;
mod test;
pub mod tripwire;
mod waiver;
mod weaken;
mod wide;
mod zone;

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;

pub use flags::FromFlags;
pub use flow::StatedFlow;
pub use library::{Library, LibrarySet, LibrarySource, Member};
pub use limit::Spent;
pub use mutate::Mutations;
pub use show::library_listing;
pub use terms::{Effect, Expected, Initiator, Movement, Period};
pub use test::{Seen, TestRun};
pub use tripwire::Tripwire;
pub use waiver::{Waivable, WaiverView};
pub use zone::Borders;

use register::{Register, RegisterError};
use tripwire::Watch;

use crate::diag::{Code, Diagnostic, quoted, with_causes};
use crate::model::{
    Addr, Asn, Axis, Country, CountrySet, Decision, Limit, Opener, PartyId, PartySummary, Point, PolicySummary,
    Protocol, Reason, RuleId, RuleSummary, SetSummary, Timestamp, Vantage, ZoneId, ZoneSummary,
};

/// The JSON Schema (draft 2020-12) of a policy file, as a parsed TOML document.
pub const SCHEMA_JSON: &str = include_str!("policy.schema.json");

/// A policy that is valid by construction.
#[derive(Clone, Debug)]
pub struct Policy {
    id: String,
    title: String,
    version: String,
    owner: String,
    origin: String,
    digest: String,
    default: Effect,
    in_force: Period,
    law: Option<Date>,
    max_age: Option<u32>,
    vantage: Option<StatedVantage>,
    zones: Vec<Zone>,
    zone_table: networks::NetworkTable<ZoneId>,
    parties: Vec<Party>,
    party_index: party::PartyIndex,
    service_names: Vec<(String, Vec<String>)>,
    services: service::ServiceTable,
    rules: Vec<zone::Rule>,
    limits: Vec<Limit>,
    summaries: Vec<RuleSummary>,
    /// The days on which something changes, with their midnights in nanoseconds.
    changes: Vec<(u64, Date)>,
    own_sets: BTreeMap<String, places::OwnSet>,
    /// The sets of the library that are named, and where.
    library_sets: BTreeMap<String, (LibrarySet, Range<usize>)>,
    waivers: waiver::Waivers,
    /// What the law was taken to be without.
    suppositions: Vec<String>,
    tests: Vec<test::Test>,
    tripwires: Vec<Tripwire>,
}

/// Where the observation point stands, as far as the policy says, and where it says so.
#[derive(Clone, Debug, PartialEq)]
struct StatedVantage {
    country: Option<(Country, Range<usize>)>,
    point: Option<(Point, Range<usize>)>,
}

/// A zone, resolved.
#[derive(Clone, Debug)]
struct Zone {
    name: String,
    networks: Vec<ipnet::IpNet>,
    country: Option<CountrySet>,
    holds: Vec<String>,
}

impl Zone {
    fn summary(&self) -> ZoneSummary {
        ZoneSummary {
            name: self.name.clone(),
            networks: self.networks.iter().map(ipnet::IpNet::to_string).collect(),
            country: self.country,
        }
    }
}

/// A party, resolved.
#[derive(Clone, Debug)]
struct Party {
    name: String,
    title: String,
    controlled_from: Option<CountrySet>,
    /// Its ways to be recognised, as they are listed.
    recognised: Vec<String>,
}

impl Party {
    fn summary(&self) -> PartySummary {
        PartySummary {
            name: self.name.clone(),
            title: (self.title != self.name).then(|| self.title.clone()),
            controlled_from: self.controlled_from,
        }
    }
}

/// What parsing a text gave: every mistake at once, and the policy if there was none that forbids it.
#[derive(Debug)]
pub struct Parsed {
    /// The policy, where no diagnostic is an error.
    pub policy: Option<Policy>,
    /// Everything that is to be said of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// What rules are selected by: everything that decides which rules speak of a uniflow, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    /// Our side.
    pub zone: ZoneId,
    /// The span of time between two dates on which the policy changes ([`Policy::epoch`]).
    pub epoch: u16,
    /// Whether the zone is the sender.
    pub outward: bool,
    /// Whether payload moved.
    pub moved: bool,
    /// Who opened the conversation.
    pub opened_by: Opener,
    /// The far end's party.
    pub party: Option<PartyId>,
    /// The class of the service port ([`Policy::service_class`]).
    pub service: u16,
    /// Which limits no longer permit: of those that were exceeded in the window that the uniflow began in.
    pub spent: Spent,
}

/// What the borders say of a far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The worse of place and control.
    pub decision: Decision,
    /// Each reason that keeps it from being a permit, sorted, with the decision of its axis.
    pub reasons: Vec<(Axis, Reason, Decision)>,
    /// The permit rules over any place that the far end can be, sorted: the basis of a permit. Empty where the decision is
    /// another, and where the policy's default permits.
    pub permitted_by: Vec<RuleId>,
}

impl Policy {
    /// Parses and checks a policy file. `origin` is its path, for diagnostics and reports.
    ///
    /// Everything that is wrong is said in one go, with lints that need no clock; [`Policy::overdue`] has the rest.
    pub fn parse(origin: &str, text: &str, library: &Library) -> Parsed {
        lower::parse(origin, text, library, lint::Lints::All)
    }

    /// What is to be said of the policy on a day: sets of the library that should have been read against their sources
    /// again by then, waivers that have expired, and, as an error, waivers that would hold for more than a year from then. The
    /// places are in the text that was parsed.
    pub fn overdue(&self, today: Date) -> Vec<Diagnostic> {
        let mut said = lint::overdue(self, today);
        said.extend(waiver::on_day(self, today));
        Diagnostic::in_order(said)
    }

    /// Where the observation point stands, where the policy says so: its coordinates, else its country.
    pub fn vantage(&self) -> Option<Vantage> {
        let StatedVantage { country, point } = self.vantage.as_ref()?;
        let point = point.as_ref().map(|(point, _)| Vantage::Point(*point));
        point.or_else(|| country.as_ref().map(|(country, _)| Vantage::Country(*country)))
    }

    /// What is to be said where the coordinates of the vantage are not in the country that stands beside them. `distance` is
    /// how far a point is from a country, in kilometres.
    pub fn misplaced_vantage(&self, distance: impl Fn(Point, Country) -> u32) -> Option<Diagnostic> {
        let StatedVantage { country: Some((country, named)), point: Some((point, at)) } = self.vantage.as_ref()? else {
            return None;
        };
        let km = Some(distance(*point, *country)).filter(|km| *km > 0)?;
        let message = format!("the vantage is not in {}: {point} is {km} km away or more", country.name());
        let said = Diagnostic::warning(Code::VantageAbroad, message)
            .at(at.clone(), "these coordinates, in degrees north and east,")
            .with(named.clone(), "and this country do not agree");
        Some(said.help(
            "are latitude and longitude in the right order, and with the right signs? until then no round-trip time is used",
        ))
    }

    /// The zone of an address: the most specific network wins.
    pub fn zone_of(&self, addr: Addr) -> Option<ZoneId> {
        self.zone_table.get(addr)
    }

    /// The name of a zone; empty for one of another policy.
    pub fn zone_name(&self, zone: ZoneId) -> &str {
        self.zones.get(zone.index()).map_or("", |zone| &zone.name)
    }

    /// Where a zone is, where the policy says so.
    pub fn zone_country(&self, zone: ZoneId) -> Option<CountrySet> {
        self.zones.get(zone.index())?.country
    }

    /// How many zones there are; their identifiers are the numbers below.
    pub fn zone_count(&self) -> usize {
        self.zones.len()
    }

    /// The facts of the library that were left out for a supposition ([`Library::without`]), sorted.
    pub fn suppositions(&self) -> &[String] {
        &self.suppositions
    }

    /// The party of a far end: the most specific match wins. `regions` are the regions that providers' own feeds name for the
    /// address, such as `oci:us-ashburn-1`; nothing is asked of them unless [`Policy::asks_for_regions`].
    pub fn party_of(
        &self,
        far: Addr,
        operator: Option<Asn>,
        name: Option<&str>,
        regions: &[String],
    ) -> Option<PartyId> {
        self.party_index.get(far, operator, name, regions)
    }

    /// Whether any party is recognised by a provider's region.
    pub fn asks_for_regions(&self) -> bool {
        self.party_index.asks_for_regions()
    }

    /// The name of a party (its key in the file); empty for one of another policy.
    pub fn party_name(&self, party: PartyId) -> &str {
        self.parties.get(party.index()).map_or("", |party| &party.name)
    }

    /// The name of a party in full; its key where the policy gives none, empty for one of another policy.
    pub fn party_title(&self, party: PartyId) -> &str {
        self.parties.get(party.index()).map_or("", |party| &party.title)
    }

    /// Whom a party answers to; `None` where the policy does not say.
    pub fn controlled_from(&self, party: PartyId) -> Option<CountrySet> {
        self.parties.get(party.index())?.controlled_from
    }

    /// The most days between a flow and what a provider says of its networks (`max-age`): what was said longer before or
    /// after counts as a database does.
    pub fn max_age(&self) -> Option<u32> {
        self.max_age
    }

    /// The class of a service port: flows of one class are selected by the same rules. `port` is the responder's; both ports
    /// where it is not known which is the responder's.
    pub fn service_class(&self, protocol: Protocol, ports: &[u16]) -> u16 {
        self.services.class(protocol, ports)
    }

    /// The span of time, between two dates on which the policy or its sets change, that `at` lies in; `None` where the policy
    /// is not in force.
    pub fn epoch(&self, at: Timestamp) -> Option<u16> {
        if self.in_force.from.is_some_and(|from| at.0 < lower::midnight(from))
            || self.in_force.until.is_some_and(|until| at.0 >= lower::midnight(until))
        {
            return None;
        }
        Some(self.changes.partition_point(|(midnight, _)| *midnight <= at.0) as u16)
    }

    /// The day whose law holds in an epoch.
    fn law_on(&self, epoch: u16) -> Date {
        let began = usize::from(epoch).checked_sub(1).and_then(|index| self.changes.get(index));
        self.law.unwrap_or_else(|| began.map_or(Date::MIN, |(_, day)| *day))
    }

    /// The rules that a selector selects; `None` where nothing moved and no rule judges contact.
    pub fn borders(&self, selector: &Selector) -> Option<Borders> {
        Borders::select(self, selector)
    }

    /// A rule, as far as a reader needs it.
    pub fn rule(&self, rule: RuleId) -> &RuleSummary {
        // INVARIANT: rule identifiers come from this policy's borders. One that does not is our own mistake.
        &self.summaries[rule.index()]
    }

    /// The identifier of a rule by its name.
    pub fn rule_named(&self, id: &str) -> Option<RuleId> {
        self.summaries.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok().map(|index| RuleId(index as u16))
    }

    /// The policy, as far as a reader needs it. `period` is what the flows spanned, from the first day to the last.
    pub fn summary(&self, period: Option<(Date, Date)>) -> PolicySummary {
        let day_after = |day: Date| day.tomorrow().ok();
        let period = match (self.law, period) {
            (Some(law), _) => Period { from: Some(law), until: day_after(law) },
            (None, Some((first, last))) => Period { from: Some(first), until: day_after(last) },
            (None, None) => self.in_force,
        };
        let set = |set: &LibrarySet| SetSummary {
            name: set.name.clone(),
            title: set.title.clone(),
            members: set.during(&period),
            reviewed_on: set.reviewed_on.to_string(),
            review_due: set.review_due.to_string(),
            general_knowledge: set.known_only(&period),
        };
        PolicySummary {
            id: self.id.clone(),
            title: self.title.clone(),
            version: self.version.clone(),
            owner: self.owner.clone(),
            digest: self.digest.clone(),
            origin: self.origin.clone(),
            default: self.default.name().to_owned(),
            zones: self.zones.iter().map(Zone::summary).collect(),
            parties: self.parties.iter().map(Party::summary).collect(),
            rules: self.summaries.clone(),
            sets: self.library_sets.values().map(|(library, _)| set(library)).collect(),
        }
    }

    /// The conditions over everything that is seen, sorted by identifier.
    pub fn tripwires(&self) -> &[Tripwire] {
        &self.tripwires
    }

    /// Reads the registers that tripwires name. `open` gives the octets of a path as it is written in the policy. The
    /// policy's digest covers what was read; before this, a tripwire with a register compares with nothing.
    pub fn read_registers(
        &mut self,
        mut open: impl FnMut(&str) -> std::io::Result<Vec<u8>>,
    ) -> Result<(), (String, RegisterError)> {
        let mut digests = String::new();
        for tripwire in &mut self.tripwires {
            if let Watch::Undeclared { path, columns, register, .. } = &mut tripwire.watch {
                let octets = open(path).map_err(|error| (path.clone(), RegisterError::Io(error)))?;
                *register = Some(Register::read(&octets, columns).map_err(|error| (path.clone(), error))?);
                digests.push_str(&lower::digest_of(&octets));
            }
        }
        if !digests.is_empty() {
            self.digest = lower::digest_of(format!("{}{digests}", self.digest).as_bytes());
        }
        Ok(())
    }

    /// Takes registers that were read for another policy, where this one names the same with the same columns.
    fn take_registers(&mut self, read: Option<&Self>) {
        let known = |wanted: &Watch| {
            read?.tripwires.iter().find_map(|tripwire| match (&tripwire.watch, wanted) {
                (
                    Watch::Undeclared { path, columns, register, .. },
                    Watch::Undeclared { path: wanted, columns: heads, .. },
                ) if path == wanted && columns == heads => register.clone(),
                _ => None,
            })
        };
        for tripwire in &mut self.tripwires {
            let found = known(&tripwire.watch);
            if let Watch::Undeclared { register, .. } = &mut tripwire.watch {
                *register = found;
            }
        }
    }

    /// What is to be said of a register that cannot be used, at its place in the text.
    pub fn unusable_register(&self, register: &str, error: &RegisterError) -> Diagnostic {
        let place = self.tripwires.iter().find_map(|tripwire| match &tripwire.watch {
            Watch::Undeclared { path, span, .. } if path == register => Some(span.clone()),
            _ => None,
        });
        let message = format!("the register {} cannot be used", quoted(register));
        let label = with_causes(error);
        let said = Diagnostic::error(Code::BadRegister, message);
        let said = place.map_or(said.clone(), |place| said.at(place, label));
        said.help(
            "a register is a CSV file beside the policy, with a column of recipients and one of countries (`columns`)",
        )
    }

    /// SHA-256 of the text, in hexadecimal; with the registers that it names, over the digests of all.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}
