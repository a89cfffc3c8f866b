"""Who holds how many handles of what."""

from __future__ import annotations

from collections import Counter
from math import log
from typing import TypeVar

import ntlens
from ntlens.plot._picture import (
    ALERT,
    INK,
    MARGIN,
    PAPER,
    ROW,
    SMALL,
    SOFT,
    UNKNOWN,
    UNKNOWN_FILL,
    Picture,
    Sheet,
    foot,
    known,
    label,
    others,
)
from ntlens.plot._text import count, fit, width

LEFT, CELL, TOTAL, KERNEL = 2.1, 0.52, 0.7, 1.05
#: From few to many; both ends are told from paper and from ink in grey, too.
SCALE = ("#eef4fa", "#d6e5f3", "#b3cfe8", "#84b0d8", "#5089bf", "#27619b")

#: A process: there may be several of one id.
Key = tuple[int | None, str | None]
T = TypeVar("T", Key, str)


def handle_types(dump: ntlens.Dump, *, processes: int = 40, types: int = 14) -> Picture:
    """Handles by process and type, those with the most first; the others of either together.

    processes, types: the most rows and columns.

    Beside the handles that were found stands how many the kernel has counted. Where these differ, or no handle of a
    process could be read, the picture says so: an empty field means that none was found.
    """
    answer = dump.handle_types(all=True)
    snapshot = dump.processes()
    cells: Counter[tuple[Key, str]] = Counter()
    for row in answer:
        cells[(row.pid, row.process), known(row.type)] += row.handles or 0
    counted: dict[Key, int | None] = {}
    for row in snapshot:
        key = (row.pid, row.name)
        before, number = counted.get(key, 0), row.handle_count
        if number is None and row.absent.get("handle_count") == "not-applicable":
            # It has no table of handles any more.
            number = 0
        counted[key] = None if number is None or before is None else before + number
    held, kinds = Counter[Key](), Counter[str]()
    for (key, kind), number in cells.items():
        held[key] += number
        kinds[kind] += number
    none_read = [key for key, number in counted.items() if not held[key] and number != 0]
    rows = _most(held, max(processes, 1))
    columns = _most(kinds, max(types, 1))
    notes = []
    if none_read:
        some = ", ".join(label(*key) for key in none_read[:5]) + (", …" if len(none_read) > 5 else "")
        notes.append(f"no handle could be read of {count(len(none_read), 'process', 'processes')}: {some}")
    heads = 0.25 + max((width(fit(kind, 1.4, SMALL), SMALL) for kind in columns), default=0) * 0.75
    more_rows, more_columns = len(held) - len(rows), len(kinds) - len(columns)
    across = len(columns) + bool(more_columns)
    sheet = Sheet(
        max(2 * MARGIN + LEFT + CELL * across + TOTAL + KERNEL, 7.5),
        heads + ROW * (len(rows) + bool(more_rows) + 2),
        "Handles by process and type",
        f"{count(held.total(), 'handle')} of {count(len(kinds), 'type')} in {count(len(held), 'process', 'processes')}",
        foot(dump, answer, snapshot, notes=notes),
    )
    y = sheet.top + heads - 0.1
    for number, kind in enumerate([*columns, *([others(more_columns, "type")] if more_columns else [])]):
        x = MARGIN + LEFT + CELL * (number + 0.35)
        sheet.name(x, y, kind, 1.4, SMALL, rotation=45, va="bottom", ha="left", rotation_mode="anchor")
    right = MARGIN + LEFT + CELL * across
    sheet.say(right + TOTAL - 0.1, y, "found", SMALL, weight="bold", ha="right")
    sheet.say(right + TOTAL + KERNEL - 0.1, y, "kernel's count", SMALL, weight="bold", ha="right")
    most = max(cells.values(), default=1)
    y += ROW
    for key in rows:
        sheet.name(MARGIN, y, f"{known(key[0]):>6} {known(key[1])}", LEFT - 0.1, SMALL)
        values = [cells[key, kind] for kind in columns]
        _line(sheet, y, values, held[key] - sum(values) if more_columns else None, most)
        _total(sheet, right, y, held[key], counted.get(key))
        y += ROW
    if more_rows:
        shown = set(rows)
        rest: Counter[str] = Counter()
        for (key, kind), number in cells.items():
            rest[kind] += 0 if key in shown else number
        sheet.say(MARGIN, y, others(more_rows, "process", "processes"), SMALL, color=SOFT, style="italic")
        values = [rest[kind] for kind in columns]
        _line(sheet, y, values, rest.total() - sum(values) if more_columns else None, None)
        known_counts = [counted.get(key) for key in held if key not in shown]
        whole = None if None in known_counts else sum(number or 0 for number in known_counts)
        _total(sheet, right, y, rest.total(), whole)
        y += ROW
    sheet.say(MARGIN, y, "all", SMALL, weight="bold")
    values = [kinds[kind] for kind in columns]
    _line(sheet, y, values, held.total() - sum(values) if more_columns else None, None)
    sheet.name(right + TOTAL - 0.1, y, f"{held.total():,}", TOTAL, SMALL, ha="right")
    return sheet.picture


def _most(totals: Counter[T], number: int) -> list[T]:
    """Those with the most; the only other one would take as much room as the line that says so."""
    ordered = [key for key, _ in sorted(totals.items(), key=lambda item: (-item[1], str(item[0])))]
    return ordered if len(ordered) == number + 1 else ordered[:number]


def _line(sheet: Sheet, y: float, values: list[int], rest: int | None, most: int | None) -> None:
    """The fields of one row; those of sums have no colour, which would make all others pale."""
    for number, value in enumerate([*values, *([rest] if rest is not None else [])]):
        x = MARGIN + LEFT + CELL * number
        if not value:
            continue
        coloured = most is not None and number < len(values)
        place = int(log(value) / log(most) * (len(SCALE) - 1) + 0.5) if coloured and most and most > 1 else 0
        sheet.box(x, y - ROW / 2, CELL, ROW, SCALE[place] if coloured else PAPER, edgecolor=PAPER, linewidth=0.8)
        ink = PAPER if coloured and place >= 4 else INK
        sheet.say(x + CELL / 2, y, f"{value:,}", SMALL, ha="center", color=ink)


def _total(sheet: Sheet, right: float, y: float, found: int, counted: int | None) -> None:
    """What was found, and what the kernel says there is."""
    sheet.name(right + TOTAL - 0.1, y, f"{found:,}", TOTAL, SMALL, ha="right")
    if counted is None:
        sheet.box(right + TOTAL + 0.1, y - ROW / 2, KERNEL - 0.15, ROW, UNKNOWN_FILL, linewidth=0)
    differs = counted is not None and counted != found
    text = UNKNOWN if counted is None else f"{counted:,}"
    sheet.name(right + TOTAL + KERNEL - 0.1, y, text, KERNEL, SMALL, ha="right", color=ALERT if differs else SOFT)
