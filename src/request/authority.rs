//! What whoever deployed the component allows: variables of the environment that confine its credential.

use crate::contract::types::{ErrorKind, Scope};
use crate::failure::{Failure, Result};
use crate::request::ids::{SCOPE_LIMIT, scope_argument};
use crate::request::{Environment, Function};

const SCOPE: &str = "CLOUDFLARE_ACCESS_SCOPE";
const OPERATIONS: &str = "CLOUDFLARE_ACCESS_OPERATIONS";

/// The scope and the functions that a call may use. Each is none where everything is allowed, as it is for a caller
/// that brings a credential of its own.
#[derive(Default)]
pub struct Authority {
    scope: Option<Scope>,
    operations: Option<Vec<Function>>,
}

impl Authority {
    /// Takes what the environment allows.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        Ok(Self {
            scope: environment.get(SCOPE)?.map(scope).transpose()?,
            operations: environment.get(OPERATIONS)?.map(operations).transpose()?,
        })
    }

    /// Checks that a function may be called on the tokens of a scope.
    pub fn admit(&self, function: Function, scope: &Scope) -> Result<()> {
        let message = if self.operations.as_ref().is_some_and(|allowed| !allowed.contains(&function)) {
            format!("{OPERATIONS} does not allow this function")
        } else if self.scope.as_ref().is_some_and(|allowed| scope_argument(allowed) != scope_argument(scope)) {
            format!("{SCOPE} allows another account or zone only")
        } else {
            return Ok(());
        };
        Err(Failure::new(ErrorKind::DeniedByHost, message))
    }
}

/// Reads `account:<id>` or `zone:<id>`.
fn scope(value: &str) -> Result<Scope> {
    let is_id = |id: &str| (1..=SCOPE_LIMIT).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match value.split_once(':') {
        Some(("account", id)) if is_id(id) => Ok(Scope::Account(id.to_owned())),
        Some(("zone", id)) if is_id(id) => Ok(Scope::Zone(id.to_owned())),
        _ => {
            let rule = "write `account:<id>` or `zone:<id>`, with an id of at most 32 letters and digits";
            Err(Failure::configuration(SCOPE).with_value(value, rule))
        }
    }
}

/// Reads names of functions, and `read` for all that change nothing, separated by commas.
fn operations(value: &str) -> Result<Vec<Function>> {
    let mut allowed = Vec::new();
    for word in value.split(',').map(str::trim) {
        match Function::named(word) {
            Some(function) => allowed.push(function),
            None if word == "read" => allowed.extend(Function::ALL.iter().filter(|function| function.only_reads())),
            None => {
                let rule = "no function has this name; write names of functions, or `read`, separated by commas";
                return Err(Failure::configuration(format!("{OPERATIONS}: a word")).with_value(word, rule));
            }
        }
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::ErrorKind;

    const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

    fn authority(variable: &str, value: &str) -> Result<Authority> {
        Authority::from_environment(&Environment(vec![(variable.into(), value.into())]))
    }

    fn account() -> Scope {
        Scope::Account(ACCOUNT.into())
    }

    #[test]
    fn without_a_word_of_the_deployer_everything_is_allowed() {
        let account = account();
        for &function in Function::ALL {
            assert!(authority(OPERATIONS, " ").expect("accepted").admit(function, &account).is_ok());
            assert!(Authority::default().admit(function, &account).is_ok());
        }
    }

    #[test]
    fn operations_allow_what_they_name_and_nothing_else() {
        let account = account();
        let allowed = |value: &str| {
            let authority = authority(OPERATIONS, value).expect("accepted");
            Function::ALL
                .iter()
                .copied()
                .filter(|function| authority.admit(*function, &account).is_ok())
                .collect::<Vec<_>>()
        };
        let read: Vec<_> = Function::ALL.iter().copied().filter(|function| function.only_reads()).collect();
        assert_eq!(read.len(), 6);
        assert_eq!(allowed("read"), read);
        assert_eq!(allowed("get, refresh-expiring\n"), [Function::Get, Function::RefreshExpiring]);
        let denied = authority(OPERATIONS, "read").expect("accepted").admit(Function::Delete, &account);
        let denied = denied.expect_err("admitted");
        assert_eq!(denied.error.kind, ErrorKind::DeniedByHost);
        assert!(denied.error.message.contains(OPERATIONS));
    }

    #[test]
    fn a_scope_allows_itself_alone() {
        let authority = authority(SCOPE, &format!(" account:{ACCOUNT}\r\n")).expect("accepted");
        let admit = |scope: Scope| authority.admit(Function::Get, &scope);
        assert!(admit(Scope::Account(ACCOUNT.into())).is_ok());
        for other in [Scope::Zone(ACCOUNT.into()), Scope::Account("x".into()), Scope::Account(ACCOUNT.to_uppercase())] {
            let denied = admit(other).expect_err("admitted");
            assert_eq!(denied.error.kind, ErrorKind::DeniedByHost);
            assert!(denied.error.message.contains(SCOPE));
        }
    }

    #[test]
    fn a_value_that_is_not_of_its_form_is_refused_by_the_name_of_its_variable() {
        for (variable, value) in [
            (SCOPE, ACCOUNT),
            (SCOPE, "accounts:x"),
            (SCOPE, "Account:x"),
            (SCOPE, "account:"),
            (SCOPE, "account: x"),
            (SCOPE, "account:.."),
            (SCOPE, "account:a/b"),
            (SCOPE, "account:*"),
            (SCOPE, "account:a,account:b"),
            (SCOPE, "account:0123456789012345678901234567890123"),
            (OPERATIONS, "reads"),
            (OPERATIONS, "read,,get"),
            (OPERATIONS, "read get"),
            (OPERATIONS, "list"),
            (OPERATIONS, "*"),
        ] {
            let invalid = authority(variable, value).err().expect("accepted");
            assert_eq!(invalid.error.kind, ErrorKind::InvalidConfiguration, "{value}");
            assert!(invalid.error.message.starts_with(variable), "{value}: {}", invalid.error.message);
        }
    }
}
