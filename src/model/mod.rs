//! The nouns: plain data, no input or output, no clock, no locks.
//!
//! [`FlowRecord`] says what was seen, [`Location`] where its far end can be, [`Decision`] what the policy says of it,
//! [`FindingKey`] and [`Tally`] what an audit keeps, [`Coverage`] what it could not see, and [`Report`] all of it
//! together, ready to be written in any format.

mod addr;
mod country;
mod coverage;
mod file_digest;
mod finding;
mod flow;
mod lack;
mod limit;
mod location;
mod mark;
mod party;
mod protocol;
mod report;
mod time;
mod tripwire;
mod tunnel;
mod vantage;

pub use addr::{Addr, Scope};
pub use country::{Country, CountryError, CountrySet};
pub use coverage::{Caveat, Count, Coverage, Drops, InputCoverage, Lost, Occurrences, Sampling, Skip};
pub use file_digest::FileDigest;
pub use finding::{
    AddressSketch, Axis, Contact, Decision, Exchange, Exemplar, FindingKey, InventoryKey, MAX_EXEMPLARS, Opener,
    PartyId, Reason, RuleId, Severity, Tally, Totals, Waived, WaiverId, ZoneId,
};
pub use flow::{
    Batch, BiflowDirection, Counters, FlowEndReason, FlowFlags, FlowRecord, InputId, Name, NameId, NameSource,
    Provenance, RoundTrip, SamplingInterval, Uniflow,
};
pub use lack::Lack;
pub use limit::{ExceededLimit, Limit, LimitId, LimitSet, LimitedTo, SpentWindow};
pub use location::{Authority, Claim, Location, PublisherId, Reading, RegionId, SourceId, Standing};
pub use mark::Mark;
pub use party::Asn;
pub use protocol::Protocol;
pub use report::{
    Assumption, Doubt, DoubtKind, Endpoint, Evidence, ExampleFlow, Finding, FindingWaiver, HorizonSummary,
    InventoryRow, LocationSource, Outcome, PartySummary, PolicySummary, Proof, Report, RuleSummary, SetSummary,
    Subject, Tool, Volume, WaiverSummary, ZoneSummary,
};
pub use time::Timestamp;
pub use tripwire::{Tripped, TripwireResult};
pub use tunnel::{Inner, Outer, Tunnel};
pub use vantage::{Point, Vantage, VantageError};
