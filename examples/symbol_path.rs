//! Where would a symbol path look for the symbols of the dump's kernel? The second argument is a path as debuggers take
//! it. No server is asked: for that, [`SymbolPath::find`] takes a `Fetch`.
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::symbols::SymbolPath;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let id = dump.kernel()?.kernel_id().ok_or("the kernel's image is not in the dump")?;

    let mut path = SymbolPath::parse("srv*symbols*https://symbols.example;nonsense*");
    if let Some(argument) = std::env::args_os().nth(2) {
        // A file, a folder, a store or a path of several.
        path.push(argument)?;
    }
    let search = path.find("ntkrnlmp.pdb", id, None);
    for tried in &search.tried {
        println!("{tried}");
    }
    match search.found {
        Some(found) => println!("{} is it", found.path.display()),
        None => println!("no symbols of {id}"),
    }
    Ok(())
}
