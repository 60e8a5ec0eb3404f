//! The first object of JSON text: what tells a format from another.

use std::collections::BTreeMap;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::objects;

/// The first object of an input, as far as its head shows it: names of members with their values, where those are text or
/// numbers. It tells a format, and is whole or cut off.
#[derive(Debug, Default)]
pub(super) struct FirstObject {
    members: BTreeMap<String, String>,
}

impl FirstObject {
    /// The most members that are looked at, and how deep.
    const MAX_MEMBERS: usize = 256;
    const MAX_DEPTH: usize = 3;
    /// The most of a value that is kept: a message in base64 has to show what it is.
    const MAX_VALUE: usize = 4096;

    /// The first object in the head of an input; nothing where it has none.
    pub(super) fn of(head: &[u8]) -> Self {
        let mut first = Self::default();
        objects::first(head, |text| {
            first.look(text);
            first.members.is_empty()
        });
        first
    }

    fn look(&mut self, text: &[u8]) {
        let mut reader = serde_json::Deserializer::from_slice(text);
        // It ends in an error where the head does, after all that was there.
        let _ = Look { into: self, path: String::new(), depth: 0 }.deserialize(&mut reader);
    }

    /// Whether there is such a member. The names of members within one another are joined by a full stop; of an array the
    /// first element counts.
    pub(super) fn has(&self, path: &str) -> bool {
        self.members.contains_key(path)
    }

    /// The value of a member; empty where it is neither text nor a number.
    pub(super) fn value(&self, path: &str) -> Option<&str> {
        self.members.get(path).map(String::as_str)
    }
}

struct Look<'a> {
    into: &'a mut FirstObject,
    path: String,
    depth: usize,
}

impl Look<'_> {
    fn keep(self, value: &str) {
        if self.into.members.len() < FirstObject::MAX_MEMBERS {
            self.into.members.insert(self.path, value.chars().take(FirstObject::MAX_VALUE).collect());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { into, path, depth } = self;
        Look { into, path: path.clone(), depth }.keep("");
        if depth >= FirstObject::MAX_DEPTH {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while let Some(name) = map.next_key::<String>()? {
            let path = if path.is_empty() { name } else { format!("{path}.{name}") };
            if into.members.len() < FirstObject::MAX_MEMBERS {
                into.members.entry(path.clone()).or_default();
            }
            map.next_value_seed(Look { into, path, depth: depth + 1 })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        elements.next_element_seed(self)?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.keep(value);
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.keep(&value.to_string());
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.keep(&value.to_string());
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        if !value.is_finite() {
            return Err(E::custom("not a number"));
        }
        self.keep(&value.to_string());
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.keep("");
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.keep("");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_object_tells_names() {
        let head = br#"{"owner":"x","logEvents":[{"id":7,"a":{"b":["c",{"d":1}],"e":{"f":{"g":1}}},"cut":{"h":"i","j"#;
        let first = FirstObject::of(head);
        assert_eq!(first.value("id"), Some("7"));
        assert_eq!(first.value("a.b"), Some("c"));
        assert!(first.has("a.e.f") && !first.has("a.e.f.g") && first.has("cut.h") && !first.has("owner"));
        assert!(FirstObject::of(b"version account-id {").members.is_empty());
        assert_eq!(FirstObject::of(b"[\n {\"a\": 1}, {\"b\"").value("a"), Some("1"));
    }
}
