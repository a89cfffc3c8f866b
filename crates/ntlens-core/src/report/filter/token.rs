//! The words and signs of a filter.

use alloc::string::String;
use alloc::vec::Vec;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{anychar, char};
use nom::combinator::{map, value, verify};
use nom::multi::fold_many0;
use nom::sequence::delimited;
use nom::{IResult, Parser};

/// A word, a text in quotes or a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Word(&'t str),
    Quoted(String),
    Sign(&'static str),
}

/// Signs; a longer one stands before those that it begins with.
const SIGNS: [&str; 11] = ["!=", "!~", "<=", ">=", "=", "<", ">", "~", "(", ")", ","];

/// Splits a text into tokens and the places of their first characters, counted from 0; else the place and the matter of
/// what is none.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, (usize, &'static str)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    let mut at = between(text, rest);
    while !rest.is_empty() {
        let Ok((next, token)) = token(rest) else {
            let quote = rest.starts_with(['"', '\'']);
            return Err((at, if quote { "a text that ends with its quote" } else { "no such sign" }));
        };
        found.push((at, token));
        at += between(rest, next.trim_start());
        rest = next.trim_start();
    }
    Ok(found)
}

/// How many characters stand before the rest of a text.
fn between(text: &str, rest: &str) -> usize {
    text.len().checked_sub(rest.len()).and_then(|before| text.get(..before)).map_or(0, |before| before.chars().count())
}

fn token(text: &str) -> IResult<&str, Token<'_>> {
    alt((
        map(quoted('"'), Token::Quoted),
        map(quoted('\''), Token::Quoted),
        value(Token::Sign("="), tag("==")),
        value(Token::Word("and"), tag("&&")),
        value(Token::Word("or"), tag("||")),
        sign,
        map(take_while1(is_of_word), Token::Word),
    ))
    .parse(text)
}

fn sign(text: &str) -> IResult<&str, Token<'_>> {
    let found = SIGNS.into_iter().find(|sign| text.starts_with(sign)).unwrap_or("=");
    value(Token::Sign(found), tag(found)).parse(text)
}

/// Everything but blanks, quotes and what signs are made of: paths, times, SIDs and wildcards are words.
fn is_of_word(char: char) -> bool {
    !char.is_whitespace() && !"\"'=!<>~(),&|".contains(char)
}

/// Characters between two quotes; a quote that is meant is doubled.
fn quoted<'t>(quote: char) -> impl Parser<&'t str, Output = String, Error = nom::error::Error<&'t str>> {
    let doubled = value(quote, (char(quote), char(quote)));
    let other = verify(anychar, move |found: &char| *found != quote);
    let content = fold_many0(alt((doubled, other)), String::new, |mut text, char| {
        text.push(char);
        text
    });
    delimited(char(quote), content, char(quote))
}
