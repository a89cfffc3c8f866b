//! What is this file, which Windows was it, and which layouts are used to read it?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let file = dump.dump();
    println!("dump: {}, {} bytes, complete: {}", file.kind.name(), file.source.len(), file.is_complete());

    let kernel = dump.kernel()?;
    println!("kernel: {} at {}", kernel.build_lab()?, kernel.kernel_base()?);
    if let Some(id) = kernel.kernel_id() {
        println!("symbols: {id}");
    }
    println!("layout: {} ({})", kernel.selected().origin, kernel.selected().source);
    Ok(())
}
