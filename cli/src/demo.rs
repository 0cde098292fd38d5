//! The life of a token, told step by step: what is done, the request behind it, and what has changed.
//!
//! The API is the simulator, in this process and on a real port; the component runs in wasmtime through this crate, like in any
//! application. Nothing is taken on trust: each step asks the simulator whether what the step claims is so, and a claim that does
//! not hold is shown and makes the exit status 1.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use cloudflare_access_host::rotation::{Delivery, Rotation, StateFolder};
use cloudflare_access_host::{
    AccessTokens, Account, BaseUrl, COMPONENT, CreateParams, Credentials, Destination, DestinationFuture, Error,
    ErrorKind, ExposeSecret, IssuedToken, ListAllParams, Pair, SecretString, ServiceToken, TokenDuration, Tokens,
    UpdateParams,
};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Simulator};

use crate::arguments::Connection;
use crate::failure::Failure;
use crate::output;
use crate::rotation::{UrlProof, work};

const BOLD: Style = Style::new().bold();
const DIMMED: Style = Style::new().dimmed();
const CYAN: Style = AnsiColor::Cyan.on_default();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

const HOUR: Duration = Duration::from_hours(1);
const NAME: &str = "CI pipeline";
const NEW_NAME: &str = "CI pipeline, production";

pub async fn run() -> Result<(), Failure> {
    let simulator = Simulator::start()
        .await
        .map_err(|error| Failure::defect(format!("the simulator cannot be started: {error}")))?;
    let access = AccessTokens::builder()
        .credentials(Credentials::api_token(API_TOKEN))
        .base_url(BaseUrl::new(simulator.base_url()).map_err(|error| Failure::defect(error.to_string()))?)
        .build()?;
    let mut demo = Demo { account: access.account(ACCOUNT_ID), simulator, steps: 0, broken: 0 };
    demo.introduce();
    demo.walk().await.map_err(|error| Failure::defect(format!("the demo stopped: {error}")))?;
    demo.conclude()
}

struct Demo {
    account: Tokens<Account>,
    simulator: Simulator,
    steps: u32,
    broken: u32,
}

/// Why the demo stopped.
type Stopped = Box<dyn std::error::Error>;

/// The machine that takes up a new secret.
#[derive(Clone, Debug, Default)]
struct Place(Arc<Mutex<Option<Pair>>>);

impl Place {
    fn pair(&self) -> Option<Pair> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Destination for Place {
    fn name(&self) -> String {
        "a machine".to_owned()
    }

    fn check<'a>(&'a self, _: Option<&'a str>) -> DestinationFuture<'a> {
        Box::pin(async { Ok(()) })
    }

    fn deliver<'a>(&'a self, pair: &'a Pair) -> DestinationFuture<'a> {
        Box::pin(async move {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pair.clone());
            Ok(())
        })
    }
}

impl Demo {
    async fn walk(&mut self) -> Result<(), Stopped> {
        let (token, first) = self.create().await?;
        self.use_it(&first);
        self.list(&token).await?;
        let token = self.update(token).await?;
        let (token, second) = self.rotate(token, &first).await?;
        self.grace_period_ends(&first, &second);
        self.refresh(&token, &second).await?;
        Ok(self.delete(&token, &second).await?)
    }

    async fn create(&mut self) -> Result<(ServiceToken, Pair), Error> {
        self.step("Create a token");
        let issued = self.account.create(CreateParams::named(NAME).duration(TokenDuration::hours(24 * 90))).await?;
        self.show_requests(&issued.token.id);
        let pair = pair(&issued);
        show("name", NAME);
        show("id", &issued.token.id);
        show("client id", &pair.client_id);
        show("secret", &format!("{} {DIMMED}shown this once{DIMMED:#}", masked(&pair.client_secret)));
        show("expires", &or_dash(issued.token.expires_at.as_deref()));
        self.check("the API has exactly one token, with this id", {
            let tokens = self.simulator.tokens(self.simulator.account());
            matches!(tokens.as_slice(), [only] if only.id == issued.token.id)
        });
        Ok((issued.token, pair))
    }

    fn use_it(&mut self, pair: &Pair) {
        self.step("Use it, as a machine does that calls an application behind Access");
        show("CF-Access-Client-Id", &pair.client_id);
        show("CF-Access-Client-Secret", &masked(&pair.client_secret));
        self.check("Access lets the pair in", self.passes(pair));
        let wrong = Pair::new(&pair.client_id, "cfast_wrong".into());
        self.check("Access refuses another secret", !self.passes(&wrong));
    }

