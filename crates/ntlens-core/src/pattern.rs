//! Names with wildcards.

use alloc::string::String;
use core::fmt;

/// A name with wildcards: `*` stands for any characters, `?` for one. It must match all of a name; case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Takes a text as a pattern; any text is one.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        // The last star may take one more character whenever the rest does not fit: no recursion, and never worse than
        // the product of both lengths.
        let (mut pattern, mut rest) = (self.0.chars(), name.chars());
        let mut retry = None;
        loop {
            let before = pattern.clone();
            let matched = match (pattern.next(), rest.clone().next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    retry = Some((before, rest.clone()));
                    continue;
                }
                (Some('?'), Some(_)) => true,
                (Some(wanted), Some(found)) => wanted.eq_ignore_ascii_case(&found),
                _ => false,
            };
            if matched {
                rest.next();
                continue;
            }
            let Some((star, start)) = &mut retry else { return false };
            if start.next().is_none() {
                return false;
            }
            pattern = star.clone();
            pattern.next();
            rest = start.clone();
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards() {
        let matches = |pattern, name| Pattern::new(pattern).matches(name);
        for (pattern, name) in [("", ""), ("*", ""), ("a*b*c", "aXbYbZc"), ("?b", "ab"), ("*b", "abb"), ("A", "a")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("", "a"), ("?", ""), ("a*b", "abc"), ("system*", "UserSystem"), ("a?", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    /// The same by plain recursion.
    fn matches_plainly(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                matches_plainly(rest, name)
                    || name.split_first().is_some_and(|(_, name)| matches_plainly(pattern, name))
            }
            ([b'?', rest @ ..], [_, name @ ..]) => matches_plainly(rest, name),
            ([one, rest @ ..], [other, name @ ..]) => one.eq_ignore_ascii_case(other) && matches_plainly(rest, name),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn matching_is_what_recursion_says(pattern in "[abA?*]{0,8}", name in "[abB]{0,10}") {
            prop_assert_eq!(
                Pattern::new(&pattern).matches(&name),
                matches_plainly(pattern.as_bytes(), name.as_bytes())
            );
        }
    }
}
