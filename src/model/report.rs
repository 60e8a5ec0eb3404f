//! The report: the source of every format.
//!
//! Its JSON (`landfall audit --format json`) has a name and a version, [`Report::SCHEMA`] and [`Report::VERSION`]. A later
//! program can render it again, in any format, without the inputs. Fields are added within a version; a field that
//! changes its meaning or goes makes a new version. Every list is sorted; the same inputs, policy and gazetteer give the
//! same bytes.

use serde::{Deserialize, Serialize};

use super::addr::Addr;
use super::country::CountrySet;
use super::coverage::{Count, InputCoverage};
use super::finding::{Axis, Contact, Decision, Opener, Severity, Totals};
use super::flow::{Counters, NameSource};
use super::limit::ExceededLimit;
use super::location::{Authority, Standing};
use super::party::Asn;
use super::time::Timestamp;
use super::tripwire::TripwireResult;
use super::tunnel::Outer;

/// What an audit came to, and on what grounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// [`Report::SCHEMA`].
    pub schema: String,
    /// [`Report::VERSION`].
    pub version: u32,
    /// What wrote it.
    pub tool: Tool,
    /// When it was written, where the run was asked to say so (`--stamp`).
    pub stamp: Option<Timestamp>,
    /// What it came to, in a word.
    pub outcome: Outcome,
    /// The first packet of all inputs.
    pub first: Option<Timestamp>,
    /// The last packet of all inputs.
    pub last: Option<Timestamp>,
    /// The policy; `None` where none was given and only the inventory was taken.
    pub policy: Option<PolicySummary>,
    /// How many flows came to which end.
    pub totals: Totals,
    /// The part of `totals` that is of outer headers of tunnels, where what is in them is in flow records of its own: their
    /// octets are in `totals` twice.
    #[serde(default, skip_serializing_if = "Totals::is_nothing")]
    pub counted_inside: Totals,
    /// What the policy forbids or cannot decide, gravest first.
    pub findings: Vec<Finding>,
    /// What the policy's tripwires came to, in the order of their identifiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tripwires: Vec<TripwireResult>,
    /// Where the traffic landed, largest first.
    pub inventory: Vec<InventoryRow>,
    /// The databases and feeds that locations rest on.
    pub location_sources: Vec<LocationSource>,
    /// The digest of everything that locations rest on (SHA-256).
    pub gazetteer: String,
    /// Which addresses were taken to be ours.
    pub local: Assumption,
    /// What round-trip times showed; `None` where it was not known from where they were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<HorizonSummary>,
    /// The waivers of the policy, and how much each covered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<WaiverSummary>,
    /// What someone should mend, a sentence each: waivers that cover nothing, facts of the law that are past their review.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What each input held and what of it could not be used, in the order of the inputs.
    pub inputs: Vec<InputCoverage>,
    /// What the report cannot show, a sentence each.
    pub limits: Vec<String>,
}

impl Report {
    /// The name of the JSON schema.
    pub const SCHEMA: &str = "landfall.report";
    /// The version of the JSON schema.
    pub const VERSION: u32 = 1;
}

/// The program that wrote a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `landfall`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What an audit came to. The worst that applies, in this order from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing forbidden, and everything was seen and decided.
    Clean,
    /// Nothing forbidden was found, but not everything could be decided.
    Indeterminate,
    /// Nothing forbidden was found, but not everything was seen.
    Incomplete,
    /// Something forbidden was found, or a tripwire of medium severity or more tripped.
    Forbidden,
}

/// The policy that judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicySummary {
    /// Its identifier.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: String,
    /// Who answers for it.
    pub owner: String,
    /// SHA-256 of its text.
    pub digest: String,
    /// Where it was read, or the flags that made it.
    pub origin: String,
    /// What happens to what no rule speaks of: `permit` or `forbid`.
    pub default: String,
    /// Its zones: which networks were taken to be ours, and where the policy says that they are.
    pub zones: Vec<ZoneSummary>,
    /// Its parties: whom the policy says that they answer to.
    pub parties: Vec<PartySummary>,
    /// Its rules.
    pub rules: Vec<RuleSummary>,
    /// The sets of the library that it names.
    pub sets: Vec<SetSummary>,
}

