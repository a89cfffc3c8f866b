//! How long something took and how much memory it needed.

use crate::MEMORY;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A case that has not ended after this long hangs. Time of the processor is what is measured; this is for what waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// What something cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Time of the processor, where the system tells it by thread; else time that passed.
    pub(crate) time: Duration,
    /// The most memory beside what was there before, in bytes.
    pub(crate) memory: usize,
}

/// Time that this thread has used.
fn used() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

/// Does something and measures it.
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let (start, began) = (used(), Instant::now());
    let done = work();
    let time = start.zip(used()).map_or_else(|| began.elapsed(), |(start, end)| end.saturating_sub(start));
    (done, Cost { time, memory: MEMORY.peak_usage().saturating_sub(before) })
}

/// Does something in a thread of its own: a panic comes back as its message, and a hang fails the test by the name of what
/// hangs.
pub(crate) fn guarded<T: Send + 'static>(place: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (done, result) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        // Nobody waits any more if this took too long.
        let _ = done.send(work());
    });
    match result.recv_timeout(PATIENCE) {
        Ok(value) => Ok(value),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{place} hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = thread.join().err().unwrap();
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
        }
    }
}
