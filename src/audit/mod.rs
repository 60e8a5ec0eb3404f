//! The auditor: judges flow records against a policy, and folds what came of it.
//!
//! [`Grounds`] are what everything rests on: the policy, the location table, and which addresses are ours. They never
//! change during an audit. An [`Auditor`] observes flow records; what it keeps is an [`Audit`], which has no order: audits
//! on the same grounds merge to the same audit, however the input was split. [`Audit::report`] makes it readable.
//!
//! What cannot be decided before all was seen waits in [`Cases`], and [`Audit::settled`] decides it by the same evaluator. Records
//! that are decided alike are one case, which is decided once however many rules there are.
//!
//! [`rehearse`] runs the tests that a policy carries, as an audit would see their flows.

mod cases;
mod derivation;
mod judge;
mod rehearse;
mod ruling;
mod settle;
mod sources;
mod summary;
mod trip;
mod tripwire;
mod usage;

use std::collections::BTreeMap;

pub use cases::{Cases, MAX_ADDRESSES, MAX_WINDOWS};
pub use judge::Auditor;
pub use rehearse::rehearse;
pub use settle::Attribution;
pub use tripwire::MAX_CELLS;
use tripwire::Wires;

use ipnet::IpNet;

use crate::locate::{Atlas, Horizon, horizon};
use crate::model::{
    Addr, Assumption, Coverage, Exchange, FindingKey, FlowRecord, InventoryKey, Tally, Timestamp, Totals, ZoneId,
};
use crate::policy::Policy;

/// What an audit rests on. Immutable: a reload makes other grounds, so that no finding mixes two policies.
pub struct Grounds {
    /// The policy; without one, only the inventory is taken.
    pub policy: Option<Policy>,
    /// Where addresses can be, as of any time.
    pub atlas: Atlas,
    /// Which addresses are ours.
    pub local: Local,
    /// What round-trip times can refute; `None` where it is not known from where they were measured.
    pub horizon: Option<Horizon>,
}

/// Which addresses are ours.
#[derive(Clone, Debug)]
pub enum Local {
    /// Those in the zones of the policy; what is in none is outside.
    Zones,
    /// These networks, as the user said; what is in none is outside.
    Stated(Vec<IpNet>),
    /// These networks; where neither end is in one, the side that opened the flow.
    Private(Vec<IpNet>),
}

impl Local {
    /// The private networks of RFC 1918 and RFC 4193, the shared address space of RFC 6598, and the addresses of this host.
    pub fn private(host: &[IpNet]) -> Self {
        const NETWORKS: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
        let mut networks: Vec<IpNet> = NETWORKS.iter().filter_map(|text| text.parse().ok()).collect();
        let beside = |network: &&IpNet| !networks.iter().any(|known| known.contains(*network));
        let added: Vec<IpNet> = host.iter().filter(beside).copied().collect();
        networks.extend(added);
        Self::Private(networks)
    }

    /// The networks that are ours besides those of a policy.
    pub fn networks(&self) -> &[IpNet] {
        match self {
            Self::Zones => &[],
            Self::Stated(networks) | Self::Private(networks) => networks,
        }
    }

    fn assumption(&self) -> Assumption {
        let texts = |networks: &[IpNet]| networks.iter().map(IpNet::to_string).collect();
        match self {
            Self::Zones => Assumption::Zones,
            Self::Stated(networks) => Assumption::Stated(texts(networks)),
            Self::Private(networks) => Assumption::Private(texts(networks)),
        }
    }
}

impl Grounds {
    /// The name of the zone that stands for our networks where no policy names zones.
    pub const LOCAL_ZONE: &str = "local";

    /// The digests that name these grounds.
    pub fn basis(&self) -> Basis {
        Basis {
            policy: self.policy.as_ref().map(|policy| {
                let without = policy.suppositions().iter().map(|fact| format!(" without {fact}"));
                policy.digest().to_owned() + &without.collect::<String>()
            }),
            gazetteer: self.atlas.digest().to_owned(),
            local: self.local.assumption(),
            horizon: self
                .horizon
                .as_ref()
                .map(|horizon| format!("{} {} {}", horizon.vantage(), horizon.medium().name(), horizon::digest())),
        }
    }

