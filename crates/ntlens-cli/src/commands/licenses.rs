//! `--version` and `--licenses`.

use crate::output::{Failure, Status};
use ntlens::symbols::Pack;
use std::collections::BTreeMap;
use std::io::Write;

/// The version, and which kernels' layouts are embedded.
pub(super) fn version() -> Result<Status, Failure> {
    let embedded = Pack::embedded().map_err(ntlens::Error::from)?;
    let mut builds: BTreeMap<(u16, u16, u32), usize> = BTreeMap::new();
    for table in embedded.tables() {
        let version = table.version;
        *builds.entry((version.major, version.minor, version.build)).or_default() += 1;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "ntlens {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "embedded layouts: {} kernels of {} builds", embedded.tables().len(), builds.len())?;
    for ((major, minor, build), count) in builds {
        writeln!(out, "  {:<16} {count:>3}", format!("{major}.{minor}.{build}"))?;
    }
    Ok(Status::Complete)
}

/// The licence of ntlens, and the notices of what it embeds.
pub(super) fn licenses() -> Result<Status, Failure> {
    let embedded = Pack::embedded().map_err(ntlens::Error::from)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "ntlens is licensed under the Apache License, version 2.0:\n")?;
    writeln!(out, "{}", include_str!("../../../../LICENSE"))?;
    writeln!(out, "The embedded layouts:\n\n{}", embedded.notice())?;
    Ok(Status::Complete)
}
