//! From an audit to a report: positions become names, and what is known is said with it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::ruling::Rulings;
use super::settle::Reach;
use super::usage::Usage;
use super::{Audit, Cases, Grounds, Local, MAX_WINDOWS, derivation, trip};
use crate::model::{
    Addr, AddressSketch, Asn, Axis, Caveat, CountrySet, Decision, Endpoint, Evidence, ExampleFlow, Exemplar, Finding,
    FindingKey, FindingWaiver, InputId, InventoryRow, Outcome, PartyId, Reason, Report, RuleSummary, Sampling,
    Standing, Tally, Timestamp, Tool, Waived, WaiverSummary, ZoneId,
};
use crate::policy::Policy;

impl Audit {
    /// The report on this audit. `grounds` are those that it was made on; `stamp` is when the report is written, where it
    /// should say so.
    pub fn report(&self, grounds: &Grounds, stamp: Option<Timestamp>) -> Report {
        self.settled(grounds).report_by(&self.cases, grounds, stamp)
    }

    /// The report on a settled audit, with the round-trip times that it was settled by.
    pub fn report_by(&self, evidence: &Cases, grounds: &Grounds, stamp: Option<Timestamp>) -> Report {
        let inputs: Vec<_> = self.coverage.inputs.values().cloned().collect();
        let flows = self.period();
        let first = inputs.iter().filter_map(|input| input.first).min();
        let last = inputs.iter().filter_map(|input| input.last).max();
        let period = first.zip(last).map(|(first, last)| (first.date(), last.date()));
        let reach = Reach::by(evidence, grounds);
        let policy = grounds.policy.as_ref();
        let usage = Usage::of(evidence, reach, policy, &mut Rulings::new(policy));
        let mut findings: Vec<Finding> = self
            .findings
            .iter()
            .map(|(key, tally)| self.finding(evidence, reach, &usage, grounds, key, tally))
            .collect();
        findings.sort_by(|a, b| {
            let rank = |finding: &Finding| (finding.decision, finding.severity, finding.sent.octets);
            rank(b).cmp(&rank(a)).then_with(|| a.id.cmp(&b.id))
        });
        let mut inventory: Vec<InventoryRow> = self
            .inventory
            .iter()
            .map(|(key, exchange)| InventoryRow {
                zone: grounds.zone_name(key.zone).to_owned(),
                to: grounds.endpoint(key.places, key.standing, key.operator, key.party, key.to_zone, exchange.last),
                decision: key.decision,
                flows: exchange.flows,
                sent: exchange.sent,
                received: exchange.received,
                first: exchange.first,
                last: exchange.last,
                far_addresses: exchange.far.count(),
                tunnel: key.tunnel,
            })
            .collect();
        // The key's order breaks ties, because the sort is stable and the map is sorted.
        inventory.sort_by_key(|row| Reverse(row.sent.octets.saturating_add(row.received.octets)));
        let tripwires = self.tripwires(grounds);
        let outcome = if trip::fails(&tripwires) { Outcome::Forbidden } else { self.outcome_on(grounds) };
        let horizon = evidence.summary(grounds);
        let mut limits = self.limits(grounds);
        limits.extend(horizon.iter().flat_map(derivation::limits));
        let unmeasured = evidence.unmeasured();
        if unmeasured.count > 0 {
            limits.push(format!(
                "The limits of rules were measured in the earliest {MAX_WINDOWS} windows of time. Whether they were exceeded later is \
                 not known, which concerns {} flow records.",
                unmeasured.count
            ));
        }
        Report {
            schema: Report::SCHEMA.to_owned(),
            version: Report::VERSION,
            tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            stamp,
            outcome,
            first,
            last,
            policy: grounds.policy.as_ref().map(|policy| policy.summary(period)),
            totals: self.totals,
            counted_inside: self.counted_inside,
            findings,
            tripwires,
            inventory,
            waivers: self.waivers(grounds),
            warnings: self.warnings(grounds, stamp, last),
            location_sources: grounds.atlas.sources(flows),
            gazetteer: grounds.atlas.digest().to_owned(),
            local: grounds.local.assumption(),
            limits,
            horizon,
            inputs,
        }
    }