    fn zone_of(&self, addr: Addr) -> Option<ZoneId> {
        if let Some(policy) = &self.policy {
            return policy.zone_of(addr);
        }
        let ip = addr.to_ip();
        self.local.networks().iter().any(|network| network.contains(&ip)).then_some(ZoneId(0))
    }

    /// The end of a record that is not ours: the destination where neither is known to be, `None` where both are.
    pub fn far_end(&self, record: &FlowRecord) -> Option<Addr> {
        match (self.zone_of(record.src), self.zone_of(record.dst)) {
            (Some(_), Some(_)) => None,
            (None, Some(_)) => Some(record.src),
            (_, None) => Some(record.dst),
        }
    }

    /// The regions that providers name for an address at a time, where the policy asks for any.
    pub fn regions(&self, policy: &Policy, addr: Addr, at: Timestamp) -> &[String] {
        if policy.asks_for_regions() { self.atlas.at(at).provided_regions(addr) } else { &[] }
    }

    fn zone_name(&self, zone: ZoneId) -> &str {
        self.policy.as_ref().map_or(Self::LOCAL_ZONE, |policy| policy.zone_name(zone))
    }
}

/// What an audit rests on, by digest. Audits on different bases cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// SHA-256 of the policy's text, and what the law was supposed to be without.
    pub policy: Option<String>,
    /// SHA-256 over the location sources.
    pub gazetteer: String,
    /// Which addresses were taken to be ours.
    pub local: Assumption,
    /// The vantage, the medium and the digest of the country shapes.
    pub horizon: Option<String>,
}

/// Two audits rest on different grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audits rest on different policies, location data, local networks or vantages")]
pub struct BasisError;

/// What was observed, folded. A commutative monoid: any split of the records, in any order, merges to the same audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// What it rests on.
    pub basis: Basis,
    /// What the policy forbids or cannot decide.
    pub findings: BTreeMap<FindingKey, Tally>,
    /// Where the traffic landed.
    pub inventory: BTreeMap<InventoryKey, Exchange>,
    /// How many flow records came to which end.
    pub totals: Totals,
    /// The part of `totals` that is of outer headers of tunnels, where what is in them is in records of its own.
    pub counted_inside: Totals,
    /// What the inputs held.
    pub coverage: Coverage,
    /// What the tripwires of the policy have kept.
    wires: Wires,
    /// What waits until all was seen ([`Audit::settled`]) and is in none of the other fields: with a horizon, every record
    /// whose far end is in no zone; and every record of which a rule with a limit may speak.
    pub cases: Cases,
}

impl Audit {
    /// The audit of nothing: the neutral element of [`Audit::merge`].
    pub fn of_nothing(basis: Basis) -> Self {
        Self {
            basis,
            findings: BTreeMap::new(),
            inventory: BTreeMap::new(),
            totals: Totals::default(),
            counted_inside: Totals::default(),
            coverage: Coverage::default(),
            wires: Wires::default(),
            cases: Cases::default(),
        }
    }

    /// Adds another audit on the same grounds.
    pub fn merge(&mut self, other: Self) -> Result<(), BasisError> {
        if self.basis != other.basis {
            return Err(BasisError);
        }
        for (key, tally) in other.findings {
            add_tally(&mut self.findings, key, tally);
        }
        for (key, exchange) in other.inventory {
            self.inventory.entry(key).or_insert_with(Exchange::nothing).merge(&exchange);
        }
        self.totals.merge(other.totals);
        self.counted_inside.merge(other.counted_inside);
        self.coverage.merge(other.coverage);
        self.wires.merge(other.wires);
        self.cases.merge(other.cases);
        Ok(())
    }
}

/// Adds a tally to that of a finding.
fn add_tally(findings: &mut BTreeMap<FindingKey, Tally>, key: FindingKey, tally: Tally) {
    match findings.get_mut(&key) {
        Some(mine) => mine.merge(tally),
        None => {
            findings.insert(key, tally);
        }
    }
}
