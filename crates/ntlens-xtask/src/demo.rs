//! `cargo xtask demo`: makes the sample dump that the command `ntlens demo` reads.

use crate::failure::Failure;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use ntlens_testkit::{Kind, Machine, layouts};
use std::io::Write;
use std::path::Path;

/// For the list of chores.
pub(crate) const ABOUT: &str = "make the sample dump of `ntlens demo` [--check]";

/// The kernel of the sample: one whose symbols are embedded exactly.
const KERNEL: &str = "10.0.19041.1288";
/// Where everything random in it comes from.
const SEED: u64 = 42;
const PROCESSES: usize = 36;

/// Makes the dump, or with `--check` compares it with the one that is there.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let check = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err(Failure::new(format!("unknown arguments; demo: {ABOUT}"))),
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ntlens/assets/demo.dmp.zlib");
    let layouts = layouts(KERNEL).ok_or_else(|| Failure::new(format!("kernel {KERNEL} is not embedded")))?;
    let dump = Machine::typical(layouts, SEED, PROCESSES).build().to_vec(Kind::BitmapFull { active: true });
    let packed = pack(&dump)?;
    let failed = |error: std::io::Error| Failure::new(error.to_string()).in_file(&path);
    if check {
        let same = std::fs::read(&path).map_err(failed)? == packed;
        return if same { Ok(()) } else { Err(Failure::new("is not what `cargo xtask demo` makes").in_file(&path)) };
    }
    std::fs::write(&path, &packed).map_err(failed)?;
    println!("{PROCESSES} processes, {} bytes, packed {} bytes", dump.len(), packed.len());
    Ok(())
}

fn pack(dump: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    let written = packed.write_all(dump).and_then(|()| packed.finish());
    written.map_err(|error| Failure::new(format!("compression: {error}")))
}
