//! JSON as an answer writes it: a value is a slice of the answer until someone needs what is in it.
//!
//! `serde_json` passes over a value without recursion, so nesting costs no stack. What a value means is read leniently:
//! what has another type is none, never an error of the whole answer.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One value, checked, without white space around it.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub struct Json<'a>(#[serde(borrow)] &'a RawValue);

impl<'a> Json<'a> {
    /// Reads the only value in a text.
    pub fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns the value as the answer writes it.
    pub fn source(self) -> &'a str {
        self.0.get()
    }

    /// Returns the text of a string.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.source().strip_prefix('"')?.strip_suffix('"')?;
        if inner.as_bytes().contains(&b'\\') {
            serde_json::from_str(self.source()).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// Returns the key that a string is. One that is no text (an escaped half of a surrogate pair) is what stands
    /// between the quotes.
    pub fn key(self) -> Cow<'a, str> {
        let inner = self.source().get(1..self.source().len().saturating_sub(1)).unwrap_or_default();
        let has_escapes = inner.as_bytes().contains(&b'\\');
        if has_escapes { self.text().unwrap_or(Cow::Borrowed(inner)) } else { Cow::Borrowed(inner) }
    }

    /// Returns a number without a sign that is whole: `3`, or `3.0` as clients with only one kind of number write it.
    pub fn whole_number(self) -> Option<u32> {
        let (digits, zeros) = self.source().split_once('.').unwrap_or((self.source(), ""));
        if zeros.bytes().all(|digit| digit == b'0') && !digits.starts_with('+') { digits.parse().ok() } else { None }
    }

    /// Returns whether it is `true` or `false`.
    pub fn boolean(self) -> Option<bool> {
        self.source().parse().ok()
    }

    pub fn is_null(self) -> bool {
        self.source() == "null"
    }

    /// Returns the values under these keys of an object. None where there is no such key, or null under it; all are
    /// none for what is no object or has two values for one of the keys.
    pub fn fields<const N: usize>(self, keys: [&str; N]) -> [Option<Self>; N] {
        let mut found = [None; N];
        // One more than there are keys: then one of them has a second value.
        let fields =
            if self.source().starts_with('{') { self.children(&keys, N.saturating_add(1)) } else { Vec::new() };
        for (index, value) in fields {
            match found.get_mut(index) {
                Some(place @ None) => *place = Some(value),
                _ => return [None; N],
            }
        }
        found.map(|value| value.filter(|value| !value.is_null()))
    }

    /// Returns the first elements of a list, at most this many. None for what is no list.
    pub fn elements(self, at_most: usize) -> Option<Vec<Self>> {
        let is_list = self.source().starts_with('[');
        is_list.then(|| self.children(&[], at_most).into_iter().map(|(_, element)| element).collect())
    }

    fn children(self, keys: &[&str], at_most: usize) -> Vec<(usize, Self)> {
        // The syntax has been checked, and what is neither an object nor a list has no children.
        let visitor = Children { keys, at_most };
        serde_json::Deserializer::from_str(self.source()).deserialize_any(visitor).unwrap_or_default()
    }
}

/// Reads the values under these keys of an object, each with the index of its key, or the elements of a list.
struct Children<'k> {
    keys: &'k [&'k str],
    at_most: usize,
}

impl<'a> Visitor<'a> for Children<'_> {
    type Value = Vec<(usize, Json<'a>)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = map.next_entry::<Json<'a>, Json<'a>>()? {
            let index = self.keys.iter().position(|wanted| *wanted == key.key());
            fields.extend(index.filter(|_| fields.len() < self.at_most).map(|index| (index, value)));
        }
        Ok(fields)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < self.at_most
            && let Some(element) = list.next_element()?
        {
            elements.push((elements.len(), element));
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json<'_> {
        Json::read(text).unwrap_or_else(|| panic!("no JSON: {text}"))
    }

    #[test]
    fn values_mean_what_they_are_and_nothing_else() {
        assert_eq!(json(r#""a\u00e9\n""#).text().as_deref(), Some("a\u{e9}\n"));
        assert_eq!(json(r#""a""#).text().as_deref(), Some("a"));
        assert_eq!(json(r#""\ud800""#).text(), None);
        assert_eq!((json("1").text(), json("null").text(), json("[]").text()), (None, None, None));
        for (text, number) in [
            ("3", Some(3)),
            ("3.0", Some(3)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("3.5", None),
            ("-3", None),
            ("3e1", None),
            ("\"3\"", None),
        ] {
            assert_eq!(json(text).whole_number(), number, "{text}");
        }
        assert_eq!((json("true").boolean(), json("1").boolean()), (Some(true), None));
    }

    #[test]
    fn keys_that_are_no_text_are_kept_as_they_are_written() {
        for (source, key) in [(r#""id""#, "id"), (r#""\u0069d""#, "id"), (r#""a\ud800b""#, "a\\ud800b")] {
            assert_eq!(json(source).key(), key);
        }
    }

    #[test]
    fn fields_are_found_by_what_their_keys_mean() {
        let [id, other, null] =
            json(r#" {"x": [1, {}], "\u0069d": "i", "null": null} "#).fields(["id", "other", "null"]);
        assert_eq!(id.and_then(Json::text).as_deref(), Some("i"));
        assert!(other.is_none() && null.is_none());
        for text in ["[]", "7", "\"id\"", r#"{"id":1,"id":1}"#] {
            assert!(json(text).fields(["id"])[0].is_none(), "{text}");
        }
    }

    #[test]
    fn of_a_long_list_only_the_first_elements_are_kept() {
        let sources = |text| json(text).elements(2).map(|list| list.into_iter().map(Json::source).collect::<Vec<_>>());
        assert_eq!(sources("[1, [2], 3, {}]"), Some(vec!["1", "[2]"]));
        assert_eq!(sources("[]"), Some(vec![]));
        assert_eq!(sources("{}"), None);
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(json(&deep).source(), deep);
        let text = format!(r#"{{"x":{deep},"id":{deep}}}"#);
        assert_eq!(json(&text).fields(["id"])[0].map(Json::source), Some(deep.as_str()));
        assert!(json(&deep).elements(3).is_some_and(|elements| elements.len() == 1));
    }
}
