#!/usr/bin/env python3
"""Opens a dump with MemProcFS, lists its processes and prints how many there are; with -v each of them too.

Needs the packages memprocfs (pip) and libusb-1.0 (the system's): without the latter the import fails and does not say why.
MemProcFS refuses dumps smaller than 16 MiB.
"""

import argparse

import memprocfs


def main() -> None:
    parser = argparse.ArgumentParser(description="List the processes of a dump with MemProcFS.")
    parser.add_argument("dump")
    parser.add_argument("-v", "--verbose", action="store_true", help="print each process")
    args = parser.parse_args()
    # It would ask Microsoft's server for symbols; a comparison of speed must not wait for a network.
    vmm = memprocfs.Vmm(["-device", args.dump, "-disable-symbolserver"])
    processes = [(process.pid, process.ppid, process.name, process.dtb) for process in vmm.process_list()]
    if args.verbose:
        for pid, ppid, name, dtb in processes:
            print(pid, ppid, name, f"{dtb:#x}")
    print(len(processes))
    vmm.close()


if __name__ == "__main__":
    main()
