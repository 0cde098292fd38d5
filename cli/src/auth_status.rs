//! `auth status`: which credential is used, where it comes from, and whether it can read. One cheap request.

use cloudflare_access_host::{ListPageParams, Scope};
use serde_json::json;

use crate::arguments::{Connection, Output};
use crate::failure::{Attempt, Failure};
use crate::output;
use crate::settings::{credential_source, scope, tokens_in};

pub async fn auth_status(connection: &Connection, output: Output) -> Result<(), Failure> {
    output::refuse_env(output, "auth status")?;
    let source = credential_source(connection)?;
    let credential = source.describe()?;
    let api = tokens_in(scope(connection)?, connection, &source)?;
    let (scope, id) = match api.scope() {
        Scope::Account(id) => ("account", id.clone()),
        Scope::Zone(id) => ("zone", id.clone()),
    };
    let base_url = api.base_url().to_owned();
    let list =
        async |tokens: cloudflare_access_host::Tokens<Scope>| tokens.list_page(ListPageParams::new().per_page(1)).await;
    let read = api.call("asking the API", &Attempt::Read, list).await;
    let page = read.map_err(|failure| {
        failure.advice(format!("The credential was {credential}, for the {scope} {id} at {base_url}."))
    })?;
    let count = page.total_count;
    output::write(&match output {
        Output::Json => {
            let status = json!({
                "credential": credential,
                "base_url": base_url,
                "scope": scope,
                "id": id,
                "can_read": true,
                "can_write": null,
                "tokens": count,
            });
            format!("{status:#}\n")
        }
        Output::Table | Output::Env => {
            let count = count
                .map(|count| if count == 1 { " (1 token)".to_owned() } else { format!(" ({count} tokens)") })
                .unwrap_or_default();
            format!(
                "credential  {credential}\nAPI         {base_url}\n{scope:<12}{id}\ncan read    yes{count}\ncan write   not known: only a \
                 change shows it\n"
            )
        }
    })
}