    /// The identifier of each finding, as in [`Finding::id`].
    pub fn finding_ids(&self, grounds: &Grounds) -> BTreeMap<FindingKey, String> {
        let id = |(key, tally): (&FindingKey, &Tally)| {
            let rule = match key.reason {
                Reason::Rule(id) => grounds.policy.as_ref().map(|policy| policy.rule(id)),
                Reason::Default => None,
            };
            let to = grounds.endpoint(key.places, key.standing, key.operator, key.party, key.to_zone, tally.last);
            (
                *key,
                finding_id(
                    key,
                    rule.map(|rule| rule.id.as_str()),
                    &grounds.spent(key),
                    grounds.zone_name(key.zone),
                    &to,
                    grounds.waiver(key).as_ref(),
                ),
            )
        };
        self.findings.iter().map(id).collect()
    }

    /// What the judgement of flows came to, in a word: of the findings, those that no waiver covers; the tripwires come on top.
    pub fn outcome(&self) -> Outcome {
        // Waivers change no decision: totals count decisions, and the outcome is what nobody has accepted.
        let open = |decision| self.findings.keys().any(|key| key.decision == decision && !key.is_waived());
        if open(Decision::Forbid) {
            Outcome::Forbidden
        } else if !self.coverage.is_complete() {
            Outcome::Incomplete
        } else if open(Decision::Indeterminate) {
            Outcome::Indeterminate
        } else {
            Outcome::Clean
        }
    }

    fn finding(
        &self,
        evidence: &Cases,
        reach: Reach<'_>,
        usage: &Usage,
        grounds: &Grounds,
        key: &FindingKey,
        tally: &Tally,
    ) -> Finding {
        let rule = match key.reason {
            Reason::Rule(id) => grounds.policy.as_ref().map(|policy| policy.rule(id)),
            Reason::Default => None,
        };
        let zone = grounds.zone_name(key.zone).to_owned();
        let to = grounds.endpoint(key.places, key.standing, key.operator, key.party, key.to_zone, tally.last);
        let examples: Vec<ExampleFlow> = tally.exemplars().iter().map(|exemplar| self.example(exemplar)).collect();
        let far: BTreeSet<(Addr, Timestamp)> = examples.iter().map(|example| (example.far, example.start)).collect();
        let waiver = grounds.waiver(key);
        let policy = grounds.policy.as_ref();
        let seen = (tally.first, tally.last);
        let limits =
            policy.map(|policy| usage.exceeded(policy, key.spent, key.zone, key.party, seen)).unwrap_or_default();
        let spent = grounds.spent(key);
        Finding {
            id: finding_id(key, rule.map(|rule| rule.id.as_str()), &spent, &zone, &to, waiver.as_ref()),
            decision: key.decision,
            rule: rule.map(|rule| rule.id.clone()),
            title: match rule {
                Some(rule) => rule.title.clone(),
                None if spent.is_empty() => {
                    "No rule of the policy speaks of this, and its default is to forbid".to_owned()
                }
                None => {
                    let rules: Vec<String> = spent.iter().map(|rule| format!("`{}`", rule.id)).collect();
                    format!(
                        "More than the limit of {} moved, and the policy's default is to forbid",
                        rules.join(" and ")
                    )
                }
            },
            // Of a limit that was exceeded, its rule says how grave that is.
            severity: rule.into_iter().chain(spent.iter().copied()).map(|rule| rule.severity).max().unwrap_or_default(),
            basis: match rule {
                Some(rule) => rule.basis.clone(),
                None => spent.iter().flat_map(|rule| rule.basis.clone()).collect(),
            },
            axis: key.axis,
            contact: key.contact,
            opened_by: key.opened_by,
            zone,
            evidence: if key.to_zone.is_some() {
                Vec::new()
            } else {
                let evidence: BTreeSet<Evidence> =
                    far.iter().flat_map(|(addr, start)| grounds.evidence(*addr, *start)).collect();
                evidence.into_iter().collect()
            },
            to,
            uniflows: tally.uniflows,
            sent: tally.sent,
            first: tally.first,
            last: tally.last,
            near_addresses: AddressSketch::count(&tally.near),
            far_addresses: AddressSketch::count(&tally.far),
            horizon: evidence.proofs(reach, grounds, key, tally),
            examples,
            waiver,
            tunnel: key.tunnel,
            limits,
        }
    }

