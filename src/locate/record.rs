//! A record of a location database, and what its fields say, whoever published it.
//!
//! | publisher | country | AS number | its holder |
//! |---|---|---|---|
//! | `MaxMind`, DB-IP | `country.iso_code` | `autonomous_system_number`, in Enterprise below `traits` | `autonomous_system_organization` |
//! | ip-location-db | `country_code` | `autonomous_system_number` | `autonomous_system_organization` |
//! | `IPinfo` Lite | `country_code`, while `country` is the name | `asn`, as `AS64500` | `as_name`, `as_domain` |
//! | `IPinfo`, older | `country` | `asn` | `as_name` |
//!
//! `registered_country` and `autonomous_system_country` say where a holder is registered, which is not where the network
//! is: a record with one of them alone knows no location.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::layer::Saying;
use crate::model::{Country, CountrySet};

/// A value of a record.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Flag(bool),
    Map(Vec<(&'a str, Value<'a>)>),
    /// Anything that no layout uses, with its weight.
    Other(u64),
}

impl Value<'_> {
    /// How much work it was to decode: one for each value, and more for long strings.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Text(text) => 1 + text.len() as u64 / 16,
            Self::Number(_) | Self::Flag(_) => 1,
            Self::Map(entries) => 1 + entries.iter().map(|(_, value)| 1 + value.weight()).sum::<u64>(),
            Self::Other(weight) => *weight,
        }
    }

    /// Whether it has a field that says where a network is or who runs it.
    pub(super) fn is_known(&self) -> bool {
        let fields = ["country", "country_code", "autonomous_system_number", "asn"];
        fields.iter().any(|field| self.get(field).is_some()) || self.traits("autonomous_system_number").is_some()
    }

    /// The names of the fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        let entries: &[_] = if let Self::Map(entries) = self { entries } else { &[] };
        entries.iter().map(|(name, _)| *name)
    }

    /// What it says of the place.
    pub(super) fn saying(&self) -> Saying {
        let registered = self.get("registered_country").and_then(Self::country);
        let anycast = [self.traits("is_anycast"), self.get("is_anycast")];
        let places = if anycast.contains(&Some(&Value::Flag(true))) {
            CountrySet::ANYWHERE
        } else {
            // Where both stand there, `country_code` is the code and `country` the name.
            let codes = [self.get("country_code"), self.get("country")];
            codes.into_iter().flatten().find_map(Self::country).map_or(CountrySet::NOWHERE, CountrySet::of)
        };
        Saying { places, registered }
    }

    /// The AS number; zero is reserved and means none (RFC 7607).
    pub(super) fn asn(&self) -> Option<u32> {
        let fields = [self.get("autonomous_system_number"), self.get("asn"), self.traits("autonomous_system_number")];
        fields.into_iter().flatten().find_map(Self::number).filter(|asn| *asn != 0)
    }

    /// The name of the holder of the AS number.
    pub(super) fn organisation(&self) -> Option<&str> {
        let organisation = "autonomous_system_organization";
        let fields = [self.get(organisation), self.get("as_name"), self.traits(organisation), self.get("as_domain")];
        fields.into_iter().flatten().filter_map(Self::text).find(|name| !name.trim().is_empty())
    }

    fn get(&self, field: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    fn traits(&self, field: &str) -> Option<&Self> {
        self.get("traits").and_then(|traits| traits.get(field))
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A country by its code, or by the `iso_code` within. Codes that name no country (`EU`, `AP`, `ZZ`, `A1`, ..) are no
    /// information.
    fn country(&self) -> Option<Country> {
        let code = self.text().or_else(|| self.get("iso_code").and_then(Self::text))?;
        Country::from_code(code.trim())
    }

    /// A number, or one written as `AS64500`.
    fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => u32::try_from(*number).ok(),
            Self::Text(text) => text.trim().trim_start_matches(['A', 'S', 'a', 's']).parse().ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
                Ok(Value::Text(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
                Ok(Value::Other(1 + text.len() as u64 / 16))
            }

            fn visit_bytes<E>(self, octets: &[u8]) -> Result<Value<'de>, E> {
                Ok(Value::Other(1 + octets.len() as u64 / 16))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Value<'de>, E> {
                Ok(Value::Flag(flag))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
                Ok(Value::Number(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
                Ok(u64::try_from(number).map_or(Value::Other(1), Value::Number))
            }

            fn visit_u128<E>(self, number: u128) -> Result<Value<'de>, E> {
                Ok(u64::try_from(number).map_or(Value::Other(1), Value::Number))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
                Ok(Value::Other(1))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Value::Map(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
                let mut weight = 1;
                while let Some(value) = seq.next_element::<Value<'_>>()? {
                    weight += value.weight();
                }
                Ok(Value::Other(weight))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (String, Option<u32>, Option<String>) {
        let value: Value<'_> = serde_json::from_str(json).unwrap();
        (value.saying().places.to_string(), value.asn(), value.organisation().map(str::to_owned))
    }

    #[test]
    fn every_layout_is_found_by_its_fields() {
        let nothing = (String::new(), None, None);
        let places = |places: &str| (places.to_owned(), None, None);
        assert_eq!(read(r#"{"country":{"iso_code":"DE"},"registered_country":{"iso_code":"US"}}"#), places("DE"));
        assert_eq!(read(r#"{"registered_country":{"iso_code":"US"}}"#), nothing);
        assert_eq!(read(r#"{"country":{"iso_code":"DE"},"traits":{"is_anycast":true}}"#), places("*"));
        assert_eq!(read(r#"{"country_code":"hk"}"#), places("HK"));
        assert_eq!(read(r#"{"country":"KR"}"#), places("KR"));
        for pseudo in ["EU", "AP", "ZZ", "XX", "A1", "T1", "--", "", "Germany"] {
            assert_eq!(read(&format!(r#"{{"country_code":"{pseudo}"}}"#)), nothing);
        }
        let lite =
            r#"{"country":"South Korea","country_code":"KR","asn":"AS64500","as_name":"","as_domain":"a.example"}"#;
        assert_eq!(read(lite), ("KR".to_owned(), Some(64500), Some("a.example".to_owned())));
        let ooni = r#"{"autonomous_system_country":"US","autonomous_system_number":64500,"autonomous_system_organization":"A"}"#;
        assert_eq!(read(ooni), (String::new(), Some(64500), Some("A".to_owned())));
        assert_eq!(read(r#"{"traits":{"autonomous_system_number":64500}}"#).1, Some(64500));
        assert_eq!(read(r#"{"asn":0}"#), nothing);
        assert_eq!(read(r#""text""#), nothing);
    }
}
