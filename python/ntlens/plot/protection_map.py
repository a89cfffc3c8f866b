"""How protected and how far trusted: every process in one field of two scales."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import ntlens
from ntlens.plot._picture import (
    ALERT,
    FAINT,
    HEADING,
    INK,
    INTEGRITY,
    MARGIN,
    ROW,
    SMALL,
    SOFT,
    UNKNOWN,
    UNKNOWN_FILL,
    Picture,
    Sheet,
    foot,
    known,
    others,
    protection_fill,
)
from ntlens.plot._text import count, fit, width

LEFT, CELL, NAMES = 1.65, 1.75, 4
#: Signers in the order of the page, by their numbers. Who may open whom is a table of the kernel's and no order.
SIGNERS = ("Authenticode", "CodeGen", "Antimalware", "Lsa", "Windows", "WinTcb", "WinSystem", "App")
#: Levels at which a protected process is no surprise.
TRUSTED = ("System", "ProtectedProcess")
#: Fields of a scale that are shown; a dump may hold any number of made-up ones.
MOST = 16

Field = dict[tuple[str, str], Counter[str]]
Order = Callable[[str], tuple[Any, ...]]


def protection_map(dump: ntlens.Dump) -> Picture:
    """Processes by protection and integrity: how many, and the names of the most frequent.

    Outlined are processes that are protected although they are not of System integrity. For the signer App that is how
    apps of the store run; for the others somebody should look.
    """
    table = dump.processes()
    field: Field = defaultdict(Counter)
    for process in table:
        field[known(process.protection), known(process.integrity)][known(process.name)] += 1
    rows = _cut(field, 0, _protection_order)
    columns = _cut(field, 1, _integrity_order)
    field = _merged(field, rows, columns)
    heights = (
        [max(_height(field.get((row, column), Counter())) for column in columns) for row in rows] if columns else []
    )
    odd = [key for key, names in field.items() if names and _odd(*key)]
    notes = ["outlined: protected, but not of System integrity (usual for App)"] if odd else []
    sheet = Sheet(
        2 * MARGIN + LEFT + CELL * max(len(columns), 2),
        0.2 + sum(heights),
        "Protection and integrity",
        f"{count(len(table), 'process', 'processes')}: PP above PPL above none, integrity from left to right",
        foot(dump, table, notes=notes),
    )
    y = sheet.top + 0.05
    for number, column in enumerate(columns):
        x = MARGIN + LEFT + CELL * number
        sheet.name(x + CELL / 2, y - 0.1, column, CELL - 0.1, HEADING, weight="bold", ha="center")
    most = max((names.total() for names in field.values()), default=1)
    for row, height in zip(rows, heights, strict=True):
        sheet.box(MARGIN, y, 0.08, height - 0.03, protection_fill(None if row == UNKNOWN else row), linewidth=0)
        sheet.name(MARGIN + 0.16, y + height / 2, row, LEFT - 0.2, HEADING, weight="bold")
        for number, column in enumerate(columns):
            names = field.get((row, column), Counter())
            _cell(sheet, MARGIN + LEFT + CELL * number, y, height, names, (row, column), most)
        y += height
    return sheet.picture


def _protection_order(protection: str) -> tuple[int, int, str]:
    """PP, PPL, none, and what is unknown below."""
    if protection == UNKNOWN:
        return (9, 0, protection)
    kind, _, signer = protection.partition("-")
    strength = {"Protected": 0, "PP": 0, "PPL": 1, "None": 8}.get(kind, 7)
    place = SIGNERS.index(signer.removesuffix("-Audit")) if signer.removesuffix("-Audit") in SIGNERS else -1
    return (strength, -place, protection)


def _integrity_order(level: str) -> tuple[int, str]:
    base = level.split("+")[0]
    places = list(INTEGRITY)
    return (99 if level == UNKNOWN else places.index(base) if base in places else 98, level)


def _odd(protection: str, integrity: str) -> bool:
    return protection not in ("None", UNKNOWN) and integrity not in (*TRUSTED, UNKNOWN)


def _cut(field: Field, side: int, order: Order) -> list[str]:
    """The values of a scale in their order; of too many the frequent ones, and one for the others."""
    totals: Counter[str] = Counter()
    for key, names in field.items():
        totals[key[side]] += names.total()
    if len(totals) > MOST:
        kept = [value for value, _ in totals.most_common(MOST - 1)]
        return [*sorted(kept, key=order), f"… {len(totals) - len(kept)} other values"]
    return sorted(totals, key=order)


def _merged(field: Field, rows: list[str], columns: list[str]) -> Field:
    """The same field with what has no row or column of its own in the last one."""
    merged: Field = defaultdict(Counter)
    for (row, column), names in field.items():
        merged[row if row in rows else rows[-1], column if column in columns else columns[-1]].update(names)
    return merged


def _height(names: Counter[str]) -> float:
    lines = min(len(names), NAMES + 1)
    return 0.12 + 0.26 + ROW * max(lines, 0) if names else 0.42


def _cell(
    sheet: Sheet, x: float, y: float, height: float, names: Counter[str], key: tuple[str, str], most: int
) -> None:
    inner = (x + 0.03, y + 0.015, CELL - 0.06, height - 0.03)
    if not names:
        sheet.box(*inner, "#fafbfc", linewidth=0)
        return
    unknown = UNKNOWN in key
    share = names.total() / most
    fill = UNKNOWN_FILL if unknown else "#c9dcee" if share > 0.5 else "#dde9f4" if share > 0.15 else "#eff5fa"
    edge = {"edgecolor": ALERT, "linewidth": 1.6} if _odd(*key) else {"edgecolor": FAINT}
    sheet.box(*inner, fill, **edge)
    sheet.say(x + CELL - 0.12, y + 0.18, f"{names.total():,}", 11, weight="bold", ha="right")
    shown = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    # The last line is for all the others, unless there is only one.
    shown, rest = (shown, []) if len(shown) <= NAMES + 1 else (shown[:NAMES], shown[NAMES:])
    for number, (name, times) in enumerate(shown):
        at = y + 0.4 + ROW * number
        suffix = f" × {times}" if times > 1 else ""
        text = fit(name, CELL - 0.2 - width(suffix, SMALL), SMALL) + suffix
        sheet.name(x + 0.1, at, text, CELL, SMALL, color=INK)
    if rest:
        total = sum(times for _, times in rest)
        sheet.say(
            x + 0.1, y + 0.4 + ROW * NAMES, others(total, "process", "processes"), SMALL, color=SOFT, style="italic"
        )
