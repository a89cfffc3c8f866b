"""Pictures: what they say against the truth, and that text of a dump stays text."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from conftest import machines
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from test_truth import number, opened, protection

import ntlens
from ntlens import plot
from ntlens.plot._picture import MARGIN
from ntlens.plot._text import clean, fit

#: Pictures that a tall page of a report can hold, in inches.
TALLEST = 16


def texts(picture: Figure) -> list[str]:
    return [text.get_text() for text in picture.findobj(Text) if text.get_text()]


def rendered(picture: Figure) -> bytes:
    png = picture._repr_png_()
    assert png.startswith(b"\x89PNG") and len(png) > 5000
    return png


def ignoring(dump: ntlens.Dump, name: str, **options: Any) -> Figure:
    with warnings.catch_warnings():
        # Some machines are damaged, and the pictures say so.
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        return plot.PICTURES[name](dump, **options)


def ignoring_open(data: bytes) -> ntlens.Dump:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        return ntlens.open(data)


def changed(demo: ntlens.Dump, data: bytes, pid: int, field: str, value: bytes) -> ntlens.Dump:
    """The sample with other bytes in a field of a process."""
    offset = int(str(demo.dt("_EPROCESS", field)).split()[0], 16)
    at = demo.translate(demo.process(pid).eprocess + offset).file_offset
    copy = bytearray(data)
    struct.pack_into(f"{len(value)}s", copy, at, value)
    return ntlens.open(bytes(copy))


@pytest.mark.parametrize("name", plot.PICTURES)
def test_every_picture_says_what_it_is_of(demo: ntlens.Dump, name: str) -> None:
    picture = plot.PICTURES[name](demo)
    assert isinstance(picture, Figure) and isinstance(picture, plot.Picture)
    rendered(picture)
    said = texts(picture)
    assert any(line.startswith("demo.dmp · Windows 10.0.19041.1288 · 2022-07-27") for line in said)
    assert "layout: exact (embedded)" in said
    assert "nothing that the answer needs was missing from the dump" in said
    assert getattr(plot, name) is plot.PICTURES[name] and name in plot.__all__
    shown = [text for text in picture.findobj(Text) if text.get_text()]
    assert not any(text.get_parse_math() or text.get_usetex() for text in shown)


def test_the_process_of_a_small_dump_is_not_hidden(testkit: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.dmp"
    subprocess.run([testkit, "make", "--build", "19041.1288", "--kind", "triage", path], check=True)
    said = texts(ignoring(ignoring_open(path.read_bytes()), "process_tree"))
    assert not any("NOT IN ACTIVE LIST" in line for line in said)


@pytest.mark.parametrize("name", plot.PICTURES)
def test_what_is_missing_is_said(demo_bytes: bytes, name: str) -> None:
    cut = ignoring_open(demo_bytes[: len(demo_bytes) * 9 // 10])
    with pytest.warns(ntlens.IncompleteWarning) as caught:
        picture = plot.PICTURES[name](cut)
        if name == "crossings":
            plot.crossings(cut, border="silo")
    assert {Path(warning.filename) for warning in caught} == {Path(__file__)}
    assert any(line.startswith("INCOMPLETE, ") for line in texts(picture))


@pytest.mark.parametrize("machine", machines("e5"), indirect=True)
def test_text_keeps_to_its_room_at_every_resolution(machine: Any) -> None:
    """The line of what is missing is as long as a line can be; beside it the page is empty."""
    dump = opened(machine)
    for name in plot.PICTURES:
        picture = ignoring(dump, name)
        [line] = [text for text in texts(picture) if text.startswith("INCOMPLETE, ")]
        assert line.endswith("…")
        for dpi in (80, 110):
            picture.set_dpi(dpi)
            canvas = FigureCanvasAgg(picture)
            canvas.draw()
            margin = np.asarray(canvas.buffer_rgba())[:, -int(0.8 * MARGIN * dpi) :]
            assert margin.shape[1] > 10 and (margin == 255).all(), (name, dpi)


def test_the_layout_of_another_revision_is_said(machine: Any) -> None:
    dump = opened(machine)
    said = texts(ignoring(dump, "protection_map"))
    assert f"layout: {dump.info.layout_origin} ({dump.info.layout_source})" in said
    if machine.name.startswith("e8"):
        assert any(line.startswith("layout: build") for line in said)


def test_the_tree_has_every_process(machine: Any) -> None:
    said = texts(ignoring(opened(machine), "process_tree", limit=10_000))
    expected = [process for process in machine.truth["processes"] if not process["freed"]]
    assert f"{len(expected)} processes, by who started whom" in said
    shown = Counter(word for line in said for word in line.split() if word.isdigit())
    for process in expected:
        # Alone in a column, or among those of a line that they share.
        assert shown[str(process["pid"])] or any("…" in line for line in said), process["pid"]
    for process in expected:
        assert any(line.startswith(clean(process["image_name"])) for line in said), process["image_name"]


def test_the_map_counts_as_the_truth_does(machine: Any) -> None:
    dump = opened(machine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        rows = {row.eprocess: row for row in dump.processes()}
    expected: Counter[tuple[str, Any]] = Counter()
    for process in machine.truth["processes"]:
        if not process["freed"]:
            row = rows[number(process["eprocess"])]
            level = "unknown" if "integrity" in row.absent else process["token"]["integrity_rid"]
            expected["unknown" if "protection" in row.absent else protection(process), level] += 1
    picture = ignoring(dump, "protection_map")
    counts = [int(text.get_text()) for text in picture.findobj(Text) if text.get_fontsize() == 11]
    assert sorted(counts) == sorted(expected.values())
    said = texts(picture)
    assert {kind for kind, _ in expected} <= set(said)
    assert ("unknown" in said) == any("unknown" in key for key in expected)
    rendered(picture)


def test_crossings_count_as_the_truth_does(machine: Any) -> None:
    dump = opened(machine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        read = {(row.pid, row.handle) for row in dump.handles()}
    truth = [one for one in machine.truth["cross_session"] if (one["pid"], one["handle"]) in read]
    expected = Counter(one["class"].replace("_", "-") for one in truth)
    picture = ignoring(dump, "crossings", border="session", holders=1000, objects=1000)
    said = texts(picture)
    found = {match[1]: int(match[2]) for line in said if (match := re.fullmatch(r"([a-z-]+) \((\d+)\)", line))}
    assert found == expected
    holders, objects = {one["pid"] for one in truth}, {one["object"] for one in truth}
    assert any(line.endswith(f"of {len(holders)} processes (left) to {len(objects)} objects (right)") for line in said)
    for border in ("silo", "integrity", "shared"):
        rendered(ignoring(dump, "crossings", border=border))


# The handle tables of e5 are damaged on purpose.
@pytest.mark.parametrize("machine", machines("s", *(f"e{number}" for number in (1, 2, 3, 4, 6, 7, 8))), indirect=True)
def test_handles_are_counted_as_the_truth_does(machine: Any) -> None:
    dump = opened(machine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        read = {(row.pid, row.handle) for row in dump.handles(all=True)}
    handles = [
        handle
        for process in machine.truth["processes"]
        for handle in process["handles"]
        if not process["freed"] and (process["pid"], handle["handle"]) in read
    ]
    expected = Counter(handle["type"] for handle in handles)
    picture = ignoring(dump, "handle_types", processes=1, types=1000)
    said = texts(picture)
    assert set(expected) <= set(said)
    last = next(text for text in picture.findobj(Text) if text.get_text() == "all").get_position()[1]
    sums = [text.get_text() for text in picture.findobj(Text) if text.get_position()[1] == last]
    values = sorted(int(text.replace(",", "")) for text in sums if text != "all")
    assert values == sorted([*expected.values(), expected.total()])


def test_a_value_that_is_not_there_is_unknown(demo: ntlens.Dump, demo_bytes: bytes) -> None:
    dump = changed(demo, demo_bytes, 4, "Token", struct.pack("<Q", 0x1234_5678_90AB_CDEF))
    assert dump.process(4).integrity is None and "integrity" in dump.process(4).absent
    assert "unknown" not in texts(ignoring(demo, "protection_map"))
    assert "unknown" in texts(ignoring(dump, "protection_map"))
    assert texts(ignoring(dump, "process_tree")).count("unknown") == 1


def test_names_are_no_markup(demo: ntlens.Dump, demo_bytes: bytes) -> None:
    name = b"$\\frac{1}{2$\x1b\n\0"
    dump = changed(demo, demo_bytes, 104, "ImageFileName", name)
    expected = r"$\frac{1}{2$\u{1b}\u{a}"
    for kind, function in plot.PICTURES.items():
        picture = function(dump)
        rendered(picture)
        said = texts(picture)
        if kind != "crossings":
            assert any(expected in line for line in said), kind
        assert not any("\x1b" in line or "\n" in line for line in said)


def test_settings_of_the_user_are_neither_used_nor_changed(demo: ntlens.Dump) -> None:
    with matplotlib.rc_context({"text.usetex": True, "font.size": 40, "figure.facecolor": "black"}):
        before = dict(matplotlib.rcParams)
        for function in plot.PICTURES.values():
            rendered(function(demo))
        assert dict(matplotlib.rcParams) == before


def test_text_that_does_not_stand_by_itself() -> None:
    assert clean("a\u202eb") == r"a\u{202e}b"
    assert clean("e\u0301\u0301\u0301") == r"e\u{301}\u{301}\u{301}"
    assert clean("\u4e2d.exe") == r"\u{4e2d}.exe"
    assert clean("тест ä $x$") == "тест ä $x$"
    assert clean("\ue000\U000f0000") == r"\u{e000}\u{f0000}"
    assert fit("x" * 1000, 1.0, 8) == "x" * 13 + "…"
    assert fit("\\Device\\HarddiskVolume3\\a.exe", 1.0, 8, middle=True) == "\\Dev…me3\\a.exe"


def test_large_machines_stay_readable(testkit: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.dmp"
    make = [testkit, "make", "--build", "19041.1288", "--kind", "full", "--processes", "400", "--memory", "4096"]
    subprocess.run([*make, "--with", "busy", path], check=True)
    dump = ntlens.open(path)
    for name, function in plot.PICTURES.items():
        picture = function(dump)
        wide, high = picture.get_size_inches()
        assert wide < TALLEST and high < TALLEST, name
        said = texts(picture)
        assert any("other" in line or " × " in line for line in said), name
        rendered(picture)
    small = plot.process_tree(dump, limit=12)
    rows = [text for text in texts(small) if text == "None" or text.startswith(("PP-", "PPL-"))]
    assert len(rows) <= 12 and small.get_size_inches()[1] < 5
    # All processes are shown or counted.
    counted = sum(
        int(match[1]) for line in texts(small) if (match := re.fullmatch(r"… (\d+) other process(?:es)?", line))
    )
    folded = sum(int(match[1]) - 1 for line in texts(small) if (match := re.search(r" × (\d+)$", line)))
    assert len(rows) + counted + folded == 400
    assert any(line.startswith("NOT IN ACTIVE LIST") for line in texts(small))


def test_borders_are_those_of_the_table(demo: ntlens.Dump) -> None:
    with pytest.raises(ValueError, match="no border is named 'wall'"):
        plot.crossings(demo, border="wall")
    assert "No handle was found that crosses this border." in texts(plot.crossings(demo, border="silo"))


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_nothing_global_is_loaded() -> None:
    program = "import sys, ntlens; ntlens.plot.process_tree(ntlens.demo())._repr_png_()"
    assert run(program + "; print('matplotlib.pyplot' in sys.modules)") == "False\n"


def test_without_the_extra() -> None:
    program = """if True:
        import sys
        sys.modules["matplotlib"] = None
        import ntlens
        print(len(ntlens.demo().processes()))
        try:
            from ntlens import plot
        except ImportError as error:
            print(error)
        try:
            ntlens.plot
        except ImportError as error:
            print(error)
    """
    needed = "pictures need matplotlib: pip install ntlens[plot]"
    assert run(program).splitlines() == ["36", needed, needed]
    assert not hasattr(ntlens, "pictures")
