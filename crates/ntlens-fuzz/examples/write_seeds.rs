//! Writes the seeds of all fuzz targets: `cargo run -p ntlens-fuzz --example write_seeds -- fuzz/seeds`.

use ntlens_fuzz::seeds;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: write_seeds FOLDER"))?;
    for seed in seeds::all() {
        let path = Path::new(&folder).join(seed.target).join(seed.name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(&folder)))?;
        std::fs::write(path, seed.bytes)?;
    }
    Ok(())
}
