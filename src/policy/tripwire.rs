//! Tripwires: conditions over everything that was seen, not over one flow.
//!
//! | kind | trips where | cannot show |
//! |---|---|---|
//! | `failover` | a host's attempts to reach places in `inside` go unanswered, `attempts` of them, and `within` that time a place outside answers it, of the same party | who decided it; attempts whose far end no source can place; sources that report each direction by itself, but for attempts that were rejected |
//! | `new-edge` | a zone exchanges packets with a country, or a party, that it had none with before `baseline`: one packet is enough | what was there before, where the inputs do not reach back; which of several countries a far end is in |
//! | `volume` | what moves to a party in a period is more than `budget`, or more than `times` the median of the `trailing` periods before | which data it was: a lead, not proof |
//! | `schedule` | more than `budget` moves in the quiet hours of a time zone | whether somebody worked late |
//! | `choke-point` | something leaves the zone and not through the `gateways` | what the gateways let through |
//! | `undeclared` | recipients and countries are not as the `register` declares them | recipients that share an address |
//!
//! With a vantage, a far end is where the round-trip times leave it, as for every decision: what they refute trips nothing, and
//! what they show to be elsewhere can. `failover` alone takes an answer that claims and the flow's own round-trip time put inside
//! for one from inside, even where other flows of that address refute it. `volume` asks nobody's place.
//!
//! A far end that can be in several countries is judged as everywhere else. For `new-edge` it trips where every one of them is new;
//! where some are known, it may have gone there, and a remark says so. Known is where anything before the baseline can have been:
//! what can be anywhere makes no country known, and a remark says that there was such a thing.
//!
//! A tripwire never changes a decision. Amounts are IP octets, of flows in which payload moved. A flow counts where it began: in the period, the hour and before or after the
//! baseline in which its first packet was seen.

use std::collections::BTreeSet;
use std::ops::Range;

use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use toml::Spanned;

use super::document::Texts;
use super::lower::{Uses, lower_from, lower_party_list};
use super::meant::meant_word;
use super::measure::{octets_of, span_of};
use super::names::Names;
use super::networks::network;
use super::places::{Conditional, Places, Sets};
use super::register::Register;
use super::syntax::{Fields, Sink};
use super::terms::Movement;
use super::zone::PartySelection;
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{Addr, CountrySet, PartyId, Severity, Timestamp, ZoneId};

/// The most tripwires of a policy.
pub(super) const MAX_TRIPWIRES: usize = 64;
/// The most attempts that a fail-over can ask for.
const MAX_ATTEMPTS: u64 = 100;
/// The most periods that a median can be taken over.
const MAX_TRAILING: u64 = 366;

/// A tripwire as it is written.
#[derive(Clone, Debug)]
pub(super) struct TripwireText {
    pub(super) id: Option<Spanned<String>>,
    pub(super) kind: Option<KindText>,
    title: Option<Spanned<String>>,
    pub(super) from: Texts,
    pub(super) party: Texts,
    severity: Option<Spanned<Severity>>,
    basis: Texts,
    why: Option<Spanned<String>>,
}

#[derive(Clone, Debug)]
pub(super) enum KindText {
    Failover {
        inside: Texts,
        attempts: Option<Spanned<u64>>,
        within: Option<Spanned<String>>,
    },
    NewEdge {
        by: Option<Spanned<Edge>>,
        baseline: Option<Spanned<Timestamp>>,
    },
    Volume {
        movement: Option<Spanned<Movement>>,
        per: Option<Spanned<String>>,
        budget: Option<Spanned<String>>,
        times: Option<Spanned<f64>>,
        trailing: Option<Spanned<u64>>,
    },
    Schedule {
        movement: Option<Spanned<Movement>>,
        quiet: Option<Spanned<String>>,
        time_zone: Option<Spanned<String>>,
        budget: Option<Spanned<String>>,
    },
    ChokePoint {
        gateways: Texts,
    },
    Undeclared {
        register: Option<Spanned<String>>,
        recipient: Option<Spanned<String>>,
        countries: Option<Spanned<String>>,
    },
}

