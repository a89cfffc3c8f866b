//! `cargo xtask stubs`: writes what `python/ntlens/_ntlens.pyi` tells of questions and columns, from the registry.

use crate::failure::Failure;
use ntlens_core::report::{Form, Heading, Kind, Parameter, QUESTIONS, Question};
use std::fmt::Write;
use std::path::Path;

/// For the list of chores.
pub(crate) const ABOUT: &str = "write the Python stubs of questions and columns [--check]";

/// Where the lines of a generated part stand: between a line that begins so and the next that is `END`.
const BEGIN: &str = "    # By `cargo xtask stubs`: ";
const END: &str = "    # Until here.";

/// The questions that are attributes in Python.
const ATTRIBUTES: [&str; 1] = ["info"];
/// What `Process` makes of a column that leads to a row of another table.
const RELATIONS: [&str; 3] = ["token", "job", "silo"];

/// Writes the stubs, or with `--check` compares them with those that are there.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let check = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err(Failure::new(format!("unknown arguments; stubs: {ABOUT}"))),
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/ntlens/_ntlens.pyi");
    let failed = |error: std::io::Error| Failure::new(error.to_string()).in_file(&path);
    let now = std::fs::read_to_string(&path).map_err(failed)?;
    let wanted = with_parts(&now).map_err(|failure| failure.in_file(&path))?;
    if check {
        let same = now == wanted;
        return if same { Ok(()) } else { Err(Failure::new("is not what `cargo xtask stubs` makes").in_file(&path)) };
    }
    std::fs::write(&path, wanted).map_err(failed)
}

/// The text with its generated parts made anew.
fn with_parts(text: &str) -> Result<String, Failure> {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(part) = line.strip_prefix(BEGIN) else { continue };
        match part {
            "questions of a dump" => QUESTIONS.iter().for_each(|question| of_dump(&mut out, *question)),
            "questions of a process" => QUESTIONS.iter().for_each(|question| of_process(&mut out, *question)),
            "columns of processes" => columns(&mut out),
            other => return Err(Failure::new(format!("no part is named {other:?}"))),
        }
        if !lines.by_ref().any(|line| line == END) {
            return Err(Failure::new(format!("the part {part:?} has no end")));
        }
        out.push_str(END);
        out.push('\n');
    }
    Ok(out)
}

fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn of_dump(out: &mut String, question: &dyn Question) {
    if ATTRIBUTES.contains(&question.name()) {
        return;
    }
    let is_position = |parameter: &&Parameter| matches!(parameter.form, Form::Position(_));
    let (positions, keywords): (Vec<_>, Vec<_>) = question.parameters().iter().partition(is_position);
    let mut parameters = vec!["self".to_owned()];
    parameters.extend(positions.into_iter().map(parameter));
    if !keywords.is_empty() {
        parameters.push("*".into());
    }
    parameters.extend(keywords.into_iter().map(parameter));
    method(out, question, &parameters.join(", "), &described(question));
}

/// A question can be asked of a process alone if its rows begin with the process that they belong to. Where a column of
/// `processes` has its name, that is what the name means.
fn of_process(out: &mut String, question: &dyn Question) {
    let belongs = question.columns().first().is_some_and(|column| column.name == "pid");
    if belongs && !process_columns().iter().any(|column| column.name == question.name()) {
        let as_of_dump =
            format!("Only what belongs to this process; the columns are those of `Dump.{}`.", question.name());
        method(out, question, "self", &[as_of_dump.replace('-', "_")]);
    }
}

fn method(out: &mut String, question: &dyn Question, parameters: &str, lines: &[String]) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "    def {}({parameters}) -> Table:", question.name().replace('-', "_"));
    let raw = if lines.iter().any(|line| line.contains('\\')) { "r" } else { "" };
    let _ = writeln!(out, "        {raw}\"\"\"{}.\n", sentence(question.about()));
    for line in lines {
        let _ = writeln!(out, "        {line}");
    }
    out.push_str("        \"\"\"\n");
}

/// A line for each parameter, then one for each column: what `help` shows of the same method.
fn described(question: &dyn Question) -> Vec<String> {
    let parameters = question.parameters().iter();
    let mut lines: Vec<String> =
        parameters.map(|one| format!("{}: {}.", one.name.replace('-', "_"), one.about)).collect();
    lines.push("Columns:".into());
    lines.extend(question.columns().iter().map(|Heading { name, kind, about }| {
        let kind = format!("{kind:?}").to_lowercase();
        format!("    {name} ({kind}): {about}")
    }));
    lines
}

fn parameter(parameter: &Parameter) -> String {
    let kind = match parameter.form {
        Form::Flag => "bool = False",
        Form::Number(_) => "int | None = None",
        Form::Text(of) | Form::Position(of) if of.contains("ADDRESS") => "str | int | None = None",
        Form::Text(_) | Form::Position(_) | Form::Choice(_) => "str | None = None",
    };
    format!("{}: {kind}", parameter.name.replace('-', "_"))
}

fn process_columns() -> Vec<Heading> {
    ntlens_core::report::question("processes").map(Question::columns).unwrap_or_default()
}

fn columns(out: &mut String) {
    for Heading { name, kind, about } in process_columns().iter().filter(|column| !RELATIONS.contains(&column.name)) {
        let _ = writeln!(out, "    {name}: {} | None", python_type(*kind));
        let _ = writeln!(out, "    \"\"\"{}.\"\"\"", sentence(about));
    }
}

fn python_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Uint | Kind::Code | Kind::Address => "int",
        Kind::Time => "datetime",
        Kind::Duration | Kind::Confidence => "float",
        Kind::List => "list[str]",
        Kind::Numbers | Kind::Addresses => "list[int]",
        _ => "str",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_made_anew_and_the_rest_stays() {
        let text = format!("a\n{BEGIN}questions of a process\nstale line\n{END}\nb\n");
        let made = with_parts(&text).unwrap();
        assert!(
            made.starts_with("a\n") && made.ends_with(&format!("{END}\nb\n")) && !made.contains("stale line"),
            "{made}"
        );
        assert!(made.contains("    def handles(self) -> Table:\n"), "{made}");
        assert_eq!(with_parts(&made).unwrap(), made);
        assert!(with_parts(&format!("{BEGIN}nothing\n{END}\n")).is_err());
        assert!(with_parts(&format!("{BEGIN}columns of processes\n")).is_err());
    }
}
