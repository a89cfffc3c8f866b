"""Who holds a handle to a protected process, with which rights: SQL over two answers.

Run it with `python examples/handles.py [DUMP]`; without a dump it reads the sample that is part of the package.
"""

import sys

import duckdb

import ntlens

dump = ntlens.open(sys.argv[1]) if len(sys.argv) > 1 else ntlens.demo()
handles, processes = dump.handles(), dump.processes()
found = duckdb.sql("""
    select h.pid, h.process, holder.integrity, target.name, target.protection, h.access
    from handles h
    join processes target on h.object = target.eprocess
    join processes holder on h.pid = holder.pid
    where target.protection <> 'None' and holder.protection = 'None'
    order by h.pid, target.pid
""")
print("\n".join(" ".join(map(str, row)) for row in found.fetchall()))
