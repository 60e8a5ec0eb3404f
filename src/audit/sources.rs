//! What a report says of the location data that it rests on: how old it was for the flows, what of it could not be used.

use super::{Audit, Grounds};
use crate::locate::Vintage;
use crate::model::{Outcome, Timestamp};

/// Days between flows and location data after which a report says so: a twentieth of a provider's addresses moved in some
/// of the feeds that were measured.
const OLD: i64 = 90;
/// Days after which location data says little of small and new networks.
const STALE: i64 = 180;
/// How many notes on sources a report names; of the others it says how many they are.
const MAX_NOTES: usize = 24;

impl Audit {
    /// From the first flow to the last; the end of time twice where there was none.
    pub(super) fn period(&self) -> (Timestamp, Timestamp) {
        let seen = self.coverage.inputs.values().flat_map(|input| [input.first, input.last]).flatten();
        let flows = self.inventory.values().flat_map(|exchange| [exchange.first, exchange.last]);
        let (mut first, mut last) = (None::<Timestamp>, None::<Timestamp>);
        for time in seen.chain(flows) {
            first = Some(first.map_or(time, |first| first.min(time)));
            last = Some(last.map_or(time, |last| last.max(time)));
        }
        first.zip(last).unwrap_or((Timestamp(u64::MAX), Timestamp(u64::MAX)))
    }

    /// What the audit came to: without a source that was to be used it is incomplete.
    pub(super) fn outcome_on(&self, grounds: &Grounds) -> Outcome {
        match self.outcome() {
            Outcome::Clean | Outcome::Indeterminate if !grounds.atlas.faults(self.period()).is_empty() => {
                Outcome::Incomplete
            }
            outcome => outcome,
        }
    }

    pub(super) fn limits_of_sources(&self, grounds: &Grounds) -> Vec<String> {
        let period = self.period();
        let mut limits = Vec::new();
        for fault in grounds.atlas.faults(period) {
            limits.push(format!("Location data was not used: {fault}."));
        }
        if self.inventory.is_empty() {
            return limits;
        }
        let vintages = grounds.atlas.vintages(period, OLD);
        let (stale, old): (Vec<&Vintage>, Vec<&Vintage>) = vintages.iter().partition(|vintage| vintage.days > STALE);
        let listed = |vintages: &[&Vintage]| {
            let one = |vintage: &&Vintage| {
                let Vintage { source, as_of, days } = vintage;
                format!("{source} of {as_of} ({days} days)")
            };
            vintages.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        if !old.is_empty() {
            limits.push(format!(
                "Some location data is dated more than {OLD} days before or after some of the flows, and networks move: {}.",
                listed(&old)
            ));
        }
        if !stale.is_empty() {
            limits.push(format!(
                "Some location data is dated more than {STALE} days before or after some of the flows. It can be wrong for what has moved \
                 between: {}. Copies of the time of the flows, in a folder or a store, would be used instead.",
                listed(&stale)
            ));
        }
        if grounds.atlas.joined() > 0 {
            limits.push(format!(
                "Copies of location data change too often to be told apart: {} changes were taken later than they were due.",
                grounds.atlas.joined()
            ));
        }
        let notes = grounds.atlas.notes(period);
        limits.extend(
            notes.iter().take(MAX_NOTES).map(|(source, note)| format!("Of the location data {source}: {note}.")),
        );
        if let Some(more) = notes.len().checked_sub(MAX_NOTES).filter(|more| *more > 0) {
            limits.push(format!("{more} notes more on location data: `landfall db check` shows them."));
        }
        limits
    }
}
