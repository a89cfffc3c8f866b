#!/usr/bin/env python3
"""Opens a dump with MemProcFS, takes the handle map of every process and prints how many handles there are; with -v each.

Needs the packages memprocfs (pip) and libusb-1.0 (the system's): without the latter the import fails and does not say why.
MemProcFS refuses dumps smaller than 16 MiB.
"""

import argparse

import memprocfs


def main() -> None:
    parser = argparse.ArgumentParser(description="List the handles of a dump with MemProcFS.")
    parser.add_argument("dump")
    parser.add_argument("-v", "--verbose", action="store_true", help="print each handle")
    args = parser.parse_args()
    # It would ask Microsoft's server for symbols; a comparison of speed must not wait for a network.
    vmm = memprocfs.Vmm(["-device", args.dump, "-disable-symbolserver"])
    count = 0
    for process in vmm.process_list():
        for handle in process.maps.handle():
            count += 1
            if args.verbose:
                print(process.pid, hex(handle["handle"]), handle["type"], hex(handle["access"]), handle["tag"])
    print(count)
    vmm.close()


if __name__ == "__main__":
    main()
