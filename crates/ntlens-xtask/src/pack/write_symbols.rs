//! Writes the block of symbols.

use super::encode::Out;
use super::kernel::Kernel;
use std::collections::BTreeSet;

/// All symbols of all kernels; a run of kernels of one build is told as differences.
pub(super) fn block(kernels: &[Kernel]) -> Vec<u8> {
    let names: Vec<&String> =
        kernels.iter().flat_map(|kernel| kernel.symbols.keys()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut out = Out::default();
    out.number(names.len());
    for name in &names {
        out.part(name.as_bytes());
    }
    let mut modes = vec![0; kernels.len()];
    let mut runs: Vec<(usize, Out)> = Vec::new();
    let mut before: Vec<(i64, usize)> = Vec::new();
    let mut build = 0;
    for (index, kernel) in kernels.iter().enumerate().filter(|(_, kernel)| !kernel.symbols.is_empty()) {
        let number = |name: &String| names.binary_search(&name).unwrap_or(usize::MAX);
        let mut now: Vec<(i64, usize)> =
            kernel.symbols.iter().map(|(name, rva)| (i64::from(*rva), number(name))).collect();
        now.sort_unstable();
        if runs.is_empty() || build != kernel.version.build {
            build = kernel.version.build;
            runs.push((index, Out::default()));
            before.clear();
        } else if let Some(mode) = modes.get_mut(index) {
            *mode = 1;
        }
        if let Some((first, run)) = runs.last_mut() {
            tell(run, &before, &now, *first == index);
        }
        before = now;
    }
    for (first, run) in &runs {
        if let Some(mode) = modes.get_mut(*first) {
            *mode = run.0.len() + 2;
        }
    }
    for mode in modes {
        out.number(mode);
    }
    for (_, run) in runs {
        out.0.extend_from_slice(&run.0);
    }
    out.0
}

fn tell(run: &mut Out, before: &[(i64, usize)], now: &[(i64, usize)], afresh: bool) {
    let find = |list: &[(i64, usize)], name| list.iter().find(|(_, other)| *other == name).map(|(rva, _)| *rva);
    if !afresh {
        let mut stays = 0;
        let mut left_out = Vec::new();
        for (_, name) in before {
            if find(now, *name).is_some() {
                stays += 1;
            } else {
                left_out.push(stays);
                stays = 0;
            }
        }
        run.number(left_out.len());
        for stays in left_out {
            run.number(stays);
        }
        let mut shift = 0;
        for (rva, name) in before {
            if let Some(new) = find(now, *name) {
                run.signed(new - rva - shift);
                shift = new - rva;
            }
        }
    }
    let added: Vec<_> = now.iter().filter(|(_, name)| find(before, *name).is_none()).collect();
    run.number(added.len());
    let mut at = 0;
    for (rva, name) in added {
        run.number(*name);
        run.number((rva - at).cast_unsigned());
        at = *rva;
    }
}
