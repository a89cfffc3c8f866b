//! Where are the fields of a kernel that nobody has symbols of? What the dump itself tells, and what that rests on.
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::layout::Layouts;
use ntlens::layout::source::{LayoutSource, TableInfo};
use ntlens::nt::snapshot::Options;
use ntlens::{CoreError, FileSource, OpenDump};
use std::sync::Arc;

/// A collection of layouts without any.
struct Nothing;

impl LayoutSource for Nothing {
    fn name(&self) -> &'static str {
        "no"
    }

    fn tables(&self) -> Vec<TableInfo> {
        Vec::new()
    }

    fn load(&self, _: &[usize]) -> Result<Vec<Layouts>, CoreError> {
        Ok(Vec::new())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let source = FileSource::open(&support::dump_path()?)?;
    let dump = OpenDump::open("dump", Arc::new(source), &Nothing, Options::default())?;
    let selected = dump.kernel()?.selected();
    println!("layout: {}, {} fields", selected.origin, selected.inferred.len());
    for found in &selected.inferred {
        println!("+{:#05x} {}.{}: {}", found.offset, found.structure, found.field, found.evidence);
    }
    Ok(())
}
