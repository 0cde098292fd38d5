//! What time it is: by the host's wall clock, or by the API's where the two disagree.

use crate::bindings::exports::cloudflare::access::lifecycle::Clock;
use crate::call::Call;
use crate::host::Host;

/// Clocks that differ by no more than this are taken for equal.
const TOLERANCE_SECONDS: u64 = 60;

/// The time in seconds since 1970, after at least one good answer of a call that was begun with time.
pub fn now<H: Host>(call: &Call<'_, H>) -> (i64, Clock) {
    let host = call.host().wall_clock();
    match call.server_time() {
        Some(server) if server.abs_diff(host) > TOLERANCE_SECONDS => (server, Clock::Server),
        _ => (host, Clock::Host),
    }
}
