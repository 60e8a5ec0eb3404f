//! What round-trip times showed, written down so that a reader can do the sum again.

use std::collections::BTreeSet;

use super::Grounds;
use super::cases::Cases;
use super::settle::Reach;
use crate::locate::Horizon;
use crate::locate::horizon::{self, LEAST_US, MARGIN_KM, MIN_SAMPLES};
use crate::model::{
    Addr, CountrySet, Doubt, DoubtKind, FindingKey, HorizonSummary, Location, Proof, RoundTrip, Standing, Tally,
};

/// The most proofs that a report lists; those that refute claims come first.
const MAX_PROOFS: usize = 256;

/// What one round-trip time does to what is claimed; `None` where it changes nothing.
fn proof(horizon: &Horizon, address: Addr, measured: RoundTrip, claimed: Location) -> Option<Proof> {
    let left = claimed.within_reach(horizon.reach(measured));
    let rtt_us = measured.least_us().filter(|_| left != claimed)?;
    Some(Proof {
        address,
        rtt_us,
        samples: measured.samples(),
        km: horizon.km(rtt_us),
        claimed: claimed.possible(),
        claimed_standing: claimed.standing(),
        left: left.possible(),
        standing: left.standing(),
        flows: None,
    })
}

impl Cases {
    /// What round-trip times showed, all together; `None` without a horizon.
    pub(super) fn summary(&self, grounds: &Grounds) -> Option<HorizonSummary> {
        let horizon = grounds.horizon.as_ref()?;
        let doubt = self.doubt(horizon);
        let mut summary = HorizonSummary {
            vantage: horizon.vantage().to_string(),
            medium: horizon.medium().name().to_owned(),
            km_per_ms: horizon.medium().km_per_ms(),
            margin_km: MARGIN_KM,
            least_us: LEAST_US,
            min_samples: MIN_SAMPLES,
            shapes: horizon::digest(),
            measured: 0,
            changed: 0,
            refuted: 0,
            without_room: self.crowded_out(),
            doubt,
            proofs: Vec::new(),
        };
        for (addr, address) in self.addresses() {
            let clean = horizon.step(address.least).is_some() || !address.alone.is_empty();
            summary.measured += u64::from(clean);
            if doubt.is_some() {
                continue;
            }
            let locations: BTreeSet<Location> = address.cases.keys().map(|case| case.location).collect();
            let together = locations.into_iter().filter_map(|claimed| proof(horizon, addr, address.least, claimed));
            let alone = address.alone.iter().filter_map(|(claimed, alone)| {
                let slowest = RoundTrip::new(alone.slowest_us, alone.fewest)?;
                let proof = proof(horizon, addr, slowest, *claimed)?;
                Some(Proof { flows: Some(alone.flows), ..proof })
            });
            let proofs: Vec<Proof> = together.chain(alone).collect();
            let refutes = |proof: &Proof| proof.standing == Standing::Refuted;
            summary.changed += u64::from(!proofs.is_empty());
            summary.refuted += u64::from(proofs.iter().any(refutes));
            summary.proofs.extend(proofs);
        }
        summary.proofs.sort_by_key(|proof| {
            (proof.standing != Standing::Refuted, proof.address, proof.claimed, proof.claimed_standing, proof.rtt_us)
        });
        summary.proofs.truncate(MAX_PROOFS);
        Some(summary)
    }

    /// What round-trip times did to the far ends that a finding shows, sorted.
    pub(super) fn proofs(&self, reach: Reach<'_>, grounds: &Grounds, key: &FindingKey, tally: &Tally) -> Vec<Proof> {
        let Some(horizon) = reach.horizon.filter(|_| key.to_zone.is_none()) else { return Vec::new() };
        let mut proofs: Vec<Proof> = Vec::new();
        for exemplar in tally.exemplars() {
            let far = exemplar.far.0;
            let address = self.address(far);
            let mut claimed: BTreeSet<Location> =
                BTreeSet::from([grounds.atlas.at(exemplar.start).locate(far).location]);
            claimed.extend(address.into_iter().flat_map(|known| known.cases.keys().map(|case| case.location)));
            claimed.extend(address.into_iter().flat_map(|known| known.alone.keys().copied()));
            for location in claimed {
                let (measured, flows) = match (location.standing(), address) {
                    (Standing::Anycast, _) => (exemplar.round_trip, Some(1)),
                    (_, Some(address)) => (address.least, None),
                    (_, None) => continue,
                };
                let proof = proof(horizon, far, measured, location).map(|proof| Proof { flows, ..proof });
                proofs.extend(proof.filter(|proof| proof.left == key.places && proof.standing == key.standing));
            }
        }
        proofs.sort_by_key(|proof| (proof.address, proof.rtt_us, proof.samples, proof.claimed));
        proofs.dedup();
        proofs
    }
}

/// What a reader of a report with a horizon has to know, a sentence each.
pub(super) fn limits(summary: &HorizonSummary) -> Vec<String> {
    let mut limits = Vec::new();
    if let Some(Doubt { kind, networks, of, least_us }) = summary.doubt {
        limits.push(match kind {
            DoubtKind::Proxy => format!(
                "Round-trip times were not used: {networks} of {of} far networks that were measured answer in one least time \
                 of {} microseconds and a little, which is the mark of a proxy near the observation point that answers for \
                 them.",
                least_us.unwrap_or_default()
            ),
            DoubtKind::Contradicted => format!(
                "Round-trip times were not used: they refute what is claimed of {networks} of {of} far networks. Sources are \
                 wrong for few networks: the vantage {} or the clock of the capture is wrong, or a proxy answers.",
                summary.vantage
            ),
        });
    } else if summary.changed > 0 {
        limits.push(
            "A round-trip time proves where the machine is that answered. What it passes on is invisible, and a proxy, a \
             VPN or a load balancer that ends TCP answers for what is behind it."
                .to_owned(),
        );
        if summary.medium == "fibre" {
            limits.push(
                "Distances follow from light in fibre, at two thirds of its speed in empty space. Where a path may go by \
                 microwave or satellite, judge with --horizon vacuum."
                    .to_owned(),
            );
        }
    }
    if summary.without_room.count > 0 {
        limits.push(format!(
            "There were more than {} far addresses: {} flows were judged without their round-trip times.",
            super::MAX_ADDRESSES,
            summary.without_room.count
        ));
    }
    limits
}

/// Whether nothing says where something can be.
pub(super) fn anywhere(places: &CountrySet, standing: Standing) -> bool {
    places.is_anywhere() && matches!(standing, Standing::Unknown | Standing::Anycast)
}
