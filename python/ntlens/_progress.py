"""What shows how far long work is: a line of a terminal, or an output of a notebook that goes away when it is done.

`ntlens.open(..., progress=True)` shows it everywhere, `False` nowhere; left out, it is shown in notebooks, where
output is for looking at. A callable of the user's own takes its place.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

#: Work that is over before that many seconds shows nothing.
DELAY = 0.7
#: Seconds between two pictures of a bar.
EVERY = 0.2
WIDTH = 30

Progress = Callable[[int, int | None], object]


def shown(wanted: bool | Progress | None) -> Progress | None:
    """What is to be called while the library works, or nothing."""
    if wanted is None:
        return Bar(Notebook) if in_notebook() else None
    if wanted is True:
        return Bar(Notebook if in_notebook() else Terminal)
    if wanted is False:
        return None
    if not callable(wanted):
        raise TypeError(f"progress is True, False, None or something to call, not {type(wanted).__name__}")
    return wanted


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook, which nobody imports without being one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Place(Protocol):
    """Where a line can be shown and taken away again."""

    def show(self, line: str) -> None: ...
    def clear(self) -> None: ...


class Terminal:
    """A line of standard error. Where that is a file there is nothing to draw over, and nothing is drawn."""

    def __init__(self) -> None:
        self.drawn = 0

    def show(self, line: str) -> None:
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write("\r" + line.ljust(self.drawn))
            sys.stderr.flush()
            self.drawn = len(line)

    def clear(self) -> None:
        if self.drawn:
            sys.stderr.write("\r" + " " * self.drawn + "\r")
            sys.stderr.flush()
            self.drawn = 0


class Notebook:
    """An output of the cell that is running."""

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, line: str) -> None:
        # As text: a page that was saved meanwhile has a line that says how far it was, and nothing that runs.
        data = {"text/plain": line}
        if self.handle is None:
            self.handle = import_module("IPython.display").DisplayHandle()
            self.handle.display(data, raw=True)
        else:
            self.handle.update(data, raw=True)

    def clear(self) -> None:
        if self.handle is not None:
            self.handle.update({"text/plain": "", "text/html": ""}, raw=True)
            self.handle = None


class Work:
    """One piece of work of one thread."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.start = time.monotonic()
        self.next = self.start + DELAY


class Bar:
    """Draws what it is told, per thread: a dump may be asked by several at once."""

    def __init__(self, place: Callable[[], Place]) -> None:
        self.place = place
        self.local = threading.local()

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        work: Work | None = getattr(self.local, "work", None)
        if work is None:
            work = self.local.work = Work(self.place())
        if now >= work.next:
            work.next = now + EVERY
            work.place.show(line(done, total, now - work.start))

    def close(self) -> None:
        """The work is over, however it ended."""
        work: Work | None = getattr(self.local, "work", None)
        self.local.work = None
        if work is not None:
            work.place.clear()


def line(done: int, total: int | None, seconds: float) -> str:
    """How far the work is, in one line."""
    if not total:
        return f"ntlens: reading, {seconds:.0f} s"
    full = min(done, total) * WIDTH // total
    return f"ntlens: [{'#' * full}{'.' * (WIDTH - full)}] {done:,} of {total:,} rows, {seconds:.0f} s"