/// What a new edge leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A country.
    Country,
    /// A party.
    Party,
}

/// A condition over everything that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tripwire {
    /// Its identifier.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How grave it is when it trips.
    pub severity: Severity,
    /// What it rests on.
    pub basis: Vec<String>,
    /// Why it is there.
    pub why: String,
    /// What it watches for.
    pub watch: Watch,
    pub(super) zones: BTreeSet<ZoneId>,
    pub(super) parties: Option<PartySelection>,
}

/// What a tripwire watches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Attempts inside a set fail, and a place outside answers.
    Failover {
        /// The set.
        inside: Inside,
        /// How many attempts.
        attempts: usize,
        /// Within how many nanoseconds of the first attempt the answer comes.
        within: u64,
    },
    /// Something that was never reached before is. Of a far end that can be in several countries, every one is new.
    NewEdge {
        /// What.
        by: Edge,
        /// The end of the time in which everything is taken to be known.
        baseline: Timestamp,
    },
    /// More moves in a period than may, or than did.
    Volume {
        /// Which directions count.
        movement: Movement,
        /// The length of a period in nanoseconds; periods begin at multiples of it since 1970.
        per: u64,
        /// The most IP octets that may move in a period.
        budget: Option<u64>,
        /// How many times the median may move, in tenths.
        times_tenths: Option<u64>,
        /// How many periods the median is taken over.
        trailing: usize,
    },
    /// Something moves in quiet hours.
    Schedule {
        /// Which directions count.
        movement: Movement,
        /// The hours.
        quiet: Quiet,
        /// The most IP octets that may move in all quiet hours together.
        budget: u64,
    },
    /// Something leaves the zone past its gateways.
    ChokePoint {
        /// The gateways.
        gateways: Vec<IpNet>,
    },
    /// Recipients and countries are not as a register declares them.
    Undeclared {
        /// The path as it is written, beside the policy.
        path: String,
        /// Where it is written.
        span: Range<usize>,
        /// The heads of the columns with the recipient and the countries.
        columns: [String; 2],
        /// What the register declares, once it was read.
        register: Option<Register>,
    },
}

/// A set of countries by day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    places: Places,
    law: Option<Date>,
    /// As it is written.
    pub written: String,
}

impl Inside {
    /// The set on the day of a flow, or on the day that the policy's `law` names.
    pub fn on(&self, at: Timestamp) -> CountrySet {
        self.places.at(self.law.unwrap_or_else(|| at.date()), Conditional::Include)
    }
}

/// Hours of the day in a time zone; they may go over midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// From this minute of the day.
    from: u16,
    /// Until before this minute of the day.
    until: u16,
    zone: TimeZone,
    /// As it is written: `22:00-06:00 Africa/Addis_Ababa`.
    pub written: String,
}

impl Quiet {
    /// Whether a moment is in the quiet hours. Nanoseconds beyond what a calendar holds are not.
    pub fn contains(&self, at: Timestamp) -> bool {
        let Ok(stamp) = jiff::Timestamp::from_nanosecond(i128::from(at.0)) else { return false };
        let local = self.zone.to_datetime(stamp).time();
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        if self.from <= self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }
}

impl Tripwire {
    /// Whether it looks at flows of a zone with a far end of a party.
    pub fn concerns(&self, zone: ZoneId, party: Option<PartyId>) -> bool {
        self.zones.contains(&zone) && self.parties.as_ref().is_none_or(|parties| parties.fits(party))
    }

    /// The word for its kind in policies and reports.
    pub const fn kind(&self) -> &'static str {
        match self.watch {
            Watch::Failover { .. } => "failover",
            Watch::NewEdge { .. } => "new-edge",
            Watch::Volume { .. } => "volume",
            Watch::Schedule { .. } => "schedule",
            Watch::ChokePoint { .. } => "choke-point",
            Watch::Undeclared { .. } => "undeclared",
        }
    }
}

