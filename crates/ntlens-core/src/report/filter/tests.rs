use super::*;
use crate::report::screen;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;

const fn heading(name: &'static str, kind: Kind) -> Heading {
    Heading { name, kind, about: "" }
}

const HEADINGS: [Heading; 10] = [
    heading("pid", Kind::Uint),
    heading("name", Kind::Text),
    heading("critical", Kind::Bool),
    heading("exit_time", Kind::Time),
    heading("object", Kind::Address),
    heading("sources", Kind::List),
    heading("roots", Kind::Addresses),
    heading("pids", Kind::Numbers),
    heading("uptime", Kind::Duration),
    heading("confidence", Kind::Confidence),
];
const SCREEN: [Screen; 1] = [screen("Label", "name")];

fn parse(text: &str) -> Result<Filter, SelectionError> {
    Filter::parse("test", &HEADINGS, &SCREEN, text)
}

/// What a filter says of a row whose cells are told by their columns; the others are null.
fn test(text: &str, row: &[(&str, Cell)]) -> Option<bool> {
    let filter = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    let cell = |heading: &Heading| row.iter().find(|(name, _)| *name == heading.name).map(|(_, cell)| cell.clone());
    let cells: Vec<Cell> = filter.columns().iter().map(|heading| cell(heading).unwrap_or(Cell::Null)).collect();
    filter.test(&cells)
}

fn row() -> Vec<(&'static str, Cell)> {
    vec![
        ("pid", 684_u64.into()),
        ("name", "svchost.exe".into()),
        ("critical", true.into()),
        ("exit_time", FileTime(133_000_000_000_000_000).into()),
        ("object", crate::address::VirtAddr(0xffff_f800_1234_5000).into()),
        ("sources", vec!["active-list", "cid-table"].into()),
        ("roots", vec![0x1000_u64, 0x2000].into()),
        ("uptime", Cell::Value(Value::Duration(15_000_000))),
        ("confidence", Cell::Value(Value::Confidence(950))),
    ]
}

#[test]
fn rows_that_fit() {
    for text in [
        "pid = 684",
        "pid == 0x2ac and critical",
        "pid >= 684 && pid <= 684 && pid > 683 && pid < 685 && pid != 4",
        "name = SVCHOST.EXE",
        "name != none",
        "name ~ \"svc*\"",
        "name ~ SVC*.ex?",
        "name !~ 'ls*'",
        "name in (lsass.exe, svchost.exe)",
        "pid in (4, 0x2ac)",
        "not name ~ ls* and not (pid < 600 or pid > 700)",
        "critical = yes and critical != false",
        "exit_time is not null and exit_time > 2022-06-01 and exit_time < 2022-06-18T05:00",
        "object = 0xfffff800`12345000",
        "object >= 0xffff800000000000",
        "sources has Active-List",
        "sources ~ cid*",
        "sources !~ pool*",
        "roots has 0x2000",
        "uptime = 1.5 and uptime > 1 and uptime < 1.6",
        "confidence >= 0.95",
        "not absent(name)",
        "pid = 1 or pid = 684 and critical",
        "NOT pid = 1 AND name IS NOT NULL",
    ] {
        assert_eq!(test(text, &row()), Some(true), "{text}");
        assert_eq!(test(&format!("not ({text})"), &row()), Some(false), "not ({text})");
    }
}

#[test]
fn what_is_not_there_is_not_zero() {
    let null = |text: &str| test(text, &[]);
    for text in ["pid = 0", "pid < 1", "pid >= 0", "critical", "critical = no", "name = ''", "name ~ *", "sources ~ *"]
    {
        assert_eq!(null(text), Some(false), "{text}");
    }
    for text in ["pid != 0", "critical != yes", "name != x", "name !~ *", "pid is null", "not critical"] {
        assert_eq!(null(text), Some(true), "{text}");
    }
    // What makes no sense is not there, for a reason.
    let row = [("pid", Cell::Absent(Absent::NotApplicable))];
    assert_eq!(test("pid != 1", &row), Some(true));
    assert_eq!(test("absent(pid) and pid is null", &row), Some(true));
    assert_eq!(test("absent(pid)", &[]), Some(false));
}

#[test]
fn what_is_missing_decides_nothing() {
    let row = [("pid", Cell::Absent(Absent::DemandZero)), ("name", "a".into())];
    for text in ["pid = 1", "pid != 1", "not pid = 1", "pid in (1, 2)", "pid = 1 and name = a", "pid = 1 or name = b"] {
        assert_eq!(test(text, &row), None, "{text}");
    }
    assert_eq!(test("pid = 1 and name = b", &row), Some(false));
    assert_eq!(test("pid = 1 or name = a", &row), Some(true));
    assert_eq!(test("absent(pid) and pid is null and not pid is not null", &row), Some(true));
}

