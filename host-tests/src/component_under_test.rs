//! Which component the tests load: the one that this workspace builds, or the file that `TEST_COMPONENT` names, such as the one that is
//! released.

use std::sync::OnceLock;

/// Returns the bytes of the component.
///
/// # Panics
/// `TEST_COMPONENT` names no file that can be read.
#[must_use]
pub fn component_under_test() -> &'static [u8] {
    static GIVEN: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let given = GIVEN.get_or_init(|| {
        let path = std::env::var_os("TEST_COMPONENT")?;
        Some(std::fs::read(&path).unwrap_or_else(|error| panic!("TEST_COMPONENT={}: {error}", path.display())))
    });
    given.as_deref().unwrap_or(cloudflare_access_host::COMPONENT)
}
