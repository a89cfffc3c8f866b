"""Plugins of volatility3 on a dump: the kernel is where ntlens found it, and nothing is searched or downloaded."""

import datetime
import importlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from typing import Any, TypeAlias

from volatility3 import plugins
from volatility3.framework import constants, contexts, interfaces, renderers
from volatility3.framework.configuration import requirements
from volatility3.framework.layers import intel
from volatility3.framework.symbols import windows

import ntlens
from ntlens.volatility._layer import DumpLayer
from ntlens.volatility._table import table

#: A context of volatility3, which has no types for those who check them.
Context: TypeAlias = Any

#: What plugins call what they need, and under what it is in the context.
_MEMORY, _LAYER, _KERNEL, _SYMBOLS = "memory_layer", "primary", "kernel", "nt_symbols"
#: Where the configuration of plugins lies.
_PLUGINS = "plugins"
_join = interfaces.configuration.path_join


def context(dump: ntlens.Dump, *, symbols: str | PathLike[str] | None = None) -> Context:
    """A context of volatility3 with the dump: the layers `memory_layer` and `primary`, and the module `kernel`.

    symbols: an ISF table of the dump's kernel, or a folder in which it lies under its usual name, `GUID-AGE.json` or
        that packed; nothing is written there. None: the types that the dump was opened with.
    """
    base = dump.info.kernel_base
    made = contexts.Context()
    memory = DumpLayer(made, _MEMORY, _MEMORY, dump=dump)
    root = memory.metadata["page_map_offset"]
    if base is None or root is None:
        raise ntlens.NoLayoutError(f"{dump.name}: no kernel was found in the dump")
    made.add_layer(memory)
    made.config[_join(_LAYER, "memory_layer")] = _MEMORY
    made.config[_join(_LAYER, "page_map_offset")] = root
    made.config[_join(_LAYER, "kernel_virtual_offset")] = base
    made.add_layer(intel.WindowsIntel32e(made, _LAYER, _LAYER, metadata={"os": "Windows"}))
    # A table that ntlens has just written need not be held against the schema, which takes long.
    with table(dump, symbols) as url:
        made.symbol_space.append(
            windows.WindowsKernelIntermedSymbols(made, _SYMBOLS, _SYMBOLS, url, validate=symbols is not None)
        )
    contexts.Module.create(made, _KERNEL, _LAYER, base, symbol_table_name=_SYMBOLS)
    return made


def run(
    dump: ntlens.Dump | Context,
    plugin: str,
    *,
    symbols: str | PathLike[str] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """The rows of a plugin, such as `windows.pslist`, by the names of its columns.

    dump: a dump, or a context that `context` made of one, which serves any number of plugins.
    symbols: see `context`.
    options: those of the plugin, with `_` for `-`: `pid=[4]`.

    A row has the plugin's columns, and `TreeDepth` as volatility3 writes it where rows hang below each other. What the
    plugin could not read is None; numbers that it shows in hexadecimal are numbers. Plugins that write files need the
    command line.
    """
    used = context(dump, symbols=symbols) if isinstance(dump, ntlens.Dump) else dump
    found = _plugin(plugin)
    path = _join(_PLUGINS, found.__name__)
    known = {one.name: one for one in found.get_requirements()}
    for name in known:
        # What an earlier run of the plugin was given is none of this one.
        with suppress(KeyError):
            del used.config[_join(path, name)]
    for name, value in options.items():
        wanted = known.get(name) or known.get(name.replace("_", "-"))
        if wanted is None:
            raise TypeError(f"{plugin} has no option {name!r}; it has {', '.join(sorted(known)) or 'none'}")
        used.config[_join(path, wanted.name)] = value
    for name, one in known.items():
        if isinstance(one, requirements.ModuleRequirement):
            used.config[_join(path, name)] = _KERNEL
        elif isinstance(one, requirements.TranslationLayerRequirement):
            used.config[_join(path, name)] = _LAYER
        elif isinstance(one, requirements.SymbolTableRequirement):
            used.config[_join(path, name)] = _SYMBOLS
    missing = found.unsatisfied(used, path)
    if missing:
        raise ntlens.Error(f"{plugin} needs {', '.join(missing)}, which is not here")
    with _offline():
        grid = found(used, path).run()
        return _rows(grid)


def _plugin(name: str) -> type[interfaces.plugins.PluginInterface]:
    """A plugin by the name that `vol` takes: that of its module, with or without that of its class."""
    module, _, last = name.rpartition(".")
    for module_name, class_name in ((name, None), (module, last)):
        try:
            module_found = importlib.import_module(f"{plugins.__name__}.{module_name}")
        except ModuleNotFoundError:
            continue
        kinds = [kind for kind in vars(module_found).values() if isinstance(kind, type)]
        own = [kind for kind in kinds if issubclass(kind, interfaces.plugins.PluginInterface)]
        own = [kind for kind in own if kind.__module__ == module_found.__name__]
        own = [kind for kind in own if class_name in (None, kind.__name__)]
        if len(own) == 1:
            return own[0]
    raise ValueError(f"volatility3 has no plugin {name!r}, or several of that name")


def _rows(grid: interfaces.renderers.TreeGrid) -> list[dict[str, Any]]:
    names = [column.name for column in grid.columns]
    found: list[tuple[int, dict[str, Any]]] = []

    def visit(node: interfaces.renderers.TreeNode, rows: list[tuple[int, dict[str, Any]]]) -> Any:
        rows.append((node.path_depth, dict(zip(names, map(_value, node.values), strict=True))))
        return rows

    grid.populate(visit, found)
    if not any(depth > 1 for depth, _ in found):
        return [row for _, row in found]
    return [{"TreeDepth": depth - 1, **row} for depth, row in found]


def _value(value: Any) -> Any:
    """A cell as plain Python has it: volatility3's own kinds of numbers and bytes say how to show them."""
    if isinstance(value, interfaces.renderers.BaseAbsentValue):
        return None
    if isinstance(value, renderers.Disassembly):
        return value.data
    plain: type[Any]
    for plain in (bool, int, float, str, bytes):
        if isinstance(value, plain):
            return value if type(value) is plain else plain(value)
    return value if isinstance(value, datetime.datetime) else str(value)


@contextmanager
def _offline() -> Iterator[None]:
    """Nothing that the dump names is asked of a server: volatility3 would look for what it misses."""
    before = constants.OFFLINE
    constants.OFFLINE = True
    try:
        yield
    finally:
        constants.OFFLINE = before
