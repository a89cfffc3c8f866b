//! Cells of a terminal's table: as people read them, and shorter where there is no room.

use super::Digits;
use super::escape::{is_visible, visible};
use ntlens_core::report::{Cell, Kind, Value};
use unicode_width::UnicodeWidthChar;

/// Stands for what was left out.
const ELLIPSIS: &str = "…";
/// A text of which less is shown says nothing.
const LEAST: usize = 8;
/// A text of this width tells what it is.
const COMFORTABLE: usize = 20;
/// A time without the parts of its seconds.
const TIME: usize = "2024-03-02T10:11:12".len();

/// How many columns of a terminal a text takes.
pub(super) fn width(text: &str) -> usize {
    // A text of this kind has no control characters: they were made visible.
    if text.is_ascii() { text.len() } else { text.chars().map(|char| char.width().unwrap_or(0)).sum() }
}

/// How many columns of a terminal a cell takes as [`text`]. Most are numbers and harmless texts, which need not be written
/// to be measured.
pub(super) fn cell_width(cell: &Cell) -> usize {
    match cell.value() {
        None => 1,
        Some(Value::Uint(number)) => number.checked_ilog10().map_or(1, |digits| digits as usize + 1),
        Some(Value::Text(text)) if is_visible(text) => width(text),
        Some(_) => width(&text(cell)),
    }
}

/// Whether a terminal shows nothing of a cell, or no more than a dash.
pub(super) fn says_nothing(cell: &Cell) -> bool {
    match cell.value() {
        None | Some(Value::Bool(false)) => true,
        Some(Value::Text(text)) => matches!(text.as_str(), "" | "-"),
        Some(Value::List(texts)) => texts.is_empty(),
        Some(Value::Numbers(values) | Value::Addresses(values)) => values.is_empty(),
        Some(_) => false,
    }
}

/// A cell as people read it: what is simply not there is a dash, and so is what is missing; the reasons stand in the other
/// formats and are counted under the table.
pub(super) fn text(cell: &Cell) -> String {
    let mut out = String::new();
    push(&mut out, cell);
    out
}

fn push(out: &mut String, cell: &Cell) {
    let Some(value) = cell.value() else { return out.push('-') };
    match value {
        Value::Bool(true) => out.push_str("yes"),
        Value::Bool(false) => {}
        Value::Uint(value) => format(out, format_args!("{value}")),
        Value::Code(value) => format(out, format_args!("{value:#x}")),
        Value::Address(value) => out.push_str(Digits::of(*value).as_str()),
        Value::Text(text) => push_visible(out, text),
        Value::List(texts) => separated(out, texts, |out, text| push_visible(out, text)),
        Value::Numbers(values) => separated(out, values, |out, value| format(out, format_args!("{value}"))),
        Value::Addresses(values) => separated(out, values, |out, value| out.push_str(Digits::of(*value).as_str())),
        other => format(out, format_args!("{other}")),
    }
}

fn format(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = std::fmt::Write::write_fmt(out, arguments);
}

fn push_visible(out: &mut String, text: &str) {
    if is_visible(text) { out.push_str(text) } else { out.push_str(&visible(text)) }
}

fn separated<T>(out: &mut String, values: &[T], push: impl Fn(&mut String, &T)) {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push(' ');
        }
        push(out, value);
    }
}

/// A cell of a record, where there is room to say more.
pub fn long_text(cell: &Cell) -> String {
    match cell {
        Cell::Absent(why) => format!("- ({})", why.reason()),
        Cell::Value(Value::Bool(false)) => "no".into(),
        Cell::Value(Value::List(texts)) if texts.is_empty() => "none".into(),
        Cell::Value(Value::Numbers(values) | Value::Addresses(values)) if values.is_empty() => "none".into(),
        other => text(other),
    }
}

/// The widths at which cells of a kind can be read, and under which they say nothing; `None` for what cannot be cut.
pub(super) fn bounds(kind: Kind) -> Option<(usize, usize)> {
    match kind {
        Kind::Text | Kind::List | Kind::Numbers | Kind::Addresses => Some((COMFORTABLE, LEAST)),
        Kind::Time => Some((TIME, TIME)),
        _ => None,
    }
}

/// The text of a cell in at most so many columns.
pub(super) fn cut(cell: &Cell, room: usize) -> String {
    let whole = text(cell);
    if width(&whole) <= room {
        return whole;
    }
    match cell.value() {
        Some(Value::Time(_)) => head(&whole, room).into(),
        Some(Value::List(texts)) => cut_list(&texts.iter().map(|text| visible(text)).collect::<Vec<_>>(), room),
        Some(Value::Numbers(_) | Value::Addresses(_)) => {
            cut_list(&whole.split(' ').map(String::from).collect::<Vec<_>>(), room)
        }
        _ => cut_text(&whole, room),
    }
}