    /// The policy's waivers, with how many uniflows each covered.
    fn waivers(&self, grounds: &Grounds) -> Vec<WaiverSummary> {
        let mut counts: BTreeMap<Waived, u64> = BTreeMap::new();
        for (key, tally) in &self.findings {
            if let Some(waived) = key.waiver {
                *counts.entry(waived).or_default() += tally.uniflows;
            }
        }
        let count = |waived| counts.get(&waived).copied().unwrap_or_default();
        let policy = grounds.policy.iter();
        let waivers = policy.flat_map(Policy::waivers).map(|(id, waiver)| WaiverSummary {
            waived: count(Waived::Holds(id)),
            lapsed: count(Waived::Lapsed(id)),
            ..waiver.clone()
        });
        waivers.collect()
    }

    /// What someone should mend. The day is that of the report where it has one, and that of the last flow: without a clock,
    /// no other is known.
    fn warnings(&self, grounds: &Grounds, stamp: Option<Timestamp>, last: Option<Timestamp>) -> Vec<String> {
        let mut warnings = Vec::new();
        let without = grounds.policy.as_ref().map(Policy::suppositions).unwrap_or_default();
        if !without.is_empty() {
            warnings.push(format!(
                "A supposition, not the law: everything was judged as if {} did not exist.",
                without.join(" and ")
            ));
        }
        for waiver in self.waivers(grounds) {
            let WaiverSummary { rule, from, to, owner, expires, waived, lapsed, .. } = waiver;
            let what = format!("The waiver of {rule} from {} to {} by {owner}", from.join(", "), to.join(", "));
            match (waived, lapsed) {
                (0, 0) => warnings.push(format!("{what} covered nothing: take it out if it is not needed any more.")),
                (_, 0) => {}
                _ => warnings.push(format!("{what} had expired on {expires}: flows from that day on fail again.")),
            }
        }
        let day = stamp.max(last).map(Timestamp::date);
        let summary = grounds.policy.as_ref().map(|policy| policy.summary(None));
        for set in summary.iter().flat_map(|policy| &policy.sets) {
            if let Some(day) = day.filter(|day| day.to_string() > set.review_due) {
                warnings.push(format!(
                    "The facts of @{} were due for review on {}, and this report speaks of {day}: what changed since is not in it.",
                    set.name, set.review_due
                ));
            }
        }
        warnings
    }

    pub(super) fn example(&self, exemplar: &Exemplar) -> ExampleFlow {
        ExampleFlow {
            start: exemplar.start,
            end: exemplar.end,
            near: exemplar.near.0,
            near_port: exemplar.near.1,
            far: exemplar.far.0,
            far_port: exemplar.far.1,
            protocol: exemplar.protocol.to_string(),
            name: exemplar.name.as_ref().map(|name| name.text.to_string()),
            name_from: exemplar.name.as_ref().map(|name| name.from),
            sent: exemplar.sent,
            input: self.input_name(exemplar.provenance.input()),
            position: exemplar.provenance.position(),
        }
    }

    fn input_name(&self, id: InputId) -> String {
        self.coverage.inputs.get(&id).map_or_else(|| format!("input {}", id.0), |input| input.name.clone())
    }