impl Watch {
    /// Whether an address is one of the gateways.
    pub fn is_gateway(gateways: &[IpNet], addr: Addr) -> bool {
        let ip = addr.to_ip();
        gateways.iter().any(|network| network.contains(&ip))
    }
}

const KINDS: [&str; 6] = ["failover", "new-edge", "volume", "schedule", "choke-point", "undeclared"];

pub(super) fn read(mut fields: Fields<'_, '_>, sink: &mut Sink) -> TripwireText {
    let severities = Severity::ALL.map(|severity| (severity.name(), severity));
    let movements = [Movement::Out, Movement::In, Movement::Either].map(|movement| (movement.name(), movement));
    let id = fields.text("id", sink);
    let written = fields.text("kind", sink);
    let kind = written.as_ref().and_then(|kind| {
        Some(match kind.get_ref().as_str() {
            "failover" => KindText::Failover {
                inside: fields.texts("inside", sink),
                attempts: fields.integer("attempts", sink),
                within: fields.text("within", sink),
            },
            "new-edge" => KindText::NewEdge {
                by: fields.word("by", &[("country", Edge::Country), ("party", Edge::Party)], sink),
                baseline: fields.time("baseline", sink),
            },
            "volume" => KindText::Volume {
                movement: fields.word("movement", &movements, sink),
                per: fields.text("per", sink),
                budget: fields.text("budget", sink),
                times: fields.number("times", sink),
                trailing: fields.integer("trailing", sink),
            },
            "schedule" => KindText::Schedule {
                movement: fields.word("movement", &movements, sink),
                quiet: fields.text("quiet", sink),
                time_zone: fields.text("time-zone", sink),
                budget: fields.text("budget", sink),
            },
            "choke-point" => KindText::ChokePoint { gateways: fields.texts("gateways", sink) },
            "undeclared" => {
                let register = fields.text("register", sink);
                let mut columns = fields.take("columns").and_then(|value| Fields::of("`columns`", value, sink));
                let recipient = columns.as_mut().and_then(|columns| columns.text("recipient", sink));
                let countries = columns.as_mut().and_then(|columns| columns.text("countries", sink));
                if let Some(columns) = columns {
                    columns.finish(sink);
                }
                KindText::Undeclared { register, recipient, countries }
            }
            _ => {
                let meant = meant_word(kind.get_ref(), &KINDS.into_iter());
                let list = KINDS.map(|kind| format!("`{kind}`")).join(", ");
                let help = meant.map_or_else(
                    || format!("`kind` is one of {list}"),
                    |word| format!("did you mean `{word}`? `kind` is one of {list}"),
                );
                let message = format!("{} is no value of `kind`", quoted(kind.get_ref()));
                sink.push(Diagnostic::error(Code::UnknownWord, message).at(kind.span(), "").help(help));
                return None;
            }
        })
    });
    let tripwire = TripwireText {
        id,
        title: fields.text("title", sink),
        from: fields.texts("from", sink),
        party: fields.text_or_texts("party", sink),
        severity: fields.word("severity", &severities, sink),
        basis: fields.text_or_texts("basis", sink),
        why: fields.text("why", sink),
        kind,
    };
    for (key, help) in [
        ("id", "name the tripwire: reports refer to it"),
        (
            "kind",
            "say what it watches for: `failover`, `new-edge`, `volume`, `schedule`, `choke-point` or `undeclared`",
        ),
        ("from", "name the zones that it watches; `from = [\"*\"]` is every zone"),
    ] {
        if !fields.has(key) {
            fields.missing(key, help, sink);
        }
    }
    if let Some(kind) = &tripwire.kind {
        for (key, help) in kind.required() {
            if !fields.has(key) {
                fields.missing(key, help, sink);
            }
        }
        if matches!(kind, KindText::Volume { .. }) && !fields.has("budget") && !fields.has("times") {
            fields.missing("budget", "say how much may move in a period, `budget = \"2 GB\"`, or `times = 3`", sink);
        }
        fields.finish(sink);
    }
    tripwire
}

