"""What was every process at the moment of a dump, how was it protected, and what crosses the borders that should hold.

>>> import ntlens
>>> dump = ntlens.demo()            # or ntlens.open("MEMORY.DMP")
>>> dump.process(4).protection
'PP-WinSystem'
>>> dump.processes().to_pandas()    # or .to_polars(), pyarrow.table(t), duckdb.sql("from t")

Every question of the library is a method of `Dump`; its answer is a `Table`, which other libraries read without a copy.
A value that is not in the dump is None (null), and the row's `absent` says why. Nothing is guessed.
"""

from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING as _TYPE_CHECKING

from ntlens import _questions
from ntlens._ntlens import (
    Dump,
    DumpError,
    Error,
    IncompleteError,
    IncompleteWarning,
    Listing,
    NoLayoutError,
    NotInDumpError,
    Process,
    Row,
    SymbolsError,
    Table,
    __version__,
    demo,
    embedded,
    open,  # noqa: A004 (the name says what it does, and only `ntlens.open` is ever written)
)
from ntlens.events import to_ecs, to_ocsf

if _TYPE_CHECKING:
    from ntlens import plot as plot
    from ntlens import volatility as volatility

_questions.add_methods()

_PARTS = ("plot", "volatility")


def __getattr__(name: str) -> _ModuleType:
    """The parts that need a library of their own, imported when they are used."""
    if name in _PARTS:
        return _import_module(f"ntlens.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_PARTS])


__all__ = [
    "Dump",
    "DumpError",
    "Error",
    "IncompleteError",
    "IncompleteWarning",
    "Listing",
    "NoLayoutError",
    "NotInDumpError",
    "Process",
    "Row",
    "SymbolsError",
    "Table",
    "__version__",
    "demo",
    "embedded",
    "open",
    "to_ecs",
    "to_ocsf",
]
