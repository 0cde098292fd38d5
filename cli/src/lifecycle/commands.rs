//! Carries out one of these commands: finds the token, asks where it must, makes the call, prints the result.

use std::path::Path;

use cloudflare_access_host::rotation::{Issuance, RotationError, Subject};
use cloudflare_access_host::{
    Account, CreateParams, Ensured, IssueKey, ListAllParams, Scope, SecretString, ServiceToken, TokenDuration, Tokens,
    UpdateParams,
};

use crate::api::Api;
use crate::arguments::{Connection, Output};
use crate::command_line::{this_command, this_command_with};
use crate::destination::Delivery;
use crate::dry_run::{self, Request};
use crate::effect::{Change, LockOut, OldSecret, ask};
use crate::exit::Exit;
use crate::failure::{Attempt, Failure, wait};
use crate::find::{ambiguous, find, find_all, find_by_name, label};
use crate::lifecycle::arguments::{
    Command, Disable, Enable, EndOverlap, Ensure, Expiring, ExtendOverlap, Find, FinishIssue, Issue, RefreshExpiring,
    ResolveCreate,
};
use crate::lifecycle::due::due;
use crate::lifecycle::watch::watch;
use crate::lost_create::{self, NewToken};
use crate::message::tell;
use crate::output;
use crate::rotation::work::{Work, print_with_secret};
use crate::settings::{account, tokens};
use crate::words::{parse_duration, spoken};

/// The end that ends an old secret now, as the component sends it.
const LONG_AGO: &str = "2000-01-01T00:00:00Z";

pub async fn run(connection: &Connection, output: Output, command: Command) -> Result<(), Failure> {
    match command {
        Command::Expiring(expiring) => list_expiring(connection, output, expiring).await,
        Command::RefreshExpiring(refresh) => refresh_expiring(connection, output, refresh).await,
        Command::Watch(arguments) => watch(connection, arguments).await,
        Command::EndOverlap(end) => end_overlap(connection, output, end).await,
        Command::ExtendOverlap(extend) => extend_overlap(connection, output, extend).await,
        Command::Find(find) => find_tokens(connection, output, find).await,
        Command::Ensure(ensure) => ensure_token(connection, output, ensure).await,
        Command::Issue(issue) => issue_token(connection, output, issue).await,
        Command::FinishIssue(finish) => finish_issue(connection, output, finish).await,
        Command::ResolveCreate(resolve) => resolve_create(connection, output, resolve).await,
        Command::Disable(disable) => disable_token(connection, output, disable).await,
        Command::Enable(enable) => enable_token(connection, output, enable).await,
    }
}

async fn list_expiring(connection: &Connection, output: Output, expiring: Expiring) -> Result<(), Failure> {
    output::refuse_env(output, "expiring")?;
    let api = tokens(connection)?;
    let report = api.call("listing", &Attempt::Read, async |tokens| tokens.expiring(expiring.within).await).await?;
    output::print_expiry(&report, output)?;
    match report.expiring.len() + report.unreadable.len() {
        due if due > 0 && expiring.fail => {
            let tokens = if due == 1 { "1 token is".to_owned() } else { format!("{due} tokens are") };
            Err(Failure::new(Exit::Due, format!("{tokens} due within {}", spoken(expiring.within))))
        }
        _ => Ok(()),
    }
}

