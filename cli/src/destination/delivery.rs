//! Finds the destinations of a command, and checks them.

use std::fmt::Write;

use cloudflare_access_host::{Destination, DestinationError};

use crate::arguments::Output;
use crate::destination::arguments::SecretArguments;
use crate::failure::Failure;
use crate::output::goes_nowhere;

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
