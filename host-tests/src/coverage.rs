//! Whether there was a moment in which no pair passed that machines had been given.
//!
//! It is computed from the log of commits of a simulator with one token, and from what a destination held in between.

use std::collections::VecDeque;

use cloudflare_access_simulator::{Commit, Operation};

/// A pair that a destination was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// How many commits there were before.
    pub commits: usize,
    /// The version of its secret.
    pub version: u32,
}

/// Walks through what happened and returns the first moment in which the pair that was handed out last did not pass. `now` is the time
/// at the end. Before the first pair is handed out, nobody needs one. Times are compared as text, which the simulator writes in one form.
///
/// # Errors
///
/// The moment.
pub fn uncovered(commits: &[Commit], handed: &[Handed], now: &str) -> Result<(), String> {
    let mut handed: VecDeque<&Handed> = handed.iter().collect();
    let (mut current, mut previous): (u32, Option<(u32, String)>) = (1, None);
    let mut held: Option<u32> = None;
    let mut take = |index: usize, held: &mut Option<u32>| {
        while handed.front().is_some_and(|handed| handed.commits <= index) {
            *held = handed.pop_front().map(|handed| handed.version);
        }
    };
    take(0, &mut held);
    for (index, commit) in commits.iter().enumerate() {
        let after = commits.get(index + 1).map_or(now, |next| next.at.as_str());
        if commit.operation == Operation::Delete {
            return Ok(());
        }
        if commit.client_secret_version != current {
            previous = Some((current, String::new()));
            current = commit.client_secret_version;
        }
        if let (Some((_, end)), Some(until)) = (&mut previous, &commit.previous_client_secret_expires_at) {
            end.clone_from(until);
        }
        let is_enabled = commit.enabled;
        // What was handed out right after this commit is there at once.
        let before = held;
        take(index + 1, &mut held);
        let passes = |version: u32, at: &str| {
            version == current || previous.as_ref().is_some_and(|(old, end)| *old == version && at < end.as_str())
        };
        for held in [before, held].into_iter().flatten() {
            if is_enabled && !passes(held, &commit.at) {
                return Err(format!(
                    "after commit {index} at {}: version {held} does not pass ({commit:?})",
                    commit.at
                ));
            }
        }
        if let Some(held) = held
            && is_enabled
            && !passes(held, after)
        {
            return Err(format!("between {} and {after}: version {held} ends ({commit:?})", commit.at));
        }
    }
    Ok(())
}
