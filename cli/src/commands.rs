//! Carries out a command: finds the token, asks where it must, makes the call, prints the result.

use cloudflare_access_host::rotation::{Creation, RotationError, StateFolder, Subject};
use cloudflare_access_host::{
    Account, Deletion, ListAllParams, PreviousSecret, Scope, SecretString, ServiceToken, Tokens, UpdateParams,
};
use jiff::Timestamp;

use crate::api::Api;
use crate::arguments::{
    Arguments, Auth, Command, Connection, Create, Delete, Get, List, Output, Refresh, Rotate, Update,
};
use crate::auth_status::auth_status;
use crate::destination::Delivery;
use crate::dry_run::Request;
use crate::effect::{Before, Change, LockOut, OldSecret, ask};
use crate::failure::{Attempt, Failure};
use crate::filter::Filter;
use crate::find::find;
use crate::lost_create::{self, NewToken};
use crate::lost_secret::{Kind, SecretChange};
use crate::message::tell;
use crate::rotation::UrlProof;
use crate::rotation::commands::{rotate_with_overlap, with_proof};
use crate::rotation::work::{Work, print_with_secret};
use crate::settings::{account, tokens};
use crate::verify::verify;
use crate::{demo, dry_run, lifecycle, manual, output, rotation};

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
        Command::Rotation(command) => rotation::commands::run(&connection, output, command).await,
        Command::Lifecycle(command) => lifecycle::run(&connection, output, command).await,
        Command::Auth(Auth::Status) => auth_status(&connection, output).await,
        Command::Verify(arguments) => verify(&connection, output, arguments).await,
        Command::Demo => demo::run().await,
        Command::Completions { shell } => manual::print_completions(shell),
        Command::ManPage => manual::print_man_page(),
    }
}

async fn list_tokens(connection: &Connection, output: Output, list: List) -> Result<(), Failure> {
    output::refuse_env(output, "list")?;
    let api = tokens(connection)?;
    let filter = Filter::from(&list);
    let mut params = ListAllParams::new();
    params.name = list.name;
    params.search = list.search;
    params.per_page = list.per_page;
    let mut found = api.call("listing", &Attempt::Read, async |tokens| tokens.list_all(params).await).await?;
    let now = if filter.needs_the_time() { api.time(&Attempt::Read).await? } else { None };
    let now = now.unwrap_or_else(Timestamp::now);
    found.retain(|token| filter.shows(token, now));
    output::print_list(&found, output)
}

async fn get_token(connection: &Connection, output: Output, get: Get) -> Result<(), Failure> {
    let api = tokens(connection)?;
    let found = find(&api, &get.token.token).await?;
    let token = match found.token {
        Some(token) => token,
        None => api.read(&found.id).await?,
    };
    output::print_token(&token, output)
}

/// Makes a token, or goes on with a create that was stopped.
pub async fn create_token(connection: &Connection, output: Output, create: Create) -> Result<(), Failure> {
    let api = tokens(connection)?;
    if create.dry_run.dry_run {
        return dry_run::print(&[Request::create(api.scope(), &create.token.into())], output);
    }
    let delivery = Delivery::prepare(&create.secret, output)?;
    let is_shown = matches!(delivery, Delivery::Output);
    let subject = Subject::NewToken { scope: api.scope().clone(), name: create.token.name.clone() };
    let work = Work::new(Work::open(connection)?, subject, connection, output);
    let delivery = work.delivery(delivery, print_with_secret(output));
    let new_token = NewToken::begin(lost_create::Kind::Create, &create.token.name, connection);
    let attempt = Attempt::NewToken(new_token.clone());
    let mut observe = work.observer();
    let run = async |tokens: Tokens<Scope>, time| {
        Creation::new(tokens, create.token.into(), delivery).timeout(time).run(&work.state, &mut observe).await
    };
    match api.run(&attempt, run).await.map_err(|failure| work.interrupted(failure))? {
        Ok(_) if is_shown => Ok(()),
        Ok(token) => output::print_changed(&token, None, output),
        Err(RotationError::Unclear(error)) => Err(new_token.failed(&api, &error).await?),
        Err(error) => Err(work.failure_of(error, &attempt)),
    }
}

