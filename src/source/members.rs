//! Members of JSON objects, read into types that borrow: what is needed is read, what is known and not needed is stepped
//! over, and what is neither is named.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::model::{Caveat, InputCoverage};

/// Text: borrowed, unless it has escapes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;

        impl<'de> Visitor<'de> for Reading {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Reading)
    }
}

/// A number that is not negative, written as one or, as JSON has no integers of 64 bits, as text of decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;

        impl Visitor<'_> for Reading {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number that is not negative")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                // Up to 2^53 every integer is one of these.
                if number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number) {
                    Ok(Number(number as u64))
                } else {
                    Err(E::custom("not a whole number"))
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                let is_decimal = text.bytes().all(|octet| octet.is_ascii_digit());
                let number = if is_decimal { text.parse().ok() } else { None };
                number.map(Number).ok_or_else(|| E::custom("not decimal digits"))
            }
        }

        deserializer.deserialize_any(Reading)
    }
}

/// Names of members that are not known, of one object.
pub(super) type Unknown<'a> = Vec<Cow<'a, str>>;

/// The most unknown members of one object that are kept.
pub(super) const MAX_UNKNOWN: usize = 16;

/// The most octets of an unknown name that are shown.
const MAX_NAME: usize = 64;

/// A type of an object whose members are all optional. Of a member that is there twice the last counts; `null` is as good as
/// absent. After `ignored` stand the members that are known and not needed. Every other goes into `unknown`.
///
/// ```ignore
/// members! {
///     /// One end of a connection.
///     struct Connection<'a> {
///         src_ip: Text<'a> = "src_ip",
///         src_port: Number = "src_port",
///     }
///     ignored "vlan" | "mac"
/// }
/// ```
macro_rules! members {
    (
        $(#[$doc:meta])*
        struct $type:ident<$life:lifetime> { $($(#[$field_doc:meta])* $field:ident: $value:ty = $name:literal,)* }
        $(ignored $($ignored:literal)|+)?
    ) => {
        $(#[$doc])*
        #[derive(Default)]
        struct $type<$life> {
            $($(#[$field_doc])* $field: Option<$value>,)*
            unknown: $crate::source::members::Unknown<$life>,
        }

        impl<'de: $life, $life> serde::de::Deserialize<'de> for $type<$life> {
            fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reading<$life>(std::marker::PhantomData<&$life ()>);

                impl<'de: $life, $life> serde::de::Visitor<'de> for Reading<$life> {
                    type Value = $type<$life>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut object = $type::default();
                        while let Some(name) = map.next_key::<$crate::source::members::Text<'de>>()? {
                            match name.as_str() {
                                $($name => object.$field = map.next_value()?,)*
                                $($($ignored)|+ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                })?
                                _ => {
                                    if object.unknown.len() < $crate::source::members::MAX_UNKNOWN {
                                        object.unknown.push(name.0);
                                    }
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(object)
                    }
                }

                deserializer.deserialize_map(Reading(std::marker::PhantomData))
            }
        }
    };
}

pub(super) use members;

/// Which unknown members were named.
#[derive(Debug, Default)]
pub(super) struct Named(BTreeSet<String>);

impl Named {
    /// Names what was not named before, in the coverage; `within` is the member that has the object as its value, or empty.
    pub(super) fn name(&mut self, coverage: &mut InputCoverage, position: u64, within: &str, unknown: &Unknown<'_>) {
        for name in unknown {
            let dot = if within.is_empty() { "" } else { "." };
            let name: String = format!("{within}{dot}{name}")
                .chars()
                .take(MAX_NAME)
                .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
                .collect();
            if self.0.len() < InputCoverage::MAX_NOTES && !self.0.contains(&name) {
                coverage.caveat(Caveat::UnknownField, position, 0);
                coverage.note(format!("field `{name}`"));
                self.0.insert(name);
            }
        }
    }
}
