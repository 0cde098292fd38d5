//! What is not finished, as it is listed and warned of.

use cloudflare_access_host::Scope;
use cloudflare_access_host::rotation::{Change, NextStep, Subject, Unfinished};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::arguments::{Connection, Output};
use crate::failure::Failure;
use crate::output;
use crate::rotation::folder;
use crate::rotation::work::name_of;
use crate::words::{relative, spoken};

/// Lists what the state folder knows.
pub fn list(connection: &Connection, output: Output) -> Result<(), Failure> {
    output::refuse_env(output, "rotations")?;
    let state = folder::open(connection)?;
    let found = state.unfinished().map_err(|error| Failure::configuration(&error))?;
    output::write(&match output {
        Output::Json => {
            let found: Vec<Value> = found.iter().map(|(subject, unfinished)| as_json(subject, unfinished)).collect();
            format!("{:#}\n", Value::from(found))
        }
        Output::Table | Output::Env => {
            let now = Timestamp::now();
            let rows = found.iter().map(|(subject, unfinished)| row(subject, unfinished, now));
            output::rows(["TOKEN", "ID", "CHANGE", "BEGUN", "OLD SECRET PASSES", "NEXT"], rows)
                .unwrap_or_else(|| "Nothing is unfinished.\n".to_owned())
        }
    })
}

/// Logs what is unfinished, with the commands that go on and that let the old secret pass for longer.
pub fn warn_of_unfinished(connection: &Connection) {
    let found = match folder::open(connection).map(|state| state.unfinished()) {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return tracing::warn!("unfinished rotations are not known: {error}"),
        Err(failure) => return tracing::warn!("unfinished rotations are not known: {}", failure.message),
    };
    for (subject, unfinished) in found {
        let name = name_of(&subject);
        let go_on = connection.command(&["resume", name]);
        if let Some(until) = unfinished.previous_secret_ends() {
            let extend = connection.command(&["extend-overlap", name, "--overlap", "7d"]);
            tracing::warn!(token = name, until, go_on, extend, "a rotation is not finished, and the old secret ends");
        } else {
            tracing::warn!(token = name, go_on, "a new secret is not delivered");
        }
    }
}

fn row(subject: &Subject, unfinished: &Unfinished, now: Timestamp) -> [String; 6] {
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    let age = unfinished.age().map_or_else(|| unfinished.begun_at().to_owned(), |age| spoken(age) + " ago");
    let until = unfinished.previous_secret_ends().map_or_else(|| "-".to_owned(), |until| relative(until, now));
    [
        text(unfinished.name().or(Some(name_of(subject)))),
        text(unfinished.token_id()),
        change(unfinished.change()).to_owned(),
        age,
        until,
        next(unfinished).to_owned(),
    ]
}

fn as_json(subject: &Subject, unfinished: &Unfinished) -> Value {
    let (account, zone) = match subject.scope() {
        Scope::Account(id) => (Some(id), None),
        Scope::Zone(id) => (None, Some(id)),
    };
    json!({
        "token_id": unfinished.token_id(),
        "name": unfinished.name(),
        "account_id": account,
        "zone_id": zone,
        "change": change(unfinished.change()),
        "begun_at": unfinished.begun_at(),
        "age_seconds": unfinished.age().map(|age| age.as_secs()),
        "previous_secret_expires_at": unfinished.previous_secret_ends(),
        "key": unfinished.key(),
        "delivered_to": unfinished.delivered(),
        "next": next(unfinished),
    })
}

fn change(change: Change) -> &'static str {
    match change {
        Change::Rotation => "rotation",
        Change::Creation => "create",
        Change::Issuance => "issue",
        Change::HandOver => "new secret",
    }
}

fn next(unfinished: &Unfinished) -> &'static str {
    match unfinished.next_step() {
        NextStep::Deliver => "deliver the secret",
        _ => "look at the token",
    }
}