/// A zone, as far as a reader of the report needs it: a fact of the policy, not of the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ZoneSummary {
    /// Its name.
    pub name: String,
    /// Where the policy says that it is; `None` where it does not say.
    pub country: Option<CountrySet>,
    /// Its networks in CIDR form, sorted.
    pub networks: Vec<String>,
}

/// A party, as far as a reader of the report needs it: a fact of the policy, not of the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartySummary {
    /// Its key in the policy, as in [`Endpoint::party`].
    pub name: String,
    /// Its name in full, where the policy gives one.
    pub title: Option<String>,
    /// The jurisdictions that the policy says it answers to; `None` where it does not say.
    pub controlled_from: Option<CountrySet>,
}

/// A rule, as far as a reader of the report needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleSummary {
    /// Its identifier.
    pub id: String,
    /// Its title.
    pub title: String,
    /// `permit` or `forbid`.
    pub effect: String,
    /// How grave a finding under it is.
    pub severity: Severity,
    /// What it rests on: articles, decisions, contracts.
    pub basis: Vec<String>,
    /// Why it is there.
    pub why: String,
}

/// A set of the law library that a policy names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SetSummary {
    /// Its name, without `@`.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Its members on the days of the flows that were judged.
    pub members: CountrySet,
    /// When its facts were last read against their sources.
    pub reviewed_on: String,
    /// When they should be read again.
    pub review_due: String,
    /// Those members of which a fact was not checked against a public text.
    #[serde(default, skip_serializing_if = "CountrySet::is_empty")]
    pub general_knowledge: CountrySet,
}

/// Octets, packets and payload, as in [`Counters`].
pub type Volume = Counters;

/// One thing that the policy forbids or cannot decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// An identifier that is the same in every report on the same facts: the first 12 hexadecimal digits of a SHA-256
    /// over what makes the finding one.
    pub id: String,
    /// What was decided.
    pub decision: Decision,
    /// The rule that decided; `None` for the policy's default.
    pub rule: Option<String>,
    /// The rule's title, or a sentence for the default.
    pub title: String,
    /// How grave it is.
    pub severity: Severity,
    /// What the rule rests on.
    pub basis: Vec<String>,
    /// Whether place or control was decided.
    pub axis: Axis,
    /// What went which way.
    pub contact: Contact,
    /// Who opened the conversation.
    pub opened_by: Opener,
    /// Our side.
    pub zone: String,
    /// The far end.
    pub to: Endpoint,
    /// How many uniflows.
    pub uniflows: u64,
    /// What they carried.
    pub sent: Volume,
    /// The first packet.
    pub first: Timestamp,
    /// The last packet.
    pub last: Timestamp,
    /// How many of our addresses, and whether that is exact.
    #[serde(with = "estimate")]
    pub near_addresses: (u64, bool),
    /// How many far addresses, and whether that is exact.
    #[serde(with = "estimate")]
    pub far_addresses: (u64, bool),
    /// What the location of the far ends rests on, for the addresses of the examples.
    pub evidence: Vec<Evidence>,
    /// What round-trip times did to what is claimed, for the addresses of the examples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub horizon: Vec<Proof>,
    /// The earliest flows.
    pub examples: Vec<ExampleFlow>,
    /// The waiver that covers it, or did until it expired. It does not change the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<FindingWaiver>,
    /// The outer header of which tunnel it is, and where what is in it was counted; `None` for packets that carry no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Outer>,
    /// The limits but for which it would be permitted, with the windows in which they were exceeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<ExceededLimit>,
}

impl Finding {
    /// Whether someone accepts the finding, so that it does not fail the run.
    pub fn is_waived(&self) -> bool {
        self.waiver.as_ref().is_some_and(|waiver| waiver.holds)
    }
}

/// Who accepted a finding, why and until when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FindingWaiver {
    /// Who answers for it.
    pub owner: String,
    /// Why it was accepted.
    pub reason: String,
    /// The first day on which it no longer holds.
    pub expires: String,
    /// Whether it held on the days of these flows. Where it did not, the finding fails the run again.
    pub holds: bool,
}

