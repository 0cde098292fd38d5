//! Checks the destinations of a command, and delivers a new secret to them.

use std::fmt::Write;

use cloudflare_access_host::{Destination, DestinationError, Pair, SecretString, ServiceToken};

use crate::arguments::Output;
use crate::destination::arguments::SecretArguments;
use crate::destination::rescue::rescue;
use crate::failure::Failure;
use crate::message::tell;
use crate::output::{goes_nowhere, lines_or_rescue};
use crate::progress::unless_stopped;

/// Where a secret goes that will come.
#[derive(Debug)]
pub enum Delivery {
    /// With the rest of the output.
    Output,
    /// To these places, and not to the output.
    To(Vec<Box<dyn Destination>>),
}

impl Delivery {
    /// Finds where the secret goes, before anything is sent.
    pub fn prepare(arguments: &SecretArguments, output: Output) -> Result<Self, Failure> {
        let destinations = arguments.destinations(output)?;
        if !destinations.is_empty() {
            return Ok(Self::To(destinations));
        }
        if output == Output::Table && !arguments.show_secret {
            return Err(Failure::usage("where should the secret go? Nothing was sent.").advice(
                "The API shows it once. Give --secret-file FILE or --secret-command COMMAND, or --show-secret to print it, or --output env or json.",
            ));
        }
        if goes_nowhere() {
            return Err(Failure::usage(
                "standard output is closed or goes to the null device, where the secret would be lost; nothing was sent",
            ));
        }
        Ok(Self::Output)
    }

    /// Checks that every destination can take the pair of the token with this client id; none for one that is still to be made.
    pub async fn check(&self, client_id: Option<&str>) -> Result<(), Failure> {
        let Self::To(destinations) = self else { return Ok(()) };
        let mut errors = Vec::new();
        for destination in destinations {
            errors.extend(destination.check(client_id).await.err());
        }
        if errors.is_empty() { Ok(()) } else { Err(failure(&errors, "nothing was changed")) }
    }

    /// Delivers to every destination, whatever becomes of the others. Returns the secret that the output shows: none where there are
    /// destinations. A secret that did not reach all of them is rescued.
    pub async fn deliver(self, token: &ServiceToken, secret: &SecretString) -> Result<Option<SecretString>, Failure> {
        let Self::To(destinations) = self else { return Ok(Some(secret.clone())) };
        let lines = lines_or_rescue(token, Some(secret))?;
        let Some(client_id) = &token.client_id else {
            return Err(rescue(Failure::defect("the API sent no client id for the secret"), &lines));
        };
        let pair = Pair::new(client_id, secret.clone());
        let mut errors = Vec::new();
        for destination in destinations {
            let name = destination.name();
            match unless_stopped(format!("delivering to {name}"), destination.deliver(&pair)).await {
                Ok(Ok(())) => tell(format_args!("Delivered the new secret to {name}.")),
                Ok(Err(error)) => errors.push(error),
                Err(signal) => {
                    let failure = Failure::interrupted(format!("interrupted by {signal} before {name} had the secret"));
                    return Err(rescue(failure, &lines));
                }
            }
        }
        if errors.is_empty() {
            return Ok(None);
        }
        Err(rescue(failure(&errors, "the token has the new secret all the same"), &lines))
    }
}

/// One failure for all errors, each on a line of its own where there are several.
fn failure(errors: &[DestinationError], what_is_true: &str) -> Failure {
    let failure = match errors {
        [error] => Failure::defect(format!("{error}; {what_is_true}")),
        errors => {
            let mut message = format!("{} destinations cannot take the secret; {what_is_true}:", errors.len());
            for error in errors {
                write!(message, "\n- {error}").unwrap_or_default();
            }
            Failure::defect(message)
        }
    };
    let mut advice: Vec<_> = errors.iter().filter_map(DestinationError::advice).collect();
    advice.dedup();
    advice.into_iter().fold(failure, Failure::advice)
}
