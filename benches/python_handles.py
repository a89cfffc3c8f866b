"""How long a table takes to be a frame: the bare query beside query and `to_pandas`, in one run.

Run it with a release wheel: `python benches/python_handles.py DUMP [ROUNDS]`. For a machine of 70,000 handles:
`ntlens-testkit make --build 19041.1288 --kind full --processes 5500 --memory 4096 handles.dmp` writes it.
"""

import statistics
import sys
import time
import warnings

import pandas  # noqa: F401 (imports are not what is measured)

import ntlens


def main() -> None:
    warnings.simplefilter("ignore", ntlens.IncompleteWarning)
    dump = ntlens.open(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    bare, whole, rows = [], [], 0
    dump.handles().to_pandas()
    for _ in range(rounds):
        start = time.perf_counter()
        table = dump.handles()
        bare.append(time.perf_counter() - start)
        rows = len(table.to_pandas())
        whole.append(time.perf_counter() - start)
    query, frame = statistics.median(bare), statistics.median(whole)
    print(f"{rows} rows: query {query * 1000:.0f} ms, as a frame {frame * 1000:.0f} ms, {frame / query:.2f} times")


if __name__ == "__main__":
    main()
