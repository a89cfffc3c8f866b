//! `cargo xtask pack`: makes the layout pack that `ntlens-symbols` carries.

mod diff;
mod encode;
mod input_kernels;
mod input_ntdiff;
mod input_symbols;
mod input_vergilius;
mod kernel;
mod offsets_only;
mod read;
#[cfg(test)]
mod tests;
mod write;
mod write_symbols;

use crate::failure::Failure;
use kernel::{Definition, Kernel};
use ntlens_symbols::{Pack, PackError};
use offsets_only::Known;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use write::{Packing, Packings};

/// For the list of chores.
pub(crate) const ABOUT: &str = "make the layout pack: --layouts FOLDER [--isf|--pdb FILE[=VERSION] | --isf|--pdb FOLDER]... [--out FILE] [--check]";

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    layouts: Option<PathBuf>,
    /// PDBs and ISF tables; the files themselves tell which they are.
    symbols: Vec<String>,
    out: Option<PathBuf>,
    check: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().cloned().ok_or_else(|| Failure::new(format!("{argument} needs a value")));
            match argument.as_str() {
                "--layouts" => options.layouts = Some(value()?.into()),
                "--isf" | "--pdb" => options.symbols.push(value()?),
                "--out" => options.out = Some(value()?.into()),
                "--check" => options.check = true,
                other => return Err(Failure::new(format!("unknown argument {other}; pack: {ABOUT}"))),
            }
        }
        if options.layouts.is_none() && options.symbols.is_empty() {
            return Err(Failure::new(format!("nothing to pack; pack: {ABOUT}")));
        }
        Ok(options)
    }
}

/// Makes the pack, reads it back, and writes it or compares it with the one that is there.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ntlens-symbols");
    let kernels = inputs(&options)?;
    let (names, alone) = hot_names(&read_text(&home.join("hot-structures.txt"))?);
    let hot = write::by_value(&kernels, &names, &alone);
    let notice = read_text(&home.join("NOTICE.md"))?;
    let written = write::write(&kernels, &|name| hot.contains(name), &notice, &PACKINGS)?;
    verify(&written.bytes, &kernels)?;

    println!("{} kernels, {} definitions, {} hot names", kernels.len(), written.definitions, written.hot);
    for (name, raw, packed) in &written.blocks {
        println!("{name}: {raw} bytes, packed {packed}");
    }
    let path = options.out.unwrap_or_else(|| home.join("embedded.pack"));
    println!("{} bytes in all", written.bytes.len());
    let failed = |error: std::io::Error| Failure::new(error.to_string()).in_file(&path);
    if options.check {
        if std::fs::read(&path).map_err(failed)? != written.bytes {
            return Err(Failure::new("is not what these inputs make").in_file(&path));
        }
        println!("the same as {}", path.display());
        return Ok(());
    }
    std::fs::write(&path, &written.bytes).map_err(failed)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::new(error.to_string()).in_file(path))
}

/// The names of `hot-structures.txt`, and those of them that come alone.
fn hot_names(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut alone) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        match line.strip_suffix(" alone") {
            Some(name) => alone.insert(name.trim().to_owned()),
            None if line.is_empty() => false,
            None => names.insert(line.to_owned()),
        };
    }
    (names, alone)
}

/// All kernels in the order of their versions.
fn inputs(options: &Options) -> Result<Vec<Kernel>, Failure> {
    let mut exact = Vec::new();
    if let Some(layouts) = &options.layouts {
        exact = input_kernels::read(&layouts.join("kernels-192.json.xz"))?;
    }
    let mut versions: BTreeMap<_, _> = exact.iter().filter_map(|kernel| Some((kernel.id?, kernel.version))).collect();
    let symbols = exact.iter().flat_map(|kernel| kernel.symbols.keys().cloned()).collect();
    let mut files = Vec::new();
    for argument in &options.symbols {
        files.append(&mut input_symbols::files(argument)?);
    }
    exact.append(&mut input_symbols::read(files, &mut versions, &symbols)?);
    let exact = without_repetition(exact)?;
    let mut kernels = Vec::new();
    if let Some(layouts) = &options.layouts {
        let known = Known::new(&exact);
        kernels = input_vergilius::read(&layouts.join("vergilius-x64-18-builds.json.xz"), &known)?;
        kernels.push(input_ntdiff::read(&layouts.join("26100-structures.json"), &known)?);
    }
    kernels.extend(exact);
    kernels.sort_by_key(|kernel| (kernel.version, kernel.source, kernel.id));
    Ok(kernels)
}

/// Each kernel once; two inputs that tell the same kernel otherwise are an error.
fn without_repetition(kernels: Vec<Kernel>) -> Result<Vec<Kernel>, Failure> {
    let mut kept: Vec<Kernel> = Vec::new();
    let mut places = BTreeMap::new();
    for kernel in kernels {
        match places.get(&kernel.id).and_then(|place: &usize| kept.get(*place)) {
            None => {
                places.insert(kernel.id, kept.len());
                kept.push(kernel);
            }
            Some(first) => {
                if let Some(difference) = first.difference(&kernel) {
                    let id = kernel.id.map_or_else(String::new, |id| id.to_string());
                    let (one, two) = (&first.origin, &kernel.origin);
                    return Err(Failure::new(format!("{one} and {two} tell {id} otherwise: {difference}")));
                }
            }
        }
    }
    Ok(kept)
}

/// Reads the pack back: it must say exactly what went in.
fn verify(bytes: &[u8], kernels: &[Kernel]) -> Result<(), Failure> {
    let failed = |error: PackError| Failure::new(format!("the new pack cannot be read: {error}"));
    let pack = Pack::parse(bytes).map_err(failed)?;
    if pack.tables().len() != kernels.len() {
        return Err(Failure::new("the new pack has another number of kernels"));
    }
    for (table, kernel) in kernels.iter().enumerate() {
        let layouts = pack.all_layouts(table).map_err(failed)?;
        let structs = layouts.structures().cloned().map(Definition::Struct);
        let enums = layouts.enumerations().cloned().map(Definition::Enum);
        let read: BTreeMap<_, _> = structs.chain(enums).map(|def| (def.name().to_owned(), Arc::new(def))).collect();
        let symbols: BTreeMap<_, _> = layouts.symbols().map(|(name, rva)| (name.to_owned(), rva.0)).collect();
        let same = layouts.version() == Some(kernel.version)
            && layouts.id() == kernel.id
            && read == kernel.definitions
            && symbols.len() == kernel.symbols.len()
            && kernel.symbols.iter().all(|(name, rva)| symbols.get(name) == Some(&u64::from(*rva)));
        if !same {
            return Err(Failure::new(format!("the new pack tells {} otherwise than its source", kernel.version)));
        }
    }
    Ok(())
}

/// What every run unpacks is packed to be unpacked fast, the rest as tight as it gets.
const PACKINGS: Packings =
    Packings { hot: Packing { number: 2, pack: lz4 }, others: Packing { number: 1, pack: deflate } };

#[expect(clippy::unnecessary_wraps, reason = "packers may fail")]
fn lz4(raw: &[u8]) -> Result<Vec<u8>, Failure> {
    Ok(lz4_flex::block::compress(raw))
}

/// Deflate as tight as it gets: the pack is made once and read often.
fn deflate(raw: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut packed = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Deflate, raw, &mut packed)
        .map_err(|error| Failure::new(error.to_string()))?;
    Ok(packed)
}
