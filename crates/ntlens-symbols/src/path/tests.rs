//! Stores and folders of every layout, made on the disk. Their files are no symbols but one line that names them.

use super::search::{self, Reader};
use super::*;
use crate::SymbolTable;
use alloc::boxed::Box;
use alloc::format;
use ntlens_core::layout::Layouts;
use proptest::prelude::*;
use std::cell::RefCell;
use std::path::Component;
use tempfile::TempDir;

const GUID: u128 = 0xbfbf_9862_6358_22e8_0102_0304_0506_0a0f;
const ID: PdbId = PdbId { guid: GUID, age: 0x1a };
const OTHER: PdbId = PdbId { guid: GUID + 1, age: 1 };
const NAME: &str = "ntkrnlmp.pdb";

/// Reads files such as `symbols BFBF98...`, and counts.
#[derive(Default)]
struct Lines {
    opened: RefCell<usize>,
}

impl Reader for Lines {
    fn identify(&self, path: &Path) -> Result<Identity, SymbolError> {
        *self.opened.borrow_mut() += 1;
        let not = || SymbolError::NotSymbols { path: path.into() };
        let text = fs::read_to_string(path).unwrap();
        let id = text.strip_prefix("symbols ").ok_or_else(not)?;
        let (guid, age) = id.split_at(32);
        let guid = u128::from_str_radix(guid, 16).unwrap();
        Ok(Identity { id: PdbId { guid, age: u32::from_str_radix(age, 16).unwrap() }, pdb_name: None })
    }

    fn read(&self, path: &Path) -> Result<SymbolTable, SymbolError> {
        Ok(SymbolTable { id: self.identify(path)?.id, pdb_name: None, layouts: Layouts::default() })
    }
}

/// A folder of a test, and what is in it.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    fn write(&self, relative: &str, content: &str) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn symbols(&self, relative: &str, id: PdbId) -> PathBuf {
        self.write(relative, &format!("symbols {id}"))
    }

    /// Searches a folder of it.
    fn find(&self, folder: &str) -> Search {
        find(&SymbolPath { parts: [Part::Folder(self.path(folder))].into(), default_cache: None })
    }
}

fn find(path: &SymbolPath) -> Search {
    search::find(path, NAME, ID, None, &Lines::default())
}

fn where_found(search: &Search) -> Option<(PathBuf, How)> {
    search.found.as_ref().map(|found| (found.path.clone(), found.how.clone()))
}

fn mismatch(place: &Path) -> Outcome {
    Outcome::Failed(SymbolError::Mismatch { place: place.display().to_string(), wanted: ID, found: OTHER })
}

