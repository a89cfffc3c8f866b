//! Which names stand in the global namespace and in a session's, so that one program may get the object of another?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    for collision in dump.collisions()?.collisions {
        let (global, other) = (&collision.global, &collision.other);
        let (first, second) = (global.holders.len(), other.holders.len());
        println!("{} ({first} holders) and {} ({second} holders)", global.object.path, other.object.path);
    }
    Ok(())
}