async fn refresh_expiring(connection: &Connection, output: Output, refresh: RefreshExpiring) -> Result<(), Failure> {
    output::refuse_env(output, "refresh-expiring")?;
    let api = account(connection, "refresh")?;
    if refresh.dry_run.dry_run {
        let params = refresh.due.into();
        let due = api.call("listing", &Attempt::Read, async |account| due(account, &params).await).await?;
        let requests = due.iter().map(|due| Request::refresh(api.scope(), &due.token.id));
        return dry_run::print(&requests.collect::<Vec<_>>(), output);
    }
    let attempt = Attempt::RefreshExpiring { again: this_command() };
    let renewal = async |account: Tokens<Account>| account.refresh_expiring(refresh.due.into()).await;
    let report = api.call("renewing", &attempt, renewal).await?;
    output::print_renewal(&report, output)?;
    match report.failures().count() {
        0 => Ok(()),
        failed => {
            let due = report.tokens.len();
            let longest_wait = report.failures().filter_map(|error| error.retry_after).max();
            let again = format!("Run it again: it renews what is still due.\n  {}", this_command());
            let advice: Vec<String> = [wait(longest_wait), Some(again)].into_iter().flatten().collect();
            let message = format!("{failed} of {due} tokens that were due could not be renewed");
            Err(Failure::not_renewed(message).advice(advice.join(" ")))
        }
    }
}

async fn end_overlap(connection: &Connection, output: Output, end: EndOverlap) -> Result<(), Failure> {
    let api = tokens(connection)?;
    let found = find(&api, &end.token.token).await?;
    if end.dry_run.dry_run {
        let params = UpdateParams::new().previous_client_secret_expires_at(LONG_AGO);
        return dry_run::print(&[Request::update(api.scope(), &found.id, &params)], output);
    }
    // Without a state folder nothing is unfinished there.
    if let Ok(state) = Work::open_quietly(connection) {
        let subject = Subject::Token { scope: api.scope().clone(), id: found.id.clone() };
        Work::new(state, subject, connection, output).refuse_unfinished()?;
    }
    ask(&[LockOut::OldSecretEnded], &found.label, end.yes).await?;
    let attempt = Attempt::Update { look: api.command(&["get", &found.id]) };
    let token = api.call("ending the overlap", &attempt, async |tokens| tokens.end_overlap(&found.id).await).await?;
    output::print_done(&format!("No old secret of {} passes any longer.", found.label), &token, output)
}

async fn extend_overlap(connection: &Connection, output: Output, extend: ExtendOverlap) -> Result<(), Failure> {
    let api = tokens(connection)?;
    let found = find(&api, &extend.token.token).await?;
    let attempt = Attempt::Update { look: api.command(&["get", &found.id]) };
    if extend.dry_run.dry_run {
        let until = api.time_in(extend.overlap).await?;
        let params = UpdateParams::new().previous_client_secret_expires_at(until);
        return dry_run::print(&[Request::update(api.scope(), &found.id, &params)], output);
    }
    let extension = async |tokens: Tokens<Scope>| tokens.extend_overlap(&found.id, extend.overlap).await;
    let token = api.call("extending the overlap", &attempt, extension).await?;
    if token.previous_client_secret_expires_at.is_none() {
        tell("Nothing to extend: the token has no old secret.");
    }
    output::print_changed(&token, None, output)
}

async fn find_tokens(connection: &Connection, output: Output, find: Find) -> Result<(), Failure> {
    output::refuse_env(output, "find")?;
    let api = tokens(connection)?;
    output::print_list(&find_all(&api, &find.name).await?, output)
}

