//! The log of what libFuzzer ran, `fuzz/EXECUTIONS.md`: a table in a text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The head of the table.
const HEAD: &str = "| target | executions | last run | edges | features | open crashes | code |\n\
                    |---|---:|---|---:|---:|---:|---|\n";

/// What the log says of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Inputs that were run so far, over all changes of the code.
    pub executions: u64,
    /// The day of the last run.
    pub day: String,
    /// Edges of the code that the inputs found so far reach (`cov`).
    pub edges: u64,
    /// The same with how often, and with what was compared (`ft`).
    pub features: u64,
    /// Inputs that failed and still are in `artifacts`.
    pub open: usize,
    /// The fingerprint of the code that last ran long enough; empty if none did.
    pub code: String,
}

/// The entries of a log, by target.
pub fn entries(log: &str) -> BTreeMap<String, Entry> {
    let rows = log.find(HEAD).and_then(|start| log.get(start + HEAD.len()..)).unwrap_or_default();
    rows.lines().filter_map(parse).collect()
}

/// The log with a run added: executions add up, the rest is as the last run says, if it says anything.
pub fn with(log: &str, target: &str, run: &Entry) -> String {
    let introduction = log.get(..log.find(HEAD).unwrap_or(log.len())).unwrap_or_default();
    let mut entries = entries(log);
    let entry = entries.entry(target.to_owned()).or_default();
    let code = if run.code.is_empty() { entry.code.clone() } else { run.code.clone() };
    *entry = Entry { executions: entry.executions + run.executions, code, ..run.clone() };
    let mut text = format!("{introduction}{HEAD}");
    for (target, entry) in entries {
        let Entry { executions, day, edges, features, open, code } = entry;
        // A string takes everything.
        let _ = writeln!(text, "| `{target}` | {executions} | {day} | {edges} | {features} | {open} | {code} |");
    }
    text
}

fn parse(row: &str) -> Option<(String, Entry)> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let &[target, executions, day, edges, features, open, code] = cells.as_slice() else { return None };
    let entry = Entry {
        executions: executions.parse().ok()?,
        day: day.into(),
        edges: edges.parse().ok()?,
        features: features.parse().ok()?,
        open: open.parse().ok()?,
        code: code.into(),
    };
    Some((target.trim_matches('`').into(), entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_up_in_the_log() {
        let run = |executions, edges, code: &str| Entry {
            executions,
            edges,
            features: 9,
            day: "2026-01-02".into(),
            open: 0,
            code: code.into(),
        };
        let first = with("# Executions\n\n", "sid", &run(100, 50, "0123456789ab"));
        let both = with(&first, "kdbg", &run(7, 5, ""));
        let again = with(&both, "sid", &run(23, 40, ""));
        let rows =
            "| `kdbg` | 7 | 2026-01-02 | 5 | 9 | 0 |  |\n| `sid` | 123 | 2026-01-02 | 40 | 9 | 0 | 0123456789ab |\n";
        assert_eq!(again, format!("# Executions\n\n{HEAD}{rows}"));
        assert_eq!(entries(&with(&again, "sid", &run(1, 1, "cd")))["sid"].code, "cd");
    }
}
