#!/usr/bin/env python3
"""Converts a PDB with volatility3's own reader and prints the seconds that it took, without Python's start."""

import argparse
import time
from pathlib import Path

from volatility3.framework import contexts
from volatility3.framework.symbols.windows import pdbconv


def main() -> None:
    parser = argparse.ArgumentParser(description="Convert a PDB with volatility3.")
    parser.add_argument("pdb", type=Path)
    args = parser.parse_args()
    start = time.perf_counter()
    table = pdbconv.PdbReader(contexts.Context(), args.pdb.resolve().as_uri(), database_name="ntkrnlmp.pdb").get_json()
    seconds = time.perf_counter() - start
    assert table["user_types"] and table["symbols"]
    print(seconds)


if __name__ == "__main__":
    main()
