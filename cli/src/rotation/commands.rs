//! Carries out a rotation with an overlap, and goes on with what is unfinished.

use std::path::{Path, PathBuf};

use cloudflare_access_host::rotation::{Change as Kind, Rotation, RotationError, Subject, Unfinished};
use cloudflare_access_host::{RunningOverlap, Scope, Tokens};
use jiff::Timestamp;

use crate::arguments::{self, Arguments, Connection, Create, Output, Rotate};
use crate::commands::create_token;
use crate::destination::{Delivery, SecretArguments};
use crate::effect::{Change, OldSecret};
use crate::exit::Exit;
use crate::failure::{Attempt, Failure};
use crate::find::find;
use crate::lifecycle::{self, issue_token};
use crate::lost_secret::{self, SecretChange};
use crate::message::tell;
use crate::output;
use crate::rotation::age::too_young;
use crate::rotation::arguments::{Command, Resume};
use crate::rotation::note::Note;
use crate::rotation::proof::UrlProof;
use crate::rotation::work::{Work, name_of, print_with_secret};
use crate::rotation::{folder, unfinished};
use crate::settings::tokens;

pub async fn run(connection: &Connection, output: Output, command: Command) -> Result<(), Failure> {
    match command {
        Command::Rotations => unfinished::list(connection, output),
        Command::Resume(arguments) => resume(connection, arguments).await,
    }
}

/// One whole rotation, or what is left of an unfinished one.
pub async fn rotate_with_overlap(
    connection: &Connection,
    output: Output,
    rotate: Rotate,
    overlap: std::time::Duration,
) -> Result<(), Failure> {
    let api = tokens(connection)?;
    let delivery = Delivery::prepare(&rotate.secret, output)?;
    let is_shown = matches!(delivery, Delivery::Output);
    let proof = rotate.verify.as_deref().map(|url| UrlProof::new(url, connection)).transpose()?;
    let state = Work::open(connection)?;
    let found = find(&api, &rotate.token.token).await?;
    let token = api.read(&found.id).await?;
    let subject = Subject::Token { scope: api.scope().clone(), id: token.id.clone() };
    let work = Work::new(state, subject, connection, output).showing_all_steps();
    let is_unfinished = work.unfinished()?.is_some();
    if let Some(least) = rotate.if_older_than.filter(|_| !is_unfinished) {
        let now = api.time(&Attempt::Read).await?.unwrap_or_else(Timestamp::now);
        if let Some(why) = too_young(&work.state, api.scope(), &token, least, now)? {
            tell(why);
            return Ok(());
        }
    }
    let mut running = RunningOverlap::Refuse;
    if rotate.end_running_overlap && !is_unfinished {
        let change = Change { switches_off: false, makes_secret: true, old_secret: OldSecret::EndsLater };
        // Only an overlap that was asked about may be ended: another that begins in the meantime may not.
        if !api.ask(&change, &(&token).into(), &found.label, rotate.yes).await?.is_empty() {
            running = RunningOverlap::End;
        }
    }
    let change = SecretChange::of(lost_secret::Kind::Rotation, &token, false, connection);
    let attempt = Attempt::NewSecret(change.clone());
    let delivery = with_proof(work.delivery(delivery, print_with_secret(output)), proof, &rotate);
    let mut observe = work.observer();
    let run = async |tokens: Tokens<Scope>, time| {
        Rotation::new(tokens, &found.id, overlap, delivery)
            .end_overlap(rotate.end_overlap)
            .running_overlap(running)
            .accept_lockout(rotate.accept_lockout)
            .timeout(time)
            .run(&work.state, &mut observe)
            .await
    };
    match api.run(&attempt, run).await.map_err(|failure| work.interrupted(failure))? {
        Ok(_) if is_shown => Ok(()),
        Ok(token) => output::print_changed(&token, None, output),
        Err(RotationError::Unclear(error) | RotationError::SecretLost { source: Some(error), .. }) => {
            Err(change.failed(&api, &error).await?)
        }
        Err(RotationError::SecretLost { until, source: None }) => Err(Failure::refused(
            "the secret of an earlier rotation is lost, unless somebody else has rotated the token; nothing was changed",
        )
        .advice(change.lost_before(until.as_deref()))
        .advice(format!(
            "Once that is over, the same command rotates it. To rotate it now, and lock out every machine that uses the old secret:\n  {}",
            work.resume(&["--accept-lockout"])
        ))),
        Err(error) => Err(work.failure_of(error, &attempt)),
    }
}

/// The delivery with the proof that a rotation asks for.
pub fn with_proof(
    delivery: cloudflare_access_host::rotation::Delivery,
    proof: Option<UrlProof>,
    rotate: &Rotate,
) -> cloudflare_access_host::rotation::Delivery {
    match proof {
        Some(proof) => delivery.proven_by(proof).prove_within(rotate.verify_within),
        None => delivery,
    }
}

