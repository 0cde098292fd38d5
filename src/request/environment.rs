//! The environment variables that the host grants.

/// Variables by name. White space and a byte-order mark at the ends of a value are what files and shells leave there,
/// and are taken off.
pub struct Environment(Vec<(String, String)>);

impl Environment {
    pub fn new(variables: Vec<(String, String)>) -> Self {
        Self(variables)
    }

    /// Returns the value of a variable. One without a value counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(variable, _)| variable == name)?;
        let value = value.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
        Some(value).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn what_files_and_shells_leave_at_the_ends_is_taken_off() {
        for value in ["tok", "tok\n", "tok\r\n", "\u{feff}tok", " tok\t", "\u{a0}tok\r"] {
            let environment = Environment::new(vec![("A".into(), "x".into()), ("B".into(), value.into())]);
            assert_eq!(environment.get("B"), Some("tok"), "{value:?}");
        }
    }

    #[test]
    fn a_variable_without_a_value_is_absent() {
        for value in ["", " ", "\r\n", "\u{feff}"] {
            let environment = Environment::new(vec![("B".into(), value.into())]);
            assert_eq!((environment.get("B"), environment.get("C")), (None, None), "{value:?}");
        }
    }
}
