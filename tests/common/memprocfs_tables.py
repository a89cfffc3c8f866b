"""What MemProcFS finds in a dump, as a JSON object; the message of its refusal on standard error, with the status 3.

`memprocfs_tables.py DUMP`. The package memprocfs needs libusb-1.0 of the system (Debian: libusb-1.0-0).
"""

import json
import sys

import memprocfs


def main():
    try:
        # It would ask a server for symbols.
        vmm = memprocfs.Vmm(["-device", sys.argv[1], "-disable-symbolserver", "-disable-python"])
    except (RuntimeError, TypeError) as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    processes = []
    for process in vmm.process_list():
        handles = process.maps.handle()
        processes.append(
            {
                "pid": process.pid,
                "ppid": process.ppid,
                "name": process.name,
                "eprocess": process.eprocess,
                "dtb": process.dtb,
                "session": process.session,
                "sid": process.sid,
                "integrity": process.integrity,
                "handles": [[row["handle"], row["va-object"], row["type"], row["access"]] for row in handles],
            }
        )
    system = vmm.process(4)
    modules = [[module.name, module.base, module.image_size] for module in system.module_list()]
    json.dump({"build": vmm.kernel.build, "processes": processes, "modules": modules}, sys.stdout)


main()
