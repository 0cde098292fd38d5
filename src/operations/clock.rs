//! What time it is: by the host's wall clock, or by the API's where the two disagree.

use crate::contract::lifecycle::Clock;
use crate::exchange::{Call, Host};
use crate::response::AnswerHead;
use crate::timestamp::Timestamp;

/// Clocks that differ by no more than this are taken for equal.
const TOLERANCE_SECONDS: u64 = 60;

/// Returns the time, and the clock that told it. `head`: that of an answer that just came.
pub fn now<H: Host>(call: &Call<'_, H>, head: &AnswerHead<H::Headers>) -> (Timestamp, Clock) {
    let host = Timestamp(call.host().wall_clock());
    match head.date() {
        Some(server) if server.seconds_since(host).unsigned_abs() > TOLERANCE_SECONDS => (server, Clock::Server),
        _ => (host, Clock::Host),
    }
}
