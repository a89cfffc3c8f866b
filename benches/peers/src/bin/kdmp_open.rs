//! `kdmp-open DUMP`: opens a dump with kdmp-parser and prints how many pages it has.

use kdmp_parser::parse::KernelDumpParser;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let dump = std::env::args_os().nth(1).ok_or("usage: kdmp-open DUMP")?;
    println!("{}", KernelDumpParser::new(dump)?.physmem().len());
    Ok(())
}