async fn ensure_token(connection: &Connection, output: Output, ensure: Ensure) -> Result<(), Failure> {
    ensure.secret.refuse_bare_secret_file()?;
    let api = tokens(connection)?;
    if ensure.dry_run.dry_run {
        return dry_run::print(&ensuring(&api, &ensure).await?, output);
    }
    let delivery = Delivery::prepare(&ensure.secret, output)?;
    let state = Work::open(connection)?;
    let file = ensure.secret.secret_file.as_deref();
    let switches_off = ensure.enabled == Some(false);
    let named = if file.is_some() || switches_off { find_by_name(&api, &ensure.name).await? } else { Vec::new() };
    if let [token] = named.as_slice() {
        // The file from the run that made the token is no hindrance: no secret comes for a token that is there.
        let subject = Subject::Token { scope: api.scope().clone(), id: token.id.clone() };
        let is_on_its_way = state.unfinished_of(&subject).is_ok_and(|unfinished| unfinished.is_some());
        if let Some(path) = file
            && !is_on_its_way
            && !(path.exists() && ensure.secret.holds_pair_of(path, token)?)
        {
            return Err(secret_is_elsewhere(&api, token, path));
        }
        let change = Change { switches_off, makes_secret: false, old_secret: OldSecret::Unsaid };
        api.ask(&change, &token.into(), &label(&ensure.name, token), ensure.yes).await?;
    } else {
        delivery.check(None).await?;
    }
    let new_token = NewToken::begin(lost_create::Kind::Ensure, &ensure.name, connection);
    let mut params = CreateParams::named(ensure.name);
    params.duration = ensure.duration;
    params.enabled = ensure.enabled;
    let make = async |tokens: Tokens<Scope>| tokens.ensure(params).await;
    let ensured = new_token.carry_out("ensuring", &api, make).await?;
    let subject = Subject::Token { scope: api.scope().clone(), id: ensured.token().id.clone() };
    let work = Work::new(state, subject, connection, output);
    let is_shown = matches!(delivery, Delivery::Output);
    let printed = ensured.clone();
    let print =
        Box::new(move |_: &ServiceToken, secret: &SecretString| output::print_ensured(&printed, Some(secret), output));
    let delivery = work.delivery(delivery, print);
    match &ensured {
        Ensured::Created(issued) => {
            work.hand_over(&delivery, &issued.token, &issued.client_secret).await?;
            if is_shown {
                return Ok(());
            }
        }
        Ensured::Updated(_) | Ensured::Unchanged(_) => {
            work.see(ensured.token());
            if work.go_on(&delivery).await? {
                if is_shown {
                    return Ok(());
                }
            } else if ensure.secret.has_more_than_a_file() {
                tell("The token was there: no new secret came, so none was delivered.");
            }
        }
    }
    output::print_ensured(&ensured, None, output)
}

/// The request that brings a token in line, if one does.
async fn ensuring(api: &Api<Scope>, ensure: &Ensure) -> Result<Vec<Request>, Failure> {
    let named = find_by_name(api, &ensure.name).await?;
    let token = match named.as_slice() {
        [] => {
            let mut params = CreateParams::named(&ensure.name);
            params.duration.clone_from(&ensure.duration);
            params.enabled = ensure.enabled;
            return Ok(vec![Request::create(api.scope(), &params)]);
        }
        [token] => token,
        several => return Err(ambiguous(&ensure.name, several)),
    };
    let mut params = UpdateParams::new();
    let is_as_long = |wanted: &TokenDuration| {
        let current = token.duration.as_deref().unwrap_or_default();
        let length = parse_duration(current);
        wanted.as_str() == current || length.is_ok() && length == parse_duration(wanted.as_str())
    };
    params.duration = ensure.duration.clone().filter(|wanted| !is_as_long(wanted));
    params.enabled = ensure.enabled.filter(|wanted| token.enabled.unwrap_or(true) != *wanted);
    let is_in_line = params.duration.is_none() && params.enabled.is_none();
    Ok(if is_in_line { Vec::new() } else { vec![Request::update(api.scope(), &token.id, &params)] })
}

/// A token that is there without its secret in the file is not what was asked for.
fn secret_is_elsewhere(api: &Api<Scope>, token: &ServiceToken, path: &Path) -> Failure {
    let is_there = path.exists();
    let (name, file) = (path.display(), path.to_string_lossy());
    let what = if is_there { "holds another pair, or none" } else { "does not" };
    let message = format!("the token {} exists, and the secret file {name} {what}; nothing was changed", token.id);
    let rotate = |file: &str| api.command(&["rotate", &token.id, "--overlap", "24h", "--secret-file", file]);
    let new_file = if is_there { format!("{file}.new") } else { file.into_owned() };
    Failure::refused(message).advice(format!(
        "The API does not show a secret again. If nobody has it, get a new one; the old one passes for a day:\n  {}",
        rotate(&new_file)
    ))
}

