//! Where traffic landed, arranged for people: rows of the inventory put together, and what they add up to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{view, words};
use crate::model::{Counters, Decision, Endpoint, InventoryRow, Outer, Report, Standing, Timestamp};

/// Where traffic landed: rows of the inventory from all zones that share the far end and the decision.
pub(super) struct Landing<'r> {
    /// The far end.
    pub(super) to: &'r Endpoint,
    /// The outer header of which tunnel it is.
    pub(super) tunnel: Option<Outer>,
    /// The decision.
    pub(super) decision: Option<Decision>,
    /// How many flow records.
    pub(super) flows: u64,
    /// What the zones sent.
    pub(super) sent: Counters,
    /// What the zones received.
    pub(super) received: Counters,
    /// How many far addresses; not exact where several zones met the same.
    pub(super) addresses: (u64, bool),
    /// From which zones.
    pub(super) zones: BTreeSet<&'r str>,
    /// The first and the last row's packets.
    pub(super) seen: (Timestamp, Timestamp),
}

impl Landing<'_> {
    /// All IP octets.
    pub(super) fn octets(&self) -> u64 {
        self.sent.octets.saturating_add(self.received.octets)
    }

    /// The octets sent and received that a sum counts: not those of an outer header whose inside is in rows of its own, so
    /// that no octet is counted twice.
    pub(super) fn counted(&self) -> (u64, u64) {
        if self.tunnel.is_some_and(Outer::is_counted_inside) {
            (0, 0)
        } else {
            (self.sent.octets, self.received.octets)
        }
    }

    /// The same, both together.
    pub(super) fn counted_octets(&self) -> u64 {
        let (sent, received) = self.counted();
        sent.saturating_add(received)
    }

    /// Who runs the far end, and what tunnel goes there.
    pub(super) fn who(&self) -> String {
        let tunnel = self.tunnel.map(words::tunnel);
        [Some(view::operator(self.to)), tunnel].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// The inventory by place, organisation and decision, largest first.
pub(super) fn landings(report: &Report) -> Vec<Landing<'_>> {
    let mut landings: BTreeMap<_, Landing<'_>> = BTreeMap::new();
    for row in &report.inventory {
        let InventoryRow { to, .. } = row;
        let key = (to.places, to.standing, to.asn, &to.organisation, &to.party, &to.zone, row.decision, row.tunnel);
        match landings.get_mut(&key) {
            None => {
                landings.insert(
                    key,
                    Landing {
                        to,
                        tunnel: row.tunnel,
                        decision: row.decision,
                        flows: row.flows,
                        sent: row.sent,
                        received: row.received,
                        addresses: row.far_addresses,
                        zones: BTreeSet::from([row.zone.as_str()]),
                        seen: (row.first, row.last),
                    },
                );
            }
            Some(landing) => {
                landing.flows = landing.flows.saturating_add(row.flows);
                landing.sent.add(row.sent);
                landing.received.add(row.received);
                landing.addresses = (landing.addresses.0.max(row.far_addresses.0), false);
                landing.zones.insert(&row.zone);
                landing.seen = (landing.seen.0.min(row.first), landing.seen.1.max(row.last));
            }
        }
    }
    let mut landings: Vec<Landing<'_>> = landings.into_values().collect();
    landings.sort_by_key(|landing| Reverse(landing.octets()));
    landings
}

/// What the inventory adds up to, every octet once, and how much of it went to or came from nobody knows where.
#[derive(Default)]
pub(super) struct Sums {
    /// Flow records.
    pub(super) flows: u64,
    /// IP octets sent.
    pub(super) sent: u64,
    /// IP octets received.
    pub(super) received: u64,
    /// Flow records with a far end that could be anywhere.
    pub(super) unknown_flows: u64,
    /// Their octets, both ways.
    pub(super) unknown_octets: u64,
    /// Flow records with a far end whose place a round-trip time alone tells.
    pub(super) timed_flows: u64,
}

impl Sums {
    /// Of all rows.
    pub(super) fn of(landings: &[Landing<'_>]) -> Self {
        let mut sums = Self::default();
        for landing in landings {
            sums.flows = sums.flows.saturating_add(landing.flows);
            let (sent, received) = landing.counted();
            sums.sent = sums.sent.saturating_add(sent);
            sums.received = sums.received.saturating_add(received);
            if landing.to.places.is_anywhere() {
                sums.unknown_flows = sums.unknown_flows.saturating_add(landing.flows);
                sums.unknown_octets = sums.unknown_octets.saturating_add(landing.counted_octets());
            } else if matches!(landing.to.standing, Standing::Unknown | Standing::Anycast | Standing::Refuted) {
                sums.timed_flows = sums.timed_flows.saturating_add(landing.flows);
            }
        }
        sums
    }

    /// How much of the traffic could be anywhere, in a sentence.
    pub(super) fn unknown(&self) -> String {
        let octets = self.sent.saturating_add(self.received);
        if self.unknown_flows == 0 {
            let or = if self.timed_flows > 0 { " or a round-trip time proves" } else { "" };
            return format!("Every far end has a place that a source states{or}.");
        }
        format!(
            "Of the flows {}, and of the octets {}, had a far end whose place no source tells.",
            words::percent(self.unknown_flows, self.flows),
            words::percent(self.unknown_octets, octets)
        )
    }
}
