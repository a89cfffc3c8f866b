//! What narrows a question: the processes, the directory or the object that is meant.
//!
//! A question declares its parameters, and every front end offers them in its own way: the command line as options.

use alloc::string::String;
use alloc::vec::Vec;

/// How a parameter is given on a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An option without a value.
    Flag,
    /// An option with a number; the text says what number.
    Number(&'static str),
    /// An option with a text; the text here says which.
    Text(&'static str),
    /// An option with one of these texts.
    Choice(&'static [&'static str]),
    /// A text behind the dump.
    Position(&'static str),
}

/// Something that narrows a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// How it is given.
    pub form: Form,
    /// Whether one of the parameters that are marked so must be given on a command line.
    pub needed: bool,
    /// What it does.
    pub about: &'static str,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The flag is given.
    Flag,
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
}

/// The values of a question's parameters. One that is not given narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(Vec<(&'static str, Argument)>);

impl Arguments {
    /// Adds the value of a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Argument) -> Self {
        self.0.push((name, value));
        self
    }

    fn get(&self, name: &str) -> Option<&Argument> {
        self.0.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// Whether a flag is given.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A number that is given.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Argument::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A text that is given.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Argument::Text(text)) => Some(text),
            _ => None,
        }
    }
}
