//! ISF, volatility3's tables of symbols: JSON of its schema 6.

mod read;
mod write;

pub use read::{identify, read};
pub use write::{WriteError, write};

/// How volatility3 names a symbol: one leading `_`, `@` or DEL goes, and `@` with the number of bytes of its arguments.
/// The name that the linker knows is then beside it.
fn plain_name(name: &str) -> &str {
    let plain = name.strip_prefix(['_', '@', '\x7f']).unwrap_or(name);
    match plain.split_once('@') {
        None => plain,
        Some((_, more)) if more.contains('@') => plain,
        Some((function, bytes)) => {
            let is_number = !bytes.is_empty() && bytes.bytes().all(|byte| byte.is_ascii_digit());
            if is_number && !function.is_empty() && !function.starts_with('?') { function } else { name }
        }
    }
}

#[cfg(test)]
mod tests;