/// A text in at most so many columns. The end of a path or a SID tells more than its middle.
pub(super) fn cut_text(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.into();
    }
    let left = room.saturating_sub(width(ELLIPSIS));
    if text.contains('\\') && !text.contains("\\u{") || text.starts_with("S-1-") {
        let start = head(text, left / 3);
        return format!("{start}{ELLIPSIS}{}", tail(text, left - width(start)));
    }
    format!("{}{ELLIPSIS}", head(text, left))
}

/// As many whole entries as there is room for, and how many more there are.
fn cut_list(entries: &[String], room: usize) -> String {
    let more = |shown: usize| format!("+{}", entries.len() - shown);
    let mut text = String::new();
    for (index, entry) in entries.iter().enumerate() {
        let gap = usize::from(index > 0);
        if width(&text) + gap + width(entry) + 1 + more(index + 1).len() > room {
            if index == 0 && entries.len() == 1 {
                return cut_text(entry, room);
            }
            if index == 0 {
                let rest = more(1);
                return format!("{} {rest}", cut_text(entry, room.saturating_sub(rest.len() + 1)));
            }
            return format!("{text} {}", more(index));
        }
        text.extend([if gap > 0 { " " } else { "" }, entry]);
    }
    text
}

/// Parts of a text that stay whole: characters, and escaped ones as [`visible`] writes them.
fn units(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let escaped =
            rest.starts_with("\\u{").then(|| rest.find('}')).flatten().filter(|end| *end <= "\\u{10ffff".len());
        let (unit, after) = rest.split_at_checked(escaped.map_or(first.len_utf8(), |end| end + 1))?;
        rest = after;
        Some(unit)
    })
}

/// The beginning of a text.
fn head(text: &str, room: usize) -> &str {
    let (mut taken, mut end) = (0, 0);
    for unit in units(text) {
        taken += width(unit);
        if taken > room {
            break;
        }
        end += unit.len();
    }
    text.get(..end).unwrap_or_default()
}

/// The end of a text without escaped characters.
fn tail(text: &str, room: usize) -> &str {
    let (mut taken, mut start) = (0, text.len());
    for (at, char) in text.char_indices().rev() {
        taken += char.width().unwrap_or(0);
        if taken > room {
            break;
        }
        start = at;
    }
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_tells_most_stays() {
        assert_eq!(cut_text("PPL-Antimalware", 12), "PPL-Antimal…");
        assert_eq!(
            cut_text("\\Device\\HarddiskVolume3\\Windows\\System32\\svchost.exe", 24),
            "\\Device…em32\\svchost.exe"
        );
        assert_eq!(cut_text("S-1-5-21-1111111111-2222222222-3333333333-1001", 16), "S-1-5…33333-1001");
        assert_eq!(cut_text("日本語の名前", 7), "日本語…");
        assert_eq!(cut_text("日本語の名前", 6), "日本…", "half a character is none");
        assert_eq!(cut_text("ab\\u{1b}cd", 8), "ab…", "an escaped character stays whole");
        assert_eq!(cut_text("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut_text("abc", 0), "…");
    }

    #[test]
    fn lists_are_cut_between_entries() {
        let list = |entries: &[&str], room| {
            cut(&Cell::Value(Value::List(entries.iter().map(|entry| (*entry).into()).collect())), room)
        };
        let entries = ["SeDebugPrivilege", "SeTcbPrivilege", "SeLoadDriverPrivilege"];
        assert_eq!(list(&entries, 60), entries.join(" "));
        assert_eq!(list(&entries, 40), "SeDebugPrivilege SeTcbPrivilege +1");
        assert_eq!(list(&entries, 20), "SeDebugPrivilege +2");
        assert_eq!(list(&entries, 12), "SeDebugP… +2");
        assert_eq!(list(&entries[..1], 10), "SeDebugPr…");
        let time = Cell::Value(Value::Time("2024-03-02T10:11:12.5".parse().unwrap()));
        assert_eq!(cut(&time, 19), "2024-03-02T10:11:12");
    }

    proptest! {
        #[test]
        fn numbers_are_as_wide_as_they_are_measured(number: u64) {
            let numbers = [0, 9, 10, 99, 100, number, u64::MAX].map(|number| Cell::Value(Value::Uint(number)));
            for cell in numbers {
                prop_assert_eq!(cell_width(&cell), width(&super::text(&cell)));
            }
        }

        #[test]
        fn a_cut_text_fits(text: String, entries in prop::collection::vec(any::<String>(), 0..6), room in 8_usize..40) {
            let entries = entries.into_iter().map(Into::into).collect();
            for cell in [Cell::Value(Value::Text(text.as_str().into())), Cell::Value(Value::List(entries))] {
                prop_assert_eq!(cell_width(&cell), width(&super::text(&cell)), "what is measured is what is written");
                let cut = cut(&cell, room);
                prop_assert!(width(&cut) <= room, "{cut:?}");
                prop_assert_eq!(visible(&cut), &*cut, "what steers stays visible");
            }
        }
    }
}
