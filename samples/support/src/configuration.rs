//! The configuration of a service: environment variables of its own, or variables of Spin.

/// Returns the value of a variable.
///
/// # Errors
/// It is not there, has no value or cannot be read; the error names it.
pub fn variable(name: &str) -> Result<String, String> {
    let value = read(name)?.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    value.ok_or_else(|| format!("{name} is not set"))
}

#[cfg(not(feature = "spin"))]
fn read(name: &str) -> Result<Option<String>, String> {
    let variables = crate::bindings::wasi::cli::environment::get_environment();
    Ok(variables.into_iter().find(|(variable, _)| variable == name).map(|(_, value)| value))
}

/// Spin writes the names of variables in lower case.
#[cfg(feature = "spin")]
fn read(name: &str) -> Result<Option<String>, String> {
    use crate::bindings::config::store::{Error, get};
    get(&name.to_ascii_lowercase()).map_err(|error| {
        let (Error::Upstream(reason) | Error::Io(reason)) = error;
        format!("{name} cannot be read: {reason}")
    })
}
