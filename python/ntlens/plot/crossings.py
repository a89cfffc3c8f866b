"""Who holds what across a border: holders on one side, objects on the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np

import ntlens
from ntlens.plot._picture import (
    BODY,
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
    label,
    others,
)
from ntlens.plot._text import count

LEFT, MIDDLE, RIGHT, BAND = 2.3, 2.6, 3.9, 0.1
GAP, HEAD = 0.12, 0.24
#: More lines than that from side to side are a tangle.
TANGLE = 120
#: Holder, object, relation.
Edge = tuple[Hashable, Hashable, str]
Totals = Counter[tuple[str, Hashable]]
#: For relations, in the order in which they are met. Told from each other also by who sees no red or green.
COLORS = ("#0f6fb5", "#c8501e", "#6a3d9a", "#2b8a5a", "#946200", "#b0306f", "#444c56", "#1b8a99")
#: The places on either side, which are told by their names: colours are for relations.
PLACE = "#8c959f"


@dataclass(frozen=True)
class Border:
    """What lies on both sides of a border."""

    title: str
    #: Where a holder and an object are, from a row of the table.
    holder: Callable[[ntlens.Row], str]
    object: Callable[[ntlens.Row], str]


@dataclass
class Side:
    """The things on one side that have a line, by place, and for the others the line that stands for them."""

    groups: dict[str, list[Hashable]] = field(default_factory=dict)
    line_of: dict[Hashable, Hashable] = field(default_factory=dict)
    texts: dict[Hashable, str] = field(default_factory=dict)
    places: dict[Hashable, float] = field(default_factory=dict)

    @property
    def height(self) -> float:
        lines = sum(len(group) for group in self.groups.values())
        return HEAD * len(self.groups) + ROW * lines + GAP * max(len(self.groups) - 1, 0)


def _session_of_holder(row: ntlens.Row) -> str:
    if row.holder_session_id is not None:
        return f"session {row.holder_session_id}"
    # Of System and others that run in none; else nobody knows.
    return "no session" if row.absent.get("holder_session_id") == "not-applicable" else f"session {UNKNOWN}"


def _session_of_object(row: ntlens.Row) -> str:
    if row.object_session_id is not None:
        return "global (session 0)" if row.object_session_id == 0 else f"session {row.object_session_id}"
    return "no session's namespace" if "object_session_id" not in row.absent else f"session {UNKNOWN}"


def _silo(column: str) -> Callable[[ntlens.Row], str]:
    def place(row: ntlens.Row) -> str:
        value = row[column]
        if value is not None:
            return f"silo {value:#018x}"
        return f"silo {UNKNOWN}" if column in row.absent else "host"

    return place


def _level(column: str) -> Callable[[ntlens.Row], str]:
    return lambda row: known(row[column])


BORDERS = {
    "session": Border("sessions", _session_of_holder, _session_of_object),
    "silo": Border("the borders of containers", _silo("holder_silo"), _silo("object_silo")),
    "integrity": Border("integrity levels", _level("holder_integrity"), _level("owner_integrity")),
    "shared": Border("sessions without a name", _session_of_holder, lambda row: "held in several sessions"),
}


def crossings(dump: ntlens.Dump, *, border: str = "session", holders: int = 24, objects: int = 24) -> Picture:
    """Who holds what across one border: a line for each holder and object, thicker for more handles.

    border: `session`, `silo`, `integrity` or `shared`, as in the table `crossings`.
    holders, objects: the most lines on either side; those with the most handles have one of their own, the others of a
        place share one.
    """
    if border not in BORDERS:
        raise ValueError(f"no border is named {border!r}: {', '.join(BORDERS)}")
    table = dump.crossings(border=border)
    kind = BORDERS[border]
    places = _silos(dump.silos()) if border == "silo" else {}
    left, right = Totals(), Totals()
    texts: tuple[dict[Hashable, str], dict[Hashable, str]] = {}, {}
    edges: Counter[Edge] = Counter()
    for row in table:
        # One id may be of several processes, and one name of several objects.
        here, there = kind.holder(row), kind.object(row)
        holder = (places.get(here, here), row.holder_pid, row.holder)
        thing = (places.get(there, there), row.object, row.path)
        texts[0][holder] = label(row.holder_pid, row.holder)
        texts[1][thing] = row.path if row.path is not None else f"unnamed {known(row.type)} {_address(row.object)}"
        left[holder[0], holder] += 1
        right[thing[0], thing] += 1
        edges[holder, thing, known(row.relation)] += 1
    sides, drawn = _readable(edges, (left, right), texts, (max(holders, 1), max(objects, 1)))
    who, what = count(len(left), "process", "processes"), count(len(right), "object")
    subtitle = f"{count(len(table), 'handle')} of {who} (left) to {what} (right)"
    relations = Counter[str]()
    for key, number in edges.items():
        relations[key[2]] += number
    sheet = Sheet(
        2 * MARGIN + LEFT + MIDDLE + RIGHT,
        0.3 + 0.2 * ((len(relations) + 2) // 3) + max(sides[0].height, sides[1].height, ROW),
        f"What crosses {kind.title}",
        subtitle,
        foot(dump, table),
    )
    _draw(sheet, sides, drawn, relations)
    return sheet.picture


def _silos(silos: ntlens.Table) -> dict[str, str]:
    """What silos are called, by what they are called by their address alone."""
    return {
        f"silo {row.job:#018x}": f"{row.silo_kind} {row.silo_id}"
        for row in silos
        if None not in (row.job, row.silo_kind, row.silo_id)
    }


def _readable(
    edges: Counter[Edge],
    totals: tuple[Totals, Totals],
    texts: tuple[dict[Hashable, str], dict[Hashable, str]],
    most: tuple[int, int],
) -> tuple[tuple[Side, Side], Counter[Edge]]:
    """Both sides, with so few lines of their own that the eye can follow what leads from one to the other."""
    while True:
        left = _side(totals[0], texts[0], most[0], ("process", "processes"))
        right = _side(totals[1], texts[1], most[1], ("object", "objects"))
        drawn: Counter[Edge] = Counter()
        for (holder, thing, relation), number in edges.items():
            drawn[left.line_of[holder], right.line_of[thing], relation] += number
        if len(drawn) <= TANGLE or max(most) == 1:
            return (left, right), drawn
        most = (max(most[0] * 2 // 3, 1), max(most[1] * 2 // 3, 1))


def _address(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:#x}"


def _place_order(place: str) -> tuple[object, ...]:
    """Levels by height, sessions by number, what is unknown at the end."""
    levels = list(INTEGRITY)
    digits = "".join(character for character in place if character.isdigit())
    return (UNKNOWN in place, levels.index(place) if place in levels else -1, int(digits or -1), place)


def _side(totals: Totals, texts: dict[Hashable, str], most: int, thing: tuple[str, str]) -> Side:
    ordered = sorted(totals, key=lambda key: (-totals[key], texts[key[1]], str(key)))
    # One that would be the only other of its place has the line for itself.
    lone = {place for place, number in Counter(place for place, _ in ordered[most:]).items() if number == 1}
    rest = [key for key in ordered[most:] if key[0] not in lone]
    kept = [*ordered[:most], *(key for key in ordered[most:] if key[0] in lone)]
    side = Side()
    groups: dict[str, list[Hashable]] = defaultdict(list)
    for place, key in kept:
        groups[place].append(key)
        side.line_of[key], side.texts[key] = key, texts[key]
    more = Counter(place for place, _ in rest)
    for place, key in rest:
        side.line_of[key] = (place, None)
    for place, number in more.items():
        groups[place].append((place, None))
        side.texts[place, None] = others(number, *thing) if groups[place][:-1] else count(number, *thing)
    side.groups = {place: groups[place] for place in sorted(groups, key=_place_order)}
    return side


def _draw(sheet: Sheet, sides: tuple[Side, Side], edges: Counter[Edge], relations: Counter[str]) -> None:
    y = sheet.top
    color = {relation: COLORS[number % len(COLORS)] for number, relation in enumerate(sorted(relations))}
    for number, relation in enumerate(sorted(relations)):
        x = MARGIN + (sheet.width - 2 * MARGIN) / 3 * (number % 3)
        at = y + 0.2 * (number // 3)
        sheet.line([x, x + 0.3], [at, at], color=color[relation], linewidth=2.5)
        sheet.name(x + 0.38, at, f"{relation} ({relations[relation]:,})", 2.6)
    y += 0.2 * ((len(relations) + 2) // 3) + 0.15
    if not edges:
        sheet.say(MARGIN, y, "No handle was found that crosses this border.", BODY)
        return
    tall = max(side.height for side in sides)
    left, right = MARGIN + LEFT, MARGIN + LEFT + MIDDLE
    for side, x, inwards in ((sides[0], left, -1), (sides[1], right, 1)):
        at = y + (tall - side.height) / 2
        for place, keys in side.groups.items():
            high = HEAD + ROW * len(keys)
            fill = UNKNOWN_FILL if UNKNOWN in place else PLACE
            sheet.box(x if inwards > 0 else x - BAND, at, BAND, high, fill, linewidth=0)
            ha = "left" if inwards > 0 else "right"
            text = x + inwards * (BAND + 0.08)
            sheet.name(text, at + HEAD / 2, place, RIGHT if inwards > 0 else LEFT, HEADING, ha=ha, color=SOFT)
            for line, key in enumerate(keys):
                row = at + HEAD + ROW * (line + 0.5)
                side.places[key] = row
                room = (RIGHT if inwards > 0 else LEFT) - BAND - 0.1
                sheet.name(text, row, side.texts[key], room, SMALL, ha=ha, middle=inwards > 0, color=INK)
            at += high + GAP
    most = max(edges.values())
    steps = np.linspace(0, 1, 24)
    bend = steps**2 * (3 - 2 * steps)
    for (holder, thing, relation), number in sorted(edges.items(), key=lambda item: (-relations[item[0][2]], -item[1])):
        start, end = sides[0].places[holder], sides[1].places[thing]
        wide = 0.8 + 3.2 * (np.log1p(number) / np.log1p(most) if most > 1 else 0)
        sheet.line(
            left + steps * (right - left),
            start + bend * (end - start),
            color=color[relation],
            linewidth=wide,
            alpha=0.55,
        )
