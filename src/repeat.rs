//! What may be repeated after a failure: one pure function.
//!
//! | failure | reads, delete, refresh, update | create, rotate, update with a secret version |
//! |---|---|---|
//! | nothing was sent | again | again |
//! | 429 | again after the wait it names | again after the wait it names |
//! | may pass (408, 5xx, lost, cut, late) | again | never: the first one may have made the secret |
//! | final | never | never |
//!
//! "Again" holds while retries are left and the wait leaves time for another attempt before the deadline; a wait that does not
//! fit is not begun. An attempt without time would turn a failure of which all is known into one that is late and unknown.

use crate::host::Duration;
use crate::operation::Operation;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// What an attempt needs at least: a connection and an answer.
const ATTEMPT: Duration = Duration::from_millis(250);

/// What a failure says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Proven: nothing reached the API.
    NotSent,
    /// The API refused for too many requests, before doing anything: status 429.
    RateLimited,
    /// May be gone next time, and the request may have been processed.
    Passing,
    /// Will be the same next time.
    Final,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    AgainAfter(Duration),
    GiveUp,
}

/// What is known when a failure has to be decided on.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    pub retries_left: u32,
    /// Attempts made so far, from 1.
    pub attempt: u32,
    /// How long the API asked to wait, if it did.
    pub asked_wait: Option<Duration>,
    pub time_left: Duration,
    /// Anything that differs between callers who failed at the same time.
    pub chance: u64,
}

/// Whether to repeat, and when.
pub fn decide(operation: Operation, class: Class, situation: Situation) -> Decision {
    let may_repeat = match class {
        Class::NotSent | Class::RateLimited => true,
        Class::Passing => !operation.is_sent_once(),
        Class::Final => false,
    };
    let wait = situation.asked_wait.unwrap_or_else(|| backoff(situation.attempt, situation.chance));
    if may_repeat && situation.retries_left > 0 && wait.0.saturating_add(ATTEMPT.0) <= situation.time_left.0 {
        Decision::AgainAfter(wait)
    } else {
        Decision::GiveUp
    }
}

/// A random wait below a bound that doubles from half a second to eight seconds. The whole range is used, so that callers
/// who failed together do not come back together.
pub fn backoff(attempt: u32, chance: u64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let bound = FIRST_WAIT.0.checked_shl(doublings).unwrap_or(u64::MAX).min(LONGEST_WAIT.0);
    Duration(scrambled(chance).checked_rem(bound).unwrap_or(0))
}

/// Spreads neighbouring numbers over all of `u64` (the finalizer of `SplitMix64`).
fn scrambled(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLASSES: [Class; 4] = [Class::NotSent, Class::RateLimited, Class::Passing, Class::Final];

    fn situation() -> Situation {
        Situation { retries_left: 2, attempt: 1, asked_wait: None, time_left: Duration::from_secs(60), chance: 7 }
    }

    #[test]
    fn the_table_holds_in_every_cell() {
        use Class::{Final, NotSent, Passing, RateLimited};
        for operation in Operation::ALL {
            let once =
                matches!(operation, Operation::Create | Operation::Rotate | Operation::Update { raises_secret: true });
            for (class, again) in [(NotSent, true), (RateLimited, true), (Passing, !once), (Final, false)] {
                let decision = decide(operation, class, situation());
                assert_eq!(decision != Decision::GiveUp, again, "{operation:?} after {class:?}");
            }
        }
    }

    #[test]
    fn no_retry_is_made_beyond_the_number_allowed_or_the_time_left() {
        for operation in Operation::ALL {
            for class in CLASSES {
                let spent = Situation { retries_left: 0, ..situation() };
                assert_eq!(decide(operation, class, spent), Decision::GiveUp);
                let late = Situation { time_left: Duration::default(), ..situation() };
                assert_eq!(decide(operation, class, late), Decision::GiveUp);
            }
        }
    }

    #[test]
    fn the_wait_that_the_api_names_is_kept_or_not_begun() {
        let asked = |seconds| Situation { asked_wait: Some(Duration::from_secs(seconds)), ..situation() };
        let decide = |situation| decide(Operation::Create, Class::RateLimited, situation);
        assert_eq!(decide(asked(0)), Decision::AgainAfter(Duration::default()));
        assert_eq!(decide(asked(59)), Decision::AgainAfter(Duration::from_secs(59)));
        let just_fits = Situation { asked_wait: Some(Duration::from_millis(59_750)), ..situation() };
        assert_eq!(decide(just_fits), Decision::AgainAfter(Duration::from_millis(59_750)));
        let leaves_no_time = Situation { asked_wait: Some(Duration::from_millis(59_751)), ..situation() };
        assert_eq!(decide(leaves_no_time), Decision::GiveUp);
        assert_eq!(decide(asked(60)), Decision::GiveUp);
        assert_eq!(decide(asked(u64::MAX)), Decision::GiveUp);
        assert_eq!(decide(asked(7200)), Decision::GiveUp);
    }

    fn any_operation() -> impl Strategy<Value = Operation> {
        prop::sample::select(Operation::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn what_is_sent_once_is_repeated_only_where_nothing_happened(
            operation in any_operation(),
            class in prop::sample::select(CLASSES.to_vec()),
            retries_left: u32, attempt: u32, asked: Option<u64>, time_left: u64, chance: u64,
        ) {
            let situation = Situation {
                retries_left, attempt, chance,
                asked_wait: asked.map(Duration),
                time_left: Duration(time_left),
            };
            if let Decision::AgainAfter(wait) = decide(operation, class, situation) {
                prop_assert!(!operation.is_sent_once() || matches!(class, Class::NotSent | Class::RateLimited));
                prop_assert!(class != Class::Final && retries_left > 0 && wait.0.saturating_add(ATTEMPT.0) <= situation.time_left.0);
            }
        }

        #[test]
        fn waits_stay_below_a_bound_that_doubles_up_to_eight_seconds(attempt in 1_u32.., chance: u64) {
            let bound = [500, 1000, 2000, 4000, 8000][attempt.min(5) as usize - 1];
            prop_assert!(backoff(attempt, chance) < Duration::from_millis(bound));
        }
    }

    #[test]
    fn waits_use_their_whole_range() {
        let waits: Vec<_> = (0..1000).map(|chance| backoff(1, chance)).collect();
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(50)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(450)));
    }
}
