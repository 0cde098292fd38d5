//! The exported functions, by the names they have in the contract.

/// A function of `service-tokens` or `lifecycle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    ListPage,
    ListAll,
    Get,
    Create,
    Update,
    Delete,
    Refresh,
    Rotate,
    Expiring,
    RefreshExpiring,
    RotateWithOverlap,
    EndOverlap,
    ExtendOverlap,
    Find,
    Ensure,
    Issue,
    FinishIssue,
    ResolveCreate,
    Disable,
    Enable,
}

impl Function {
    pub const ALL: [Self; 20] = [
        Self::ListPage,
        Self::ListAll,
        Self::Get,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Refresh,
        Self::Rotate,
        Self::Expiring,
        Self::RefreshExpiring,
        Self::RotateWithOverlap,
        Self::EndOverlap,
        Self::ExtendOverlap,
        Self::Find,
        Self::Ensure,
        Self::Issue,
        Self::FinishIssue,
        Self::ResolveCreate,
        Self::Disable,
        Self::Enable,
    ];

    /// Returns the name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::ListPage => "list-page",
            Self::ListAll => "list-all",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Refresh => "refresh",
            Self::Rotate => "rotate",
            Self::Expiring => "expiring",
            Self::RefreshExpiring => "refresh-expiring",
            Self::RotateWithOverlap => "rotate-with-overlap",
            Self::EndOverlap => "end-overlap",
            Self::ExtendOverlap => "extend-overlap",
            Self::Find => "find",
            Self::Ensure => "ensure",
            Self::Issue => "issue",
            Self::FinishIssue => "finish-issue",
            Self::ResolveCreate => "resolve-create",
            Self::Disable => "disable",
            Self::Enable => "enable",
        }
    }

    /// Returns the function of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
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
        let mut named = Function::ALL.map(Function::name).to_vec();
        declared.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, declared);
        assert!(Function::ALL.into_iter().all(|function| Function::named(function.name()) == Some(function)));
    }
}