/// Issues a token, or goes on with an issue that was stopped.
pub async fn issue_token(connection: &Connection, output: Output, issue: Issue) -> Result<(), Failure> {
    let api = account(connection, "rotate, which issue needs,")?;
    if issue.dry_run.dry_run {
        return dry_run::print(&issuing(&api, issue).await?, output);
    }
    let delivery = Delivery::prepare(&issue.secret, output)?;
    let is_shown = matches!(delivery, Delivery::Output);
    let name = issue.token.name.clone();
    let subject = Subject::NewToken { scope: api.scope().clone(), name: name.clone() };
    let work = Work::new(Work::open(connection)?, subject, connection, output);
    let kept = work.unfinished()?.and_then(|unfinished| IssueKey::new(unfinished.key()?).ok());
    // The file may hold the pair that an earlier run under the same key has written.
    let earlier = match issue.key.as_ref().or(kept.as_ref()) {
        Some(key) if issue.secret.replace => find_by_name(&api, &working_name(&name, key.as_str())).await?,
        _ => Vec::new(),
    };
    let client_id = earlier.into_iter().next().and_then(|token| token.client_id);
    if kept.is_none() {
        delivery.check(client_id.as_deref()).await?;
    }
    let (key, again) = begin_issue(&work, issue.key, kept)?;
    let attempt = Attempt::Issue { command: again };
    let delivery = work.delivery(delivery, print_with_secret(output));
    let mut observe = work.observer();
    let run = async |account: Tokens<Account>, time| {
        let issuance = Issuance::new(account, issue.token.into(), key.clone(), delivery).client_id(client_id);
        issuance.timeout(time).run(&work.state, &mut observe).await
    };
    match api.run(&attempt, run).await.map_err(|failure| work.interrupted(failure))? {
        Ok(_) if is_shown => Ok(()),
        Ok(token) => output::print_changed(&token, None, output),
        Err(RotationError::NotNamed(error)) => Err(Attempt::FinishIssue { command: work.resume(&[]) }.failed(&error)),
        Err(error) => Err(work.failure_of(error, &attempt)),
    }
}

/// The requests of an issue: a create or, where an earlier run has made the token, a rotation; then its name.
async fn issuing(api: &Api<Account>, issue: Issue) -> Result<Vec<Request>, Failure> {
    let name = issue.token.name.clone();
    let key = issue.key.as_ref().map_or("<a new key>", IssueKey::as_str);
    let mut params = CreateParams::from(issue.token);
    params.name = working_name(&name, key);
    let made = if issue.key.is_some() { find_by_name(api, &params.name).await? } else { Vec::new() };
    let (id, secret) = match made.first() {
        Some(token) => (token.id.as_str(), next_secret(api, token)),
        None => ("<its id>", Request::create(api.scope(), &params)),
    };
    let twins = made.iter().skip(1).map(|token| Request::delete(api.scope(), &token.id));
    let finish = Request::update(api.scope(), id, &UpdateParams::new().name(name));
    Ok(twins.chain([secret, finish]).collect())
}

/// The request that gives a token another secret: by its version where that is known, as the component does.
fn next_secret(api: &Api<Account>, token: &ServiceToken) -> Request {
    match token.client_secret_version.and_then(|version| version.checked_add(1)) {
        Some(version) => Request::update(api.scope(), &token.id, &UpdateParams::new().client_secret_version(version)),
        None => Request::rotate(api.scope(), &token.id, None),
    }
}

/// The name that a token has until its secret is stored.
fn working_name(name: &str, key: &str) -> String {
    format!("{name} [issue:{key}]")
}

