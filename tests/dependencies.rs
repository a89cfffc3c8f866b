//! What may be in the dependency graph, as `deny.toml` says, and for which compiler. `cargo deny` holds the same and more, where
//! it is installed; this needs nothing but cargo.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

/// Everything that cargo would build, on every system and with every feature.
static PACKAGES: LazyLock<Vec<Json>> = LazyLock::new(|| {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut cargo = Command::new(env!("CARGO"));
    let output =
        cargo.current_dir(root).args(["metadata", "--format-version", "1", "--locked", "--all-features"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
});

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
});

/// The lines of a list in `deny.toml`, which has one entry a line.
fn list(name: &str) -> Vec<&'static str> {
    let start = format!("\n{name} = [\n");
    let (_, rest) = POLICY.split_once(&start).unwrap_or_else(|| panic!("deny.toml has no list {name}"));
    let (list, _) = rest.split_once("\n]").unwrap();
    list.lines().map(|line| line.trim().trim_end_matches(',')).collect()
}

/// The text in quotes behind a word.
fn quoted<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(word)?;
    rest.split('"').nth(1)
}

fn text<'a>(package: &'a Json, name: &str) -> &'a str {
    package[name].as_str().unwrap_or_default()
}

fn named(package: &Json) -> String {
    format!("{}@{}", text(package, "name"), text(package, "version"))
}

/// Whether an SPDX expression can be met with these licences; those that meet it are noted. `OR` binds less than `AND`.
fn is_met(expression: &str, allowed: &BTreeSet<&str>, used: &mut BTreeSet<String>) -> bool {
    let expression = expression.trim();
    for (word, all) in [(" OR ", false), (" AND ", true)] {
        let parts = outside(expression, word);
        if parts.len() > 1 {
            // Each part is looked at: all of them are noted.
            let met: Vec<bool> = parts.iter().map(|part| is_met(part, allowed, used)).collect();
            return if all { met.iter().all(|met| *met) } else { met.contains(&true) };
        }
    }
    if let Some(inner) = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return is_met(inner, allowed, used);
    }
    if allowed.contains(expression) {
        used.insert(expression.to_owned());
    }
    allowed.contains(expression)
}

/// The parts of an expression between words that are in no parentheses.
fn outside<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, char) in expression.char_indices() {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[at..].starts_with(word) => {
                parts.push(&expression[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    parts
}

#[test]
fn every_licence_is_one_that_is_allowed() {
    let allow = list("allow");
    let allowed: BTreeSet<&str> = allow.iter().map(|line| line.trim_matches('"')).collect();
    let mut used = BTreeSet::new();
    for package in PACKAGES.iter() {
        // Before there were expressions a slash stood for OR.
        let expression = text(package, "license").replace(" / ", " OR ").replace('/', " OR ");
        let met = is_met(&expression, &allowed, &mut used);
        assert!(met, "{} has the licence {expression:?}, see deny.toml", named(package));
    }
    let used: BTreeSet<&str> = used.iter().map(String::as_str).collect();
    assert_eq!(used, allowed, "deny.toml allows a licence that nothing has");
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allowed = BTreeSet::from(["A", "B"]);
    let met = |expression| is_met(expression, &allowed, &mut BTreeSet::new());
    for yes in ["A", "A OR X", "X OR B", "A AND B", "(X OR A) AND B", "X AND Y OR A"] {
        assert!(met(yes), "{yes}");
    }
    for no in ["", "X", "A AND X", "(A OR B) AND X", "A WITH X", "X AND A OR Y"] {
        assert!(!met(no), "{no}");
    }
}

#[test]
fn a_second_version_of_a_crate_has_a_reason() {
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in PACKAGES.iter() {
        versions.entry(text(package, "name")).or_default().insert(named(package));
    }
    let mut several: BTreeSet<String> = versions.into_values().filter(|all| all.len() > 1).flatten().collect();
    for line in list("skip") {
        let (name, reason) = (quoted(line, "crate =").unwrap(), quoted(line, "reason =").unwrap());
        assert!(!reason.is_empty(), "{line}");
        assert!(several.remove(name), "deny.toml skips {name}, of which there is no second version");
    }
    let names: Vec<&str> = several.iter().filter_map(|name| name.split('@').next()).collect();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "two versions, and no reason for it in deny.toml");
}

#[test]
fn everything_comes_from_the_one_registry() {
    let registry = list_of_one("allow-registry");
    for package in PACKAGES.iter() {
        let source = package["source"].as_str();
        let is_known = source.is_none_or(|source| source.strip_prefix("registry+") == Some(registry));
        assert!(is_known, "{} comes from {source:?}", named(package));
        assert!(source.is_some() || text(package, "name").starts_with("ntlens"), "{} is none of ours", named(package));
    }
}

fn list_of_one(name: &str) -> &'static str {
    let line = POLICY.lines().find(|line| line.starts_with(name)).unwrap();
    quoted(line, "=").unwrap()
}

#[test]
fn nothing_needs_a_newer_compiler_than_we_promise() {
    // 1.88 is 1.88.0.
    let version = |text: &str| -> Vec<u32> {
        text.split('.').map(|part| part.parse().unwrap()).chain(std::iter::repeat(0)).take(3).collect()
    };
    let of = |name: &str| PACKAGES.iter().find(|package| text(package, "name") == name).unwrap();
    let promised = text(of("ntlens"), "rust_version");
    let mut known = 0;
    for package in PACKAGES.iter() {
        let ours = package["source"].is_null();
        let Some(needed) = package["rust_version"].as_str() else {
            assert!(!ours, "{} does not say which compiler it needs", named(package));
            continue;
        };
        known += 1;
        assert!(version(needed) <= version(promised), "{} needs Rust {needed}", named(package));
        assert!(!ours || needed == promised, "{} promises Rust {needed}, others {promised}", named(package));
    }
    assert!(known > PACKAGES.len() / 2, "most packages say what they need");
}

/// There is one toolchain here: that the oldest one that is promised would do is held by a lint, and that the lint is on by
/// this.
#[test]
fn the_lints_notice_what_the_oldest_compiler_has_not() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("msrv");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let promised = PACKAGES.iter().find(|package| text(package, "name") == "ntlens").unwrap();
    let manifest = format!(
        "[package]\nname = \"msrv\"\nversion = \"0.0.0\"\nedition = \"2024\"\nrust-version = \"{}\"\n[workspace]\n",
        text(promised, "rust_version")
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let clippy = |body: &str| {
        std::fs::write(folder.join("src/lib.rs"), format!("//! Probe.\n/// Probe.\npub fn probe() {{ {body} }}\n"))
            .unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(&folder).args([
            "clippy",
            "--quiet",
            "--offline",
            "--target-dir",
            "target",
            "--",
            "-D",
            "warnings",
        ]);
        cargo.output().unwrap()
    };
    let old = clippy("let _ = 7_u32.is_multiple_of(2);");
    assert!(old.status.success(), "{}", String::from_utf8_lossy(&old.stderr));
    // Of Rust 1.91.
    let new = clippy("let _ = 7_u32.strict_add(2);");
    let said = String::from_utf8_lossy(&new.stderr);
    assert!(!new.status.success() && said.contains("incompatible_msrv"), "{said}");
}