    async fn list(&mut self, token: &ServiceToken) -> Result<(), Error> {
        self.step("Find it again by its name");
        let found = self.account.list_all(ListAllParams::new().name(NAME)).await?;
        self.show_requests(&token.id);
        let found = match found.as_slice() {
            [found] => found,
            several => {
                self.check(&format!("one token has the name, not {}", several.len()), false);
                return Ok(());
            }
        };
        show("id", &found.id);
        show("last used", &or_dash(found.last_seen_at.as_deref()));
        self.check("it is the same token", found.id == token.id);
        self.check("the API saw it being used", found.last_seen_at.is_some());
        Ok(())
    }

    async fn update(&mut self, before: ServiceToken) -> Result<ServiceToken, Error> {
        self.step("Update it: another name, and a year to live");
        let params = UpdateParams::new().name(NEW_NAME).duration(TokenDuration::hours(8760));
        let updated = self.account.update(&before.id, params).await?;
        self.show_requests(&before.id);
        let after = updated.token;
        change("name", before.name.as_deref(), after.name.as_deref());
        change("duration", before.duration.as_deref(), after.duration.as_deref());
        change("expires", before.expires_at.as_deref(), after.expires_at.as_deref());
        self.check("it has the new name", after.name.as_deref() == Some(NEW_NAME));
        self.check("it lives longer", later(&before, &after));
        self.check("its secret is the old one", updated.client_secret.is_none());
        Ok(after)
    }

    /// One whole rotation: proven at the application of the simulator, delivered to a place in memory.
    async fn rotate(&mut self, before: ServiceToken, first: &Pair) -> Result<(ServiceToken, Pair), Stopped> {
        self.step("Rotate its secret: proven, delivered, and an hour for the machines to take up the new one");
        let folder = tempfile::tempdir()?;
        let state = StateFolder::open(folder.path().join("rotations"))?;
        let place = Place::default();
        let proof = UrlProof::new(&self.simulator.application_url(), &Connection::default());
        let delivery = Delivery::to(place.clone()).proven_by(proof.map_err(|failure| failure.message)?);
        let mut steps = Vec::new();
        let rotation = Rotation::new(self.account.clone(), &before.id, HOUR, delivery);
        let token = rotation.run(&state, &mut |step| steps.push(step)).await?;
        self.show_requests(&before.id);
        for line in steps.iter().filter_map(|step| work::line(step, true)) {
            say(format_args!("     {DIMMED}{line}{DIMMED:#}"));
        }
        let second = place.pair().ok_or("nothing was delivered")?;
        change("secret", Some(&masked(&first.client_secret)), Some(&masked(&second.client_secret)));
        show("old secret until", &or_dash(token.previous_client_secret_expires_at.as_deref()));
        self.check("the client id is the same", first.client_id == second.client_id);
        self.check("Access lets the delivered secret in", self.passes(&second));
        self.check("Access still lets the old secret in", self.passes(first));
        self.check("nothing is left unfinished in the state folder", state.unfinished()?.is_empty());
        Ok((token, second))
    }

    fn grace_period_ends(&mut self, first: &Pair, second: &Pair) {
        self.step("Two hours pass, by the simulator's clock");
        self.simulator.advance(2 * HOUR);
        self.check("Access refuses the old secret", !self.passes(first));
        self.check("Access lets the new secret in", self.passes(second));
    }

    async fn refresh(&mut self, before: &ServiceToken, pair: &Pair) -> Result<(), Error> {
        self.step("Refresh it: a year from now, same secret");
        let after = self.account.refresh(&before.id).await?;
        self.show_requests(&before.id);
        change("expires", before.expires_at.as_deref(), after.expires_at.as_deref());
        self.check("it lives longer", later(before, &after));
        self.check("Access lets the same secret in", self.passes(pair));
        Ok(())
    }

    async fn delete(&mut self, token: &ServiceToken, pair: &Pair) -> Result<(), Error> {
        self.step("Delete it");
        self.account.delete(&token.id).await?;
        let afterwards = self.account.get(&token.id).await;
        self.show_requests(&token.id);
        let gone = afterwards.as_ref().is_err_and(|error| error.kind == ErrorKind::NotFound);
        if let Err(error) = &afterwards {
            show("then", &error.message);
        }
        self.check("the API no longer has it", gone && self.simulator.tokens(self.simulator.account()).is_empty());
        self.check("Access refuses its secret", !self.passes(pair));
        Ok(())
    }

