//! What holds processes together: which session, which job with which limits, and which container do they belong to?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::job::limit_names;
use ntlens::nt::silo::SiloKind;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    // All of it comes with the processes; only jobs that nothing but a handle leads to cost more: `dump.jobs()`.
    let found = dump.processes()?;
    for session in found.sessions.iter() {
        println!("session {} has {} processes", session.session_id()?, session.members()?.len());
    }
    for job in found.jobs.iter() {
        let limits = limit_names(job.get(|fields| &fields.limit_flags)?).join(", ");
        let (around, members) = (found.jobs.chain(job.address()).jobs.len() - 1, job.members()?.len());
        println!("job {} has {members} processes, {around} jobs around it, limits: {limits}", job.address());
    }
    for process in &found.processes {
        // Windows before 10 has no silos.
        let Ok(Some(silo)) = found.jobs.silo_of(process) else { continue };
        let kind = silo.silo_kind()?.map_or("none", SiloKind::name);
        println!("process {} {} runs in {kind} {}", process.pid()?, process.name()?, silo.job_id()?);
    }
    Ok(())
}
