//! The library against the simulator and against servers that misbehave.

mod calls;
mod credential_stays_outside;
mod example_rotate_on_schedule;
mod issue;
mod lifecycle;
mod transport;
