"""The table of a kernel's types and symbols that volatility3 needs."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import ntlens


def identity(dump: ntlens.Dump) -> tuple[str, int] | None:
    """GUID and age of the symbols of the dump's kernel."""
    text = dump.info.kernel_guid_age
    return None if text is None else (text[:32], int(text[32:], 16))


@contextmanager
def table(dump: ntlens.Dump, symbols: str | PathLike[str] | None) -> Iterator[str]:
    """Where the kernel's table lies, as long as it is needed."""
    if symbols is not None:
        yield _given(dump, Path(symbols)).resolve().as_uri()
        return
    with tempfile.TemporaryDirectory(prefix="ntlens-") as folder:
        path = Path(folder) / "kernel.json"
        path.write_text(dump.to_isf(), encoding="utf-8")
        yield path.as_uri()


def _given(dump: ntlens.Dump, symbols: Path) -> Path:
    if symbols.is_file():
        return symbols
    known = identity(dump)
    if known is None:
        raise ntlens.SymbolsError(f"{dump.name}: the dump does not tell which symbols its kernel has")
    name = f"{known[0]}-{known[1]}.json".lower()
    fits = (path for path in sorted(symbols.rglob("*.json*")) if path.name.lower().startswith(name))
    table = next(fits, None)
    if table is None:
        raise ntlens.SymbolsError(f"{symbols}: no table of the kernel, {name}, is there")
    return table
