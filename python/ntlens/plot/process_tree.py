"""Who started whom, in which session, how protected and how far trusted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import ntlens
from ntlens.plot._picture import (
    ALERT,
    BODY,
    FAINT,
    HEADING,
    INK,
    MARGIN,
    PAPER,
    ROW,
    SMALL,
    SOFT,
    UNKNOWN_FILL,
    Picture,
    Sheet,
    foot,
    integrity_fill,
    known,
    others,
    protection_fill,
)
from ntlens.plot._text import count, fit, width

STEP = 0.17
#: Deeper processes stand below each other: an indentation has an end, a chain of parents need not have one.
DEEPEST = 14
PID, NAME, SESSION, PROTECTION, INTEGRITY, NOTES = 0.55, 3.6, 0.65, 1.45, 1.25, 2.7


@dataclass
class Line:
    """One line: a process, several that are alike, or those that there is no room for."""

    depth: int
    rows: list[ntlens.Row]
    #: What a reader should not miss about them.
    notes: list[str] = field(default_factory=list)
    parent: int | None = None
    children: list[int] = field(default_factory=list)
    #: How many processes the line stands for without showing them.
    hidden: int = 0


def process_tree(dump: ntlens.Dump, *, limit: int = 80) -> Picture:
    """The processes as a tree, with session, protection, integrity, and what stands out.

    limit: the most lines. Processes without children that are alike in parent, name, session, protection and integrity
        share one; where that is not enough, those of which least stands out give way, and are counted.
    """
    table = dump.processes(tree=True)
    lines = _shortened(_folded(_lines(table)), max(limit, 1))
    total = len(table)
    shown = sum(len(line.rows) for line in lines)
    subtitle = f"{count(total, 'process', 'processes')}, by who started whom"
    notes = (
        [f"{total - shown:,} of {total:,} processes are only counted: nothing stands out in them"]
        if shown < total
        else []
    )
    sheet = Sheet(
        2 * MARGIN + PID + NAME + SESSION + PROTECTION + INTEGRITY + NOTES,
        ROW * (len(lines) + 1.5),
        "Process tree",
        subtitle,
        foot(dump, table, notes=notes),
    )
    _draw(sheet, lines)
    return sheet.picture


def _lines(table: ntlens.Table) -> list[Line]:
    """The rows, which are in the order of the tree, each with the line of its parent."""
    # A small dump holds one process and no list.
    listed = any("active-list" in (row.sources or []) for row in table)
    lines: list[Line] = []
    path: list[int] = []
    for number, row in enumerate(table):
        # Where the parent is not known the process stands by itself.
        depth = min(row.depth or 0, len(path))
        del path[depth:]
        parent = path[-1] if path else None
        lines.append(Line(depth, [row], _outstanding(row, listed), parent))
        if parent is not None:
            lines[parent].children.append(number)
        path.append(number)
    return lines


def _outstanding(row: ntlens.Row, listed: bool) -> list[str]:
    """What a reader should not miss about a process, of a dump that has a list of the active ones or not."""
    notes = []
    if listed and row.sources is not None and "active-list" not in row.sources:
        notes.append("NOT IN ACTIVE LIST")
    if row.orphan:
        notes.append(f"parent {known(row.ppid)} is gone")
    elif row.depth is None:
        notes.append("parent unknown")
    if row.silo_kind not in (None, "none"):
        notes.append(f"{row.silo_kind} {known(row.silo_id)}")
    for column, word in (
        ("critical", "critical"),
        ("cross_session_create", "made for another session"),
        ("app_container", "AppContainer"),
        ("being_debugged", "debugged"),
        ("frozen", "frozen"),
    ):
        if row[column]:
            notes.append(word)
    if row.exit_time is not None:
        notes.append("ended")
    return notes


def _alike(line: Line) -> tuple[object, ...]:
    row = line.rows[0]
    return (line.parent, row.name, row.session_id, row.protection, row.integrity, tuple(line.notes))


def _folded(lines: list[Line]) -> list[Line]:
    """Lines of processes that are alike and have no children made one, at the place of the first."""
    groups: dict[tuple[object, ...], int] = {}
    goes_to = {}
    for number, line in enumerate(lines):
        if not line.children:
            first = groups.setdefault(_alike(line), number)
            if first != number:
                goes_to[number] = first
    for number, first in goes_to.items():
        lines[first].rows.extend(lines[number].rows)
    return _without(lines, set(goes_to))


def _without(lines: list[Line], gone: set[int]) -> list[Line]:
    """The lines without some that have no children, or all of whose children go too."""
    new = {}
    kept: list[Line] = []
    for number, line in enumerate(lines):
        if number not in gone:
            new[number] = len(kept)
            kept.append(line)
    for line in kept:
        line.parent = new[line.parent] if line.parent is not None else None
        line.children = [new[child] for child in line.children if child not in gone]
    return kept


def _weight(line: Line) -> int:
    """How much a line matters."""
    row = line.rows[0]
    notes = [note for note in line.notes if note != "ended"]
    odd = row.protection is None or row.integrity is None
    return 4 * ("NOT IN ACTIVE LIST" in notes) + 2 * (row.protection not in ("None", None)) + 2 * odd + len(notes)


def _shortened(lines: list[Line], limit: int) -> list[Line]:
    """Not more lines than there is room for: those that matter most with all their parents; the others are counted."""
    if len(lines) <= limit:
        return lines
    keep: set[int] = set()
    # How many children of a line that is kept are not; each such line needs one more, which counts them.
    left: Counter[int | None] = Counter({None: sum(line.parent is None for line in lines)})
    for number in sorted(range(len(lines)), key=lambda number: (-_weight(lines[number]), lines[number].depth, number)):
        chain: list[int] = []
        at: int | None = number
        while at is not None and at not in keep and len(chain) < limit:
            chain.append(at)
            at = lines[at].parent
        if not chain or (at is not None and at not in keep):
            continue
        after = left.copy()
        for one in chain:
            after[one] += len(lines[one].children)
            after[lines[one].parent] -= 1
        if len(keep) + len(chain) + len(+after) <= limit:
            keep.update(chain)
            left = +after
    # A line that is not kept has no child that is: parents come with their children.
    hidden: Counter[int | None] = Counter()
    nearest: list[int | None] = []
    for number, line in enumerate(lines):
        if number in keep:
            nearest.append(number)
        else:
            nearest.append(None if line.parent is None else nearest[line.parent])
            hidden[nearest[number]] += len(line.rows)
    kept: list[Line] = []
    stack: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        if number not in keep:
            continue
        while stack and stack[-1][1] >= line.depth:
            _close(kept, hidden, *stack.pop())
        stack.append((number, line.depth))
        kept.append(line)
    while stack:
        _close(kept, hidden, *stack.pop())
    if hidden[None]:
        kept.append(Line(0, [], hidden=hidden[None]))
    return kept


def _close(kept: list[Line], hidden: Counter[int | None], number: int, depth: int) -> None:
    """Below the last child of a line that is shown: how many more it has."""
    if hidden[number]:
        kept.append(Line(depth + 1, [], hidden=hidden[number]))


def _draw(sheet: Sheet, lines: list[Line]) -> None:
    left = MARGIN + PID
    columns = [left + NAME]
    for step in (SESSION, PROTECTION, INTEGRITY):
        columns.append(columns[-1] + step)
    session, protection, integrity, notes = columns
    y = sheet.top
    sheet.say(left - 0.1, y, "PID", HEADING, weight="bold", ha="right")
    for x, heading in zip(
        (left, *columns), ("Process", "Session", "Protection", "Integrity", "Stands out"), strict=True
    ):
        sheet.say(x, y, heading, HEADING, weight="bold")
    # The last line of each depth, to which the next one deeper is joined.
    above: dict[int, float] = {}
    for number, line in enumerate(lines):
        y = sheet.top + ROW * (number + 1.3)
        depth = min(line.depth, DEEPEST)
        x = left + STEP * depth
        if depth and depth - 1 in above:
            trunk = x - STEP + 0.05
            sheet.line([trunk, trunk, x - 0.02], [above[depth - 1] + 0.08, y, y], color=FAINT)
        above[depth] = y
        for deeper in [one for one in above if one > depth]:
            del above[deeper]
        if not line.rows:
            sheet.say(x, y, others(line.hidden, "process", "processes"), BODY, color=SOFT, style="italic")
            continue
        row = line.rows[0]
        said = line.notes
        hidden = "NOT IN ACTIVE LIST" in said
        color = ALERT if hidden else SOFT if "ended" in said else INK
        pid = known(row.pid) if len(line.rows) == 1 else ""
        sheet.name(left - 0.1, y, pid, PID, color=SOFT, ha="right")
        times = f" × {len(line.rows)}" if len(line.rows) > 1 else ""
        text = fit(known(row.name), left + NAME - x - 0.1 - width(times, BODY), BODY) + times
        sheet.name(x, y, text, NAME, color=color)
        if times:
            at = x + width(text, BODY) + 0.12
            pids = " ".join(known(one.pid) for one in line.rows)
            sheet.name(at, y, pids, left + NAME - at - 0.1, SMALL, color=SOFT)
        # In none, as System is, or nobody knows in which.
        in_none = row.session_id is None and row.absent.get("session_id") == "not-applicable"
        text = "-" if in_none else known(row.session_id)
        if row.session_id is None and not in_none:
            sheet.box(session, y - ROW / 2, SESSION - 0.06, ROW, UNKNOWN_FILL, linewidth=0)
        sheet.name(session + 0.05, y, text, SESSION)
        for at, wide, value, fill in (
            (protection, PROTECTION, row.protection, protection_fill(row.protection)),
            (integrity, INTEGRITY, row.integrity, integrity_fill(row.integrity)),
        ):
            sheet.box(at, y - ROW / 2 + 0.01, wide - 0.06, ROW - 0.02, fill, linewidth=0)
            dark = value in ("System", "ProtectedProcess")
            quiet = value == "None"
            sheet.name(at + 0.05, y, known(value), wide - 0.15, SMALL, color=SOFT if quiet else PAPER if dark else INK)
        sheet.name(notes, y, ", ".join(said), NOTES, SMALL, color=ALERT if hidden else SOFT)
