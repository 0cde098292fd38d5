//! WAVE, the text form of component values that `wasmtime run --invoke` reads and prints.

use serde_json::{Map, Value, json};

/// The call of a step, as `--invoke` takes it.
pub fn call(step: &Value) -> String {
    let some = |field: &str| match &step[field] {
        Value::Null => "none".to_owned(),
        value => format!("some({})", literal(value)),
    };
    let text = |field: &str| literal(&step[field]);
    let kind = if step["zone"].is_null() { "account" } else { "zone" };
    let scope = format!("{kind}({})", text(kind));
    let endpoint = match &step["api-token"] {
        Value::Null => "none".to_owned(),
        token => format!("some({{credentials: api-token({}), base-url: {}}})", literal(token), some("base-url")),
    };
    let headers = match &step["header"] {
        Value::Null => "none".to_owned(),
        name => format!("some([{{name: {}, value: \"from the test\"}}])", literal(name)),
    };
    let options = format!(
        "some({{endpoint: {endpoint}, timeout-ms: {}, attempt-timeout-ms: none, max-retries: {}, headers: {headers}}})",
        some("timeout-ms"),
        some("max-retries"),
    );
    let version = some("client-secret-version");
    let named = || {
        format!(
            "{{name: {}, duration: {}, enabled: none, client-secret-version: {version}, \
             previous-client-secret-expires-at: none}}",
            text("name"),
            some("duration"),
        )
    };
    match step["operation"].as_str().expect("an operation") {
        "list-page" => {
            let per_page = some("per-page");
            format!("list-page({scope}, {{name: none, search: none, page: none, per-page: {per_page}}}, {options})")
        }
        "list-all" => {
            let per_page = some("per-page");
            format!("list-all({scope}, {{name: none, search: none, per-page: {per_page}}}, {options})")
        }
        "create" => format!("create({scope}, {}, {options})", named()),
        "ensure" => format!("ensure({scope}, {}, {options})", named()),
        "issue" => format!("issue({}, {}, {}, {options})", text("account"), named(), text("key")),
        "finish-issue" => format!("finish-issue({}, {}, {options})", text("account"), text("key")),
        "expiring" => format!("expiring({scope}, {}, {options})", text("within-seconds")),
        "rotate-with-overlap" => {
            format!("rotate-with-overlap({scope}, {}, {}, false, {options})", text("id"), text("overlap-seconds"))
        }
        "extend-overlap" => format!("extend-overlap({scope}, {}, {}, {options})", text("id"), text("overlap-seconds")),
        "refresh-expiring" => format!(
            "refresh-expiring({}, {{within-seconds: {}, name: {}, include-expired: false}}, {options})",
            text("account"),
            text("within-seconds"),
            some("name"),
        ),
        "find" if step["client-id"].is_null() => format!("find({scope}, name({}), {options})", text("name")),
        "find" => format!("find({scope}, client-id({}), {options})", text("client-id")),
        "resolve-create" => format!("resolve-create({scope}, {}, {}, {options})", text("name"), text("since")),
        "update" => format!(
            "update({scope}, {}, {{name: {}, duration: none, enabled: none, client-secret-version: {version}, \
             previous-client-secret-expires-at: none}}, {options})",
            text("id"),
            some("name"),
        ),
        "refresh" => format!("refresh({}, {}, {options})", text("account"), text("id")),
        "rotate" => {
            let previous = match &step["expires-at"] {
                Value::Null => "expires-now".to_owned(),
                time => format!("expires-at({})", literal(time)),
            };
            format!("rotate({}, {}, {previous}, {options})", text("account"), text("id"))
        }
        function => format!("{function}({scope}, {}, {options})", text("id")),
    }
}

/// Numbers are the same in JSON and WAVE, and so are the strings of the script.
fn literal(value: &Value) -> String {
    value.to_string()
}

