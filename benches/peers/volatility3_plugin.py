#!/usr/bin/env python3
"""Runs a plugin of volatility3 over a dump and prints how many rows its table has; with -v the table too.

volatility3 searches the kernel once per dump and keeps the result in its cache, here below the working folder: the first
run there is the cold one (or use --cold). It writes into the folder of symbols that it is given, so the symbols (an ISF
file) are copied.
"""

import argparse
import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a plugin of volatility3.")
    parser.add_argument("dump")
    parser.add_argument("isf", type=Path, help="the kernel's symbols as ISF: GUID-AGE.json.xz")
    parser.add_argument("work", type=Path, help="a folder for the copy of the symbols and for volatility3's cache")
    parser.add_argument("plugin", help="such as windows.pslist")
    parser.add_argument("--cold", action="store_true", help="empty the cache first")
    parser.add_argument("-v", "--verbose", action="store_true", help="print volatility3's table")
    args = parser.parse_args()
    symbols = args.work / "symbols"
    copy = symbols / "windows" / "ntkrnlmp.pdb" / args.isf.name
    cache = args.work / "cache"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(args.isf, copy)
    if args.cold:
        shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    # The `vol` of the environment that runs this script.
    vol = Path(sys.executable).with_name("vol")
    command = [vol, "-q", "--offline", "--cache-path", cache, "-r", "csv", "-f", args.dump, "-s", symbols]
    found = subprocess.run([*command, args.plugin], stdout=subprocess.PIPE, text=True, check=True)
    rows = list(csv.DictReader(io.StringIO(found.stdout.lstrip())))
    if args.verbose:
        print(found.stdout)
    print(len(rows))


if __name__ == "__main__":
    main()
