//! Which processes are protected, and who signed for it?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::protection::ProtectionType;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    for process in dump.processes()?.processes {
        let (pid, name) = (process.pid()?, process.name()?);
        match process.protection() {
            Ok(protection) if protection.kind() != ProtectionType::None => {
                println!("{pid:>6} {name:<15} {} by {}", protection.kind(), protection.signer());
            }
            // Windows 7 has one bit and no signers.
            Err(_) if process.is_protected_vista() == Ok(true) => println!("{pid:>6} {name:<15} Protected"),
            _ => {}
        }
    }
    Ok(())
}
