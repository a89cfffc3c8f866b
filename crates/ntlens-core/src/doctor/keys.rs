//! The registry keys that handles lead to: each has a path by the control blocks above it.

use super::{Check, Exam, MAX_FAULTS, Severity};
use crate::incomplete::Incomplete;
use crate::nt::object_name::Names;
use alloc::vec::Vec;

pub(super) const CHECK: Check = Check { name: "registry keys", run };

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    let keys = core::mem::take(&mut exam.keys);
    let mut names = Names::new(kernel, &[]);
    let (mut wrong, mut gaps): (Vec<Incomplete>, Vec<Incomplete>) = (Vec::new(), Vec::new());
    let mut keys = keys.into_iter();
    // Following a broken chain costs its length: keys behind so many broken ones are not looked at.
    let within = |wrong: &[Incomplete]| wrong.len() < MAX_FAULTS;
    while within(&wrong)
        && let Some(header) = keys.next()
    {
        let Ok(body) = kernel.fields().object.at(kernel.space(), header).body() else { continue };
        match names.key_fault(body) {
            Some(fault) if fault.is_contradiction() => wrong.push(fault),
            Some(gap) => gap.add_to(&mut gaps),
            None => {}
        }
    }
    let left = keys.count() as u64;
    if left > 0 {
        wrong.push(Incomplete::beyond("registry keys, of which", "handle tables", MAX_FAULTS).times(left));
    }
    wrong.extend(gaps);
    exam.tell_all(wrong, Severity::Low, "the path of this key and of those below it is not told");
}
