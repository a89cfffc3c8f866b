//! Long work: without the interpreter's lock, ended by Ctrl-C, told of in a callback.
//!
//! The work is done by a thread of its own while the caller's waits and looks for signals, which Python handles in its
//! main thread only. Work that is to end finds that no byte can be read any more: every walk of the library ends at a
//! failed read, so nothing else has to know. What it then answers is thrown away.

use ntlens::Threads;
use ntlens::source::{ByteSource, ReadError};
use ntlens::spread::{Spread, Task};
use pyo3::intern;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long Ctrl-C waits at most until it is noticed.
const POLL: Duration = Duration::from_millis(50);

thread_local! {
    /// What the thread works for.
    static CURRENT: RefCell<Option<Arc<Work>>> = const { RefCell::new(None) };
}

/// One piece of work.
#[derive(Debug, Default)]
pub(crate) struct Work {
    ended: AtomicBool,
    failure: Mutex<Option<PyErr>>,
    done: AtomicUsize,
    total: AtomicUsize,
}

impl Work {
    /// Ends the work; the first exception is what the caller sees.
    fn fail(&self, error: PyErr) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.ended.store(true, Relaxed);
    }

    fn take_failure(&self) -> Option<PyErr> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells how far the work is: rows that are filled, of how many, once that is known.
    fn tell(&self, py: Python<'_>, progress: Option<&Py<PyAny>>) -> PyResult<()> {
        let Some(progress) = progress else { return Ok(()) };
        let total = Some(self.total.load(Relaxed)).filter(|total| *total > 0);
        progress.call1(py, (self.done.load(Relaxed), total)).map(drop)
    }
}

/// Ends what this thread works for with an exception, such as one of a file object.
pub(crate) fn fail(error: PyErr) {
    CURRENT.with_borrow(|work| {
        if let Some(work) = work {
            work.fail(error);
        }
    });
}

/// Does work of which the caller needs the result.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    let current = Arc::new(Work::default());
    let result = py.detach(|| {
        thread::scope(|scope| {
            let (send, receive) = sync_channel(1);
            let (worker_of, current) = (current.clone(), &current);
            let worker = scope.spawn(move || {
                CURRENT.set(Some(worker_of));
                // The receiver is there until the result is.
                let _ = send.send(work());
            });
            loop {
                match receive.recv_timeout(POLL) {
                    Ok(result) => return result,
                    Err(RecvTimeoutError::Timeout) => {
                        let look = |py: Python<'_>| py.check_signals().and_then(|()| current.tell(py, progress));
                        if let Err(error) = Python::attach(look) {
                            current.fail(error);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => match worker.join() {
                        Err(panic) => std::panic::resume_unwind(panic),
                        Ok(()) => unreachable!("a worker sends its result"),
                    },
                }
            }
        })
    });
    let failure = current.take_failure();
    let told = if failure.is_none() { current.tell(py, progress) } else { Ok(()) };
    let closed = progress.map_or(Ok(()), |progress| close(progress.bind(py)));
    match failure {
        Some(error) => Err(error),
        None => told.and(closed).map(|()| result),
    }
}

/// What shows progress, as an object to call: the user's own, or the package's bar if they want it or work in a notebook.
pub(crate) fn shown(py: Python<'_>, wanted: Option<Py<PyAny>>) -> PyResult<Option<Py<PyAny>>> {
    let shown = py.import(intern!(py, "ntlens._progress"))?.call_method1(intern!(py, "shown"), (wanted,))?;
    Ok((!shown.is_none()).then(|| shown.unbind()))
}

/// Tells an object that has a `close` that the work is over, however it ended.
fn close(progress: &Bound<'_, PyAny>) -> PyResult<()> {
    match progress.getattr_opt(intern!(progress.py(), "close"))? {
        Some(close) => close.call0().map(drop),
        None => Ok(()),
    }
}

/// Shares work between threads, which all work for what the thread that shares it works for.
#[derive(Debug)]
pub(crate) struct Shared;

impl Spread for Shared {
    fn width(&self) -> usize {
        Threads.width()
    }

    fn run(&self, tasks: Vec<Task<'_>>) {
        let work = CURRENT.with_borrow(Clone::clone);
        let carried = tasks.into_iter().map(|task| {
            let work = work.clone();
            let carried: Task<'_> = Box::new(move || {
                CURRENT.set(work);
                task();
            });
            carried
        });
        Threads.run(carried.collect());
    }

    fn plan(&self, steps: usize) {
        CURRENT.with_borrow(|work| work.as_ref().map(|work| work.total.fetch_add(steps, Relaxed)));
    }

    fn step(&self) -> bool {
        CURRENT.with_borrow(|work| {
            work.as_ref().is_none_or(|work| {
                work.done.fetch_add(1, Relaxed);
                !work.ended.load(Relaxed)
            })
        })
    }
}

/// A source that gives nothing to work that is to end.
#[derive(Debug)]
pub(crate) struct Interruptible<S>(pub(crate) S);

impl<S: ByteSource> ByteSource for Interruptible<S> {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let ended = CURRENT.with_borrow(|work| work.as_ref().is_some_and(|work| work.ended.load(Relaxed)));
        if ended {
            return Err(ReadError::Failed { offset, message: "interrupted".into() });
        }
        self.0.read_at(offset, out)
    }

    fn has_changed(&self) -> bool {
        self.0.has_changed()
    }
}