/// Writes letters in one of three ways.
fn cased(text: &str, way: u8) -> String {
    match way % 3 {
        0 => text.to_string(),
        1 => text.to_ascii_uppercase(),
        _ => text.to_ascii_lowercase(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the layout of a store and the case of its letters, the file is found, and by the text form too.
    #[test]
    fn stores_of_every_layout_are_equal(
        tiers in any::<bool>(), kind in 0..4, name_case in 0..3_u8, index_case in 0..3_u8, age in 0..3_usize, decoys in any::<bool>(),
    ) {
        let disk = Disk::new();
        let name = cased(NAME, name_case);
        let age = ["1A", "1a", "0000001A"][age];
        let index = cased(&format!("{GUID:032X}"), index_case) + age;
        let tier = if tiers { cased("nt/", name_case) } else { String::new() };
        if tiers {
            disk.write("store/index2.txt", "");
        }
        if decoys {
            disk.symbols(&format!("store/{tier}{name}/{OTHER}/{name}"), OTHER);
            disk.write(&format!("store/{tier}{name}/readme.txt"), "symbols are below");
            disk.symbols("store/pingme.txt", OTHER);
        }
        let folder = format!("store/{tier}{name}/{index}");
        let expected = match kind {
            0 => disk.symbols(&format!("{folder}/{name}"), ID),
            1 => disk.symbols(&format!("{folder}/{}", cased("ntkrnlmp.pd_", name_case)), ID),
            2 => {
                let target = disk.symbols("elsewhere/any name.bin", ID);
                disk.write(&format!("{folder}/{}", cased("file.ptr", name_case)), &format!("PATH:{}\n", target.display()));
                target
            }
            _ => disk.symbols(&format!("store/windows/{name}/{}-26.json.xz", cased(&format!("{GUID:032X}"), index_case)), ID),
        };
        let search = disk.find("store");
        prop_assert_eq!(where_found(&search), Some((expected.clone(), How::Store)), "{:?}", search.tried);
        let text = format!("srv*{}*https://unused.example", disk.path("store").display());
        let search = find(&SymbolPath::parse(&text));
        prop_assert_eq!(where_found(&search), Some((expected, How::Store)), "{:?}", search.tried);
    }

    /// A name that is taken stays in its folder, on every system.
    #[test]
    fn no_name_leaves_the_folder(
        name in prop_oneof![
            any::<String>(),
            "[./\\\\:a]{0,8}",
            "(\\.\\./|C:|/|\\\\\\\\|)(nt|nul|con|\\.\\.)[. \0]?(pdb)?",
            "[ -~]{1,20}",
        ],
    ) {
        let Ok(name) = FileName::new(&name) else { return Ok(()) };
        for part in [name.as_str(), &name.compressed()] {
            prop_assert!(matches!(Path::new(part).components().collect::<Vec<_>>()[..], [Component::Normal(whole)] if whole == part));
            prop_assert!(!part.contains(['\\', '/', ':', '\0']) && part != ".." && part != ".");
        }
        let folder = Wanted { server: "https://h", name: &name, id: ID, cache: Path::new("cache") }.folder();
        prop_assert_eq!(folder.components().count(), 3);
        prop_assert_eq!(folder, Path::new("cache").join(name.as_str()).join(ID.to_string()));
    }

    /// Whatever a dump says the name is, only what lies below the folders of the path is opened.
    #[test]
    fn a_hostile_name_finds_nothing_outside(up in "(\\.\\./){1,3}|[./\\\\:]{1,6}", tail in "(outside\\.pdb)?") {
        let disk = Disk::new();
        disk.symbols("outside.pdb", ID);
        disk.symbols(&format!("outside.pdb.d/{ID}/outside.pdb"), ID);
        fs::create_dir(disk.path("store")).unwrap();
        let text = format!("srv*{}", disk.path("store").display());
        let search = search::find(&SymbolPath::parse(&text), &format!("{up}{tail}"), ID, None, &Lines::default());
        prop_assert!(search.found.is_none());
    }
}

#[test]
fn a_file_of_other_symbols_is_named_and_the_search_goes_on() {
    let disk = Disk::new();
    let wrong = disk.symbols(&format!("first/{NAME}/{ID}/{NAME}"), OTHER);
    let right = disk.symbols(&format!("second/{NAME}/{ID}/{NAME}"), ID);
    let folder = |name| Place::Folder(disk.path(name));
    let search = find(&SymbolPath {
        parts: [Part::Stores([folder("first"), folder("second")].into())].into(),
        default_cache: None,
    });
    assert_eq!(where_found(&search), Some((right.clone(), How::Store)));
    let tried = |path: &Path, outcome| Tried { place: path.display().to_string(), outcome };
    assert_eq!(search.tried, [tried(&wrong, mismatch(&wrong)), tried(&right, Outcome::Found)]);
    let text = search.tried[0].to_string();
    assert!(text.contains(&ID.to_string()) && text.contains(&OTHER.to_string()), "{text}");
    // In a folder, which is searched for any name too, it is told once.
    assert_eq!(disk.find("first").tried[0].outcome, mismatch(&wrong));
    assert_eq!(disk.find("first").tried.len(), 2);
}

#[test]
fn folders_are_searched_by_content() {
    let disk = Disk::new();
    assert_eq!(disk.find("none").tried[0].outcome, Outcome::Nothing);
    disk.write("all/notes.txt", "no symbols");
    disk.symbols("all/a.pdb", OTHER);
    disk.symbols(&format!("all/{:032X}-1.json", OTHER.guid), OTHER);
    let named = disk.symbols(&format!("all/sub/{GUID:032x}-26.json.gz"), OTHER);
    disk.symbols("all/1/2/3/too-deep.pdb", ID);
    let tried = disk.find("all").tried;
    assert_eq!(tried[0].outcome, mismatch(&named));
    assert_eq!(tried[1].outcome, Outcome::Others { files: 3, cut: false });
    let right = disk.symbols("all/1/2/holiday.jpg", ID);
    assert_eq!(where_found(&disk.find("all")), Some((right, How::Folder)));
}

#[test]
fn names_decide_what_is_opened_first() {
    let disk = Disk::new();
    for number in 0..50 {
        disk.symbols(&format!("{number}.pdb"), OTHER);
        disk.write(&format!("windows/{number}.txt"), "no symbols");
    }
    let right = disk.symbols(&format!("deep/er/{GUID:032X}-26.json.xz"), ID);
    let reader = Lines::default();
    let path = SymbolPath { parts: [Part::Folder(disk.path(""))].into(), default_cache: None };
    let search = search::find(&path, NAME, ID, None, &reader);
    assert_eq!(where_found(&search), Some((right, How::Folder)));
    assert!(*reader.opened.borrow() <= 3, "{}", reader.opened.borrow());
}

#[test]
fn the_folders_of_a_large_store_are_not_opened() {
    let disk = Disk::new();
    for number in 0..50 {
        let other = PdbId { guid: number, age: 1 };
        disk.symbols(&format!("x.pdb/{other}/x.pdb"), other);
    }
    let reader = Lines::default();
    let path = SymbolPath { parts: [Part::Folder(disk.path(""))].into(), default_cache: None };
    assert!(search::find(&path, NAME, ID, None, &reader).found.is_none());
    assert_eq!(*reader.opened.borrow(), 0);
}

#[test]
fn a_huge_folder_is_not_searched_to_its_end() {
    let disk = Disk::new();
    fs::create_dir(disk.path("huge")).unwrap();
    for number in 0..1001 {
        disk.symbols(&format!("huge/{number}.pdb"), OTHER);
    }
    assert_eq!(disk.find("huge").tried[0].outcome, Outcome::Others { files: 1000, cut: true });
}

#[cfg(unix)]
#[test]
fn pipes_are_not_opened_and_links_may_lead_in_circles() {
    let disk = Disk::new();
    let index = disk.path(&format!("store/{NAME}/{ID}"));
    fs::create_dir_all(&index).unwrap();
    for pipe in [index.join(NAME), index.join("file.ptr"), disk.path("store/a.pdb")] {
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    }
    std::os::unix::fs::symlink(disk.path("store"), disk.path("store/self")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", disk.path("store/zero.pdb")).unwrap();
    let not_a_file = |file: &str| Outcome::Failed(SymbolError::NotAFile { path: index.join(file) });
    let outcomes: Vec<_> = disk.find("store").tried.into_iter().map(|tried| tried.outcome).collect();
    assert_eq!(outcomes, [not_a_file(NAME), not_a_file("file.ptr"), Outcome::Nothing]);
    let pipe = disk.path("store/a.pdb");
    assert_eq!(SymbolPath::new().push(&pipe), Err(SymbolError::NotAFile { path: pipe.clone() }));
    let given = SymbolPath { parts: [Part::File(pipe.clone())].into(), default_cache: None };
    assert_eq!(given.given_files(), [(pipe.as_path(), Err(SymbolError::NotAFile { path: pipe.clone() }))]);
    // A link to a file is as good as the file.
    let right = disk.symbols("right", ID);
    std::os::unix::fs::symlink(right, disk.path("store/link")).unwrap();
    assert_eq!(where_found(&disk.find("store")), Some((disk.path("store/link"), How::Folder)));
}

#[test]
fn pointers_lead_to_full_paths_only() {
    let disk = Disk::new();
    let pointer = format!("store/{NAME}/{ID}/file.ptr");
    for (text, why) in [
        ("PATH:https://host/x.pdb", PointerError::NotAPath("https://host/x.pdb".into())),
        ("PATH:../x.pdb", PointerError::NotAPath("../x.pdb".into())),
        ("MSG:see \\\\server", PointerError::Message("see \\\\server".into())),
        ("", PointerError::NotText),
    ] {
        let place = disk.write(&pointer, text).display().to_string();
        assert_eq!(disk.find("store").tried[0].outcome, Outcome::Failed(SymbolError::Pointer { place, why }), "{text}");
    }
    let gone = disk.path("gone.pdb");
    disk.write(&pointer, &gone.display().to_string());
    assert!(
        matches!(&disk.find("store").tried[0].outcome, Outcome::Failed(SymbolError::Io { path, .. }) if *path == gone)
    );
    // Not to a pointer, a folder or other symbols either.
    let wrong = disk.symbols("wrong.pdb", OTHER);
    disk.write(&pointer, &wrong.display().to_string());
    assert_eq!(disk.find("store").tried[0].outcome, mismatch(&wrong));
}

#[test]
fn an_odd_name_is_not_looked_up_but_contents_are() {
    let disk = Disk::new();
    let right = disk.symbols("store/x.pdb", ID);
    let path = SymbolPath { parts: [Part::Folder(disk.path("store"))].into(), default_cache: None };
    let search = search::find(&path, "..\\x.pdb", ID, None, &Lines::default());
    assert_eq!(where_found(&search), Some((right, How::Folder)));
    assert_eq!(search.tried[0].outcome, Outcome::Skipped(Skipped::Name(NameError::Character('\\'))));
}

#[test]
fn what_a_user_names_is_told_apart_by_what_is_on_disk() {
    let disk = Disk::new();
    let file = disk.symbols("a;b.json", ID);
    let mut path = SymbolPath::new();
    path.push(&file).unwrap();
    path.push(disk.path("")).unwrap();
    path.push("srv*/x*https://h;/y").unwrap();
    let stores = [Place::Folder("/x".into()), Place::Server("https://h".into())];
    let parts =
        [Part::File(file.clone()), Part::Folder(disk.path("")), Part::Stores(stores.into()), Part::Folder("/y".into())];
    assert_eq!(path.parts(), parts);
    assert!(matches!(path.push(disk.path("none")), Err(SymbolError::Io { .. })));
    assert_eq!(where_found(&find(&path)), Some((file, How::Given)));
}

/// Whether the server of this URL has the symbols.
type Answer = dyn Fn(&str) -> Result<bool, SymbolError>;

/// A server that has the symbols, and remembers what it was asked.
struct Server<'a> {
    disk: &'a Disk,
    asked: RefCell<Vec<(String, PathBuf)>>,
    answer: Box<Answer>,
}

impl Fetch for Server<'_> {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<PathBuf>, SymbolError> {
        self.asked.borrow_mut().push((wanted.server.into(), wanted.cache.into()));
        Ok((self.answer)(wanted.server)?.then(|| {
            let file = wanted.folder().join(wanted.name.as_str());
            self.disk.symbols(file.to_str().unwrap(), wanted.id)
        }))
    }
}

