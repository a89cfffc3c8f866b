//! A crate that needs `std`, as a dependency might by mistake.

/// The time since an instant, which only `std` can tell.
pub fn elapsed(since: std::time::Instant) -> std::time::Duration {
    since.elapsed()
}
