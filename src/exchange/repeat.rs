//! What may be repeated after a failure: one pure function.
//!
//! | failure | reads, delete, refresh, update | create, rotate, update with a secret version |
//! |---|---|---|
//! | nothing was sent | again | again |
//! | rate limit (429, code 971 or 10100) | again after the wait it names | again after the wait it names |
//! | may pass (408, 5xx, lost, cut, late) | again | never: the first one may have made the secret |
//! | final | never | never |
//!
//! "Again" holds while retries are left and another attempt fits before the deadline. A random wait is shortened to
//! fit; a wait that the API names is kept whole or not begun.

use std::time::Duration;

use crate::exchange::nanoseconds;
use crate::failure::FailureClass;
use crate::request::Effect;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// What an attempt needs at least: a connection and an answer.
pub const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);

/// What is decided after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    RepeatAfter(Duration),
    /// With the wait that the API asks for, where only that would have allowed another attempt.
    GiveUp {
        asked_wait: Option<Duration>,
    },
}

/// What is known when a failure has to be decided on.
#[derive(Clone, Copy, Debug)]
pub struct RetryContext {
    pub retries_left: u32,
    /// Attempts made so far, from 1.
    pub attempt: u32,
    /// How long the API asks to wait, if it does.
    pub asked_wait: Option<Duration>,
    pub time_left: Duration,
    /// Anything that differs between callers who failed at the same time.
    pub jitter: u64,
}

/// Decides whether to repeat, and when.
pub fn decide(effect: Effect, class: FailureClass, context: RetryContext) -> Decision {
    let may_repeat = match class {
        FailureClass::NotSent | FailureClass::RateLimited => true,
        FailureClass::Passing => !effect.is_sent_once(),
        FailureClass::Final => false,
    };
    if !may_repeat {
        return Decision::GiveUp { asked_wait: None };
    }
    match wait(context.attempt, context.asked_wait, context.time_left, context.jitter) {
        Some(wait) if context.retries_left > 0 => Decision::RepeatAfter(wait),
        _ => Decision::GiveUp { asked_wait: context.asked_wait },
    }
}

/// Returns how long to wait before another attempt: as long as the API asks, or a random time that leaves one its
/// shortest time. None if no other attempt fits.
fn wait(attempt: u32, asked_wait: Option<Duration>, time_left: Duration, jitter: u64) -> Option<Duration> {
    let longest = time_left.checked_sub(SHORTEST_ATTEMPT)?;
    match asked_wait {
        Some(asked) => (asked <= longest).then_some(asked),
        None => Some(backoff(attempt, jitter).min(longest)),
    }
}

/// Returns how long to wait before something made of several requests is tried again: a random time that leaves an
/// attempt its shortest time, and at least as long as the API asks. None if no other attempt fits. Without a number of
/// retries, only waiting bounds the requests.
pub fn pause(retry: u32, asked_wait: Option<Duration>, time_left: Duration, jitter: u64) -> Option<Duration> {
    let longest = time_left.checked_sub(SHORTEST_ATTEMPT).filter(|longest| !longest.is_zero())?;
    let asked = asked_wait.unwrap_or_default();
    (asked <= longest).then(|| backoff(retry, jitter).clamp(asked, longest))
}

