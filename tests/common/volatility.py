"""Runs plugins of volatility3 over one dump in one process, which searches the kernel and reads its symbols once.

`volatility.py CACHE SYMBOLS DUMP PLUGIN...` prints a JSON object with the rows of each plugin.
"""

import json
import sys
from pathlib import Path

import volatility3.plugins
from volatility3.framework import automagic, constants, contexts, import_files, interfaces, list_plugins, plugins
from volatility3 import symbols as bundled


def plain(value):
    """A value of a table as JSON has it; what is not there is None."""
    if isinstance(value, interfaces.renderers.BaseAbsentValue):
        return None
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value)
    return str(value)


def rows(grid):
    names = [column.name for column in grid.columns]
    found = []

    def visit(node, _):
        found.append(dict(zip(names, map(plain, node.values))))

    grid.populate(visit, None)
    return found


def main():
    cache, symbols, dump, *wanted = sys.argv[1:]
    constants.CACHE_PATH = cache
    constants.OFFLINE = True
    bundled.__path__.insert(0, str(Path(symbols).resolve()))
    constants.SYMBOL_BASEPATHS.insert(0, str(Path(symbols).resolve()))
    import_files(volatility3.plugins, True)
    known = list_plugins()
    context = contexts.Context()
    context.config["automagic.LayerStacker.single_location"] = Path(dump).resolve().as_uri()
    available = automagic.available(context)
    found, first = {}, None
    for name in wanted:
        plugin = next(kind for path, kind in known.items() if path.lower().startswith(name.lower() + "."))
        place = interfaces.configuration.path_join("plugins", plugin.__name__)
        if first is None:
            made = plugins.construct_plugin(
                context, automagic.choose_automagic(available, plugin), plugin, "plugins", None, None
            )
            first = place
        else:
            # The kernel and its symbols are those that were found for the first one.
            context.config.splice(place, context.config.branch(first))
            made = plugin(context, place)
        found[name] = rows(made.run())
    json.dump(found, sys.stdout)


main()
