//! Which system calls lead out of the kernel?
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

mod support;

use ntlens::nt::owner::Owners;
use ntlens::nt::service_table::{self, Table};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dump = ntlens::open(support::dump_path()?)?;
    let kernel = dump.kernel()?;
    let owners = Owners::of(kernel);
    let services = service_table::services(kernel).services;
    let of_nt: Vec<_> = services.iter().filter(|service| service.table == Table::Nt).collect();
    let away: Vec<_> = of_nt.iter().filter(|service| !owners.is_kernel(service.address)).collect();
    println!("{} services, {} of them outside of the kernel", of_nt.len(), away.len());
    for service in away {
        let module = owners.module(service.address).map_or("no module", |name| &**name);
        println!("{:>4} {} in {module}", service.index, service.address);
    }
    Ok(())
}
