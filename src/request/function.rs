//! The exported functions, by the names they have in the contract.

macro_rules! functions {
    ($($function:ident $name:literal)*) => {
        /// A function of `service-tokens` or `lifecycle`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function { $($function),* }

        impl Function {
            pub const ALL: &[Self] = &[$(Self::$function),*];

            /// Returns the name in the contract.
            pub fn name(self) -> &'static str {
                match self { $(Self::$function => $name),* }
            }
        }
    };
}

functions! {
    ListPage "list-page"
    ListAll "list-all"
    Get "get"
    Create "create"
    Update "update"
    Delete "delete"
    Refresh "refresh"
    Rotate "rotate"
    Expiring "expiring"
    RefreshExpiring "refresh-expiring"
    RotateWithOverlap "rotate-with-overlap"
    EndOverlap "end-overlap"
    ExtendOverlap "extend-overlap"
    Find "find"
    Ensure "ensure"
    Issue "issue"
    FinishIssue "finish-issue"
    ResolveCreate "resolve-create"
    Disable "disable"
    Enable "enable"
}

impl Function {
    /// Returns the function of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|function| function.name() == name)
    }

    /// Returns whether the function leaves everything as it is.
    pub fn only_reads(self) -> bool {
        matches!(self, Self::ListPage | Self::ListAll | Self::Get | Self::Expiring | Self::Find | Self::ResolveCreate)
    }
}

#[cfg(test)]
mod tests {
    use super::Function;

    #[test]
    fn the_names_are_those_of_the_contract() {
        let contract = [include_str!("../../wit/service-tokens.wit"), include_str!("../../wit/lifecycle.wit")].concat();
        let mut declared: Vec<&str> =
            contract.lines().filter_map(|line| line.trim().split_once(": func(")).map(|(name, _)| name).collect();
        let mut named = Function::ALL.iter().map(|function| function.name()).collect::<Vec<_>>();
        declared.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, declared);
        assert!(Function::ALL.iter().all(|function| Function::named(function.name()) == Some(*function)));
    }
}
