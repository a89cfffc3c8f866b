"""Who holds a handle to a protected process, with which rights: SQL over two answers.

A holder is found by its process id, which may have been given twice; `who_can_reach_a_protected_process.ipynb` is more
careful, and says how to doubt what is found.

Run it with `python examples/handles.py [DUMP]`; without a dump it reads the sample that is part of the package.
"""

import sys

import duckdb

import ntlens

dump = ntlens.open(sys.argv[1]) if len(sys.argv) > 1 else ntlens.demo()
handles, processes = dump.handles(all=True), dump.processes()
found = duckdb.sql("""
    select h.pid, h.process, holder.integrity, target.name, target.protection, h.access
    from handles h
    join processes target on h.object = target.eprocess
    join processes holder on h.pid = holder.pid
    where target.protection <> 'None' and holder.protection = 'None'
    order by h.pid, target.pid
""")
print("\n".join(" ".join(map(str, row)) for row in found.fetchall()))
