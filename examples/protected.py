"""Who is protected, and who trusts whom: a table in pandas.

Run it with `python examples/protected.py [DUMP]`; without a dump it reads the sample that is part of the package.
"""

import sys

import ntlens

dump = ntlens.open(sys.argv[1]) if len(sys.argv) > 1 else ntlens.demo()
processes = dump.processes().to_pandas()
protected = processes[processes["protection"] != "None"]
print(protected[["pid", "name", "protection", "integrity"]].to_string(index=False))
