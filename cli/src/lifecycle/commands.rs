//! Carries out one of these commands: finds the token, asks where it must, makes the call, prints the result.

use cloudflare_access_host::{CreateParams, Ensured, IssueKey, Selector};

use crate::arguments::{Connection, Output};
use crate::command_line::{this_command, this_command_with};
use crate::confirm::confirm;
use crate::failure::{Attempt, Failure, wait};
use crate::find::{find, find_all};
use crate::lifecycle::arguments::{
    Command, Disable, Enable, EndOverlap, Ensure, Expiring, ExtendOverlap, Find, FinishIssue, Issue, RefreshExpiring,
    ResolveCreate,
};
use crate::lifecycle::watch::watch;
use crate::message::tell;
use crate::output;
use crate::progress::with_progress;
use crate::secret_file::Destination;
use crate::settings::{account, tokens};

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
    let tokens = tokens(connection)?;
    let report = with_progress("listing", &Attempt::Read, tokens.expiring(expiring.within)).await?;
    output::print_expiry(&report, output)
}

async fn refresh_expiring(connection: &Connection, output: Output, refresh: RefreshExpiring) -> Result<(), Failure> {
    output::refuse_env(output, "refresh-expiring")?;
    let account = account(connection, "refresh")?;
    let renewal = account.refresh_expiring(refresh.due.into());
    let report = with_progress("renewing", &Attempt::RefreshExpiring, renewal).await?;
    output::print_renewal(&report, output)?;
    match report.failures().count() {
        0 => Ok(()),
        failed => {
            let due = report.tokens.len();
            let longest_wait = report.failures().filter_map(|error| error.retry_after).max();
            let again = "Run it again: it renews what is still due.".to_owned();
            let advice: Vec<String> = [Some(again), wait(longest_wait)].into_iter().flatten().collect();
            let message = format!("{failed} of {due} tokens that were due could not be renewed");
            Err(Failure::not_renewed(message).advice(advice.join(" ")))
        }
    }
}

async fn end_overlap(connection: &Connection, output: Output, end: EndOverlap) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    let found = find(&tokens, &end.token.token).await?;
    confirm(
        &format!("End the old secret of token {} now? Every machine that still uses it is locked out.", found.label),
        end.yes,
    )?;
    let attempt = Attempt::Update { token: found.id.clone() };
    let token = with_progress("ending the overlap", &attempt, tokens.end_overlap(&found.id)).await?;
    output::print_done(&format!("No old secret of {} passes any longer.", found.label), &token, output)
}

async fn extend_overlap(connection: &Connection, output: Output, extend: ExtendOverlap) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    let found = find(&tokens, &extend.token.token).await?;
    let attempt = Attempt::Update { token: found.id.clone() };
    let extension = tokens.extend_overlap(&found.id, extend.overlap);
    let token = with_progress("extending the overlap", &attempt, extension).await?;
    if token.previous_client_secret_expires_at.is_none() {
        tell("Nothing to extend: the token has no old secret.");
    }
    output::print_token(&token, None, output)
}

async fn find_tokens(connection: &Connection, output: Output, find: Find) -> Result<(), Failure> {
    output::refuse_env(output, "find")?;
    let tokens = tokens(connection)?;
    output::print_list(&find_all(&tokens, &find.name).await?, output)
}

async fn ensure_token(connection: &Connection, output: Output, ensure: Ensure) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    // A secret file from the run that made the token is no hindrance: no secret comes for a token that is there.
    let is_kept = ensure.secret.is_in_a_file_already() && {
        let named = tokens.find(Selector::name(&ensure.name));
        !with_progress("looking for the name", &Attempt::Read, named).await?.is_empty()
    };
    let secret = if is_kept { None } else { Some(Destination::prepare(&ensure.secret, output)?) };
    let attempt = Attempt::ensure(&ensure.name);
    let mut params = CreateParams::named(ensure.name);
    params.duration = ensure.duration;
    params.enabled = ensure.enabled;
    let ensured = with_progress("ensuring", &attempt, tokens.ensure(params)).await?;
    let shown = match (&ensured, secret) {
        (Ensured::Created(issued), Some(destination)) => destination.keep(&issued.token, &issued.client_secret)?,
        // Somebody has deleted the token in the meantime.
        (Ensured::Created(issued), None) => Some(issued.client_secret.clone()),
        (Ensured::Updated(_) | Ensured::Unchanged(_), _) => None,
    };
    output::print_ensured(&ensured, shown.as_ref(), output)
}

