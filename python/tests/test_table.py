"""Tables in other hands: the same values everywhere, without copies."""

from __future__ import annotations

import datetime
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import ntlens


def plain(value: Any) -> Any:
    """What all libraries can say of a value: lists as lists, missing as None, times to the microsecond."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        value = value.floor("us").to_pydatetime(warn=False)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC)
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("question", ["info", "processes", "handles", "threads", "objects", "coverage", "crash"])
def test_all_libraries_read_the_same(demo: ntlens.Dump, question: str) -> None:
    answer = table = demo.ask(question)  # noqa: F841 (DuckDB finds it by its name)
    expected = table.to_dicts()
    assert len(expected) == len(table) > 0
    names = table.columns

    arrow = pa.table(table)
    assert arrow.column_names == [*names, "absent"]
    assert arrow.num_rows == len(table)
    frame = table.to_pandas()
    polars = table.to_polars()
    duckdb.sql("set timezone = 'UTC'")
    duck = duckdb.sql("from answer")
    assert duck is not None and duck.columns == [*names, "absent"]
    read = {
        "pyarrow": arrow.to_pydict(),
        "pandas": {name: list(frame[name]) for name in names},
        "polars": polars.to_dict(as_series=False),
        "duckdb": dict(zip(duck.columns, zip(*duck.fetchall(), strict=True), strict=True)),
    }
    for library, columns in read.items():
        for name in names:
            values = [plain(value) for value in columns[name]]
            assert values == [plain(row[name]) for row in expected], (library, name)


def test_missing_whole_numbers_make_no_floats(demo: ntlens.Dump) -> None:
    frame = demo.processes().to_pandas()
    assert frame["session_id"].isna().any() and frame["session_id"].notna().any()
    assert str(frame["session_id"].dtype) == "uint64[pyarrow]"
    assert str(frame["create_time"].dtype) == "timestamp[ns, tz=UTC][pyarrow]"
    # An address of the kernel has all of its bits.
    assert frame["eprocess"].max() > 1 << 63


def test_nothing_is_copied(demo: ntlens.Dump) -> None:
    table = demo.handles()

    def places() -> list[int]:
        arrow = pa.table(table)
        return [part.address for column in arrow.columns for part in column.chunk(0).buffers() if part is not None]

    first = places()
    assert first and first == places()
    # From there on it is each library's own business; polars takes a column of numbers as it is.
    polars = pa.table(table.to_polars()).column("handle").chunk(0).buffers()[1]
    assert polars.address in first


def test_the_stream_outlives_the_table() -> None:
    arrow = pa.table(ntlens.demo().processes())
    assert arrow.column("pid").to_pylist()[:2] == [4, 92]


def test_a_capsule_that_nobody_takes_is_freed(demo: ntlens.Dump) -> None:
    for _ in range(100):
        assert demo.processes()[:3].__arrow_c_stream__() is not None
        assert demo.processes()[:3].__arrow_c_schema__() is not None


def test_schema_says_what_columns_mean(demo: ntlens.Dump) -> None:
    table = demo.processes()
    schema = pa.schema(table)
    assert schema.metadata[b"table"] == b"processes"
    for name, about in table.about.items():
        assert schema.field(name).metadata[b"about"].decode() == about


def test_an_empty_table_has_its_columns(demo: ntlens.Dump) -> None:
    table = demo.handles(pid=4)[:0]
    assert len(table) == 0 and table.to_dicts() == []
    assert pa.table(table).column_names == [*table.columns, "absent"]
    assert table.to_polars().shape == (0, len(table.columns) + 1)
    assert len(table.to_pandas()) == 0


def test_rows_and_columns(demo: ntlens.Dump) -> None:
    table = demo.threads()
    assert table["tid"] == [row["tid"] for row in table]
    assert table[0]["tid"] == table["tid"][0] and table[-1].tid == table["tid"][-1]
    assert table[2:9:3]["tid"] == table["tid"][2:9:3]
    assert table[::-1]["tid"] == table["tid"][::-1]
    with pytest.raises(KeyError):
        table["no such"]
    with pytest.raises(IndexError):
        table[len(table)]
    with pytest.raises(IndexError):
        table[-len(table) - 1]
    with pytest.raises(TypeError):
        table[1.5]  # type: ignore[call-overload]


def test_a_row_is_a_mapping(demo: ntlens.Dump) -> None:
    from collections.abc import Mapping

    row = demo.threads()[0]
    assert isinstance(row, Mapping) and type(row) is ntlens.Row
    assert dict(row) == row.to_dict() == dict(row.items()) == dict(zip(row.keys(), row.values(), strict=True))
    assert list(row) == demo.threads().columns and len(row) == len(list(row))
    assert "tid" in row and "no such" not in row and 3 not in row
    assert row.get("tid") == row.tid and row.get("no such") is None and row.get("no such", 3) == 3
    assert dir(row).count("tid") == 1
    assert row == row.to_dict() == demo.threads()[0] and row != demo.threads()[1] and row != 3
    assert len({row, demo.threads()[0], demo.threads()[1]}) == 2
    assert row.create_time.tzinfo is datetime.UTC
    with pytest.raises(KeyError):
        row["no such"]
    with pytest.raises(AttributeError, match="no column 'no_such'"):
        row.no_such  # noqa: B018
    with pytest.raises(AttributeError):
        row.tid = 3


def test_what_is_missing_says_why(demo: ntlens.Dump) -> None:
    system = demo.process(4)
    assert system.session_id is None and system.absent["session_id"] == "not-applicable"
    assert system.exit_time is None and "exit_time" not in system.absent
    frame = demo.processes().to_polars()
    assert "session_id=not-applicable" in frame["absent"][0].split(" ")


def test_libraries_are_needed_only_when_they_are_asked_for(demo: ntlens.Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name, method in [("pandas", "to_pandas"), ("polars", "to_polars"), ("pyarrow", "to_arrow")]:
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match="pip install ntlens"):
            getattr(demo.processes(), method)()
        monkeypatch.undo()