    fn passes(&self, pair: &Pair) -> bool {
        self.simulator.authenticate(&pair.client_id, pair.client_secret.expose_secret()).is_ok()
    }

    fn introduce(&self) {
        say("");
        say(format_args!("  {BOLD}The life of a service token{BOLD:#}"));
        say("");
        say(format_args!(
            "  {DIMMED}cloudflare_access.wasm ({} kB) runs in wasmtime. The API is a simulator on {}.{DIMMED:#}",
            COMPONENT.len() / 1000,
            self.simulator.origin()
        ));
        say(format_args!(
            "  {DIMMED}The credential stays outside the component: the host adds it as a request leaves.{DIMMED:#}"
        ));
    }

    fn step(&mut self, title: &str) {
        self.steps += 1;
        self.simulator.clear_requests();
        say("");
        say(format_args!("  {BOLD}{}  {title}{BOLD:#}", self.steps));
    }

    /// The requests since the step began, with words for the ids, which are long and shown elsewhere.
    fn show_requests(&self, id: &str) {
        for request in self.simulator.requests() {
            let target =
                request.target().replace("/client/v4/", "/").replace(ACCOUNT_ID, "{account}").replace(id, "{id}");
            say(format_args!("     {CYAN}{:<6} {target}{CYAN:#}", request.method));
        }
    }

    fn check(&mut self, claim: &str, holds: bool) {
        if holds {
            say(format_args!("     {GREEN}✓{GREEN:#} {claim}"));
        } else {
            self.broken += 1;
            say(format_args!("     {RED}✗ does not hold: {claim}{RED:#}"));
        }
    }

    fn conclude(&self) -> Result<(), Failure> {
        say("");
        if self.broken > 0 {
            return Err(Failure::defect(format!("{} of the demo's claims did not hold", self.broken)));
        }
        // A line that could not be written is no reason to stop, but one to say so at the end.
        output::write(&format!("  {GREEN}All {} steps held.{GREEN:#}\n\n", self.steps))
    }
}

fn say(line: impl Display) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

fn show(title: &str, value: &str) {
    say(format_args!("     {DIMMED}{title:<24}{DIMMED:#} {value}"));
}

fn change(title: &str, before: Option<&str>, after: Option<&str>) {
    let before = or_dash(before);
    show(title, &format!("{DIMMED}{before} →{DIMMED:#} {}", or_dash(after)));
}

fn or_dash(value: Option<&str>) -> String {
    value.unwrap_or("–").to_owned()
}

/// Enough to tell two secrets apart, and of no use to anyone.
fn masked(secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    let end = secret.char_indices().rev().nth(3).map_or("", |(index, _)| &secret[index..]);
    format!("cfast_…{end}")
}

fn pair(issued: &IssuedToken) -> Pair {
    Pair::new(issued.token.client_id.clone().unwrap_or_default(), issued.client_secret.clone())
}

/// Whether `after` expires later, by times of the same form.
fn later(before: &ServiceToken, after: &ServiceToken) -> bool {
    let time = |token: &ServiceToken| token.expires_at.as_deref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    matches!((time(before), time(after)), (Some(before), Some(after)) if before < after)
}

#[cfg(test)]
mod tests {
    use cloudflare_access_host::{CodeCache, Runtime};

    use super::*;

    #[tokio::test]
    async fn a_claim_that_does_not_hold_is_a_failure() {
        let simulator = Simulator::start().await.unwrap();
        // Nothing is kept in the cache folder of who runs the tests.
        let runtime = Runtime::builder().cache(CodeCache::None).build().unwrap();
        let access = AccessTokens::builder()
            .credentials(Credentials::api_token(API_TOKEN))
            .base_url(simulator.base_url().parse().unwrap())
            .runtime(runtime)
            .build()
            .unwrap();
        let mut demo = Demo { account: access.account(ACCOUNT_ID), simulator, steps: 0, broken: 0 };
        demo.check("one is one", true);
        assert!(demo.conclude().is_ok());
        demo.check("one is two", false);
        assert!(demo.conclude().is_err());
    }
}
