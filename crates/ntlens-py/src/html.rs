//! Answers in a notebook. Everything that comes from a dump is escaped: names are chosen by whoever made the object.

use ntlens::Incomplete;
use ntlens::render::cell_text;
use ntlens::report::{Cell, Heading, Kind, Table, Value};
use ntlens::text::visible;
use std::fmt::Write;
use std::ops::Range;

/// Rows at the beginning and at the end that are shown of a long table.
pub(crate) const SHOWN: usize = 10;

/// Text that is no markup. Line ends stay: they do nothing in HTML.
pub(crate) fn escaped(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    let mut safe = String::new();
    for char in lines.join("\n").chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// The places of the rows to show: all of a short table, else the first and the last.
pub(crate) fn shown(count: usize) -> (Range<usize>, Range<usize>) {
    if count <= 2 * SHOWN { (0..count, count..count) } else { (0..SHOWN, count - SHOWN..count) }
}

/// Columns from which on a row is shown by those of a terminal, and by all where the reader opens them.
const MANY: usize = 30;
/// Things that are missing which are listed.
const MISSING: usize = 20;
const LEFT: &str = "text-align:left";
const RIGHT: &str = "text-align:right";
const DIM: &str = "opacity:.5";

/// How a column is set: numbers so that their digits stand below each other, all else from the left. A notebook sets everything
/// to the right by itself.
const fn side(kind: Kind) -> &'static str {
    match kind {
        Kind::Uint | Kind::Code | Kind::Duration | Kind::Confidence => RIGHT,
        _ => LEFT,
    }
}

/// A value, or why there is none. What is not so, such as a flag that is off, stands back.
fn cell(cell: &Cell) -> String {
    match (cell.absent(), cell.value()) {
        (Some(why), _) => format!("<span style=\"{DIM}\">{}</span>", why.reason()),
        (None, None | Some(Value::Bool(false))) => {
            format!("<span style=\"{DIM}\">{}</span>", escaped(&cell_text(cell)))
        }
        (None, Some(_)) => escaped(&cell_text(cell)),
    }
}

/// The columns that a terminal would show, by their places.
fn screen(table: &Table) -> Vec<(usize, &Heading)> {
    let place = |name: &str| table.columns.iter().position(|column| column.name == name);
    let shown = table.screen.iter().filter_map(|shown| place(shown.column));
    shown.filter_map(|index| Some((index, table.columns.get(index)?))).collect()
}

/// A table, with what it misses and what stands out in it below.
pub(crate) fn table(table: &Table) -> String {
    if let (true, [row]) = (table.record, table.rows.as_slice()) {
        return values(table, row, table.columns.iter().enumerate()) + &missing(table);
    }
    let columns = screen(table);
    let (first, last) = shown(table.rows.len());
    let mut out = String::from("<div style=\"overflow-x:auto\"><table><thead><tr>");
    for (_, column) in &columns {
        let (name, about, side) = (escaped(column.name), escaped(column.about), side(column.kind));
        // Writing to a string does not fail.
        let _ = write!(out, "<th title=\"{about}\" style=\"{side}\">{name}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    rows(&mut out, table, &columns, first);
    if !last.is_empty() {
        let _ = write!(out, "<tr><td colspan=\"{}\" style=\"{LEFT}\">&#8230;</td></tr>", columns.len());
        rows(&mut out, table, &columns, last);
    }
    out.push_str("</tbody></table></div>");
    let _ = write!(out, "<p>{}</p>", escaped(&summary(table)));
    for remark in &table.remarks {
        let _ = write!(out, "<p>{}</p>", escaped(remark));
    }
    out + &missing(table)
}

fn rows(out: &mut String, table: &Table, columns: &[(usize, &Heading)], shown: Range<usize>) {
    for row in table.rows.get(shown).unwrap_or_default() {
        out.push_str("<tr>");
        for (index, column) in columns {
            let value = row.get(*index).map(cell).unwrap_or_default();
            let _ = write!(out, "<td style=\"{};white-space:nowrap\">{value}</td>", side(column.kind));
        }
        out.push_str("</tr>");
    }
}

/// One row from top to bottom. Of many columns those of a terminal; the others for who wants them.
pub(crate) fn record(table: &Table, row: &[Cell]) -> String {
    let all = values(table, row, table.columns.iter().enumerate());
    if table.columns.len() <= MANY {
        return all;
    }
    let count = table.columns.len();
    values(table, row, screen(table)) + &format!("<details><summary>all {count} columns</summary>{all}</details>")
}

/// Some columns of a row, one below the other.
fn values<'a>(table: &Table, row: &[Cell], columns: impl IntoIterator<Item = (usize, &'a Heading)>) -> String {
    let mut out = format!("<table title=\"{}\"><tbody>", escaped(table.name));
    for (index, column) in columns {
        let (name, about) = (escaped(column.name), escaped(column.about));
        let value = row.get(index).map(cell).unwrap_or_default();
        let _ = write!(out, "<tr><th title=\"{about}\" style=\"{LEFT}\">{name}</th>");
        let _ = write!(out, "<td style=\"{LEFT}\">{value}</td></tr>");
    }
    out + "</tbody></table>"
}

/// What a table misses, for who opens it.
fn missing(table: &Table) -> String {
    if table.incomplete.is_empty() {
        return String::new();
    }
    let mut out = String::from("<details><summary>what is missing or wrong</summary>");
    for Incomplete { what, place, reason, count, .. } in table.incomplete.iter().take(MISSING) {
        let _ = write!(out, "<p>{}</p>", escaped(&format!("{count} x {reason}: {what} at {place}")));
    }
    let more = table.incomplete.len().saturating_sub(MISSING);
    if more > 0 {
        let _ = write!(out, "<p>and {more} other things</p>");
    }
    out + "</details>"
}

/// The size of a table, and how much it misses.
pub(crate) fn summary(table: &Table) -> String {
    let mut text = format!("{}: {} rows x {} columns", table.name, table.rows.len(), table.columns.len());
    let missing = table.incomplete.iter().fold(0_u64, |sum, missing| sum.saturating_add(missing.count));
    if missing > 0 {
        let _ = write!(text, ", {missing} missing or wrong (see .incomplete)");
    }
    text
}
