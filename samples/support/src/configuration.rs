//! The configuration of a service: environment variables of its own.

use crate::bindings::wasi::cli::environment::get_environment;

/// Returns the value of a variable.
///
/// # Errors
/// It is not there or has no value; the error names it.
pub fn variable(name: &str) -> Result<String, String> {
    let found = get_environment().into_iter().find(|(variable, _)| variable == name);
    let value = found.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty());
    value.ok_or_else(|| format!("{name} is not set"))
}
