//! A policy: a text to sets.

use jiff::civil::Date;

use crate::diag::Diagnostic;
use crate::model::{
    Addr, Asn, Axis, CountrySet, Decision, Location, Opener, PartyId, PolicySummary, Protocol, Reason, RuleId,
    RuleSummary, Timestamp, ZoneId,
};

/// The law library: dated sets by name.
pub struct Library {}

impl Library {
    /// The library that the program carries (`rules/library/*.toml`).
    pub fn embedded() -> &'static Self {
        unimplemented!()
    }
}

/// A policy that is valid by construction.
pub struct Policy {}

/// What parsing a text gave: every mistake at once, and the policy if there was none that forbids it.
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
}

/// The rules that a selector selects, as sets: what is forbidden, and why.
#[derive(Clone, Debug)]
pub struct Grounds {}

/// What the grounds say of a far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The worse of place and control.
    pub decision: Decision,
    /// Each reason that keeps it from being a permit, sorted, with the decision of its axis.
    pub reasons: Vec<(Axis, Reason, Decision)>,
    /// The permit rules that cover every place that the far end can be, sorted: the basis of a permit.
    pub permitted_by: Vec<RuleId>,
}

impl Policy {
    /// Parses and checks a policy file. `origin` is its path, for diagnostics.
    pub fn parse(origin: &str, text: &str, library: &Library) -> Parsed {
        let _ = (origin, text, library);
        unimplemented!()
    }

    /// The zone of an address: the most specific network wins.
    pub fn zone_of(&self, addr: Addr) -> Option<ZoneId> {
        let _ = addr;
        unimplemented!()
    }

    /// The name of a zone.
    pub fn zone_name(&self, zone: ZoneId) -> &str {
        let _ = zone;
        unimplemented!()
    }

    /// Where a zone is, where the policy says so.
    pub fn zone_country(&self, zone: ZoneId) -> Option<CountrySet> {
        let _ = zone;
        unimplemented!()
    }

    /// The party of a far end: the most specific match wins.
    pub fn party_of(&self, far: Addr, operator: Option<Asn>, name: Option<&str>) -> Option<PartyId> {
        let _ = (far, operator, name);
        unimplemented!()
    }

    /// The name of a party (its key in the file).
    pub fn party_name(&self, party: PartyId) -> &str {
        let _ = party;
        unimplemented!()
    }

    /// Whom a party answers to; `None` where the policy does not say.
    pub fn controlled_from(&self, party: PartyId) -> Option<CountrySet> {
        let _ = party;
        unimplemented!()
    }

    /// The class of a service port: flows of one class are selected by the same rules. `port` is the responder's; both ports
    /// where it is not known which is the responder's.
    pub fn service_class(&self, protocol: Protocol, ports: &[u16]) -> u16 {
        let _ = (protocol, ports);
        unimplemented!()
    }

    /// The span of time, between two dates on which the policy or its sets change, that `at` lies in; `None` where the policy
    /// is not in force.
    pub fn epoch(&self, at: Timestamp) -> Option<u16> {
        let _ = at;
        unimplemented!()
    }

    /// The rules that a selector selects; `None` where nothing moved and no rule judges contact.
    pub fn grounds(&self, selector: &Selector) -> Option<Grounds> {
        let _ = selector;
        unimplemented!()
    }

    /// A rule, as far as a reader needs it.
    pub fn rule(&self, rule: RuleId) -> &RuleSummary {
        let _ = rule;
        unimplemented!()
    }

    /// The policy, as far as a reader needs it. `period` is what the flows spanned.
    pub fn summary(&self, period: Option<(Date, Date)>) -> PolicySummary {
        let _ = period;
        unimplemented!()
    }

    /// SHA-256 of the text, in hexadecimal.
    pub fn digest(&self) -> &str {
        unimplemented!()
    }
}

impl Grounds {
    /// Decides over every place that the far end can be, and over everyone that its operator can answer to.
    pub fn decide(&self, place: &Location, control: Option<CountrySet>) -> Judgement {
        let _ = (place, control);
        unimplemented!()
    }
}
