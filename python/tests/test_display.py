"""What a prompt and a notebook show."""

from __future__ import annotations

import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest

import ntlens

HOSTILE = b"<b>'\"&\x1b[2J\0"


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def hostile(demo: ntlens.Dump, demo_bytes: bytes) -> ntlens.Dump:
    """The sample, in which somebody gave a process a name that is markup and steers terminals."""
    process = demo.process(104)
    offset = int(str(demo.dt("_EPROCESS", "ImageFileName")).split()[0], 16)
    at = demo.translate(process.eprocess + offset).file_offset
    data = bytearray(demo_bytes)
    assert data[at : at + 8] == b"smss.exe"
    struct.pack_into("15s", data, at, HOSTILE)
    return ntlens.open(bytes(data))


def test_a_name_is_no_markup(hostile: ntlens.Dump) -> None:
    process = hostile.process(104)
    assert process.name == HOSTILE.rstrip(b"\0").decode()
    for html in (hostile.processes()._repr_html_(), process._repr_html_(), hostile._repr_html_()):
        found = Tags(html)
        assert set(found.tags) <= {
            "div",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "p",
            "span",
            "details",
            "summary",
        }
        assert "<b>" not in html and "\x1b" not in html
    shown = Tags(hostile.processes()._repr_html_()).texts
    assert "<b>'\"&\\u{1b}[2J" in shown
    for text in (repr(hostile.processes()), repr(process), str(process), repr(hostile)):
        assert "\x1b" not in text


def test_what_a_reader_should_not_miss_stands_below_the_rows(demo: ntlens.Dump) -> None:
    processes = demo.processes()
    assert len(processes.remarks) == 1
    assert repr(processes).splitlines()[-2] == f"note: {processes.remarks[0]}"
    assert "note: " not in repr(demo.threads())


def test_parts_with_libraries_of_their_own_are_listed() -> None:
    names = dir(ntlens)
    assert {"plot", "volatility", "open", "Dump"} <= set(names) and "import_module" not in names


def test_long_tables_are_cut(demo: ntlens.Dump) -> None:
    table = demo.threads()
    assert len(table) > 30
    text = repr(table).splitlines()
    assert text[-1] == f"[threads: {len(table)} rows x {len(table.columns)} columns]"
    assert " ..." in text and len(text) <= 24
    html = table._repr_html_()
    assert html.count("<tr>") == 22 and "&#8230;" in html
    assert f"{len(table)} rows" in html
    short = table[:5]
    assert " ..." not in repr(short) and short._repr_html_().count("<tr>") == 6


def test_a_table_fits_the_terminal(demo: ntlens.Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    lines = repr(demo.processes()).splitlines()
    assert all(len(line) <= 70 for line in lines if not line.startswith(("[", "(", "note: ")))
    assert any(line.startswith("(no room for ") for line in lines)


def test_rows_and_dumps(demo: ntlens.Dump) -> None:
    process = demo.process(4)
    assert repr(process).startswith("<Process pid=4 ppid=0 name='System' protection='PP-WinSystem'")
    assert repr(demo.threads()[0]).startswith("<Row of threads pid=4 ")
    lines = str(process).splitlines()
    assert len(lines) == len(process) and re.search(r"^session_id +- \(not-applicable\)$", str(process), re.M)
    assert repr(demo) == "<Dump demo.dmp: bitmap-full, Windows 10.0.19041.1288, layout exact (embedded)>"
    assert Tags(demo._repr_html_()).texts[:2] == ["file", "demo.dmp"]
    assert "not-applicable" in Tags(process._repr_html_()).texts
    assert Tags(demo.dt("_EPROCESS", "System*")._repr_html_()).tags == ["pre"]


def test_what_is_missing_is_counted(demo_bytes: bytes, tmp_path: Path) -> None:
    with pytest.warns(ntlens.IncompleteWarning):
        table = ntlens.open(demo_bytes[: len(demo_bytes) * 9 // 10]).processes()
    missing = sum(one["count"] for one in table.incomplete)
    assert f"{missing} missing or wrong" in repr(table) and f"{missing} missing or wrong" in table._repr_html_()


def test_objects_are_made_by_the_package_alone() -> None:
    for kind in (ntlens.Dump, ntlens.Table, ntlens.Row, ntlens.Process, ntlens.Listing):
        with pytest.raises(TypeError):
            kind()
        assert kind.__module__ == "ntlens" and kind.__doc__


def test_a_row_of_many_columns_is_short_until_it_is_opened(demo: ntlens.Dump) -> None:
    process = demo.process(4)
    short, opened = process._repr_html_().split("<details>")
    assert f"<summary>all {len(process)} columns</summary>" in opened
    assert 10 < short.count("<tr>") < 25 and opened.count("<tr>") == len(process)
    assert "<details>" not in demo.crossings()[0]._repr_html_()


def test_what_is_missing_can_be_opened(demo_bytes: bytes) -> None:
    with pytest.warns(ntlens.IncompleteWarning):
        table = ntlens.open(demo_bytes[: len(demo_bytes) * 9 // 10]).processes()
    first = table.incomplete[0]
    opened = "".join(Tags(table._repr_html_().split("<details>")[1]).texts)
    assert f"{first['count']} x {first['reason']}: {first['what']} at {first['where']}" in opened
