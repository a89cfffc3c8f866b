//! `vmi-profile PDB PROFILE`: makes the profile that `vmi-processes` takes. vmi caches profiles, so that this is no part
//! of what is timed.

use isr_cache::Entry;
use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(pdb), Some(profile)) = (args.next(), args.next()) else {
        return Err("usage: vmi-profile PDB PROFILE".into());
    };
    let out = File::create(profile)?;
    isr_pdb::create_profile::<_, isr_cache::Error>(File::open(pdb)?, |profile| Entry::encode(out, profile))?;
    Ok(())
}
