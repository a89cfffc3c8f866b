"""Pictures of what people would rather look at than read: `pip install ntlens[plot]`.

>>> import ntlens
>>> picture = ntlens.plot.process_tree(ntlens.demo())
>>> picture.savefig("tree.png")

Each function takes a dump and gives a `matplotlib.figure.Figure`, which a notebook shows by itself. Nothing global is
touched, no display is needed, and the font is the one that comes with the library: a picture is the same everywhere.
Below each stands which dump it is of, where the layout came from, and what is missing. A value that is not in the dump
is drawn as "unknown", never as 0 or as "None"; what there is no room for is counted and said.
"""

from importlib.util import find_spec as _find_spec

if _find_spec("matplotlib") is None:
    raise ImportError("pictures need matplotlib: pip install ntlens[plot]", name="matplotlib")

from collections.abc import Callable

from ntlens.plot._picture import Picture
from ntlens.plot.crossings import crossings
from ntlens.plot.handle_types import handle_types
from ntlens.plot.process_tree import process_tree
from ntlens.plot.protection_map import protection_map

#: Every picture, by its name.
PICTURES: dict[str, Callable[..., Picture]] = {
    "process_tree": process_tree,
    "protection_map": protection_map,
    "crossings": crossings,
    "handle_types": handle_types,
}

__all__ = ["PICTURES", "Picture", "crossings", "handle_types", "process_tree", "protection_map"]
