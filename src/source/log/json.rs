//! The leaves of a JSON object, by their paths, without a tree in between.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::value::Value;

/// Gives every leaf of a JSON value that is not null, in the order in which it is written. A path is keys between full
/// stops, with `[]` for the elements of an array; each element begins with [`Value::Item`].
pub(super) fn leaves<'de>(json: &'de [u8], give: &mut dyn FnMut(&str, Value<'de>)) -> Result<(), serde_json::Error> {
    let mut path = String::new();
    let mut reader = serde_json::Deserializer::from_slice(json);
    Walk { path: &mut path, give }.deserialize(&mut reader)?;
    reader.end()
}

/// Walks a value that stands at `path`.
struct Walk<'w, 'de> {
    path: &'w mut String,
    give: &'w mut dyn FnMut(&str, Value<'de>),
}

impl<'de> Walk<'_, 'de> {
    fn leaf(self, value: Value<'de>) {
        (self.give)(self.path, value);
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.leaf(Value::Bool(truth));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.leaf(Value::Unsigned(number));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.leaf(Value::Float(number as f64));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.leaf(Value::Float(number));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.leaf(Value::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.leaf(Value::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let length = self.path.len();
        self.path.push_str("[]");
        let mut element = Element { path: self.path, give: self.give };
        while elements.next_element_seed(element.next())?.is_some() {}
        self.path.truncate(length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        let begin = self.path.len();
        while map.next_key_seed(Key(self.path))?.is_some() {
            map.next_value_seed(Walk { path: self.path, give: self.give })?;
            self.path.truncate(begin);
        }
        self.path.truncate(length);
        Ok(())
    }
}

/// Appends a key to the path.
struct Key<'w>(&'w mut String);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<(), E> {
        self.0.push_str(key);
        Ok(())
    }
}

/// An element of an array: says that it begins, then walks it.
struct Element<'w, 'de> {
    path: &'w mut String,
    give: &'w mut dyn FnMut(&str, Value<'de>),
}

impl<'de> Element<'_, 'de> {
    fn next(&mut self) -> Element<'_, 'de> {
        Element { path: self.path, give: self.give }
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        (self.give)(self.path, Value::Item);
        Walk { path: self.path, give: self.give }.deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_have_paths() {
        let json = br#"{"id.orig_h":"a","flow":{"n":1,"x":null,"deep":{"f":-1.5}},"list":[{"k":"\u0041"},true]}"#;
        let mut found = Vec::new();
        leaves(json, &mut |path, value| found.push(format!("{path} {value:?}"))).unwrap();
        let expected = [
            r#"id.orig_h Text("a")"#,
            "flow.n Unsigned(1)",
            "flow.deep.f Float(-1.5)",
            "list[] Item",
            r#"list[].k Text("A")"#,
            "list[] Item",
            "list[] Bool(true)",
        ];
        assert_eq!(found, expected);
        for wrong in [&b"{"[..], b"{} {}", b"{\"a\":\"\xff\"}", b"{\"a\":01}", b"", b"{\"a\":1e999}"] {
            assert!(leaves(wrong, &mut |_, _| ()).is_err(), "{wrong:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(leaves(deep.as_bytes(), &mut |_, _| ()).is_err());
    }
}
