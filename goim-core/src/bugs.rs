//! Which deliberate bug is on in this thread. Compiled with `--cfg goim_bugs` alone.

use core::cell::Cell;

std::thread_local! {
    static ON: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Switches a bug on, or all off.
pub fn set(bug: Option<&'static str>) {
    ON.set(bug);
}

/// Whether this one is on.
#[must_use]
pub fn is(name: &str) -> bool {
    ON.get() == Some(name)
}
