//! What whoever deployed the component allows: variables of the environment that confine its credential.

use crate::contract::types::Scope;
use crate::request::ids::scope_path;
use crate::request::invalid::quoted;
use crate::request::{Environment, Function, Invalid};

const SCOPE: &str = "CLOUDFLARE_ACCESS_SCOPE";
const OPERATIONS: &str = "CLOUDFLARE_ACCESS_OPERATIONS";

/// The scope and the functions that a call may use. Each is none where everything is allowed.
#[derive(Default)]
pub struct Authority {
    scope: Option<Scope>,
    operations: Option<Vec<Permission>>,
}

/// One word of `CLOUDFLARE_ACCESS_OPERATIONS`.
enum Permission {
    /// All functions that change nothing.
    Read,
    Function(Function),
}

impl Authority {
    /// Allows everything: for a caller that brings a credential of its own.
    pub fn unconfined() -> Self {
        Self::default()
    }

    /// Takes what the environment allows.
    pub fn from_environment(environment: &Environment) -> Result<Self, Invalid> {
        Ok(Self {
            scope: environment.get(SCOPE).map(scope).transpose()?,
            operations: environment.get(OPERATIONS).map(operations).transpose()?,
        })
    }

    /// Checks that a function may be called on the tokens of a scope.
    pub fn admit(&self, function: Function, scope: &Scope) -> Result<(), Invalid> {
        let allows = |permission: &Permission| match permission {
            Permission::Read => function.only_reads(),
            Permission::Function(allowed) => *allowed == function,
        };
        if self.operations.as_ref().is_some_and(|operations| !operations.iter().any(allows)) {
            return Err(Invalid::denied(format!("{OPERATIONS} does not allow this function")));
        }
        if self.scope.as_ref().is_some_and(|allowed| !is_same(allowed, scope)) {
            return Err(Invalid::denied(format!("{SCOPE} allows another account or zone only")));
        }
        Ok(())
    }
}

/// Returns whether both are the same account or zone.
fn is_same(first: &Scope, second: &Scope) -> bool {
    match (first, second) {
        (Scope::Account(first), Scope::Account(second)) | (Scope::Zone(first), Scope::Zone(second)) => first == second,
        _ => false,
    }
}

/// Reads `account:<id>` or `zone:<id>`.
fn scope(value: &str) -> Result<Scope, Invalid> {
    let rule = "write `account:<id>` or `zone:<id>`";
    let scope = match value.split_once(':') {
        Some(("account", id)) => Scope::Account(id.to_owned()),
        Some(("zone", id)) => Scope::Zone(id.to_owned()),
        _ => return Err(Invalid::configuration(format!("{SCOPE} is {}: {rule}", quoted(value)))),
    };
    let (Scope::Account(id) | Scope::Zone(id)) = &scope;
    let is_id = id.chars().all(|character| character.is_ascii_alphanumeric());
    match scope_path(&scope) {
        Ok(_) if is_id => Ok(scope),
        Ok(_) => {
            Err(Invalid::configuration(format!("{SCOPE} is {}: an id has letters and digits; {rule}", quoted(value))))
        }
        Err(invalid) => Err(Invalid::configuration(format!("{SCOPE}: {}", invalid.message))),
    }
}

/// Reads names of functions and `read`, separated by commas.
fn operations(value: &str) -> Result<Vec<Permission>, Invalid> {
    let permission = |word: &str| match word {
        "read" => Ok(Permission::Read),
        _ => Function::named(word).map(Permission::Function).ok_or_else(|| {
            let rule = "no function has this name; write names of functions, or `read`, separated by commas";
            Invalid::configuration(format!("{OPERATIONS} has {}: {rule}", quoted(word)))
        }),
    };
    value.split(',').map(str::trim).map(permission).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::ErrorKind;

    const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

    fn authority(variable: &str, value: &str) -> Result<Authority, Invalid> {
        Authority::from_environment(&Environment::new(vec![(variable.into(), value.into())]))
    }

    fn account() -> Scope {
        Scope::Account(ACCOUNT.into())
    }

    #[test]
    fn without_a_word_of_the_deployer_everything_is_allowed() {
        let account = account();
        for &function in Function::ALL {
            assert_eq!(authority(OPERATIONS, " ").expect("accepted").admit(function, &account), Ok(()));
            assert_eq!(Authority::unconfined().admit(function, &account), Ok(()));
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
        assert_eq!(denied.kind, ErrorKind::DeniedByHost);
        assert!(denied.message.contains(OPERATIONS));
    }

    #[test]
    fn a_scope_allows_itself_alone() {
        let authority = authority(SCOPE, &format!(" account:{ACCOUNT}\r\n")).expect("accepted");
        let admit = |scope: Scope| authority.admit(Function::Get, &scope);
        assert_eq!(admit(Scope::Account(ACCOUNT.into())), Ok(()));
        for other in [Scope::Zone(ACCOUNT.into()), Scope::Account("x".into()), Scope::Account(ACCOUNT.to_uppercase())] {
            let denied = admit(other).expect_err("admitted");
            assert_eq!(denied.kind, ErrorKind::DeniedByHost);
            assert!(denied.message.contains(SCOPE));
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
            assert_eq!(invalid.kind, ErrorKind::InvalidConfiguration, "{value}");
            assert!(invalid.message.starts_with(variable), "{value}: {}", invalid.message);
        }
    }
}
