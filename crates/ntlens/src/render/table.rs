//! `table`: for people.

use super::cut::{bounds, cell_width, cut, cut_text, long_text, says_nothing, text, width};
use super::fit::{GAP, MARGIN, Measure, fit};
use super::style::{Paint, style_of};
use super::{Terminal, style};
use crate::error::Error;
use ntlens_core::report::{Branch, Cell, Heading, Kind, Outline, Screen, Table};
use std::io::Write;

/// A column that can be shown: its place in the rows.
type Shown<'a> = (usize, &'a Heading, &'a Screen);

/// Writes the table; the headings of columns for which the terminal has no room.
pub(super) fn write(out: &mut dyn Write, answer: &Table, terminal: Terminal) -> Result<Vec<&'static str>, Error> {
    let offered: Vec<Shown<'_>> = answer
        .screen
        .iter()
        .filter_map(|screen| {
            let index = answer.columns.iter().position(|column| column.name == screen.column)?;
            Some((index, answer.columns.get(index)?, screen))
        })
        .collect();
    if answer.record {
        let lines = offered.iter().map(|(index, _, screen)| (screen.heading, *index));
        record(out, answer, &lines.collect::<Vec<_>>(), terminal)?;
        return Ok(Vec::new());
    }
    let measures: Vec<Measure> = offered.iter().map(|shown| measure(answer, shown)).collect();
    let widths = fit(&measures, terminal.width.map(usize::from));
    let shown: Vec<(Shown<'_>, usize)> =
        widths.iter().filter_map(|(place, width)| Some((*offered.get(*place)?, *width))).collect();
    let paint = Paint(terminal.color);
    let headings = shown.iter().map(|((_, column, screen), width)| {
        (aligned(screen.heading.into(), *width, column.kind), Some(style::HEADING))
    });
    line(out, paint, headings, None)?;
    for (place, row) in answer.rows.iter().enumerate() {
        let branch = answer.outline.as_ref().and_then(|outline| outline.branches.get(place));
        let context = branch.is_some_and(|branch| branch.context);
        let cells = shown.iter().map(|((index, column, _), width)| {
            let cell = row.get(*index).unwrap_or(&Cell::Null);
            let text = match label(answer, column, branch) {
                Some(branch) => cut_text(&indented(cell, branch), *width),
                None => cut(cell, *width),
            };
            (aligned(text, *width, column.kind), style_of(column.name, cell))
        });
        line(out, paint, cells, context.then_some(style::CONTEXT))?;
    }
    let is_shown = |place: usize| widths.iter().any(|(other, _)| *other == place);
    let usual =
        |(place, (.., screen)): (usize, &Shown<'_>)| (!is_shown(place) && !screen.is_wide()).then_some(screen.heading);
    Ok(offered.iter().enumerate().filter_map(usual).collect())
}

/// The branch of a row, for the column that shows it.
fn label<'a>(answer: &Table, column: &Heading, branch: Option<&'a Branch>) -> Option<&'a Branch> {
    branch.filter(|_| answer.outline.as_ref().is_some_and(|Outline { column: label, .. }| *label == column.name))
}

/// Rows that are deeper have their depth as a number.
const MAX_INDENT: u64 = 8;
/// Widths at which indented names can be read, and under which they say nothing.
const INDENTED: (usize, usize) = (40, 24);

/// The text of a cell at the place of its row: orphans have a question mark, rows that are there for others brackets.
fn indented(cell: &Cell, branch: &Branch) -> String {
    let indent = "  ".repeat(usize::try_from(branch.depth.min(MAX_INDENT)).unwrap_or(0));
    let depth = if branch.depth > MAX_INDENT { format!("({}) ", branch.depth) } else { String::new() };
    let orphan = if branch.orphan { "? " } else { "" };
    let name = text(cell);
    let name = if branch.context { format!("[{name}]") } else { name };
    format!("{indent}{depth}{orphan}{name}")
}

fn measure(answer: &Table, (index, column, screen): &Shown<'_>) -> Measure {
    let heading = width(screen.heading);
    let (mut natural, mut silent) = (heading, true);
    for (place, row) in answer.rows.iter().enumerate() {
        let cell = row.get(*index).unwrap_or(&Cell::Null);
        let branch = answer.outline.as_ref().and_then(|outline| outline.branches.get(place));
        let branch = label(answer, column, branch).map(|branch| indented(cell, branch));
        silent &= branch.is_none() && says_nothing(cell);
        natural = natural.max(branch.map_or_else(|| cell_width(cell), |text| width(&text)));
    }
    let is_label = answer.outline.as_ref().is_some_and(|outline| outline.column == column.name);
    let bounds = if is_label { Some(INDENTED) } else { bounds(column.kind) };
    let (comfortable, least) = bounds.unwrap_or((natural, natural));
    let bound = |bound: usize| bound.max(heading).min(natural);
    Measure { rank: screen.rank, natural, comfortable: bound(comfortable), least: bound(least), silent }
}

/// A text with blanks up to a width: numbers stand at the right.
fn aligned(text: String, wanted: usize, kind: Kind) -> String {
    let blanks = " ".repeat(wanted.saturating_sub(width(&text)));
    if kind == Kind::Uint { blanks + &text } else { text + &blanks }
}

/// Writes a line without blanks at its end.
fn line(
    out: &mut dyn Write,
    paint: Paint,
    cells: impl Iterator<Item = (String, Option<style::Style>)>,
    all: Option<style::Style>,
) -> Result<(), Error> {
    let mut blanks = MARGIN;
    let mut written = String::new();
    for (text, style) in cells {
        let content = text.trim_end();
        if !content.is_empty() {
            written.extend(core::iter::repeat_n(' ', blanks));
            paint.push(&mut written, content, all.or(style));
            blanks = 0;
        }
        blanks += width(&text) - width(content) + GAP;
    }
    Ok(writeln!(out, "{written}")?)
}

