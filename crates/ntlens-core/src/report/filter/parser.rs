//! Reads filters.

use super::token::{Token, tokens};
use super::{Comparison, Expression, Filter, Literal, MAX_DEPTH, Test, What};
use crate::pattern::Pattern;
use crate::report::selection::{Names, SelectionError};
use crate::report::{Heading, Kind};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub(super) fn parse(names: &Names<'_>, text: &str) -> Result<Filter, SelectionError> {
    let wrong = |(at, expected): (usize, &str)| SelectionError::Filter {
        position: at + 1,
        column: None,
        message: format!("expected {expected}"),
    };
    let end = text.chars().count();
    let mut parser = Parser { names, tokens: tokens(text).map_err(wrong)?, next: 0, end, columns: Vec::new() };
    let expression = parser.filter(0)?;
    match parser.tokens.get(parser.next) {
        None => Ok(Filter { columns: parser.columns, expression }),
        Some(_) => Err(parser.expected("`and`, `or` or the end")),
    }
}

struct Parser<'p> {
    names: &'p Names<'p>,
    tokens: Vec<(usize, Token<'p>)>,
    next: usize,
    /// Characters of the whole text.
    end: usize,
    columns: Vec<Heading>,
}

impl<'p> Parser<'p> {
    fn peek(&self) -> Option<&Token<'p>> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// Takes the next token if it is this sign.
    fn sign(&mut self, wanted: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(sign)) if *sign == wanted);
        self.next += usize::from(is);
        is
    }

    /// Takes the next token if it is this word.
    fn word(&mut self, wanted: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.next += usize::from(is);
        is
    }

    /// That the next token is another one than expected.
    fn expected(&self, what: &str) -> SelectionError {
        self.error(None, format!("expected {what}, found {}", self.found()))
    }

    fn found(&self) -> String {
        match self.peek() {
            None => "the end".into(),
            Some(Token::Word(word)) => format!("{word:?}"),
            Some(Token::Quoted(text)) => format!("the text {text:?}"),
            Some(Token::Sign(sign)) => format!("`{sign}`"),
        }
    }

    /// Something wrong with the next token.
    fn error(&self, column: Option<&str>, message: String) -> SelectionError {
        let position = self.tokens.get(self.next).map_or(self.end, |(at, _)| *at) + 1;
        SelectionError::Filter { position, column: column.map(ToOwned::to_owned), message }
    }

    fn filter(&mut self, depth: usize) -> Result<Expression, SelectionError> {
        self.chain("or", Expression::Or, |parser| parser.chain("and", Expression::And, |parser| parser.one(depth)))
    }

    /// One or several parts with a word between them.
    fn chain(
        &mut self,
        word: &str,
        join: fn(Vec<Expression>) -> Expression,
        part: impl Fn(&mut Self) -> Result<Expression, SelectionError>,
    ) -> Result<Expression, SelectionError> {
        let first = part(self)?;
        let mut parts = Vec::new();
        while self.word(word) {
            parts.push(part(self)?);
        }
        if parts.is_empty() {
            return Ok(first);
        }
        parts.insert(0, first);
        Ok(join(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Expression, SelectionError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(None, format!("more than {MAX_DEPTH} inside one another")));
        }
        if self.word("not") {
            return Ok(Expression::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.sign("(") {
            let inner = self.filter(depth + 1)?;
            return if self.sign(")") { Ok(inner) } else { Err(self.expected("`)`")) };
        }
        let absent = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case("absent"))
            && matches!(self.tokens.get(self.next + 1), Some((_, Token::Sign("("))));
        if absent {
            self.next += 2;
            let (column, _) = self.column()?;
            let test = Test { column, what: What::Absent };
            return if self.sign(")") { Ok(Expression::Test(test)) } else { Err(self.expected("`)`")) };
        }
        let (column, heading) = self.column()?;
        Ok(Expression::Test(Test { column, what: self.what(&heading)? }))
    }

    /// The name of a column, and its place in the list of those that the filter looks at.
    fn column(&mut self) -> Result<(usize, Heading), SelectionError> {
        let Some(Token::Word(word)) = self.peek() else { return Err(self.expected("the name of a column")) };
        let Some(heading) = self.names.find(word) else {
            return Err(self.error(Some(word), self.names.unknown(word).to_string()));
        };
        self.next += 1;
        let known = self.columns.iter().position(|column| column.name == heading.name);
        let place = known.unwrap_or(self.columns.len());
        if known.is_none() {
            self.columns.push(heading);
        }
        Ok((place, heading))
    }

    /// What follows the name of a column.
    fn what(&mut self, column: &Heading) -> Result<What, SelectionError> {
        let texts = matches!(column.kind, Kind::Text | Kind::List);
        let several = column.kind.is_list();
        let ordered = !texts && !several && column.kind != Kind::Bool;
        let start = self.next;
        if self.word("is") {
            let is = !self.word("not");
            return if self.word("null") { Ok(What::Null { is }) } else { Err(self.expected("`null` or `not null`")) };
        }
        if self.word("has") {
            return if several { self.literal(column).map(What::Has) } else { Err(self.cannot(start, column)) };
        }
        if self.word("in") {
            return if several { Err(self.cannot(start, column)) } else { self.list(column).map(What::In) };
        }
        for (sign, is) in [("~", true), ("!~", false)] {
            if self.sign(sign) {
                let pattern = |parser: &mut Self| Ok(Pattern::new(&parser.text(column)?));
                return if texts {
                    pattern(self).map(|pattern| What::Like { is, pattern })
                } else {
                    Err(self.cannot(start, column))
                };
            }
        }
        for (sign, comparison) in Comparison::ALL {
            if self.sign(sign) {
                let fits = if comparison.is_of_order() { ordered } else { !several };
                return if fits {
                    self.literal(column).map(|literal| What::Compare(comparison, literal))
                } else {
                    Err(self.cannot(start, column))
                };
            }
        }
        let tests = tests_of(column.kind);
        match column.kind {
            Kind::Bool => Ok(What::Yes),
            _ => Err(self.error(Some(column.name), self.typed(column, &format!("{tests} behind it")))),
        }
    }

    fn typed(&self, column: &Heading, wanted: &str) -> String {
        format!("{} holds {}: expected {wanted}, found {}", column.name, plural(column.kind), self.found())
    }

    /// That a test does not go with the kind of the column; the test stands at `at`.
    fn cannot(&mut self, at: usize, column: &Heading) -> SelectionError {
        self.next = at;
        self.error(Some(column.name), self.typed(column, tests_of(column.kind)))
    }

    fn list(&mut self, column: &Heading) -> Result<Vec<Literal>, SelectionError> {
        if !self.sign("(") {
            return Err(self.expected("`(` and values"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.literal(column)?);
            if self.sign(")") {
                return Ok(values);
            }
            if !self.sign(",") {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }

    /// A word or a text in quotes.
    fn text(&mut self, column: &Heading) -> Result<String, SelectionError> {
        let text = match self.peek() {
            Some(Token::Word(word)) => (*word).to_owned(),
            Some(Token::Quoted(text)) => text.clone(),
            _ => return Err(self.error(Some(column.name), self.typed(column, value_of(column.kind)))),
        };
        self.next += 1;
        Ok(text)
    }

    fn literal(&mut self, column: &Heading) -> Result<Literal, SelectionError> {
        let start = self.next;
        let quoted = matches!(self.peek(), Some(Token::Quoted(_)));
        let text = self.text(column)?;
        let is_text = matches!(column.kind, Kind::Text | Kind::List);
        if text.eq_ignore_ascii_case("null") && !quoted {
            self.next = start;
            return Err(self.error(Some(column.name), format!("{} is compared with null by `is null`", column.name)));
        }
        let value = if is_text { Some(Literal::Text(text)) } else { value(column.kind, &text) };
        value.ok_or_else(|| {
            self.next = start;
            self.error(Some(column.name), self.typed(column, value_of(column.kind)))
        })
    }
}

/// Reads a value of a kind that is no text.
fn value(kind: Kind, text: &str) -> Option<Literal> {
    match kind {
        Kind::Bool => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" => Some(Literal::Bool(true)),
            "no" | "false" => Some(Literal::Bool(false)),
            _ => None,
        },
        Kind::Uint | Kind::Code | Kind::Address | Kind::Numbers | Kind::Addresses => number(text).map(Literal::Number),
        Kind::Time => text.parse().ok().map(Literal::Time),
        Kind::Duration => decimal(text, 7).map(Literal::Number),
        Kind::Confidence => decimal(text, 3).map(Literal::Number),
        Kind::Text | Kind::List => None,
    }
}

/// A number, hexadecimal with `0x` in front; `` ` `` and `_` may part its digits.
fn number(text: &str) -> Option<u64> {
    let plain: String = text.chars().filter(|char| !matches!(char, '`' | '_')).collect();
    let hex = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X"));
    let (digits, radix) = hex.map_or((plain.as_str(), 10), |digits| (digits, 16));
    // The standard library would take a sign.
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if plain { u64::from_str_radix(digits, radix).ok() } else { None }
}

/// A number with a point, in units of its last decimal.
fn decimal(text: &str, decimals: u8) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > decimals.into() {
        return None;
    }
    let missing = u32::from(decimals) - u32::try_from(fraction.len()).ok()?;
    let fraction = fraction.parse::<u64>().ok()?.checked_mul(10_u64.checked_pow(missing)?)?;
    whole.parse::<u64>().ok()?.checked_mul(10_u64.checked_pow(decimals.into())?)?.checked_add(fraction)
}

/// What a column of a kind holds.
fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "yes or no",
        Kind::Uint | Kind::Code => "numbers",
        Kind::Address => "addresses",
        Kind::Time => "times",
        Kind::Duration => "seconds",
        Kind::Confidence => "numbers from 0 to 1",
        Kind::Text => "texts",
        Kind::List => "lists of texts",
        Kind::Numbers => "lists of numbers",
        Kind::Addresses => "lists of addresses",
    }
}

/// A value of a kind.
fn value_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "`yes` or `no`",
        Kind::Uint | Kind::Code | Kind::Numbers => "a number, such as 4096 or 0x1000",
        Kind::Address | Kind::Addresses => "an address, such as 0xfffff80012345000",
        Kind::Time => "a time, such as 2024-03-02 or 2024-03-02T10:11:12Z",
        Kind::Duration => "seconds, such as 90 or 1.5",
        Kind::Confidence => "a number such as 0.95",
        Kind::Text | Kind::List => "a text",
    }
}

/// The tests that go with a kind.
fn tests_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "`=`, `!=`, `in` or `is null`",
        Kind::Text => "`=`, `!=`, `~`, `!~`, `in` or `is null`",
        Kind::List => "`has`, `~`, `!~` or `is null`",
        Kind::Numbers | Kind::Addresses => "`has` or `is null`",
        _ => "`=`, `!=`, `<`, `<=`, `>`, `>=`, `in` or `is null`",
    }
}
