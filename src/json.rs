//! Single JSON values out of a raw slice, leniently: what has another type is none, never an error of the whole answer.

use serde_json::value::RawValue;

/// The text of a JSON string.
pub fn text(raw: &RawValue) -> Option<String> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw.get()).ok() } else { Some(inner.to_owned()) }
}

/// A number without a sign that is whole: `3`, or `3.0` as clients with only one kind of number write it.
pub fn whole_number(raw: &RawValue) -> Option<u32> {
    let (digits, zeros) = raw.get().split_once('.').unwrap_or((raw.get(), "0"));
    if zeros.chars().all(|digit| digit == '0') { digits.parse().ok() } else { None }
}

pub fn boolean(raw: &RawValue) -> Option<bool> {
    match raw.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

pub fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).expect("JSON")
    }

    #[test]
    fn values_of_another_type_are_none() {
        assert_eq!(text(&raw(r#""a\u00e9\"""#)).as_deref(), Some("a\u{e9}\""));
        assert_eq!(text(&raw("\"plain\"")).as_deref(), Some("plain"));
        assert_eq!(text(&raw(r#""\ud800""#)), None);
        assert_eq!(text(&raw("3")), None);
        for (json, number) in [
            ("3", Some(3)),
            ("3.0", Some(3)),
            ("3.5", None),
            ("-3", None),
            ("\"3\"", None),
            ("4294967296", None),
            ("1e2", None),
        ] {
            assert_eq!(whole_number(&raw(json)), number, "{json}");
        }
        assert_eq!((boolean(&raw("true")), boolean(&raw("1"))), (Some(true), None));
        assert!(is_null(&raw("null")));
    }
}
