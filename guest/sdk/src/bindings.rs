//! The interfaces of `taskcell:host` as the generator gives them.
//!
//! All that a component imports of `taskcell:host` is here once, so that a handle is the same type wherever it comes from.
//! [`generate!`](crate::generate) and [`task`](macro@crate::task) make use of it, and every handle here can be made into the
//! library's type with [`From`].

#![allow(missing_docs, reason = "documented in WIT as far as WIT has a place for it")]

use std::time::Duration;

wit_bindgen::generate!({
    path: "../../wit",
    world: "taskcell:host/imports",
    generate_all,
});

/// A length of time as the interfaces have it; what is too long for them is 584 years.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Not to wait at all.
pub(crate) const AT_ONCE: Option<u64> = Some(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_nanoseconds() {
        assert_eq!(nanoseconds(Duration::ZERO), 0);
        assert_eq!(nanoseconds(Duration::from_micros(3)), 3_000);
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
    }
}