impl KindText {
    fn required(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Failover { .. } => &[
                ("inside", "name the places that should have answered: `inside = [\"US\", \"CA\"]`"),
                ("within", "say how soon after the first attempt the answer comes: `within = \"60s\"`"),
            ],
            Self::NewEdge { .. } => {
                &[("baseline", "say until when everything is taken to be known: `baseline = 2026-01-01`")]
            }
            Self::Volume { .. } => &[("per", "say how long a period is: `per = \"24h\"`")],
            Self::Schedule { .. } => &[
                ("quiet", "name the hours: `quiet = \"22:00-06:00\"`"),
                ("time-zone", "name the time zone of the hours: `time-zone = \"Africa/Addis_Ababa\"`"),
            ],
            Self::ChokePoint { .. } => {
                &[("gateways", "name the addresses that everything should go through: `gateways = [\"10.0.0.1\"]`")]
            }
            Self::Undeclared { .. } => &[("register", "name the register, a CSV file beside the policy")],
        }
    }
}

/// Resolves a tripwire; what is wrong with it is said.
pub(super) fn lower(
    written: &TripwireText,
    law: Option<Date>,
    names: &Names,
    sets: &mut Sets<'_>,
    uses: &mut Uses,
    sink: &mut Sink,
) -> Option<Tripwire> {
    let zones = lower_from(&written.from, names, uses, sink);
    let parties = written.party.as_ref().map(|list| lower_party_list(list.get_ref(), names, uses, sink));
    let watch = lower_kind(written.kind.as_ref()?, law, sets, sink);
    let id = written.id.as_ref()?.get_ref().clone();
    let plain = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.get_ref().clone());
    let basis = written.basis.iter().flat_map(Spanned::get_ref).map(|text| text.get_ref().clone()).collect();
    Some(Tripwire {
        title: plain(&written.title).unwrap_or_else(|| id.clone()),
        severity: written.severity.as_ref().map_or_else(Severity::default, |severity| *severity.get_ref()),
        basis,
        why: plain(&written.why).unwrap_or_default(),
        watch: watch?,
        zones,
        parties,
        id,
    })
}