#[test]
fn servers_are_asked_in_order_and_what_they_have_goes_to_the_folder_before_them() {
    let disk = Disk::new();
    let down = || SymbolError::Download { url: "https://two".into(), message: "down".into() };
    let server = Server {
        disk: &disk,
        asked: RefCell::default(),
        answer: Box::new(move |url| match url {
            "https://one" => Ok(false),
            "https://two" => Err(down()),
            _ => Ok(true),
        }),
    };
    let at = |name: &str| disk.path(name).display().to_string();
    let (near, far, shared) = (at("near"), at("far"), at("shared"));
    let text = format!(
        "srv*https://one;srv*{near}*{far}*https://two;cache*{shared};srv*https://three;srv*{near}*https://four"
    );
    let mut path = SymbolPath::parse(&text);
    assert_eq!(path.servers().collect::<Vec<_>>(), ["https://one", "https://two", "https://three", "https://four"]);

    let places: Vec<_> = find(&path).tried.into_iter().map(|tried| (tried.place, tried.outcome)).collect();
    let off = |url: &str| (url.to_string(), Outcome::Skipped(Skipped::DownloadsOff));
    let nothing = |place: &str| (place.to_string(), Outcome::Nothing);
    let expected = [
        off("https://one"),
        nothing(&near),
        nothing(&far),
        off("https://two"),
        nothing(&shared),
        off("https://three"),
        nothing(&near),
        off("https://four"),
    ];
    assert_eq!(places, expected);

    let ask = |path: &SymbolPath| search::find(path, NAME, ID, Some(&server), &Lines::default());
    assert_eq!(ask(&path).tried[0].outcome, Outcome::Skipped(Skipped::NoCache));
    fs::remove_dir_all(disk.path("shared")).unwrap();
    server.asked.borrow_mut().clear();

    path.set_default_cache(disk.path("default"));
    let search = ask(&path);
    let how = How::Server("https://three".into());
    let file = disk.path(&format!("shared/{NAME}/{ID}/{NAME}"));
    assert_eq!(where_found(&search), Some((file.clone(), how)));
    let asked = [("one", "default"), ("two", "far"), ("three", "shared")];
    let asked: Vec<_> = asked.iter().map(|(url, folder)| (format!("https://{url}"), disk.path(folder))).collect();
    assert_eq!(*server.asked.borrow(), asked);
    assert!(search.tried.iter().any(|tried| tried.outcome == Outcome::Failed(down())));
    // The next time it is in the cache.
    assert_eq!(where_found(&find(&path)), Some((file, How::Store)));
}

#[test]
fn no_server_is_asked_for_an_odd_name() {
    let disk = Disk::new();
    let server = Server { disk: &disk, asked: RefCell::default(), answer: Box::new(|_| Ok(true)) };
    let mut path = SymbolPath::parse("srv*");
    path.set_default_cache(disk.path("default"));
    for name in ["../x.pdb", "NUL.pdb", "a b.pdb\0", ""] {
        assert!(search::find(&path, name, ID, Some(&server), &Lines::default()).found.is_none());
    }
    assert!(server.asked.borrow().is_empty() && !disk.path("default").exists());
}

#[test]
fn odd_parts_are_told() {
    let search = find(&SymbolPath::parse("https://h;foo*bar;srv*;cache*"));
    let texts: Vec<_> = search.tried.iter().map(ToString::to_string).collect();
    let expected = [
        "https://h: not understood: a server is written srv*FOLDER*URL".to_string(),
        "foo*bar: not understood: neither a folder nor srv*, symsrv* or cache*".into(),
        "the default cache: no default folder for downloads is known".into(),
        format!("{DEFAULT_SERVER}: not asked: downloads are off"),
        "the default cache: no default folder for downloads is known".into(),
    ];
    assert_eq!(texts, expected);
}
