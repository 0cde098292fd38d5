//! What time it is: by the host's wall clock, or by the API's where the two disagree.

use crate::bindings::exports::cloudflare::access::lifecycle::Clock;
use crate::exchange::call::Call;
use crate::exchange::host::Host;
use crate::timestamp::Timestamp;

/// Clocks that differ by no more than this are taken for equal.
const TOLERANCE_SECONDS: u64 = 60;

/// Returns the time, and the clock that told it. `server_time`: the date of an answer.
pub fn now(call: &Call<'_, impl Host>, server_time: Option<Timestamp>) -> (Timestamp, Clock) {
    let host = Timestamp(call.host().wall_clock());
    match server_time {
        Some(server) if server.seconds_since(host).unsigned_abs() > TOLERANCE_SECONDS => (server, Clock::Server),
        _ => (host, Clock::Host),
    }
}