async fn issue_token(connection: &Connection, output: Output, issue: Issue) -> Result<(), Failure> {
    let account = account(connection, "rotate, which issue needs,")?;
    let secret = Destination::prepare(&issue.secret, output)?;
    let name = issue.token.name.clone();
    let (key, again) = begin_issue(issue.key)?;
    let attempt = Attempt::Issue { command: again.clone() };
    let mut issued = with_progress("issuing", &attempt, account.issue(issue.token.into(), &key)).await?;
    // What is printed before it has its name is shown with the name that it is about to get.
    issued.token.name = Some(name);
    let finish = format!("access-tokens finish-issue {key}{}", connection.options());
    let is_not_stored = |failure: Failure| {
        failure.advice(format!(
            "Once the secret is stored, give the token its name:\n  {finish}\nIf the secret is lost, get another:\n  {again}"
        ))
    };
    let shown = secret.keep(&issued.token, &issued.client_secret).map_err(is_not_stored)?;
    if shown.is_some() {
        output::print_token(&issued.token, shown.as_ref(), output).map_err(is_not_stored)?;
    }
    let attempt = Attempt::FinishIssue { command: finish };
    let token = with_progress("giving the token its name", &attempt, account.finish_issue(&key)).await?;
    match shown {
        Some(_) => Ok(()),
        None => output::print_token(&token, None, output),
    }
}

/// The key, and the command that goes on under it. A key that nobody knows yet is shown before anything is sent.
fn begin_issue(given: Option<IssueKey>) -> Result<(IssueKey, String), Failure> {
    if let Some(key) = given {
        return Ok((key, this_command()));
    }
    let key = IssueKey::random().map_err(|error| Failure::defect(format!("there is no random key: {error}")))?;
    let command = this_command_with("--key", key.as_str());
    tell(format_args!("Issuing under the key {key}. If this is interrupted, go on with:\n  {command}"));
    Ok((key, command))
}

async fn finish_issue(connection: &Connection, output: Output, finish: FinishIssue) -> Result<(), Failure> {
    let account = account(connection, "rotate, which issue needs,")?;
    let attempt = Attempt::FinishIssue { command: this_command() };
    let token = with_progress("giving the token its name", &attempt, account.finish_issue(&finish.key)).await?;
    output::print_token(&token, None, output)
}

async fn resolve_create(connection: &Connection, output: Output, resolve: ResolveCreate) -> Result<(), Failure> {
    output::refuse_env(output, "resolve-create")?;
    let tokens = tokens(connection)?;
    let search = tokens.resolve_create(&resolve.name, &resolve.since);
    let found = with_progress("looking for the name", &Attempt::Read, search).await?;
    output::print_list(&found, output)?;
    tell(match found.as_slice() {
        [] => "The create made no token; it can be made again.".to_owned(),
        [token] => format!(
            "Nobody has its secret. Get one with `access-tokens rotate {}`, or delete it with `access-tokens delete {}`.",
            token.id, token.id
        ),
        _ => "Nobody has their secrets, unless others use the name. Rotate one to get a secret, and delete the rest."
            .to_owned(),
    });
    Ok(())
}

async fn disable_token(connection: &Connection, output: Output, disable: Disable) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    let found = find(&tokens, &disable.token.token).await?;
    confirm(
        &format!(
            "Switch token {} off? Every machine that uses it is locked out until it is switched on again, and the old secret of a \
             rotation ends for good.",
            found.label
        ),
        disable.yes,
    )?;
    let attempt = Attempt::Update { token: found.id.clone() };
    let token = with_progress("switching off", &attempt, tokens.disable(&found.id)).await?;
    let message =
        format!("{} is off. The old secret of a rotation, if there was one, has ended for good.", found.label);
    output::print_done(&message, &token, output)
}

async fn enable_token(connection: &Connection, output: Output, enable: Enable) -> Result<(), Failure> {
    let tokens = tokens(connection)?;
    let found = find(&tokens, &enable.token.token).await?;
    let attempt = Attempt::Update { token: found.id.clone() };
    let token = with_progress("switching on", &attempt, tokens.enable(&found.id)).await?;
    let until = token.expires_at.as_deref().map(|time| format!(", {time}")).unwrap_or_default();
    output::print_done(
        &format!("{} is on. Its current secret passes until the token expires{until}.", found.label),
        &token,
        output,
    )
}
