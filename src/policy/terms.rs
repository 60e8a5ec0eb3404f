//! The words of the policy format, and spans of days.

use jiff::civil::Date;

/// What a rule does, or the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// What it speaks of is permitted, unless something forbids it.
    Permit,
    /// What it speaks of is forbidden, whatever permits it.
    Forbid,
}

impl Effect {
    /// The word in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}

/// Which directions a rule speaks of, seen from the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Movement {
    /// What the zone sends.
    Out,
    /// What the zone receives.
    In,
    /// Both.
    Either,
}

impl Movement {
    /// The word in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Either => "either",
        }
    }
}

/// Who must have opened the conversation for a rule to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Initiator {
    /// Anyone.
    Any,
    /// The zone.
    Local,
    /// The far end.
    Remote,
}

impl Initiator {
    /// The word in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

/// A half-open span of days, in UTC: from the first, until before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period {
    /// The first day; `None` for ever before.
    pub from: Option<Date>,
    /// The day after the last; `None` for ever after.
    pub until: Option<Date>,
}

impl Period {
    /// Whether a day is in it.
    pub fn contains(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until)
    }

    /// Whether two spans share a day.
    pub fn overlaps(&self, other: &Self) -> bool {
        let before = |until: Option<Date>, from: Option<Date>| match (until, from) {
            (Some(until), Some(from)) => until <= from,
            _ => false,
        };
        !before(self.until, other.from) && !before(other.until, self.from)
    }

    /// Whether every day of `other` is in it.
    pub fn covers(&self, other: &Self) -> bool {
        self.from.is_none_or(|from| other.from.is_some_and(|theirs| from <= theirs))
            && self.until.is_none_or(|until| other.until.is_some_and(|theirs| theirs <= until))
    }
}

/// What a test of a policy can expect of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expected {
    /// Permitted in both directions.
    Permit,
    /// Forbidden in one direction at least.
    Forbid,
    /// The evidence does not decide.
    Indeterminate,
    /// Nothing moved, and no rule judges contact.
    Contact,
    /// The policy is not in force at the time.
    NotInForce,
    /// Both ends are in one zone.
    Internal,
}

impl Expected {
    pub(super) const WORDS: [(&'static str, Self); 6] = [
        ("permit", Self::Permit),
        ("forbid", Self::Forbid),
        ("indeterminate", Self::Indeterminate),
        ("contact", Self::Contact),
        ("not-in-force", Self::NotInForce),
        ("internal", Self::Internal),
    ];

    /// The word in policies.
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}
