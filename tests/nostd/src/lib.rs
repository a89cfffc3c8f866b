//! A probe that cannot be built with `std`.
//!
//! A library marked `no_std` builds all the same when one of its dependencies uses `std`, as long as the target has one.
//! This one does not: it defines the panic handler, which `std` defines too, so that `std` anywhere in the graph is error
//! E0152. Nothing here is run.
//!
//! With the feature `control` it uses a crate that needs `std`. That build must fail with E0152; if it does not, the probe
//! proves nothing.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use ntlens_core::dump::Dump;
use ntlens_symbols::Pack;
use static_alloc::Bump;
#[cfg(feature = "control")]
use uses_std as _;

/// `alloc` asks for an allocator when a static library is linked.
#[global_allocator]
static ALLOCATOR: Bump<[u8; 1 << 16]> = Bump::uninit();

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Uses both libraries: crates that no code names are not even loaded.
#[must_use]
pub fn pages_and_types(file: Vec<u8>) -> Option<(u64, usize)> {
    let dump = Dump::open(Arc::new(file)).ok()?;
    let layouts = Pack::embedded().ok()?.kernel_layouts(0).ok()?;
    Some((dump.pages_present()?, layouts.structures().count()))
}