fn lower_kind(kind: &KindText, law: Option<Date>, sets: &mut Sets<'_>, sink: &mut Sink) -> Option<Watch> {
    let at_most = |number: &Option<Spanned<u64>>, unwritten: u64, most: u64, sink: &mut Sink| match number {
        None => Some(unwritten as usize),
        Some(number) if (1..=most).contains(number.get_ref()) => Some(*number.get_ref() as usize),
        Some(number) => {
            let expected = format!("expected a whole number from 1 to {most}");
            sink.error(Code::BadValue, "the number is out of range", number.span(), &expected);
            None
        }
    };
    let movement = |movement: &Option<Spanned<Movement>>| movement.as_ref().map_or(Movement::Out, |it| *it.get_ref());
    match kind {
        KindText::Failover { inside, attempts, within } => {
            let attempts = at_most(attempts, 2, MAX_ATTEMPTS, sink);
            let within = within.as_ref().and_then(|within| span_of(within, sink));
            let list = inside.as_ref()?.get_ref();
            let places = sets.places(list, sink);
            let written = list.iter().map(|text| text.get_ref().as_str()).collect::<Vec<_>>().join(", ");
            Some(Watch::Failover { inside: Inside { places, law, written }, attempts: attempts?, within: within? })
        }
        KindText::NewEdge { by, baseline } => Some(Watch::NewEdge {
            by: by.as_ref().map_or(Edge::Country, |by| *by.get_ref()),
            baseline: *baseline.as_ref()?.get_ref(),
        }),
        KindText::Volume { movement: written, per, budget, times, trailing } => {
            let trailing = at_most(trailing, 7, MAX_TRAILING, sink);
            let per = per.as_ref().and_then(|per| span_of(per, sink));
            let budget = budget.as_ref().map(|budget| octets_of(budget, sink));
            let times = times.as_ref().map(|times| {
                let tenths = (times.get_ref() * 10.0).round();
                if (10.0..=10_000.0).contains(&tenths) {
                    return Some(tenths as u64);
                }
                sink.error(Code::BadValue, "`times` is out of range", times.span(), "expected a number from 1 to 1000");
                None
            });
            Some(Watch::Volume {
                movement: movement(written),
                per: per?,
                budget: budget.map_or(Some(None), |budget| budget.map(Some))?,
                times_tenths: times.map_or(Some(None), |times| times.map(Some))?,
                trailing: trailing?,
            })
        }
        KindText::Schedule { movement: written, quiet, time_zone, budget } => {
            let hours = quiet.as_ref().and_then(|quiet| hours(quiet, sink));
            let zone = time_zone.as_ref().and_then(|name| zone_named(name, sink));
            let budget = budget.as_ref().map_or(Some(0), |budget| octets_of(budget, sink));
            let written_hours = quiet.as_ref()?.get_ref();
            let (from, until) = hours?;
            let named = format!("{written_hours} {}", time_zone.as_ref()?.get_ref());
            let quiet = Quiet { from, until, zone: zone?, written: named };
            Some(Watch::Schedule { movement: movement(written), quiet, budget: budget? })
        }
        KindText::ChokePoint { gateways } => {
            let written = gateways.as_ref()?.get_ref();
            let mut gateways: Vec<IpNet> = written.iter().filter_map(|text| network(text, sink)).collect();
            gateways.sort_unstable();
            (!gateways.is_empty()).then_some(Watch::ChokePoint { gateways })
        }
        KindText::Undeclared { register, recipient, countries } => {
            let column = |column: &Option<Spanned<String>>, unwritten: &str| {
                column.as_ref().map_or_else(|| unwritten.to_owned(), |column| column.get_ref().clone())
            };
            Some(Watch::Undeclared {
                path: register.as_ref()?.get_ref().clone(),
                span: register.as_ref()?.span(),
                columns: [column(recipient, "recipient"), column(countries, "countries")],
                register: None,
            })
        }
    }
}

/// Two times of the day as minutes since midnight.
pub(super) fn hours(written: &Spanned<String>, sink: &mut Sink) -> Option<(u16, u16)> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let whole = |text: &str, most: u16| match text.parse::<u16>() {
            Ok(number) if text.len() == 2 && number <= most => Some(number),
            _ => None,
        };
        Some(whole(hour, 23)? * 60 + whole(minute, 59)?)
    };
    let found = written.get_ref().split_once('-').and_then(|(from, until)| Some((minute(from)?, minute(until)?)));
    let found = found.filter(|(from, until)| from != until);
    if found.is_none() {
        let message = format!("{} is no span of hours", quoted(written.get_ref()));
        let help = "write two times of the day: `\"22:00-06:00\"` goes over midnight";
        sink.push(Diagnostic::error(Code::BadValue, message).at(written.span(), "expected hours").help(help));
    }
    found
}

fn zone_named(written: &Spanned<String>, sink: &mut Sink) -> Option<TimeZone> {
    // The one that is built in: what a policy means must not depend on the machine.
    let found = TimeZoneDatabase::bundled().get(written.get_ref()).ok();
    if found.is_none() {
        let message = format!("there is no time zone {}", quoted(written.get_ref()));
        let help = "use a name of the IANA time zone database: `Europe/Berlin`, `Africa/Addis_Ababa`, `UTC`";
        sink.push(Diagnostic::error(Code::BadValue, message).at(written.span(), "unknown time zone").help(help));
    }
    found
}
