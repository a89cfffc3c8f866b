"""Takes turns with `benches/frame.rs`: for each line that comes it asks for all handles and makes a frame of them.

It answers with the rows, the seconds of the query, and those of query and `to_pandas` together.
"""

import sys
import time
import warnings

import pandas  # noqa: F401 (imports are not what is measured)

import ntlens


def main() -> None:
    warnings.simplefilter("ignore", ntlens.IncompleteWarning)
    dump = ntlens.open(sys.argv[1])
    for _ in sys.stdin:
        start = time.perf_counter()
        table = dump.handles()
        asked = time.perf_counter() - start
        rows = len(table.to_pandas())
        print(rows, asked, time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
