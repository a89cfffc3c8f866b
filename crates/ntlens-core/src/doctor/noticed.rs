//! What the answers themselves tell as [`Incomplete`]: each thing once, however many questions met it.

use super::{Exam, Severity};
use crate::absent::Absent;
use crate::incomplete::{Incomplete, Place};
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What one question noticed.
#[derive(Clone, Debug)]
pub(crate) struct Noticed {
    /// The question.
    pub(crate) question: &'static str,
    /// What its answer could not take into account, without what was wrong when the dump was opened.
    pub(crate) incomplete: Vec<Incomplete>,
}

/// What a fault or a gap is about: a field at its place, or a place with what is said of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    place: String,
    what: (Cow<'static, str>, Cow<'static, str>),
}

impl Subject {
    pub(super) fn of(incomplete: &Incomplete) -> Self {
        let what = match incomplete.wrong.as_deref() {
            Some(wrong) => (wrong.structure.clone(), wrong.field.clone()),
            None => (incomplete.what.clone().into(), incomplete.reason.into()),
        };
        // Not the text of the place: one address lies in many address spaces.
        Self { place: format!("{:?}", incomplete.place), what }
    }
}

/// Tells what the questions noticed and no check has told.
pub(super) fn take_over(exam: &mut Exam<'_>, noticed: Vec<Noticed>) {
    let mut questions: BTreeMap<Subject, Vec<&'static str>> = BTreeMap::new();
    let mut new: Vec<(&'static str, Vec<Incomplete>)> = Vec::new();
    for Noticed { question, incomplete } in noticed {
        let mut first = Vec::new();
        for incomplete in incomplete.into_iter().filter(is_of_the_dump) {
            let met = questions.entry(Subject::of(&incomplete)).or_default();
            if met.is_empty() {
                first.push(incomplete);
            }
            if !met.contains(&question) {
                met.push(question);
            }
        }
        new.push((question, first));
    }
    for (question, incomplete) in new {
        exam.begin(question);
        for incomplete in incomplete {
            let limits = questions.get(&Subject::of(&incomplete)).map_or_else(String::new, |met| met.join(", "));
            let severity = if incomplete.is_contradiction() { Severity::Medium } else { Severity::Info };
            exam.tell(incomplete, severity, format!("part of the answer to these questions may be missing: {limits}"));
        }
    }
}

/// Whether the dump is to blame: something in it contradicts the rest, or a place is not in it. That symbols are needed is
/// told with the questions that need them.
fn is_of_the_dump(incomplete: &Incomplete) -> bool {
    let of_knowledge = [Absent::SymbolsNeeded, Absent::NoSuchField, Absent::NotApplicable];
    let of_knowledge = of_knowledge.iter().any(|why| why.reason() == incomplete.reason);
    incomplete.is_contradiction() || (!of_knowledge && !matches!(incomplete.place, Place::Named(_)))
}