async fn update_token(connection: &Connection, output: Output, update: Update) -> Result<(), Failure> {
    let api = tokens(connection)?;
    let new_secret = update.client_secret_version.is_some();
    // Without a new version no secret comes, so there is none to find a place for.
    let is_dry = update.dry_run.dry_run;
    let delivery = if new_secret && !is_dry { Some(Delivery::prepare(&update.secret, output)?) } else { None };
    let state = if new_secret && !is_dry { Some(Work::open(connection)?) } else { None };
    let found = find(&api, &update.token.token).await?;
    let mut params = UpdateParams::new();
    params.name = update.name;
    params.duration = update.duration;
    params.enabled = update.enabled;
    params.client_secret_version = update.client_secret_version;
    params.previous_client_secret_expires_at = update.previous_client_secret_expires_at;
    if is_dry {
        return dry_run::print(&[Request::update(api.scope(), &found.id, &params)], output);
    }
    let old_secret = params.previous_client_secret_expires_at.clone();
    let mut intended = Change {
        switches_off: params.enabled == Some(false),
        makes_secret: new_secret,
        old_secret: old_secret.as_deref().map_or(OldSecret::Unsaid, OldSecret::EndsAt),
    };
    let version = params.client_secret_version;
    let change = async |tokens: Tokens<Scope>| tokens.update(&found.id, params).await;
    let updated = if new_secret {
        let token = api.read(&found.id).await?;
        if let (Some(delivery), Some(state)) = (&delivery, &state) {
            let subject = Subject::Token { scope: api.scope().clone(), id: token.id.clone() };
            Work::new(state.clone(), subject, connection, output).refuse_unfinished()?;
            delivery.check(token.client_id.as_deref()).await?;
        }
        // A version that is not above the current one makes no secret.
        intended.makes_secret = token.client_secret_version.is_none_or(|current| version > Some(current));
        api.ask(&intended, &(&token).into(), &found.label, update.yes).await?;
        let secret = SecretChange::of(Kind::Version, &token, old_secret.is_none(), connection);
        secret.carry_out("updating", &api, change).await?
    } else {
        api.ask(&intended, &Before::UNKNOWN, &found.label, update.yes).await?;
        let attempt = Attempt::Update { look: api.command(&["get", &found.id]) };
        api.call("updating", &attempt, change).await?
    };
    if let (Some(secret), Some(delivery), Some(state)) = (&updated.client_secret, delivery, state) {
        return hand_over(&api, connection, state, delivery, &updated.token, secret, output).await;
    }
    if new_secret {
        tell("No new secret: the version given is not above the token's current one.");
    }
    output::print_changed(&updated.token, None, output)
}

/// Delivers the new secret of a token that was there, and prints the token.
async fn hand_over<S: Clone + Into<Scope>>(
    api: &Api<S>,
    connection: &Connection,
    state: StateFolder,
    delivery: Delivery,
    token: &ServiceToken,
    secret: &SecretString,
    output: Output,
) -> Result<(), Failure> {
    let subject = Subject::Token { scope: api.scope().clone(), id: token.id.clone() };
    let work = Work::new(state, subject, connection, output);
    let is_shown = matches!(delivery, Delivery::Output);
    let delivery = work.delivery(delivery, print_with_secret(output));
    work.hand_over(&delivery, token, secret).await?;
    if is_shown { Ok(()) } else { output::print_changed(token, None, output) }
}

async fn delete_token(connection: &Connection, output: Output, delete: Delete) -> Result<(), Failure> {
    let api = tokens(connection)?;
    let found = find(&api, &delete.token.token).await?;
    if delete.dry_run.dry_run {
        return dry_run::print(&[Request::delete(api.scope(), &found.id)], output);
    }
    ask(&[LockOut::Deleted], &found.label, delete.yes).await?;
    let attempt = Attempt::Delete { look: api.command(&["get", &found.id]) };
    let deletion = api.call("deleting", &attempt, async |tokens| tokens.delete(&found.id).await).await?;
    let message = match deletion {
        Deletion::Deleted(_) => format!("Deleted {}.", found.label),
        Deletion::AlreadyGone => format!(
            "{} is gone. An earlier attempt of this command may have deleted it; its answer was lost.",
            found.label
        ),
    };
    output::print_deletion(&message, &found.id, &deletion, output)
}