/// A waiver of the policy, and how much it covered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaiverSummary {
    /// The rule whose findings it covers, or `default`.
    pub rule: String,
    /// The zones, or `*`.
    pub from: Vec<String>,
    /// The networks and countries.
    pub to: Vec<String>,
    /// The party, or `unlisted`; `None` for any.
    pub party: Option<String>,
    /// The first day on which it no longer holds.
    pub expires: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it was accepted.
    pub reason: String,
    /// How many uniflows it covered, each once for each reason.
    pub waived: u64,
    /// How many uniflows it would have covered had it not expired.
    pub lapsed: u64,
}

/// A kind of far end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Endpoint {
    /// Where it can be.
    pub places: CountrySet,
    /// What the claims say of each other.
    pub standing: Standing,
    /// The autonomous system.
    pub asn: Option<Asn>,
    /// The name of the autonomous system's holder.
    pub organisation: Option<String>,
    /// The party in the policy.
    pub party: Option<String>,
    /// The zone, where the far end is in one.
    pub zone: Option<String>,
}

/// What one source says of one address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Evidence {
    /// The address.
    pub address: Addr,
    /// The network that the source speaks of.
    pub network: String,
    /// Where the source says it is.
    pub places: CountrySet,
    /// The source, by its name in the list of sources.
    pub source: String,
    /// How much it counts.
    pub authority: Authority,
    /// The provider's region that the source names, such as `aws:eu-central-1-ist-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How the claim was read, where that is not as it stands in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A flow that shows a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExampleFlow {
    /// The first packet.
    pub start: Timestamp,
    /// The last packet.
    pub end: Timestamp,
    /// Our address.
    pub near: Addr,
    /// Our port.
    pub near_port: u16,
    /// The far address.
    pub far: Addr,
    /// The far port.
    pub far_port: u16,
    /// The transport protocol, by its IANA keyword or number.
    pub protocol: String,
    /// The name that the far end was asked for by.
    pub name: Option<String>,
    /// How it was named.
    pub name_from: Option<NameSource>,
    /// What was sent in the direction that was judged.
    pub sent: Volume,
    /// The input.
    pub input: String,
    /// The frame or line in it, from one.
    pub position: u64,
}

/// A row of the inventory: where traffic landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InventoryRow {
    /// Our side.
    pub zone: String,
    /// The far end.
    pub to: Endpoint,
    /// The worse decision of the two directions; `None` where no policy judged.
    pub decision: Option<Decision>,
    /// How many flow records.
    pub flows: u64,
    /// What the zone sent.
    pub sent: Volume,
    /// What the zone received.
    pub received: Volume,
    /// The first packet.
    pub first: Timestamp,
    /// The last packet.
    pub last: Timestamp,
    /// How many far addresses, and whether that is exact.
    #[serde(with = "estimate")]
    pub far_addresses: (u64, bool),
    /// The outer header of which tunnel it is, and where what is in it was counted; `None` for packets that carry no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Outer>,
}

/// What round-trip times showed, from which vantage, and by which rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HorizonSummary {
    /// Where they were measured: `50.11,8.68` in degrees north and east, or the code of a country.
    pub vantage: String,
    /// What the signal is taken to go through: `fibre` or `vacuum`.
    pub medium: String,
    /// How far away something is at most that answers within a millisecond, in kilometres.
    pub km_per_ms: u32,
    /// What is taken off every distance for the generalisation of the countries' shapes, in kilometres.
    pub margin_km: u32,
    /// Below this time, in microseconds, an answer is no evidence.
    pub least_us: u32,
    /// Fewer samples are no evidence.
    pub min_samples: u8,
    /// SHA-256 of the countries' shapes.
    pub shapes: String,
    /// How many far addresses have a round-trip time that is evidence.
    pub measured: u64,
    /// For how many of them it says more than the claims do.
    pub changed: u64,
    /// For how many of them it refutes every claim.
    pub refuted: u64,
    /// Flow records that were judged without their round-trip times because there were too many far addresses.
    pub without_room: Count,
    /// Why no round-trip time was used; `None` where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// The proofs, refuted claims first, then by address; `changed` says how many addresses have some.
    pub proofs: Vec<Proof>,
}

