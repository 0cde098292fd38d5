//! Answers against the schema that the crate holds.

use std::collections::HashMap;
use std::sync::LazyLock;

use cloudflare_access_simulator::Operation;
use jsonschema::Validator;
use serde_json::{Value, json};

static VALIDATORS: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../../schema/service-tokens.json")).expect("JSON");
    let names = Operation::ALL.map(|operation| operation.to_string()).into_iter().chain(["failure".to_owned()]);
    let validator = |name: &str| {
        let mut schema = schema.clone();
        schema["$ref"] = json!(format!("#/$defs/{name}"));
        jsonschema::validator_for(&schema).expect("a schema")
    };
    names.map(|name| (name.clone(), validator(&name))).collect()
});

/// Checks the answer to an operation, or a `failure`, against its definition.
pub fn check(name: &str, answer: &Value) {
    let errors: Vec<_> = VALIDATORS[name].iter_errors(answer).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{answer:#}");
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
        assert!(!is_valid("get", &without), "{field}");
        let mut wrong = token.clone();
        wrong[field] = json!({});
        assert!(!is_valid("get", &wrong), "{field}");
    }
}
