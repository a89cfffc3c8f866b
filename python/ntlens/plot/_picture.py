"""What all pictures share: a sheet measured in inches, colours, and the lines that say what the picture is of."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import ntlens
from ntlens.plot._text import MONO, SANS, clean, count, fit, plain

#: Sizes of text, in points.
TITLE, HEADING, BODY, SMALL = 13.0, 8.5, 8.0, 7.0
#: The height of a row of text, in inches.
ROW = 0.175
MARGIN = 0.3
INK, SOFT, FAINT, PAPER = "#1b1f24", "#57606a", "#d0d7de", "#ffffff"
#: What somebody should look at.
ALERT = "#b3261e"
#: Values that are not in the dump, whatever they would be.
UNKNOWN = "unknown"
UNKNOWN_FILL, UNKNOWN_HATCH = "#f0ecdf", "////"

#: From low to high: pale to dark, also in grey.
INTEGRITY = {
    "Untrusted": "#fde0c5",
    "Low": "#facba6",
    "Medium": "#dfe7ef",
    "MediumPlus": "#c6d6e6",
    "High": "#9dbbd8",
    "System": "#5f8fbf",
    "ProtectedProcess": "#2f5f92",
}
#: What the kinds of protection begin with, from none to the strongest.
PROTECTION = {"None": PAPER, "PPL": "#cfe3cf", "PP": "#7fb77f", "Protected": "#7fb77f"}


class Picture(Figure):
    """A figure that a notebook shows, whether or not it has set up matplotlib."""

    def draw(self, renderer: RendererBase) -> None:
        # The hints of a font make letters of some sizes a tenth wider, and what was fitted would leave the page.
        with rc_context({"text.hinting": "none"}):
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png", dpi=110)
        return file.getvalue()


class Sheet:
    """A page on which things stand at places in inches, from the top left."""

    def __init__(self, width: float, height: float, title: str, subtitle: str, foot: list[tuple[str, str]]) -> None:
        self.width = width
        below = 0.22 + 0.16 * len(foot)
        self.top = 0.95
        self.height = self.top + height + below + 0.1
        self.picture = Picture(figsize=(width, self.height), facecolor=PAPER)
        FigureCanvasAgg(self.picture)
        self.axes: Axes = self.picture.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(self.height, 0)
        self.axes.set_axis_off()
        self.say(MARGIN, 0.36, title, TITLE, weight="bold")
        self.say(MARGIN, 0.62, subtitle, HEADING, color=SOFT)
        at = self.top + height + 0.16
        self.axes.plot([MARGIN, width - MARGIN], [at, at], color=FAINT, linewidth=0.8)
        for number, (line, color) in enumerate(foot):
            self.axes.text(
                MARGIN,
                at + 0.14 + 0.16 * number,
                fit(line, width - 2 * MARGIN, SMALL),
                **plain(MONO, SMALL, color=color, va="center"),
            )

    def say(self, x: float, y: float, text: str, size: float = BODY, **more: Any) -> None:
        """Words of the picture itself."""
        weight = more.pop("weight", "normal")
        font = SANS.copy()
        font.set_weight(weight)
        self.axes.text(x, y, clean(text), **plain(font, size, **{"color": INK, "va": "center", **more}))

    def name(self, x: float, y: float, text: str, inches: float, size: float = BODY, **more: Any) -> None:
        """Text of the dump, cut to a width."""
        middle = more.pop("middle", False)
        shown = fit(text, inches, size, middle=middle)
        self.axes.text(x, y, shown, **plain(MONO, size, **{"color": INK, "va": "center", **more}))

    def box(self, x: float, y: float, width: float, height: float, fill: str, **more: Any) -> None:
        """A filled rectangle; one for what is unknown is hatched, so that it is no colour of the scale."""
        options: dict[str, Any] = {"facecolor": fill, "edgecolor": FAINT, "linewidth": 0.5, **more}
        if fill == UNKNOWN_FILL:
            options |= {"hatch": UNKNOWN_HATCH, "edgecolor": "#c9bf9f"}
        self.axes.add_patch(Rectangle((x, y), width, height, **options))

    def line(self, xs: Iterable[float], ys: Iterable[float], **more: Any) -> None:
        self.axes.plot(list(xs), list(ys), **{"color": SOFT, "linewidth": 0.7, "solid_capstyle": "butt", **more})


def foot(dump: ntlens.Dump, *tables: ntlens.Table, notes: Iterable[str] = ()) -> list[tuple[str, str]]:
    """What stands below a picture, with colours: which dump, whose layout, the picture's own notes, what is missing."""
    info = dump.info
    version = f"Windows {info.os_version}" if info.os_version else f"Windows {known(info.os_version)}"
    of = str(info.file).replace("\\", "/").rsplit("/", 1)[-1]
    when = f"{info.crash_time:%Y-%m-%d %H:%M:%S} UTC" if info.crash_time else f"time {UNKNOWN}"
    origin = known(info.layout_origin)
    source = str(info.layout_source).replace("\\", "/").rsplit("/", 1)[-1] if info.layout_source else UNKNOWN
    lines = [(f"{of} · {version} · {when}", SOFT)]
    lines.append((f"layout: {origin} ({source})", SOFT if origin == "exact" else ALERT))
    lines.extend((note, SOFT) for note in notes if note)
    missing = {(one["what"], one["where"], one["reason"]): one["count"] for table in tables for one in table.incomplete}
    # What the question itself could not read comes before what was wrong with the dump at the start.
    general = {(one["what"], one["where"], one["reason"]) for one in dump.incomplete}
    missing = dict(sorted(missing.items(), key=lambda entry: entry[0] in general))
    if not missing:
        return [*lines, ("nothing that the answer needs was missing from the dump", SOFT)]
    first = [f"{what} at {where} ({reason})" for what, where, reason in list(missing)[:2]]
    more = len(missing) - len(first)
    text = f"INCOMPLETE, {sum(missing.values()):,} missing or wrong: {'; '.join(first)}"
    return [*lines, (text + (f"; {more:,} more" if more else ""), ALERT)]


def known(value: Any) -> str:
    """A value as text, or the word for one that is not there."""
    return UNKNOWN if value is None else str(value)


def label(pid: int | None, name: str | None) -> str:
    """A process, by its id and its name."""
    return f"{known(pid)} {known(name)}"


def others(number: int, thing: str, things: str | None = None) -> str:
    """What stands for all that there is no room for."""
    return f"… {count(number, 'other ' + thing, 'other ' + (things or thing + 's'))}"


def integrity_fill(level: str | None) -> str:
    """The colour of an integrity level; `Medium+0x10` is between two, and has that of the lower."""
    return UNKNOWN_FILL if level is None else INTEGRITY.get(level.split("+")[0], PAPER)


def protection_fill(protection: str | None) -> str:
    """The colour of a protection."""
    return UNKNOWN_FILL if protection is None else PROTECTION.get(protection.split("-")[0], PAPER)
