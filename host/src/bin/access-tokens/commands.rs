//! Carries out a command: finds the token, asks where it must, makes the call, prints the result.

use cloudflare_access_host::{
    Account, CreateParams, ListAllParams, PreviousSecret, Scope, ServiceToken, Tokens, UpdateParams,
};

use crate::arguments::{Arguments, Command, Connection, Create, Delete, Get, List, Output, Refresh, Rotate, Update};
use crate::confirm::confirm;
use crate::failure::{Attempt, Failure};
use crate::find::find;
use crate::progress::with_progress;
use crate::secret_file::Destination;
use crate::{demo, manual, output, settings};

pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { connection, output, command, .. } = arguments;
    match command {
        Command::List(list) => list_tokens(&connection, output, list).await,
        Command::Get(get) => get_token(&connection, output, get).await,
        Command::Create(create) => create_token(&connection, output, create).await,
        Command::Update(update) => update_token(&connection, output, update).await,
        Command::Delete(delete) => delete_token(&connection, output, delete).await,
        Command::Refresh(refresh) => refresh_token(&connection, output, refresh).await,
        Command::Rotate(rotate) => rotate_token(&connection, output, rotate).await,
        Command::Demo => demo::run().await,
        Command::Completions { shell } => manual::print_completions(shell),
        Command::ManPage => manual::print_man_page(),
    }
}

async fn list_tokens(connection: &Connection, output: Output, list: List) -> Result<(), Failure> {
    if output == Output::Env {
        return Err(Failure::usage("--output env is for one token; use table or json with list"));
    }
    let tokens = tokens(connection)?;
    let mut params = ListAllParams::new();
    params.name = list.name;
    params.search = list.search;
    params.per_page = list.per_page;
    let found = with_progress("listing", &Attempt::Read, tokens.list_all(params)).await?;
    output::print_list(&found, output)
}

async fn get_token(connection: &Connection, output: Output, get: Get) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    let found = find(&tokens, &get.token.token).await?;
    let token = with_progress("reading", &Attempt::Read, tokens.get(&found.id)).await?;
    output::print_token(&token, None, output)
}

async fn create_token(connection: &Connection, output: Output, create: Create) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    let secret = Destination::prepare(&create.secret, output)?;
    let attempt = Attempt::Create { name: create.name.clone() };
    let mut params = CreateParams::named(create.name);
    params.duration = create.duration;
    params.enabled = create.disabled.then_some(false);
    params.client_secret_version = create.client_secret_version;
    params.previous_client_secret_expires_at = create.previous_client_secret_expires_at;
    let issued = with_progress("creating", &attempt, tokens.create(params)).await?;
    let shown = secret.keep(&issued.token, &issued.client_secret)?;
    output::print_token(&issued.token, shown.as_ref(), output)
}

async fn update_token(connection: &Connection, output: Output, update: Update) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    let new_secret = update.client_secret_version.is_some();
    // Without a new version no secret comes, so there is none to find a place for.
    let secret = if new_secret { Some(Destination::prepare(&update.secret, output)?) } else { None };
    let found = find(&tokens, &update.token.token).await?;
    let attempt = Attempt::Update { token: found.id.clone(), new_secret };
    let mut params = UpdateParams::new();
    params.name = update.name;
    params.duration = update.duration;
    params.enabled = update.enabled;
    params.client_secret_version = update.client_secret_version;
    params.previous_client_secret_expires_at = update.previous_client_secret_expires_at;
    let updated = with_progress("updating", &attempt, tokens.update(&found.id, params)).await?;
    let shown = match (&updated.client_secret, secret) {
        (Some(issued), Some(destination)) => destination.keep(&updated.token, issued)?,
        (issued, _) => issued.clone(),
    };
    if new_secret && updated.client_secret.is_none() {
        anstream::eprintln!("No new secret: the version given is not above the token's current one.");
    }
    output::print_token(&updated.token, shown.as_ref(), output)
}

async fn delete_token(connection: &Connection, output: Output, delete: Delete) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    let found = find(&tokens, &delete.token.token).await?;
    confirm(&format!("Delete token {} for good? Every machine that uses it is locked out.", found.label), delete.yes)?;
    let attempt = Attempt::Delete { token: found.id.clone() };
    let token = with_progress("deleting", &attempt, tokens.delete(&found.id)).await?;
    done(&format!("Deleted {}.", found.label), &token, output)
}

async fn refresh_token(connection: &Connection, output: Output, refresh: Refresh) -> Result<(), Failure> {
    let account = account(connection, "refresh")?;
    let found = find(&account, &refresh.token.token).await?;
    let attempt = Attempt::Refresh { token: found.id.clone() };
    let token = with_progress("refreshing", &attempt, account.refresh(&found.id)).await?;
    output::print_token(&token, None, output)
}

async fn rotate_token(connection: &Connection, output: Output, rotate: Rotate) -> Result<(), Failure> {
    let account = account(connection, "rotate")?;
    let secret = Destination::prepare(&rotate.secret, output)?;
    let found = find(&account, &rotate.token.token).await?;
    let previous = match (rotate.grace, rotate.previous_expires_at) {
        (Some(grace), _) => PreviousSecret::expires_in(grace),
        (None, Some(time)) => PreviousSecret::ExpiresAt(time),
        (None, None) => {
            confirm(
                &format!(
                    "Rotate token {} and end its old secret now? Every machine that still uses it is locked out (--grace 24h \
                     leaves it time).",
                    found.label
                ),
                rotate.yes,
            )?;
            PreviousSecret::ExpiresNow
        }
    };
    let attempt = Attempt::Rotate { token: found.id.clone() };
    let issued = with_progress("rotating", &attempt, account.rotate(&found.id, previous)).await?;
    let shown = secret.keep(&issued.token, &issued.client_secret)?;
    output::print_token(&issued.token, shown.as_ref(), output)
}

fn done(message: &str, token: &ServiceToken, output: Output) -> Result<(), Failure> {
    match output {
        Output::Table => output::print_line(message),
        Output::Json | Output::Env => output::print_token(token, None, output),
    }
}

fn tokens(connection: &Connection) -> Result<Tokens<Scope>, Failure> {
    let scope = settings::scope(connection)?;
    Ok(settings::access_tokens(connection)?.scope(scope))
}

fn account(connection: &Connection, operation: &str) -> Result<Tokens<Account>, Failure> {
    match settings::scope(connection)? {
        Scope::Account(id) => Ok(settings::access_tokens(connection)?.account(id)),
        Scope::Zone(_) => Err(Failure::usage(format!("the API has {operation} for accounts only; give --account"))),
    }
}