/// Returns a random wait below a bound that doubles from half a second to eight seconds. The whole range is used, so
/// that callers who failed together do not come back together.
fn backoff(attempt: u32, jitter: u64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let bound = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_WAIT);
    Duration::from_nanos(scrambled(jitter).checked_rem(nanoseconds(bound)).unwrap_or(0))
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
    use proptest::prelude::*;

    use super::*;

    const CLASSES: [FailureClass; 4] =
        [FailureClass::NotSent, FailureClass::RateLimited, FailureClass::Passing, FailureClass::Final];

    fn context() -> RetryContext {
        RetryContext { retries_left: 2, attempt: 1, asked_wait: None, time_left: Duration::from_mins(1), jitter: 7 }
    }

    fn is_repeated(decision: Decision) -> bool {
        matches!(decision, Decision::RepeatAfter(_))
    }

    #[test]
    fn the_table_holds_in_every_cell() {
        use FailureClass::{Final, NotSent, Passing, RateLimited};
        for effect in Effect::ALL {
            let is_sent_once = effect == Effect::MakeSecret;
            for (class, again) in [(NotSent, true), (RateLimited, true), (Passing, !is_sent_once), (Final, false)] {
                assert_eq!(is_repeated(decide(effect, class, context())), again, "{effect:?} after {class:?}");
            }
        }
    }

    #[test]
    fn no_retry_is_made_beyond_the_number_allowed_or_the_time_left() {
        for effect in Effect::ALL {
            for class in CLASSES {
                let spent = RetryContext { retries_left: 0, ..context() };
                assert!(!is_repeated(decide(effect, class, spent)));
                let late = RetryContext { time_left: Duration::from_millis(249), ..context() };
                assert!(!is_repeated(decide(effect, class, late)));
            }
        }
    }

    #[test]
    fn the_wait_that_the_api_names_is_kept_or_told() {
        let decide = |asked_wait, retries_left| {
            let context = RetryContext { asked_wait: Some(asked_wait), retries_left, ..context() };
            decide(Effect::MakeSecret, FailureClass::RateLimited, context)
        };
        for fits in [Duration::ZERO, Duration::from_secs(59), Duration::from_millis(59_750)] {
            assert_eq!(decide(fits, 1), Decision::RepeatAfter(fits));
            assert_eq!(decide(fits, 0), Decision::GiveUp { asked_wait: Some(fits) });
        }
        for too_long in [Duration::from_millis(59_751), Duration::from_hours(2), Duration::MAX] {
            assert_eq!(decide(too_long, 1), Decision::GiveUp { asked_wait: Some(too_long) });
        }
    }

    #[test]
    fn a_wait_that_would_not_have_helped_is_not_told() {
        let context = RetryContext { asked_wait: Some(Duration::from_secs(9)), ..context() };
        for (effect, class) in [(Effect::Read, FailureClass::Final), (Effect::MakeSecret, FailureClass::Passing)] {
            assert_eq!(decide(effect, class, context), Decision::GiveUp { asked_wait: None });
        }
    }

    #[test]
    fn a_random_wait_leaves_an_attempt_its_shortest_time() {
        for jitter in 0..1000 {
            let wait = wait(5, None, Duration::from_millis(300), jitter).expect("an attempt fits");
            assert!(wait <= Duration::from_millis(50), "{wait:?}");
        }
        assert_eq!(wait(5, None, Duration::from_millis(250), 7), Some(Duration::ZERO));
    }

    #[test]
    fn a_pause_is_at_least_what_the_api_asks_and_leaves_an_attempt_its_shortest_time() {
        let second = Duration::from_secs(1);
        for jitter in 0..1000 {
            let long = pause(9, Some(second), Duration::from_mins(1), jitter).expect("it fits");
            assert!(long >= second && long <= Duration::from_secs(8), "{long:?}");
            assert!(pause(9, None, second, jitter).expect("it fits") <= Duration::from_millis(750));
        }
        assert_eq!(pause(1, Some(second), Duration::from_millis(1249), 7), None);
        assert_eq!(pause(1, Some(Duration::ZERO), Duration::from_millis(250), 7), None);
        assert_ne!(pause(1, Some(Duration::ZERO), Duration::from_mins(1), 7), Some(Duration::ZERO));
    }

    proptest! {
        #![proptest_config(crate::property_tests::config())]

        #[test]
        fn what_is_sent_once_is_repeated_only_where_nothing_happened(
            effect in prop::sample::select(Effect::ALL.to_vec()),
            class in prop::sample::select(CLASSES.to_vec()),
            retries_left: u32, attempt: u32, asked: Option<u64>, time_left: u64, jitter: u64,
        ) {
            let asked_wait = asked.map(Duration::from_nanos);
            let time_left = Duration::from_nanos(time_left);
            let context = RetryContext { retries_left, attempt, asked_wait, time_left, jitter };
            if let Decision::RepeatAfter(wait) = decide(effect, class, context) {
                let is_harmless = matches!(class, FailureClass::NotSent | FailureClass::RateLimited);
                prop_assert!(!effect.is_sent_once() || is_harmless);
                prop_assert!(class != FailureClass::Final && retries_left > 0 && wait + SHORTEST_ATTEMPT <= time_left);
                prop_assert!(asked_wait.is_none_or(|asked| asked == wait));
            }
        }

        #[test]
        fn random_waits_stay_below_a_bound_that_doubles_up_to_eight_seconds(attempt in 1_u32.., jitter: u64) {
            let bound = [500, 1000, 2000, 4000, 8000][attempt.min(5) as usize - 1];
            prop_assert!(backoff(attempt, jitter) < Duration::from_millis(bound));
        }
    }

    #[test]
    fn random_waits_use_their_whole_range() {
        let waits: Vec<_> = (0..1000).map(|jitter| backoff(1, jitter)).collect();
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(50)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(450)));
    }
}
