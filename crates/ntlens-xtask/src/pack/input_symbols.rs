//! Files of symbols: a PDB or a table in volatility3's ISF, one kernel a file, packed or not.

use super::kernel::{Definition, Kernel};
use super::read::{self, Failure};
use ntlens_core::layout::{PdbId, Version};
use ntlens_symbols::{Source, SymbolTable, file};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A file of symbols and the version that was given for it.
type Input = (PathBuf, Option<Version>);

/// `FILE`, `FILE=VERSION` or a folder: each file with the version that was given for it.
pub(super) fn files(argument: &str) -> Result<Vec<Input>, Failure> {
    let path = PathBuf::from(argument);
    if path.is_dir() {
        let failed = |error: std::io::Error| Failure::new(error.to_string()).in_file(&path);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.path();
            let symbols = [".json", ".json.xz", ".json.gz", ".pdb", ".pdb.xz", ".pd_"];
            if name.to_str().is_some_and(|name| symbols.iter().any(|ending| name.ends_with(ending))) {
                files.push((name, None));
            }
        }
        files.sort();
        return Ok(files);
    }
    match argument.rsplit_once('=').filter(|_| !path.exists()) {
        Some((path, version)) => {
            let version = version.parse().map_err(|error| Failure::new(format!("{version}: {error}")))?;
            Ok(vec![(path.into(), Some(version))])
        }
        None => Ok(vec![(path, None)]),
    }
}

/// Reads all files. Where neither the file nor who gave it tells the kernel's version, another input must know it:
/// `versions` holds those of other inputs, and then those of these files too. Of symbols only `wanted` are kept, all of
/// them if there is no choice to follow.
pub(super) fn read(
    files: Vec<Input>,
    versions: &mut BTreeMap<PdbId, Version>,
    wanted: &BTreeSet<String>,
) -> Result<Vec<Kernel>, Failure> {
    let mut tables = Vec::new();
    for (path, given) in files {
        let table = file::read(&path).map_err(|error| Failure::new(error.to_string()))?;
        let told = table.layouts.version().filter(|version| version.revision.is_some());
        let version = given.or_else(|| versions.get(&table.id).copied()).or(told);
        if let Some(version) = version {
            versions.entry(table.id).or_insert(version);
        }
        tables.push((path, version, table));
    }
    let kernels = tables.iter().map(|(path, version, table)| {
        let version = version.or_else(|| versions.get(&table.id).copied()).ok_or_else(|| {
            let told = "the file does not tell the kernel's version: add it, as in FILE=10.0.19041.1288";
            Failure::new(told).in_file(path)
        })?;
        kernel(table, read::origin(path), version, wanted).map_err(|error| error.in_file(path))
    });
    kernels.collect()
}

