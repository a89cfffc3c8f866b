//! The Windows kernel as its own objects describe it: one subject, one file.
//!
//! Everything here is built from virtual memory, layouts and the few numbers that a dump's header gives, and knows no file
//! format.

pub mod access;
pub mod bugcheck;
pub mod builds;
pub mod callback;
pub mod census;
pub mod collision;
pub mod context;
pub mod crash;
pub mod creator;
pub mod crossing;
pub mod descriptor;
pub mod descriptor_table;
pub mod directory;
pub mod etw;
pub mod family;
pub mod fields;
mod fit;
mod group;
pub mod guid;
pub mod handle;
pub mod handle_table;
pub mod holder;
pub mod image;
pub mod infer;
pub mod integrity;
pub mod interrupt;
pub mod job;
pub mod job_census;
pub mod list;
mod list_search;
pub mod loader;
pub mod locate;
pub mod mitigation;
pub mod module;
pub mod namespace;
pub mod object;
pub mod object_manager;
pub mod object_name;
pub mod object_type;
mod other_image;
pub mod owner;
pub mod page_protection;
pub mod privilege;
pub mod process;
pub mod processor;
pub mod protection;
mod pte_rules;
pub mod scheduling_group;
pub mod security;
pub mod select;
pub mod service_table;
pub mod session;
pub mod shared_data;
pub mod sid;
pub mod signature_level;
pub mod silo;
pub mod snapshot;
pub mod space;
pub mod special_registers;
pub mod symbolic_link;
pub mod thread;
pub mod thread_census;
pub mod time;
pub mod token;
pub mod unicode_string;
pub mod unloaded;
pub mod vad;
pub mod well_known_sid;

pub use process::Process;
pub use snapshot::Snapshot;

pub use time::FileTime;
