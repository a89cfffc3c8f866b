//! Why a pack could not be read.

/// Why a pack could not be read. Every pack that `cargo xtask pack` wrote can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The bytes do not start as a pack of this version does.
    #[error("this is no layout pack, or one of another version")]
    NotAPack,
    /// The bytes end in the middle of something.
    #[error("the layout pack is cut short")]
    Truncated,
    /// Compressed bytes do not unpack to what the header promises.
    #[error("a block of the layout pack does not decompress")]
    Compression,
    /// A number is out of its range.
    #[error("the layout pack has a bad {0}")]
    Invalid(&'static str),
    /// The content would take more memory than any true pack does.
    #[error("the layout pack has too many or too large {0}")]
    TooLarge(&'static str),
    /// The pack has no table of this number.
    #[error("the layout pack has no table {0}")]
    NoSuchTable(usize),
}
