//! What a change does to the machines that use a token, and the question that it needs.
//!
//! The question belongs to the effect, not to the verb: this file alone decides which changes can lock somebody out, whatever command
//! makes them.

use cloudflare_access_host::ServiceToken;
use jiff::Timestamp;

use crate::confirm::confirm;
use crate::failure::Failure;

/// A change that locks machines out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOut {
    /// The token ends.
    Deleted,
    /// The token is switched off.
    SwitchedOff,
    /// A new secret comes, and every secret before it ends at once.
    Replaced,
    /// A new secret comes while an overlap is running, and the older of the two secrets ends at once.
    OverlapCut,
    /// The old secret of a rotation ends at once.
    OldSecretEnded,
}

impl LockOut {
    fn question(self, label: &str) -> String {
        match self {
            Self::Deleted => format!("Delete token {label} for good? Every machine that uses it is locked out."),
            Self::SwitchedOff => format!(
                "Switch token {label} off? Every machine that uses it is locked out until it is switched on again, and the old secret \
                 of a rotation ends for good."
            ),
            Self::Replaced => format!(
                "Give token {label} a new secret and end its old one now? Every machine that still uses it is locked out (a later \
                 end of the old secret leaves it time)."
            ),
            Self::OverlapCut => format!(
                "Give token {label} a new secret while an overlap is running? The older of its two secrets ends now: every machine \
                 that still uses it is locked out."
            ),
            Self::OldSecretEnded => {
                format!("End the old secret of token {label} now? Every machine that still uses it is locked out.")
            }
        }
    }
}

/// When the secret before the current one ends, by a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSecret<'a> {
    /// As the API has it: a change without a new secret leaves it alone, a new secret ends it.
    Unsaid,
    /// At a time in RFC 3339.
    EndsAt(&'a str),
    /// Some time from now.
    EndsLater,
}

/// A change of a token, as far as it can lock anybody out.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Whether the token is switched off.
    pub switches_off: bool,
    /// Whether a new secret comes.
    pub makes_secret: bool,
    /// What becomes of the secret before the current one.
    pub old_secret: OldSecret<'a>,
}

/// What is known of a token before a change.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// Whether it is switched off already.
    pub is_off: bool,
    /// When its old secret ends, where it has one.
    pub old_secret_ends: Option<&'a str>,
}

impl<'a> From<&'a ServiceToken> for Before<'a> {
    fn from(token: &'a ServiceToken) -> Self {
        Self {
            is_off: token.enabled == Some(false),
            old_secret_ends: token.previous_client_secret_expires_at.as_deref(),
        }
    }
}

impl Before<'_> {
    /// A token of which nothing is known.
    pub const UNKNOWN: Self = Self { is_off: false, old_secret_ends: None };

    /// Whether its old secret may pass at a time; a time that is not known, or cannot be read, may be any.
    fn overlap_may_run(&self, now: Option<Timestamp>) -> bool {
        self.old_secret_ends.is_some_and(|end| may_be_after(end, now))
    }
}

impl Change<'_> {
    /// Whether the API's time is needed to decide.
    pub fn needs_the_time(&self, before: &Before<'_>) -> bool {
        matches!(self.old_secret, OldSecret::EndsAt(_)) || self.makes_secret && before.old_secret_ends.is_some()
    }

    /// Decides whom the change locks out, at a time by the API's clock, where that is known.
    pub fn lock_outs(&self, before: &Before<'_>, now: Option<Timestamp>) -> Vec<LockOut> {
        let ends_now = match self.old_secret {
            OldSecret::Unsaid => self.makes_secret,
            OldSecret::EndsAt(time) => !is_after(time, now),
            OldSecret::EndsLater => false,
        };
        let of_secrets = match (self.makes_secret, ends_now) {
            (true, true) => Some(LockOut::Replaced),
            (true, false) => before.overlap_may_run(now).then_some(LockOut::OverlapCut),
            (false, true) => Some(LockOut::OldSecretEnded),
            (false, false) => None,
        };
        let switched_off = (self.switches_off && !before.is_off).then_some(LockOut::SwitchedOff);
        switched_off.into_iter().chain(of_secrets).collect()
    }
}

/// Asks about everything that locks machines out; without any, nothing is asked.
pub async fn ask(lock_outs: &[LockOut], label: &str, yes: bool) -> Result<(), Failure> {
    for lock_out in lock_outs {
        confirm(&lock_out.question(label), yes).await?;
    }
    Ok(())
}

/// Whether a time is certainly after another. This machine's clock decides nothing: without the API's time, nothing is certain.
fn is_after(time: &str, now: Option<Timestamp>) -> bool {
    matches!((time.parse::<Timestamp>(), now), (Ok(time), Some(now)) if time > now)
}

fn may_be_after(time: &str, now: Option<Timestamp>) -> bool {
    !matches!((time.parse::<Timestamp>(), now), (Ok(time), Some(now)) if time <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-24T12:00:00Z";
    const PAST: &str = "2026-11-24T11:59:59Z";
    const LATER: &str = "2026-11-24T12:00:01Z";

    #[test]
    fn each_change_that_locks_machines_out_is_told() {
        use LockOut::{OldSecretEnded, OverlapCut, Replaced, SwitchedOff};
        let change = |switches_off, makes_secret, old_secret| Change { switches_off, makes_secret, old_secret };
        let before = |is_off, old_secret_ends| Before { is_off, old_secret_ends };
        let (on, off) = (before(false, None), before(true, None));
        let (running, over, odd) = (before(false, Some(LATER)), before(false, Some(PAST)), before(false, Some("soon")));
        let at = OldSecret::EndsAt;
        for (change, before, lock_outs) in [
            (change(false, false, OldSecret::Unsaid), running, &[][..]),
            (change(true, false, OldSecret::Unsaid), on, &[SwitchedOff]),
            (change(true, false, OldSecret::Unsaid), off, &[]),
            (change(false, true, OldSecret::Unsaid), on, &[Replaced]),
            (change(false, true, OldSecret::Unsaid), running, &[Replaced]),
            (change(false, true, at(LATER)), on, &[]),
            (change(false, true, at(LATER)), over, &[]),
            (change(false, true, at(LATER)), running, &[OverlapCut]),
            (change(false, true, at(LATER)), odd, &[OverlapCut]),
            (change(false, true, at(PAST)), on, &[Replaced]),
            (change(false, true, at("soon")), on, &[Replaced]),
            (change(false, true, OldSecret::EndsLater), running, &[OverlapCut]),
            (change(false, false, at(PAST)), running, &[OldSecretEnded]),
            (change(false, false, at(LATER)), running, &[]),
            (change(true, true, OldSecret::Unsaid), on, &[SwitchedOff, Replaced]),
        ] {
            let now = Some(NOW.parse().unwrap());
            assert_eq!(change.lock_outs(&before, now), lock_outs, "{change:?} {before:?}");
        }
    }

    #[test]
    fn without_the_time_of_the_api_the_worst_is_taken_for_true() {
        let change = |old_secret| Change { switches_off: false, makes_secret: true, old_secret };
        let before = Before { is_off: false, old_secret_ends: Some(PAST) };
        assert_eq!(change(OldSecret::EndsAt(LATER)).lock_outs(&before, None), [LockOut::Replaced]);
        assert_eq!(change(OldSecret::EndsLater).lock_outs(&before, None), [LockOut::OverlapCut]);
    }
}