/// The key, and the command that goes on under it. A key that nobody knows yet is shown before anything is sent.
fn begin_issue(work: &Work, given: Option<IssueKey>, kept: Option<IssueKey>) -> Result<(IssueKey, String), Failure> {
    match (given, kept) {
        (Some(given), Some(kept)) if given != kept => {
            Err(Failure::refused(format!("an issue of this name is unfinished under the key {kept}; nothing was sent"))
                .advice(format!(
                    "Go on with it:\n  {}\nOr forget it, and the secret that may be kept with it:\n  {}",
                    work.resume(&[]),
                    work.resume(&["--abandon"])
                )))
        }
        (Some(key), _) | (None, Some(key)) => Ok((key, this_command())),
        (None, None) => {
            let key =
                IssueKey::random().map_err(|error| Failure::defect(format!("there is no random key: {error}")))?;
            let command = this_command_with(&["--key", key.as_str()]);
            tell(format_args!("Issuing under the key {key}. If this is interrupted, go on with:\n  {command}"));
            Ok((key, command))
        }
    }
}

async fn finish_issue(connection: &Connection, output: Output, finish: FinishIssue) -> Result<(), Failure> {
    let api = account(connection, "rotate, which issue needs,")?;
    if finish.dry_run.dry_run {
        let list = async |account: Tokens<Account>| account.list_all(ListAllParams::new()).await;
        let tokens = api.call("listing", &Attempt::Read, list).await?;
        let ending = format!(" [issue:{}]", finish.key);
        let requests = tokens.iter().filter_map(|token| {
            let name = token.name.as_deref()?.strip_suffix(&ending)?;
            Some(Request::update(api.scope(), &token.id, &UpdateParams::new().name(name)))
        });
        return dry_run::print(&requests.collect::<Vec<_>>(), output);
    }
    let attempt = Attempt::FinishIssue { command: this_command() };
    let name = async |account: Tokens<Account>| account.finish_issue(&finish.key).await;
    let token = api.call("giving the token its name", &attempt, name).await?;
    output::print_changed(&token, None, output)
}

async fn resolve_create(connection: &Connection, output: Output, resolve: ResolveCreate) -> Result<(), Failure> {
    output::refuse_env(output, "resolve-create")?;
    let api = tokens(connection)?;
    let search = async |tokens: Tokens<Scope>| tokens.resolve_create(&resolve.name, &resolve.since).await;
    let found = api.call("looking for the name", &Attempt::Read, search).await?;
    output::print_list(&found, output)?;
    let ids: Vec<&str> = found.iter().map(|token| token.id.as_str()).collect();
    tell(lost_create::after_a_look(&ids, &this_command(), connection));
    Ok(())
}

async fn disable_token(connection: &Connection, output: Output, disable: Disable) -> Result<(), Failure> {
    let api = tokens(connection)?;
    let found = find(&api, &disable.token.token).await?;
    if disable.dry_run.dry_run {
        return dry_run::print(&[Request::update(api.scope(), &found.id, &UpdateParams::new().enabled(false))], output);
    }
    ask(&[LockOut::SwitchedOff], &found.label, disable.yes).await?;
    let attempt = Attempt::Update { look: api.command(&["get", &found.id]) };
    let token = api.call("switching off", &attempt, async |tokens| tokens.disable(&found.id).await).await?;
    let message =
        format!("{} is off. The old secret of a rotation, if there was one, has ended for good.", found.label);
    output::print_done(&message, &token, output)
}

async fn enable_token(connection: &Connection, output: Output, enable: Enable) -> Result<(), Failure> {
    let api = tokens(connection)?;
    let found = find(&api, &enable.token.token).await?;
    if enable.dry_run.dry_run {
        return dry_run::print(&[Request::update(api.scope(), &found.id, &UpdateParams::new().enabled(true))], output);
    }
    let attempt = Attempt::Update { look: api.command(&["get", &found.id]) };
    let token = api.call("switching on", &attempt, async |tokens| tokens.enable(&found.id).await).await?;
    let until = token.expires_at.as_deref().map(|time| format!(", {time}")).unwrap_or_default();
    output::print_done(
        &format!("{} is on. Its current secret passes until the token expires{until}.", found.label),
        &token,
        output,
    )
}
