//! Answers against the schema that the crate holds.

use std::collections::HashMap;
use std::sync::LazyLock;

use cloudflare_access_simulator::{Operation, ScopeKind};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

static VALIDATORS: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../../schema/service-tokens.json")).expect("JSON");
    let names = Operation::ALL.map(|operation| operation.to_string()).into_iter();
    let parts = ["failure", "current", "error", "token", "issued_token", "updated_token"].map(str::to_owned);
    let validator = |name: &str| {
        let mut schema = schema.clone();
        schema["$ref"] = json!(format!("#/$defs/{name}"));
        jsonschema::validator_for(&schema).expect("a schema")
    };
    names.chain(parts).map(|name| (name.clone(), validator(&name))).collect()
});

/// Cloudflare's own description: the schemas of requests and answers.
static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../schema/description.json")).expect("JSON"));

/// Checks the answer to an operation, or a `failure`, against its definition.
pub fn check(name: &str, answer: &Value) {
    let errors: Vec<_> = VALIDATORS[name].iter_errors(answer).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{answer:#}");
}

/// Checks that tokens have all fields that the simulator shows unless it plays an older API.
pub fn check_current(result: &Value) {
    let tokens = result.as_array().map_or_else(|| vec![result], |tokens| tokens.iter().collect());
    for token in tokens {
        let errors: Vec<_> = VALIDATORS["current"].iter_errors(token).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{token:#}");
    }
}

/// Checks a request or an answer against Cloudflare's description of the operation. `part`: where it is in the operation.
pub fn check_described(operation: Operation, kind: ScopeKind, part: &str, value: &Value) {
    let path = match operation {
        Operation::List | Operation::Create => String::new(),
        Operation::Get | Operation::Update | Operation::Delete => "/{service_token_id}".to_owned(),
        Operation::Refresh | Operation::Rotate => format!("/{{service_token_id}}/{operation}"),
    };
    let path = format!("/{kind}s/{{{kind}_id}}/access/service_tokens{path}");
    let described = &DESCRIPTION["paths"][&path][operation.method().to_lowercase()];
    let schema = described.pointer(&format!("{part}/content/application~1json/schema"));
    let Some(reference) = schema else { panic!("the description has no {part} of {operation} at {path}") };
    let mut schema = json!({"allOf": [reference]});
    schema["components"] = DESCRIPTION["components"].clone();
    let validator = jsonschema::options().with_draft(Draft::Draft4).build(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{operation} of a {kind}, {part}: {errors:#?}\n{value:#}");
}

#[test]
fn real_answers_meet_the_schema() {
    let samples: Vec<Value> = serde_json::from_str(include_str!("../../schema/samples.json")).expect("samples");
    for sample in &samples {
        let (what, answer, operation) =
            (&sample["what"], &sample["answer"], sample["operation"].as_str().expect("text"));
        // Of a failure every part may be missing but what says that it is one.
        let (definition, parts): (_, Vec<&Value>) = match operation {
            "failure" => ("error", answer["errors"].as_array().into_iter().flatten().collect()),
            "list" => ("token", answer["result"].as_array().expect("tokens").iter().collect()),
            "create" | "rotate" => ("issued_token", vec![&answer["result"]]),
            _ => ("updated_token", vec![&answer["result"]]),
        };
        for part in parts {
            let errors: Vec<_> = VALIDATORS[definition].iter_errors(part).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{what}: {errors:#?}");
        }
    }
    assert_eq!(samples.len(), 15);
}

#[test]
fn the_schema_refuses_missing_extra_and_misplaced_fields() {
    let token = json!({
        "id": "f174e90a-fafe-4643-bbbc-4a0ed4fc8415", "client_id": format!("{}.access", "0".repeat(32)), "name": "n",
        "duration": "8760h", "enabled": true, "expires_at": "2027-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "client_secret_version": 1,
    });
    let answer = |token: &Value| json!({"success": true, "errors": [], "messages": [], "result": token});
    let is_valid = |name: &str, token: &Value| VALIDATORS[name].is_valid(&answer(token));
    assert!(is_valid("get", &token));
    let mut with_secret = token.clone();
    with_secret["client_secret"] = json!(format!("cfast_{}", "0".repeat(48)));
    assert!(!is_valid("get", &with_secret) && !is_valid("delete", &with_secret) && !is_valid("refresh", &with_secret));
    assert!(is_valid("create", &with_secret) && is_valid("rotate", &with_secret) && is_valid("update", &with_secret));
    assert!(!is_valid("create", &token) && is_valid("update", &token));
    for field in token.as_object().expect("an object").keys() {
        let mut without = token.clone();
        without.as_object_mut().expect("an object").remove(field);
        let is_required = ["id", "client_id", "name"].contains(&field.as_str());
        assert_eq!(is_valid("get", &without), !is_required, "{field}");
        assert!(!VALIDATORS["current"].is_valid(&without), "{field}");
        let mut wrong = token.clone();
        wrong[field] = json!({});
        assert!(!is_valid("get", &wrong), "{field}");
    }
}
