"""Values of rows as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ntlens._ntlens import questions

Json = dict[str, Any]
Row = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_KINDS: dict[str, dict[str, str]] = {
    one["name"]: {column["name"]: column["kind"] for column in one["columns"]} for one in questions()
}


def plain(table: str, row: Row) -> Json:
    """The columns of a row that have a value, as JSON has them."""
    kinds = _KINDS[table]
    return {
        column: _cell(kinds[column], value) for column, value in row.items() if value is not None and column in kinds
    }


def _cell(kind: str, value: Any) -> Any:
    if kind == "address":
        return f"{value:#018x}"
    if kind == "addresses":
        return [f"{address:#018x}" for address in value]
    return text(value)


def put(found: Json, place: str, value: Any) -> None:
    """Puts a value that is there where dots say."""
    if value is None:
        return
    *path, last = place.split(".")
    for name in path:
        found = found.setdefault(name, {})
    found[last] = value


def value_of(process: Row, column: str) -> Any:
    value = process.get(column)
    # Processes that the kernel makes of no file have a bare name there.
    return None if column == "image_path" and value is not None and "\\" not in value else value


def known(value: Any) -> Any:
    return "?" if value is None else value


def milliseconds(value: Any) -> Any:
    """A time as milliseconds since 1970; all else as it is."""
    return (value - _EPOCH) // timedelta(milliseconds=1) if isinstance(value, datetime) else value


def text(value: Any) -> Any:
    """A time as RFC 3339 has it; all else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value