async fn refresh_token(connection: &Connection, output: Output, refresh: Refresh) -> Result<(), Failure> {
    if refresh.secret_file.is_some() || refresh.show_secret {
        return Err(Failure::usage("a refresh makes no secret: the one that the token has passes for longer").advice(
            format!(
                "For a new one:\n  {}",
                connection.command(&["rotate", &refresh.token.token, "--overlap", "24h", "--show-secret"])
            ),
        ));
    }
    let api = account(connection, "refresh")?;
    let found = find(&api, &refresh.token.token).await?;
    if refresh.dry_run.dry_run {
        return dry_run::print(&[Request::refresh(api.scope(), &found.id)], output);
    }
    let attempt = Attempt::Refresh { look: api.command(&["get", &found.id]) };
    let token = api.call("refreshing", &attempt, async |account| account.refresh(&found.id).await).await?;
    let until = token.expires_at.as_deref().map(|time| format!(" until {time}")).unwrap_or_default();
    output::print_done(&format!("{} lives{until}. Its secret is as it was.", found.label), &token, output)
}

async fn rotate_token(connection: &Connection, output: Output, rotate: Rotate) -> Result<(), Failure> {
    if rotate.dry_run.dry_run {
        return dry_run::print(&[rotation_request(connection, &rotate).await?], output);
    }
    match rotate.overlap {
        Some(overlap) => rotate_with_overlap(connection, output, rotate, overlap).await,
        None => rotate_once(connection, output, &rotate).await,
    }
}

/// The request of a rotation. With an overlap it raises the version where that is known, as the component does.
async fn rotation_request(connection: &Connection, rotate: &Rotate) -> Result<Request, Failure> {
    let Some(overlap) = rotate.overlap else {
        let api = account(connection, "rotate without --overlap")?;
        let found = find(&api, &rotate.token.token).await?;
        return Ok(Request::rotate(api.scope(), &found.id, rotate.previous_expires_at.as_deref()));
    };
    let api = tokens(connection)?;
    let found = find(&api, &rotate.token.token).await?;
    let token = api.read(&found.id).await?;
    let until = api.time_in(overlap).await?;
    Ok(match token.client_secret_version.and_then(|version| version.checked_add(1)) {
        Some(version) => {
            let params = UpdateParams::new().client_secret_version(version).previous_client_secret_expires_at(until);
            Request::update(api.scope(), &token.id, &params)
        }
        None => Request::rotate(api.scope(), &token.id, Some(&until)),
    })
}

async fn rotate_once(connection: &Connection, output: Output, rotate: &Rotate) -> Result<(), Failure> {
    let api = account(connection, "rotate without --overlap")?;
    let delivery = Delivery::prepare(&rotate.secret, output)?;
    let is_shown = matches!(delivery, Delivery::Output);
    let proof = rotate.verify.as_deref().map(|url| UrlProof::new(url, connection)).transpose()?;
    let state = Work::open(connection)?;
    let found = find(&api, &rotate.token.token).await?;
    let token = api.read(&found.id).await?;
    let subject = Subject::Token { scope: api.scope().clone(), id: token.id.clone() };
    let work = Work::new(state, subject, connection, output);
    if work.unfinished()?.is_none() {
        delivery.check(token.client_id.as_deref()).await?;
    }
    let delivery = with_proof(work.delivery(delivery, print_with_secret(output)), proof, rotate);
    work.see(&token);
    let token = if work.go_on(&delivery).await? {
        token
    } else {
        let until = rotate.previous_expires_at.as_deref();
        let old_secret = until.map_or(OldSecret::Unsaid, OldSecret::EndsAt);
        let change = Change { switches_off: false, makes_secret: true, old_secret };
        let lock_outs = api.ask(&change, &(&token).into(), &found.label, rotate.yes).await?;
        let change = SecretChange::of(Kind::Rotation, &token, lock_outs.contains(&LockOut::Replaced), connection);
        let previous = rotate.previous_expires_at.clone().map_or(PreviousSecret::ExpiresNow, PreviousSecret::ExpiresAt);
        let rotation = async |account: Tokens<Account>| account.rotate(&found.id, previous).await;
        let issued = change.carry_out("rotating", &api, rotation).await?;
        work.hand_over(&delivery, &issued.token, &issued.client_secret).await?;
        issued.token
    };
    if is_shown { Ok(()) } else { output::print_changed(&token, None, output) }
}