/// Writes the first row from top to bottom: names, and the places of their cells.
pub(super) fn record(
    out: &mut dyn Write,
    answer: &Table,
    lines: &[(&str, usize)],
    terminal: Terminal,
) -> Result<(), Error> {
    let names = lines.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let paint = Paint(terminal.color);
    for row in &answer.rows {
        for (name, index) in lines {
            let cell = row.get(*index).unwrap_or(&Cell::Null);
            let style = answer.columns.get(*index).and_then(|column| style_of(column.name, cell));
            let room = terminal.width.map(|all| usize::from(all).saturating_sub(MARGIN + names + GAP));
            for (number, part) in wrapped(&long_text(cell), room).into_iter().enumerate() {
                let name = aligned(if number == 0 { (*name).into() } else { String::new() }, names, Kind::Text);
                line(out, paint, [(name, Some(style::NAME)), (part.into(), style)].into_iter(), None)?;
            }
        }
    }
    Ok(())
}

/// A text in lines that fit, broken where it has blanks: a word that is longer than a line stays whole.
fn wrapped(text: &str, room: Option<usize>) -> Vec<&str> {
    let (mut lines, mut start, mut end) = (Vec::new(), 0, 0);
    for word in text.split_inclusive(' ') {
        let so_far = text.get(start..end).unwrap_or_default();
        let with_word = width(so_far) + width(word.trim_end());
        if room.is_some_and(|room| with_word > room) && end > start {
            lines.push(so_far.trim_end());
            start = end;
        }
        end += word.len();
    }
    lines.push(text.get(start..).unwrap_or_default());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlens_core::report::{Value, screen};

    fn cell(text: &str) -> Cell {
        Cell::Value(Value::Text(text.into()))
    }

    fn table(columns: &[(&'static str, Screen)], rows: Vec<Vec<Cell>>) -> Table {
        Table {
            name: "test",
            columns: columns.iter().map(|(name, _)| Heading { name, kind: Kind::Text, about: "" }).collect(),
            screen: columns.iter().map(|(_, screen)| *screen).collect(),
            record: false,
            outline: None,
            rows,
            incomplete: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn shown(answer: &Table, width: Option<u16>) -> (String, Vec<&'static str>) {
        let mut out = Vec::new();
        let hidden = write(&mut out, answer, Terminal { width, color: false }).unwrap();
        (String::from_utf8(out).unwrap(), hidden)
    }

    #[test]
    fn a_narrow_terminal_shortens_texts_and_loses_columns() {
        let columns = [
            ("a", screen("A", "a").key()),
            ("b", screen("Silent", "b")),
            ("c", screen("Long", "c")),
            ("d", screen("Last", "d").key()),
            ("e", screen("Wide", "e").wide()),
        ];
        let row = vec![cell("1"), Cell::Null, cell("0123456789abcdefghijklmnopqrstuvwxyz"), cell("x"), cell("more")];
        let answer = table(&columns, vec![row]);
        let (whole, hidden) = shown(&answer, None);
        assert!(hidden.is_empty() && whole.contains("Silent") && !whole.contains("Wide"), "{whole}");
        let (wide, hidden) = shown(&answer, Some(100));
        assert!(hidden.is_empty() && wide.ends_with("x     more\n"), "{wide}");
        let (narrow, hidden) = shown(&answer, Some(37));
        assert_eq!(hidden, ["Silent"]);
        let expected = format!(" A  {:27}  Last\n 1  {:27}  x\n", "Long", "0123456789abcdefghijklmnop…");
        assert_eq!(narrow, expected);
        assert_eq!(shown(&answer, Some(20)).1, ["Silent", "Long"]);
        assert_eq!(shown(&answer, Some(1)).1, ["Silent", "Long", "Last"]);
    }

    #[test]
    fn widths_are_those_of_the_terminal() {
        let columns = [("a", screen("Name", "a")), ("b", screen("Next", "b"))];
        let rows =
            ["plain", "日本.exe", "e\u{301}te\u{301}", "\x1b[31m\u{202e}"].map(|name| vec![cell(name), cell("x")]);
        let (text, _) = shown(&table(&columns, rows.to_vec()), None);
        let places: Vec<usize> = text.lines().map(|line| width(line.rsplit_once(' ').unwrap().0)).collect();
        assert_eq!(places, [places[0]; 5], "{text}");
        assert!(text.contains("\\u{1b}[31m\\u{202e}"), "{text}");
    }

    #[test]
    fn records_are_wrapped_between_words() {
        let columns = [("a", screen("Name", "a")), ("b", screen("Rights", "b"))];
        let mut answer = table(&columns, vec![vec![Cell::Null, cell("one two three four")]]);
        answer.record = true;
        assert_eq!(shown(&answer, None).0, " Name    -\n Rights  one two three four\n");
        assert_eq!(shown(&answer, Some(18)).0, " Name    -\n Rights  one two\n         three\n         four\n");
    }

    #[test]
    fn colours_are_not_part_of_the_text() {
        let columns = [("protection", screen("Protection", "protection")), ("b", screen("B", "b"))];
        let answer = table(&columns, vec![vec![cell("PPL-Lsa"), Cell::Null], vec![cell("None"), cell("\x1b[1m")]]);
        let mut out = Vec::new();
        write(&mut out, &answer, Terminal { width: Some(80), color: true }).unwrap();
        let colored = String::from_utf8(out).unwrap();
        assert!(colored.contains('\x1b'), "{colored}");
        let plain =
            ["\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[0m"].iter().fold(colored, |text, code| text.replace(code, ""));
        assert_eq!(plain, shown(&answer, Some(80)).0);
    }
}