    /// Of how many of the TCP connections one direction alone was captured, in words.
    fn one_sided(&self) -> String {
        let (mut one, mut all) = (0_u64, 0_u64);
        for input in self.coverage.inputs.values().filter(|input| input.tcp_flows > 0) {
            one += input.caveats.get(&Caveat::OneSided).map_or(0, |seen| seen.total.count);
            all += input.tcp_flows;
        }
        if all == 0 { "some connections".to_owned() } else { format!("{one} of {all} TCP connections") }
    }

    fn limits(&self, grounds: &Grounds) -> Vec<String> {
        let mut limits = vec![
            "A packet shows that octets went to a machine in a place. Whether they were personal data, and whether that is a transfer in law, \
             is not on the wire: a human must decide it."
                .to_owned(),
            "Only what passed the observation points is here. What a far end does with data afterwards, and what people say to each other, \
             no network tool can see."
                .to_owned(),
        ];
        if grounds.atlas.least_opinions(self.period()) == 1 {
            limits.push(
                "Locations rest on one database. One country database alone is wrong for some addresses, most often in small blocks of \
                 cloud providers: confirm a finding with a second source before acting on it."
                    .to_owned(),
            );
        }
        if self.inventory.keys().any(|key| derivation::anywhere(&key.places, key.standing)) {
            limits.push("For some far ends no source says where they are, or they answer from many places: they could be anywhere.".to_owned());
        }
        let met = |caveat| self.coverage.inputs.values().any(|input| input.caveats.contains_key(&caveat));
        if matches!(grounds.local, Local::Private(_)) && met(Caveat::LocalAssumed) {
            limits.push(
                "Some flows have no end in a private network: the side that opened them was taken as ours. Name your networks with --local."
                    .to_owned(),
            );
        }
        if met(Caveat::Tunnelled) {
            limits.push(
                "Some packets are inside tunnels. They are judged in flows of their own, beside the tunnel's. Sums of octets leave out the \
                 outer headers of which the inside was read."
                    .to_owned(),
            );
        }
        if met(Caveat::DuplicatedPacket) {
            limits.push(
                "Some packets were captured twice. Both are counted, as captured: volumes can be too large, decisions are the same."
                    .to_owned(),
            );
        }
        if met(Caveat::OneSided) {
            limits.push(format!(
                "Of {} one direction alone was captured: the other took another way or was filtered, and is not judged.",
                self.one_sided()
            ));
        }
        if met(Caveat::TunnelUnread) {
            limits.push(
                "Some tunnels could not be read: they are judged by where they end, and what they carry was not seen."
                    .to_owned(),
            );
        }
        let feeds = grounds.atlas.sources(self.period()).iter().any(|source| source.kind.starts_with("feed "));
        if grounds.policy.as_ref().is_some_and(Policy::asks_for_regions) && !feeds {
            limits.push(
                "The policy recognises parties by regions of cloud providers, and no provider's feed was among the sources: no far end \
                 was recognised so. Name the feeds with --db."
                    .to_owned(),
            );
        }
        limits.extend(self.limits_of_sources(grounds));
        let sampled = self.coverage.inputs.values().filter_map(|input| input.sampling).filter(Sampling::left_out);
        if let Some(sampling) = sampled.max_by_key(|sampling| sampling.greatest) {
            limits.push(format!(
                "Packets were sampled, at the least one in {}. What was seen stands for what was not, so that octets and packets are estimates; and an exchange of n packets is missed with the probability (1 - 1/{})^n: of fewer than {} packets, with more than 5 %.",
                sampling.greatest,
                sampling.greatest,
                sampling.noticed_from(),
            ));
        }
        if grounds.policy.is_none() {
            limits.push("No policy was given: nothing was judged, this is an inventory.".to_owned());
        }
        limits
    }
}

impl Grounds {
    /// The rules whose limits were exceeded, but for which it would be no finding.
    fn spent(&self, key: &FindingKey) -> Vec<&RuleSummary> {
        let policy = self.policy.iter();
        let rules = policy.flat_map(|policy| {
            key.spent.iter().filter_map(|id| Some(policy.rule(policy.limit(id)?.rule))).collect::<Vec<_>>()
        });
        rules.collect()
    }

