//! Messages for a person, on standard error.

use std::fmt::Display;
use std::io::Write;

/// Writes a line. One that cannot be written is dropped: it must cost neither a secret that is still to be shown nor the exit code.
pub fn tell(message: impl Display) {
    let _ = writeln!(anstream::stderr(), "{message}");
}
