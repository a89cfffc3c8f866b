"""Any dump that ntlens reads, for volatility3 and its plugins.

volatility3 opens dumps of the types 1 and 5. What Windows writes by default (type 6), what Windows 7 writes (2) and
what the debugger writes (8, 9, 0xA) are layers by this module:

>>> import ntlens.volatility
>>> dump = ntlens.open("MEMORY.DMP")
>>> ntlens.volatility.run(dump, "windows.pslist")
>>> ntlens.volatility.run(dump, "windows.handles", pid=[4], symbols="symbols/")

ntlens finds the kernel and its page tables, so nothing is searched; without `symbols` the kernel's types are those
that the dump was opened with, the embedded ones too. On the command line `python -m ntlens.volatility` is volatility3's
`vol`, which then opens these dumps; any program that uses volatility3 does so after `import ntlens.volatility`. A small
dump of type 4 holds no physical memory, and is refused. It needs the package volatility3: `pip install
ntlens[volatility]`.
"""

try:
    import volatility3 as _volatility3
except ImportError as _error:
    raise ImportError("this needs volatility3: pip install ntlens[volatility]") from _error

# volatility3 finds the classes of these modules by itself, once they are imported.
from ntlens.volatility import _kernel, _layer  # noqa: F401
from ntlens.volatility._plugin import context, run

del _volatility3

__all__ = ["context", "run"]
