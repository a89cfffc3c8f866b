//! The tree of object directories, and the types of objects.

use super::{Check, Exam, Severity};
use crate::nt::namespace;

pub(super) const CHECK: Check = Check { name: "object directories", run };

fn run(exam: &mut Exam<'_>) {
    let Some(kernel) = exam.whole_kernel() else { return };
    let found = namespace::namespace(kernel);
    exam.tell_all(found.incomplete, Severity::Medium, "objects that only this leads to are missing in the namespace");
}