#[test]
fn errors_say_where_and_what() {
    for (text, position, parts) in [
        ("", 1, &["the name of a column", "the end"][..]),
        ("pid = 1 and nme = x", 13, &["no column of test", "\"nme\"", "; name is"]),
        ("label = x", 1, &["; name is"]),
        ("pid = x", 7, &["pid", "numbers", "\"x\""]),
        ("pid = -1", 7, &["a number"]),
        ("pid = 18446744073709551616", 7, &["a number"]),
        ("pid ~ 1", 5, &["pid", "`=`", "`~`"]),
        ("name < x", 6, &["name", "texts", "`~`", "`<`"]),
        ("sources = x", 9, &["sources", "lists", "`has`"]),
        ("name has x", 6, &["name", "`in`"]),
        ("roots has x", 11, &["an address"]),
        ("exit_time > yesterday", 13, &["a time", "2024-03-02"]),
        ("exit_time = null", 13, &["is null"]),
        ("uptime > 1.23456789", 10, &["seconds"]),
        ("critical = maybe", 12, &["`yes`"]),
        ("name", 5, &["name", "behind it", "the end"]),
        ("name ~", 7, &["a text", "the end"]),
        ("(pid = 1", 9, &["`)`"]),
        ("pid = 1)", 8, &["`and`"]),
        ("pid = 1 pid = 2", 9, &["`and`, `or` or the end"]),
        ("name = \"x", 8, &["quote"]),
        ("pid & 1", 5, &["sign"]),
        ("pid in 1", 8, &["`(`"]),
        ("pid in (1 2)", 11, &["`,`"]),
        ("pid is 1", 8, &["`null`"]),
        ("absent(pid", 11, &["`)`"]),
        ("ä = 1", 1, &["no column"]),
    ] {
        let SelectionError::Filter { position: found, message, .. } = parse(text).unwrap_err() else {
            panic!("{text}")
        };
        assert_eq!(found, position, "{text}: {message}");
        for part in parts {
            assert!(message.contains(part), "{text}: {message} lacks {part}");
        }
    }
    let SelectionError::Filter { column, .. } = parse("critical and pid = x").unwrap_err() else { panic!() };
    assert_eq!(column.as_deref(), Some("pid"));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}pid = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(MAX_DEPTH - 1)).is_ok());
    for text in [nested(MAX_DEPTH), nested(100_000), "not ".repeat(100_000) + "critical"] {
        assert!(parse(&text).unwrap_err().to_string().contains("inside one another"));
    }
    let long = "pid = 1 or ".repeat(2_000) + "pid = 1";
    assert!(parse(&long).unwrap().test(&[2_u64.into()]) == Some(false));
}

fn literal(kind: Kind) -> BoxedStrategy<Literal> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(Literal::Bool).boxed(),
        Kind::Time => any::<u64>().prop_map(|at| Literal::Time(FileTime(at))).boxed(),
        Kind::Text | Kind::List => any::<String>().prop_map(Literal::Text).boxed(),
        _ => any::<u64>().prop_map(Literal::Number).boxed(),
    }
}

/// A test of a column, whose place is still the one among all columns.
fn one_test() -> impl Strategy<Value = Expression> {
    (0..HEADINGS.len()).prop_flat_map(|column| {
        let kind = HEADINGS[column].kind;
        let texts = matches!(kind, Kind::Text | Kind::List);
        let several = kind.is_list();
        let mut kinds = vec![Just(What::Absent).boxed(), any::<bool>().prop_map(|is| What::Null { is }).boxed()];
        if kind == Kind::Bool {
            kinds.push(Just(What::Yes).boxed());
        }
        if texts {
            let like = (any::<bool>(), any::<String>());
            kinds.push(like.prop_map(|(is, text)| What::Like { is, pattern: Pattern::new(&text) }).boxed());
        }
        if several {
            kinds.push(literal(kind).prop_map(What::Has).boxed());
        } else {
            let signs = if texts || kind == Kind::Bool { 2 } else { Comparison::ALL.len() };
            let compare = (0..signs, literal(kind));
            kinds.push(compare.prop_map(|(sign, literal)| What::Compare(Comparison::ALL[sign].1, literal)).boxed());
            kinds.push(prop::collection::vec(literal(kind), 1..4).prop_map(What::In).boxed());
        }
        prop::strategy::Union::new(kinds).prop_map(move |what| Expression::Test(Test { column, what }))
    })
}

fn expression() -> impl Strategy<Value = Expression> {
    one_test().prop_recursive(6, 32, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| Expression::Not(Box::new(part))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            prop::collection::vec(inner, 2..4).prop_map(Expression::Or),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error(text: String) {
        if let Ok(filter) = parse(&text) {
            prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
        }
    }

    #[test]
    fn any_words_are_a_filter_or_an_error(
        words in prop::collection::vec(prop::sample::select(vec![
            "pid", "name", "critical", "sources", "and", "or", "not", "(", ")", "=", "!=", "<", "~", "!~", "has", "in",
            "is", "null", "absent(", ",", "1", "\"a b\"", "'", "x*", "2024-01-01", "&&", "||",
        ]), 0..12)
    ) {
        if let Ok(filter) = parse(&words.join(" ")) {
            prop_assert_eq!(parse(&filter.to_string()), Ok(filter.clone()));
            let cells: Vec<Cell> = filter.columns().iter().map(|_| Cell::Null).collect();
            prop_assert!(filter.test(&cells).is_some(), "null is known");
        }
    }

    #[test]
    fn what_is_written_is_read_again(expression in expression()) {
        let filter = Filter { columns: HEADINGS.to_vec(), expression };
        let text = filter.to_string();
        let read = parse(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
        prop_assert_eq!(read.to_string(), text);
    }
}
