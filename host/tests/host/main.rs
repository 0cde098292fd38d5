//! The library against the simulator and against servers that misbehave.

mod calls;
mod credential_stays_outside;
mod issue;
mod lifecycle;
mod transport;
