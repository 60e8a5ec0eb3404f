//! Limits of permit rules: sets of them, and what the report says of one that was exceeded.

use serde::{Deserialize, Serialize};

use super::finding::RuleId;
use super::time::Timestamp;

/// The place of a limit among those of its policy, which are in the order of their rules; below [`LimitSet::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitId(u8);

impl LimitId {
    /// The limit at a place; `None` beyond the most that a policy has.
    pub fn new(index: usize) -> Option<Self> {
        u8::try_from(index).ok().filter(|_| index < LimitSet::MAX).map(Self)
    }

    /// The place.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Some of a policy's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LimitSet(u64);

impl LimitSet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// The most limits of a policy: one bit each.
    pub const MAX: usize = 64;

    /// The set with one more.
    #[must_use]
    pub const fn with(self, limit: LimitId) -> Self {
        Self(self.0 | 1 << limit.0)
    }

    /// Whether a limit is in it.
    pub const fn contains(self, limit: LimitId) -> bool {
        self.0 >> limit.0 & 1 == 1
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether none is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in it, in order.
    pub fn iter(self) -> impl Iterator<Item = LimitId> {
        (0..Self::MAX as u8).map(LimitId).filter(move |limit| self.contains(*limit))
    }
}

/// How much a permit rule permits: so many octets in each window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The rule.
    pub rule: RuleId,
    /// The IP octets that it permits in a window; one more is too many. Not zero.
    pub octets: u64,
    /// How long a window is, in nanoseconds: windows begin at its multiples since 1970, in UTC. Not zero.
    pub per: u64,
    /// Whom it is counted for.
    pub each: LimitedTo,
}

/// What a limit is counted for, beside the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedTo {
    /// All far ends together: the rule names no party.
    Everyone,
    /// Each party that the rule names has a limit of its own.
    EachParty,
}

impl Limit {
    /// The number of the window that a moment is in.
    pub fn window(&self, at: Timestamp) -> u64 {
        at.0 / self.per.max(1)
    }

    /// When a window begins.
    pub fn begin(&self, window: u64) -> Timestamp {
        Timestamp(window.saturating_mul(self.per))
    }
}

/// A limit that was exceeded, so that flows were judged without its rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExceededLimit {
    /// The rule.
    pub rule: String,
    /// The octets that it permits in a window.
    pub octets: u64,
    /// How long a window is, in seconds.
    pub per: u64,
    /// The party that it was counted for, where the rule names parties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// The windows of the finding's flows, earliest first, up to a number.
    pub windows: Vec<SpentWindow>,
    /// How many windows are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// A window of time in which more moved than a rule permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpentWindow {
    /// When it begins.
    pub from: Timestamp,
    /// The octets that the rule would have permitted in it.
    pub moved: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