async fn resume(connection: &Connection, arguments: Resume) -> Result<(), Failure> {
    let state = folder::open(connection)?;
    let all = state.unfinished().map_err(|error| Failure::configuration(&error))?;
    let is_meant = |subject: &Subject, unfinished: &Unfinished| {
        arguments.token.as_deref().is_none_or(|wanted| {
            [Some(name_of(subject)), unfinished.name(), unfinished.token_id()].contains(&Some(wanted))
        })
    };
    let found: Vec<_> = all.into_iter().filter(|(subject, unfinished)| is_meant(subject, unfinished)).collect();
    if found.is_empty() {
        if let Some(token) = &arguments.token {
            return Err(Failure::not_found(format!("nothing is unfinished about {token}")));
        }
        tell("Nothing is unfinished.");
        return Ok(());
    }
    // The folder of each command becomes the current one.
    let connection = absolute(connection)?;
    let mut first_failure = None;
    for (subject, unfinished) in found {
        let name = name_of(&subject);
        if arguments.abandon {
            state.abandon(&subject).map_err(|error| Failure::refused(error.to_string()))?;
            tell(format_args!("Forgot what was unfinished about {name}."));
            continue;
        }
        tell(format_args!("{name}:"));
        if let Err(failure) = go_on(&connection, &arguments, &subject, &unfinished).await {
            let is_gone = failure.exit == Exit::NotFound;
            let abandon = connection.command(&["resume", name, "--abandon"]);
            let failure = if is_gone {
                failure.advice(format!("If the token is gone, forget what was unfinished about it:\n  {abandon}"))
            } else {
                failure
            };
            if let Some(earlier) = first_failure.replace(failure) {
                tell(format_args!("error: {}", earlier.message));
            }
        }
    }
    first_failure.map_or(Ok(()), Err)
}

/// Goes on with one, by the command line that began it.
async fn go_on(
    connection: &Connection,
    resume: &Resume,
    subject: &Subject,
    unfinished: &Unfinished,
) -> Result<(), Failure> {
    let note = Note::read(unfinished.note().unwrap_or_default())?;
    let Arguments { connection: given, output, command, .. } = note.arguments()?;
    let connection = merged(connection, given, subject.scope());
    if let (Some(overlap), Some(id)) = (resume.extend_overlap, unfinished.token_id()) {
        let api = tokens(&connection)?;
        let attempt = Attempt::Update { look: api.command(&["get", id]) };
        let extension = async |tokens: Tokens<Scope>| tokens.extend_overlap(id, overlap).await;
        api.call("extending the overlap", &attempt, extension).await?;
    }
    match (unfinished.change(), command) {
        (Kind::Rotation, arguments::Command::Rotate(mut rotate)) => {
            let Some(overlap) = rotate.overlap else { return Err(is_of_another_command()) };
            name_of(subject).clone_into(&mut rotate.token.token);
            rotate.accept_lockout |= resume.accept_lockout;
            Box::pin(rotate_with_overlap(&connection, output, rotate, overlap)).await
        }
        (Kind::Creation, arguments::Command::Create(create)) => create_token(&connection, output, create).await,
        (Kind::Issuance, arguments::Command::Lifecycle(lifecycle::arguments::Command::Issue(issue))) => {
            issue_token(&connection, output, issue).await
        }
        (Kind::HandOver, command) => {
            let Some(secret) = secret_of(&command) else { return Err(is_of_another_command()) };
            let api = tokens(&connection)?;
            let work = Work::new(Work::open(&connection)?, subject.clone(), &connection, output);
            let delivery = Delivery::prepare(secret, output)?;
            let is_shown = matches!(delivery, Delivery::Output);
            let token = api.read(name_of(subject)).await?;
            work.see(&token);
            let delivery = work.delivery(delivery, print_with_secret(output));
            let delivery = match &command {
                arguments::Command::Rotate(rotate) => {
                    let proof = rotate.verify.as_deref().map(|url| UrlProof::new(url, &connection)).transpose()?;
                    with_proof(delivery, proof, rotate)
                }
                _ => delivery,
            };
            work.go_on(&delivery).await?;
            if is_shown { Ok(()) } else { output::print_changed(&token, None, output) }
        }
        _ => Err(is_of_another_command()),
    }
}

fn is_of_another_command() -> Failure {
    Failure::refused("the command that began it is another one in this version; go on with the version that began it")
}

/// The destinations of a command.
fn secret_of(command: &arguments::Command) -> Option<&SecretArguments> {
    match command {
        arguments::Command::Rotate(rotate) => Some(&rotate.secret),
        arguments::Command::Create(Create { secret, .. }) => Some(secret),
        arguments::Command::Update(update) => Some(&update.secret),
        arguments::Command::Lifecycle(lifecycle::arguments::Command::Ensure(ensure)) => Some(&ensure.secret),
        _ => None,
    }
}

/// The connection of the command that began it, with what is given now in place of that.
fn merged(now: &Connection, given: Connection, scope: &Scope) -> Connection {
    let (account, zone) = match scope {
        Scope::Account(id) => (Some(id.clone()), None),
        Scope::Zone(id) => (None, Some(id.clone())),
    };
    Connection {
        account,
        zone,
        credentials_file: now.credentials_file.clone().or(given.credentials_file),
        state_dir: now.state_dir.clone(),
        base_url: now.base_url.clone().or(given.base_url),
        ca_certificates: now.ca_certificates.clone().or(given.ca_certificates),
        timeout: now.timeout,
        max_retries: now.max_retries.or(given.max_retries),
        ..given
    }
}

fn absolute(connection: &Connection) -> Result<Connection, Failure> {
    let path = |path: &Option<PathBuf>| match path.as_deref() {
        Some(path) if path != Path::new("-") => std::path::absolute(path)
            .map(Some)
            .map_err(|error| Failure::usage(format!("{} has no place: {error}", path.display()))),
        path => Ok(path.map(Path::to_owned)),
    };
    Ok(Connection {
        credentials_file: path(&connection.credentials_file)?,
        state_dir: path(&connection.state_dir)?,
        ca_certificates: path(&connection.ca_certificates)?,
        ..connection.clone()
    })
}