fn kernel(table: &SymbolTable, origin: String, version: Version, wanted: &BTreeSet<String>) -> Result<Kernel, Failure> {
    let layouts = &table.layouts;
    let structs = layouts.structures().cloned().map(Definition::Struct);
    let enums = layouts.enumerations().cloned().map(Definition::Enum);
    let definitions = structs.chain(enums).map(|def| (def.name().to_owned(), Arc::new(def))).collect();
    let mut symbols = BTreeMap::new();
    for (name, rva) in layouts.symbols().filter(|(name, _)| wanted.is_empty() || wanted.contains(*name)) {
        let rva = rva.0.try_into().map_err(|_| Failure::new(format!("bad address of {name}")))?;
        symbols.insert(name.to_owned(), rva);
    }
    Ok(Kernel { version, id: Some(table.id), source: Source::Isf, definitions, symbols, origin })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlens_symbols::isf;
    use std::path::Path;

    const ID: &str = "1C00BC34AB8819474C4C44205044422E";

    /// A PDB by LLVM's linker.
    fn pdb() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../ntlens-symbols/tests/fixtures/lld.pdb.xz")
    }

    /// The same symbols as an ISF table, with a change to its text: a file that is gone at the end of the test.
    struct Table(PathBuf);

    impl Table {
        fn new(name: &str, from: &str, to: &str) -> Self {
            let (pdb, mut json) = (file::read(&pdb()).unwrap(), Vec::new());
            isf::write(&mut json, &pdb.layouts, pdb.id, "a.pdb").unwrap();
            let text = String::from_utf8(json).unwrap();
            assert!(text.contains(from), "{text}");
            let path = std::env::temp_dir().join(format!("ntlens-pack-{}-{name}.json", std::process::id()));
            std::fs::write(&path, text.replace(from, to)).unwrap();
            Self(path)
        }
    }

    impl Drop for Table {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn read_all(files: &[(&Path, Option<&str>)]) -> Result<Vec<Kernel>, Failure> {
        let files = files.iter().map(|(path, version)| ((*path).into(), version.map(|text| text.parse().unwrap())));
        read(files.collect(), &mut BTreeMap::new(), &BTreeSet::from(["PsList".to_owned()]))
    }

    #[test]
    fn a_file_becomes_a_kernel() {
        let kernels = read_all(&[(&pdb(), Some("10.0.19041.1288"))]).unwrap();
        let [kernel] = &kernels[..] else { panic!() };
        assert_eq!(
            (kernel.version.to_string(), kernel.id.unwrap().to_string()),
            ("10.0.19041.1288".into(), format!("{ID}1"))
        );
        assert_eq!(kernel.symbols, BTreeMap::from([("PsList".to_owned(), 0x3000)]));
        let names: Vec<_> = kernel.definitions.keys().map(String::as_str).collect();
        assert_eq!(names, ["types::Process", "types::State", "types::Value", "types::_LIST_ENTRY"]);
    }

    #[test]
    fn the_version_must_come_from_somewhere() {
        let pdb = pdb();
        let error = read_all(&[(&pdb, None)]).unwrap_err();
        assert!(error.to_string().contains("FILE="), "{error}");
        let id = file::identify(&pdb).unwrap().id;
        let version: Version = "10.0.1.2".parse().unwrap();
        let known = read(vec![(pdb.clone(), None)], &mut BTreeMap::from([(id, version)]), &BTreeSet::new());
        assert_eq!(known.unwrap()[0].version, version);
        // A table of the same kernel tells it, wherever it stands in the list.
        let pe = r#""windows":{"pe":{"major":10,"minor":0,"revision":22000,"build":318},"#;
        let told = Table::new("version", r#""windows":{"#, pe);
        let kernels = read_all(&[(&pdb, None), (&told.0, None)]).unwrap();
        assert!(kernels.iter().all(|kernel| kernel.version.to_string() == "10.0.22000.318"));
    }

    #[test]
    fn a_pdb_and_a_table_of_one_kernel_are_the_same() {
        let (pdb, same) = (pdb(), Table::new("same", "Flink", "Flink"));
        let kernels = read_all(&[(&pdb, Some("10.0.1")), (&same.0, None)]).unwrap();
        assert_eq!(kernels[0].difference(&kernels[1]), None);
        assert_eq!(super::super::without_repetition(kernels).unwrap().len(), 1);
        let other = Table::new("other", r#""Time":{"offset":40"#, r#""Time":{"offset":32"#);
        let kernels = read_all(&[(&pdb, Some("10.0.1")), (&other.0, None)]).unwrap();
        let error = super::super::without_repetition(kernels).unwrap_err().to_string();
        assert!(error.contains(ID) && error.contains("types::Process."), "{error}");
    }

    #[test]
    fn a_folder_gives_its_files_of_symbols() {
        let pdb = pdb();
        assert_eq!(files(pdb.parent().unwrap().to_str().unwrap()).unwrap(), [(pdb.clone(), None)]);
        let version = "10.0.19041.1288".parse().ok();
        assert_eq!(files("a.pdb=10.0.19041.1288").unwrap(), [("a.pdb".into(), version)]);
        assert!(files("a.pdb=x").is_err());
    }
}
