//! `vmi-profile PDB PROFILE`: makes the profile that `vmi-processes` takes. vmi caches profiles, so that this is no part
//! of what is timed.

use rkyv::rancor;
use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(pdb), Some(profile)) = (args.next(), args.next()) else {
        return Err("usage: vmi-profile PDB PROFILE".into());
    };
    let mut bytes = None;
    isr_pdb::create_profile(File::open(pdb)?, |made| {
        bytes = Some(rkyv::to_bytes::<rancor::Error>(made)?);
        Ok::<_, rancor::Error>(())
    })?;
    std::fs::write(profile, bytes.ok_or("vmi made no profile")?)?;
    Ok(())
}
