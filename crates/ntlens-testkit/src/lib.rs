//! Writes synthetic Windows x64 machines as kernel memory dumps, together with what is true of them, so that readers of
//! such dumps can be tested.
//!
//! Structure offsets, bitfields and symbol addresses come from the [`Layouts`](ntlens_core::layout::Layouts) of a real
//! kernel, which is all that this crate takes from the parser's; everything else (dump formats, page tables, encodings)
//! is written here a second time and shares nothing with it, so that a wrong constant cannot cancel itself out.
//!
//! A [`Machine`] takes wishes, [`Machine::build`] writes its memory, the [`Image`] writes dumps of every [`Kind`] and has the
//! [`Truth`]. The same calls give the same bytes.
//!
//! ```
//! use ntlens_testkit::{Kind, Machine, ProcessSpec, layouts};
//!
//! let layouts = layouts("10.0.19041.1288").expect("a kernel that is embedded");
//! let mut machine = Machine::new(layouts).seed(7).memory(32 << 20);
//! let pid = machine.process(ProcessSpec::named("lsass.exe").protection(0x41).signature(0x3c, 0xc));
//! machine.hide(pid);
//! let image = machine.build();
//! let dump = image.to_vec(Kind::BitmapKernel { live: false });
//! assert_eq!(&dump[..8], b"PAGEDU64");
//! assert!(!image.truth().process(pid).unwrap().in_active_list);
//! ```
//!
//! A wish that contradicts another, or that does not fit into memory, panics: the caller is a test.
#![forbid(unsafe_code)]
// A test tool that reads only its own data: a wish that cannot be met stops the test.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

/// The package's README, whose examples are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod assembly;
mod borders;
mod busy;
mod callbacks;
mod crossing;
mod dump;
mod file;
mod frames;
mod guest;
mod handle_table;
mod handles;
mod image;
mod job;
mod kdbg;
mod kernel_image;
mod kernels;
mod loader32;
mod machine;
mod mapped_file;
mod memory_manager;
mod module;
mod namespace;
mod object;
mod page_state;
mod paging;
mod pe;
mod physical;
mod plan;
mod pool;
mod process;
mod process_spec;
mod processor;
mod registry;
mod rng;
mod sensor_spec;
mod services;
mod session;
mod shared_data;
mod thread;
mod token;
mod tracing;
pub mod truth;
mod typical;
mod user_space;
mod vad;

pub use borders::session_path;
pub use dump::{BitmapSignature, DumpOptions, Kind, UnknownKind};
pub use frames::{FrameUse, Placement};
pub use image::Image;
pub use job::{CpuPolicy, JobSpec, Silo};
pub use kernels::{layouts, versions};
pub use machine::{Machine, ModuleSpec, Win32k};
pub use paging::{Mapping, PageSize, Space};
pub use physical::{PAGE, Page, Physical, Run};
pub use process::RUNNING_AT;
pub use process_spec::{HandleSpec, HandleTarget, PageState, ProcessSpec};
pub use sensor_spec::{CallbackKind, CallbackSpec, LoggerSpec, ProviderKind, ProviderSpec};
pub use token::TokenSpec;
pub use truth::Truth;