/// Why no round-trip time is used, although a vantage is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Doubt {
    /// What makes them doubtful.
    pub kind: DoubtKind,
    /// How many far networks (/24 and /48) show it.
    pub networks: u64,
    /// Of how many that could.
    pub of: u64,
    /// The time that they share, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_us: Option<u32>,
}

/// What makes round-trip times doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtKind {
    /// Many far networks share one tiny least time: something near the observation point answers for them.
    Proxy,
    /// They refute most of what is claimed: the vantage or the clock is wrong, or something answers for the far ends.
    Contradicted,
}

/// What a round-trip time does to what is claimed of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proof {
    /// The address that answered.
    pub address: Addr,
    /// The least round-trip time in microseconds.
    pub rtt_us: u32,
    /// Of how many samples; 255 stands for that many and more.
    pub samples: u8,
    /// How far away it is at most, in kilometres.
    pub km: u32,
    /// Where the claims say that it can be.
    pub claimed: CountrySet,
    /// What the claims say of each other.
    pub claimed_standing: Standing,
    /// Where it can be, then.
    pub left: CountrySet,
    /// What that makes of the claims.
    pub standing: Standing,
    /// Of an address that is announced from many sites, the flows of which each alone shows it; the time and the samples
    /// are the greatest and the fewest among them. `None` where it is the least time over all flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<u64>,
}

/// A database or feed that locations rest on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LocationSource {
    /// Its name in this report.
    pub name: String,
    /// Where it was read: a path, or `embedded`.
    pub origin: String,
    /// What kind of source it is: `mmdb country`, `mmdb asn`, `embedded`.
    pub kind: String,
    /// How much its claims count.
    pub authority: Authority,
    /// Its date.
    pub as_of: Option<String>,
    /// SHA-256 of the source.
    pub digest: String,
    /// Its licence, where that is known.
    pub licence: Option<String>,
    /// The attribution that the licence asks for.
    pub attribution: Option<String>,
    /// How many networks it speaks of.
    pub networks: u64,
    /// Who made it. Sources of one publisher are the same evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// What it speaks of, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
}

/// What a source speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Where addresses are, all over the world: a country database.
    Places,
    /// Where some networks are: a feed, a list, overrides.
    Networks,
    /// In which country networks are registered, which is not where they are.
    Registrations,
    /// Who runs networks.
    Operators,
}

impl LocationSource {
    /// The provider that made this as a list of its own networks.
    pub fn provider(&self) -> Option<&str> {
        let own = [Subject::Networks, Subject::Operators].iter().all(|subject| self.subjects.contains(subject));
        self.publisher.as_deref().filter(|_| own)
    }

    /// How many publishers' databases say where addresses are: what locations rest on beside feeds and lists.
    pub fn publishers_of_places(sources: &[Self]) -> usize {
        let places = sources.iter().filter(|source| source.subjects.contains(&Subject::Places));
        let publishers = places.map(|source| source.publisher.as_deref().unwrap_or(&source.name));
        publishers.collect::<std::collections::BTreeSet<&str>>().len()
    }
}

/// Which addresses were taken to be ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assumption {
    /// The zones of the policy.
    Zones,
    /// The networks that the user named with `--local`.
    Stated(Vec<String>),
    /// Private and link-local networks; where neither end is in one, the side that opened the flow.
    Private(Vec<String>),
}

/// A count that can be an estimate, written `{"count": 3, "exact": true}`, so that nobody has to guess what a pair means.
mod estimate {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Estimate {
        count: u64,
        exact: bool,
    }

    pub(super) fn serialize<S: Serializer>(pair: &(u64, bool), serializer: S) -> Result<S::Ok, S::Error> {
        let (count, exact) = *pair;
        Estimate { count, exact }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(u64, bool), D::Error> {
        Estimate::deserialize(deserializer).map(|estimate| (estimate.count, estimate.exact))
    }
}