    /// The waiver that covers a finding, or did until it expired.
    fn waiver(&self, key: &FindingKey) -> Option<FindingWaiver> {
        let waived = key.waiver?;
        let WaiverSummary { owner, reason, expires, .. } = self.policy.as_ref()?.waiver(waived.id())?.clone();
        Some(FindingWaiver { owner, reason, expires, holds: waived.holds() })
    }

    pub(super) fn endpoint(
        &self,
        places: CountrySet,
        standing: Standing,
        asn: Option<Asn>,
        party: Option<PartyId>,
        zone: Option<ZoneId>,
        at: Timestamp,
    ) -> Endpoint {
        let policy = self.policy.as_ref();
        Endpoint {
            places,
            standing,
            asn,
            organisation: asn.and_then(|asn| self.atlas.organisation(asn, at)).map(str::to_owned),
            party: party.zip(policy).map(|(party, policy)| policy.party_name(party).to_owned()),
            zone: zone.map(|zone| self.zone_name(zone).to_owned()),
        }
    }

    /// What every source says of an address, by the copies for a flow that began at a time.
    fn evidence(&self, addr: Addr, start: Timestamp) -> impl Iterator<Item = Evidence> {
        let gazetteer = self.atlas.at(start);
        gazetteer.claims(addr).into_iter().map(move |claim| Evidence {
            address: addr,
            network: claim.network.to_string(),
            places: claim.places,
            source: gazetteer.source(claim.source).map(|source| source.name.clone()).unwrap_or_default(),
            authority: claim.authority,
            region: claim.region.and_then(|region| gazetteer.region(region)).map(str::to_owned),
            note: claim.reading.map(|reading| reading.told().to_owned()),
        })
    }
}

/// The same facts, the same identifier: the first 12 hexadecimal digits of a SHA-256 over names, never over positions in a
/// policy.
fn finding_id(
    key: &FindingKey,
    rule: Option<&str>,
    spent: &[&RuleSummary],
    zone: &str,
    to: &Endpoint,
    waiver: Option<&FindingWaiver>,
) -> String {
    let axis = match key.axis {
        Axis::Place => "place",
        Axis::Control => "control",
    };
    let decision = match key.decision {
        Decision::Permit | Decision::Indeterminate => "indeterminate",
        Decision::Forbid => "forbid",
    };
    let mut parts: BTreeMap<&str, String> = BTreeMap::from([
        ("asn", to.asn.map(|asn| asn.to_string()).unwrap_or_default()),
        ("axis", axis.to_owned()),
        ("contact", format!("{:?}", key.contact)),
        ("decision", decision.to_owned()),
        ("opened", format!("{:?}", key.opened_by)),
        ("party", to.party.clone().unwrap_or_default()),
        ("places", key.places.to_string()),
        ("rule", rule.unwrap_or_default().to_owned()),
        ("standing", format!("{:?}", key.standing)),
        ("to-zone", to.zone.clone().unwrap_or_default()),
        ("zone", zone.to_owned()),
    ]);
    // Where no waiver speaks of it, the identifier is what it would be in a policy without waivers.
    parts.extend(waiver.map(|waiver| {
        let FindingWaiver { owner, reason, expires, holds } = waiver;
        ("waiver", format!("{holds} {expires} {owner} {reason}"))
    }));
    // So is that of packets that carry no others.
    parts.extend(key.tunnel.and_then(|outer| Some(("tunnel", format!("{} {:?}", outer.kind.name()?, outer.inside)))));
    parts.extend((!spent.is_empty()).then(|| {
        let rules: Vec<&str> = spent.iter().map(|rule| rule.id.as_str()).collect();
        ("limit", rules.join(" "))
    }));
    let mut hash = Sha256::new();
    for (name, value) in parts {
        hash.update(format!("{name}={value}\n"));
    }
    let mut id = String::new();
    for byte in hash.finalize().iter().take(6) {
        // A string takes all that is written to it.
        let _ = write!(id, "{byte:02x}");
    }
    id
}