/// What a driver says of the result of a step.
pub fn outcome(step: &Value, result: &Value) -> Value {
    if let Some(error) = result.get("err") {
        let fields = ["kind", "outcome", "status", "attempts", "message"];
        return json!({"err": fields.map(|field| (field.to_owned(), error[field].clone())).into_iter().collect::<Map<_, _>>()});
    }
    let ok = &result["ok"];
    let names = |tokens: &Value| -> Value {
        let tokens = tokens.as_array().into_iter().flatten();
        tokens.map(|item| item.get("token").unwrap_or(item)["name"].clone()).collect()
    };
    match step["operation"].as_str().expect("an operation") {
        "list-page" => {
            json!({"ok": {"names": names(&ok["tokens"]), "total": ok["total-count"], "next": ok["next-page"]}})
        }
        "list-all" | "find" | "resolve-create" => json!({"ok": {"names": names(ok)}}),
        "expiring" => json!({"ok": {
            "clock": ok["clock"], "names": names(&ok["expiring"]), "disabled": names(&ok["disabled"]),
            "forever": names(&ok["forever"]),
        }}),
        "refresh-expiring" => {
            let tokens = ok["tokens"].as_array().into_iter().flatten();
            let failed: Vec<_> =
                tokens.filter_map(|item| Some(item["refreshed"].get("err")?["kind"].clone())).collect();
            json!({"ok": {"names": names(&ok["tokens"]), "failed": failed}})
        }
        _ => {
            let cases = ["deleted", "already-gone", "created", "updated", "unchanged"];
            let case = cases.into_iter().find(|case| ok == *case || ok.get(case).is_some());
            let ok = case.and_then(|case| ok.get(case)).or(ok.get("issued")).unwrap_or(ok);
            let token = ok.get("token").unwrap_or(ok);
            json!({"ok": {
                "case": case, "id": token["id"], "name": token["name"], "client-id": token["client-id"],
                "enabled": token["enabled"], "client-secret": ok["client-secret"],
            }})
        }
    }
}

/// A printed value as JSON: a record is an object, a list or tuple an array, a case with a value an object of one field, a case
/// without its name; `some(x)` is x, `none` is null. None if it is not WAVE, such as nothing.
pub fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text.trim() };
    let value = reader.value()?;
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Option<Value> {
        match self.rest.chars().next()? {
            '"' => self.string(),
            '[' => self.sequence('[', ']', Self::value).map(Value::Array),
            '(' => self.sequence('(', ')', Self::value).map(Value::Array),
            '{' => {
                let fields = self.sequence('{', '}', |reader| {
                    let name = reader.word()?;
                    reader.skip(':')?;
                    Some((name.to_owned(), reader.value()?))
                })?;
                Some(Value::Object(fields.into_iter().collect()))
            }
            _ => self.word_or_case(),
        }
    }

    fn word_or_case(&mut self) -> Option<Value> {
        let word = self.word()?;
        if self.rest.starts_with('(') {
            let value = self.sequence('(', ')', Self::value)?.pop()?;
            return Some(if word == "some" { value } else { json!({ word: value }) });
        }
        Some(match word {
            "none" => Value::Null,
            _ => serde_json::from_str(word).unwrap_or_else(|_| json!(word)),
        })
    }

    fn word(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|letter: char| !(letter.is_alphanumeric() || "-%.".contains(letter)))?;
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn sequence<T>(&mut self, open: char, close: char, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.skip(open)?;
        let mut items = Vec::new();
        loop {
            if self.skip(close).is_some() {
                return Some(items);
            }
            items.push(item(self)?);
            if self.skip(',').is_none() && !self.rest.starts_with(close) {
                return None;
            }
        }
    }

    fn skip(&mut self, sign: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(sign)?.trim_start();
        Some(())
    }

    fn string(&mut self) -> Option<Value> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((position, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &self.rest[position + 1..];
                    return Some(Value::String(text));
                }
                '\\' => text.push(match letters.next()?.1 {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'u' => {
                        let digits: String = letters
                            .by_ref()
                            .map(|(_, letter)| letter)
                            .skip(1)
                            .take_while(|&letter| letter != '}')
                            .collect();
                        char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                    }
                    other => other,
                }),
                other => text.push(other),
            }
        }
        None
    }
}

#[test]
fn values_are_read_as_wasmtime_prints_them() {
    let text = r#"ok({id: "a", names: ["x\"y", "G\u{fc}n"], page: some(1), next: none, pair: ("a", 2), kind: not-found, on: true})"#;
    let read = json!({"ok": {
        "id": "a", "names": ["x\"y", "Gün"], "page": 1, "next": null, "pair": ["a", 2], "kind": "not-found", "on": true,
    }});
    assert_eq!(parse(text), Some(read));
    assert_eq!(parse(""), None);
}
