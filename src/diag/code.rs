//! The kinds of things that are said.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// What kind of thing a [`Diagnostic`](super::Diagnostic) says. Names are stable: they are not reused, and a code
        /// that is no longer said is not given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in output.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What it means, for those who meet it.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// The text is not TOML.
    Syntax => "syntax",
    /// The text, or a list in it, is larger than this program reads.
    TooLarge => "too-large",
    /// A key that a policy does not have.
    UnknownKey => "unknown-key",
    /// A key that is required here.
    MissingKey => "missing-key",
    /// A value of another type than the key has.
    WrongType => "wrong-type",
    /// A word that is none of those that the key takes.
    UnknownWord => "unknown-word",
    /// A number or text that the key cannot take.
    BadValue => "bad-value",
    /// A name that zones, parties, sets, services and rules cannot have.
    BadName => "bad-name",
    /// Two things of one kind have the same name.
    DuplicateName => "duplicate-name",
    /// A code that is none of ISO 3166-1.
    UnknownCountry => "unknown-country",
    /// A code that ISO 3166-1 had once and has withdrawn (ISO 3166-3).
    RetiredCountry => "retired-country",
    /// A code that location databases use for "no country".
    PseudoCountry => "pseudo-country",
    /// A set that neither the policy nor the library has.
    UnknownSet => "unknown-set",
    /// A set that contains itself.
    SetCycle => "set-cycle",
    /// A zone that the policy does not have.
    UnknownZone => "unknown-zone",
    /// A party that the policy does not have.
    UnknownParty => "unknown-party",
    /// A service that the policy does not have.
    UnknownService => "unknown-service",
    /// A rule that the policy does not have.
    UnknownRule => "unknown-rule",
    /// A tripwire that the policy does not have.
    UnknownTripwire => "unknown-tripwire",
    /// A text that is no network in CIDR form.
    BadNetwork => "bad-network",
    /// A text that is no IP address.
    BadAddress => "bad-address",
    /// A pattern that no host name fits.
    BadHostName => "bad-host-name",
    /// A text that is no protocol with ports.
    BadPort => "bad-port",
    /// A date or time that cannot be used here.
    BadDate => "bad-date",
    /// A period that ends before it begins.
    EmptyPeriod => "empty-period",
    /// A list that says nothing.
    EmptyList => "empty-list",
    /// A rule with both `to` and `to-control`, or with neither.
    Destination => "destination",
    /// A network that two zones or two parties claim.
    SameNetwork => "same-network",
    /// A test whose near end is in no zone.
    TestOutsideZones => "test-outside-zones",
    /// A test that expects something that cannot come.
    BadExpectation => "bad-expectation",
    /// A test of the policy that failed.
    TestFailed => "test-failed",
    /// A part of a policy that no test misses.
    TestSurvivor => "test-survivor",
    /// A flag that cannot be understood.
    BadFlag => "bad-flag",
    /// A rule that no flow can fit.
    NeverMatches => "never-matches",
    /// A rule that cannot change any decision, because a forbid covers all of it.
    Shadowed => "shadowed",
    /// A set that no rule names.
    UnusedSet => "unused-set",
    /// A party that no rule and no test names.
    UnusedParty => "unused-party",
    /// A service that no rule names.
    UnusedService => "unused-service",
    /// A zone that no rule speaks of.
    UnusedZone => "unused-zone",
    /// Zones that overlap and are said to be in different countries.
    ZonesOverlap => "zones-overlap",
    /// A zone with more of the Internet than anybody holds: what goes there is never judged as leaving.
    WideZone => "wide-zone",
    /// Parties that recognise the same flows equally well.
    AmbiguousParties => "ambiguous-parties",
    /// A private or shared network (RFC 1918, RFC 4193, RFC 6598) where an address of the Internet is expected.
    PrivateNetwork => "private-network",
    /// A rule that no test expects.
    UntestedRule => "untested-rule",
    /// A permit that does not say what it rests on.
    NoBasis => "no-basis",
    /// A safeguard that says no day on which it ends.
    NoEnd => "no-end",
    /// A policy without tests.
    NoTests => "no-tests",
    /// Members of a set that a permit cannot use, because their membership has a condition that only a named party can
    /// meet.
    ConditionalMembers => "conditional-members",
    /// Members of a set that no country code can express.
    BeyondCodes => "beyond-codes",
    /// A waiver that holds no longer: what it covered fails again.
    WaiverExpired => "waiver-expired",
    /// A waiver that would hold for more than a year.
    WaiverTooLong => "waiver-too-long",
    /// A pattern that no region of a provider fits.
    BadRegion => "bad-region",
    /// A register that cannot be read, or is no register.
    BadRegister => "bad-register",
    /// Facts of the library that should have been read again by now.
    LibraryStale => "library-stale",
    /// A vantage whose coordinates do not lie in the country that is named beside them.
    VantageAbroad => "vantage-abroad",
    /// There is more to say than is said.
    More => "more",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_kebab_case() {
        let names: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
            assert!(code.sentence().ends_with('.'), "{code}: {}", code.sentence());
        }
    }
}
