"""The timeline, as a table and as other programs read it."""

from __future__ import annotations

import datetime
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from test_truth import opened, rows, time

import ntlens
from ntlens._ntlens import questions

pytestmark = pytest.mark.filterwarnings("ignore::ntlens.IncompleteWarning")


def test_every_time_of_every_answer_is_in_it(demo: ntlens.Dump) -> None:
    found = {(row["time"], row["table"], row["column"]) for row in rows(demo.timeline())}
    count = 0
    for question in questions():
        if question["name"] == "timeline":
            continue
        columns = [column["name"] for column in question["columns"] if column["kind"] == "time"]
        for row in rows(demo.ask(question["name"])) if columns else []:
            for column in columns:
                if row[column] is not None:
                    count += 1
                    assert (row[column], question["name"], column) in found
    assert len(demo.timeline()) == count > 100
    times = [row["time"] for row in rows(demo.timeline())]
    assert times == sorted(times)


def test_times_are_those_of_the_truth(machine: Any) -> None:
    truth = machine.truth
    found = {(row["table"], row["column"], row["pid"], row["time"]) for row in rows(opened(machine).timeline())}
    listed = [process for process in truth["processes"] if process["in_active_list"] and not process["freed"]]
    expected = {
        ("info", "crash_time", None, time(truth["dump"]["header"]["system_time"])),
        ("info", "boot_time", None, time(truth["kernel"]["boot_time"])),
    }
    expected |= {("unloaded", "unload_time", None, time(driver["time"])) for driver in truth["unloaded_drivers"]}
    for process in listed:
        for column in ("create_time", "exit_time"):
            if process[column]:
                expected.add(("processes", column, process["pid"], time(process[column])))
        for thread in process["threads"]:
            expected.add(("threads", "create_time", process["pid"], time(thread["create_time"])))
    missing = expected - found
    print(f"{machine.name}: {len(expected) - len(missing)} times equal, {len(missing)} missing")
    # What a damaged dump cannot tell is missing, and never another time.
    assert not missing or (machine.name.startswith("e5") and len(missing) < len(expected) // 50)
    assert len(expected) > 300


def test_timesketch_takes_each_line(machine: Any) -> None:
    dump = opened(machine)
    lines = dump.to_timeline("timesketch").splitlines()
    table = dump.timeline()
    assert len(lines) == len(table)
    kinds: dict[str, type] = {}
    for line, row in zip(lines, table, strict=True):
        event = json.loads(line)
        assert event["message"] == row.message and event["timestamp_desc"]
        moment = datetime.datetime.fromisoformat(event["datetime"])
        assert moment == row.time and event["datetime"].endswith("+00:00") and len(event["datetime"]) == 32
        assert event["timestamp"] == (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // (
            datetime.timedelta(microseconds=1)
        )
        # An index has one kind of value for one name.
        for name, value in event.items():
            assert kinds.setdefault(name, type(value)) is type(value), name
    process = next(json.loads(line) for line in lines if '"table":"processes"' in line)
    assert process["protection"] and process["timestamp_desc"] == "Create Time" and process["pid"] == 4


def bodyfile(text: str) -> list[list[str]]:
    """Fields as `mactime` has them: whatever is between the separators."""
    found = [line.split("|") for line in text.splitlines() if not line.startswith("#")]
    assert all(len(fields) == 11 for fields in found)
    return found


def test_mactime_takes_each_line(machine: Any) -> None:
    dump = opened(machine)
    found, table = bodyfile(dump.to_timeline("bodyfile")), dump.timeline()
    assert len(found) == len(table)
    slots = {"crash_time": 9, "exit_time": 9, "unload_time": 9}
    for fields, row in zip(found, table, strict=True):
        seconds = int(row.time.timestamp())
        times = {place: int(fields[place]) for place in (7, 8, 9, 10)}
        assert {place: value for place, value in times.items() if value} == {slots.get(row.column, 10): seconds}
        assert int(fields[2]) == (row.pid or 0)


def test_no_name_forges_a_line(demo: ntlens.Dump, demo_bytes: bytes) -> None:
    """Somebody named a process so that it would be another row."""
    process = demo.process(4)
    offset = int(str(demo.dt("_EPROCESS", "ImageFileName")).split()[0], 16)
    at = demo.translate(process.eprocess + offset).file_offset
    data = bytearray(demo_bytes)
    assert data[at : at + 6] == b"System"
    name = 'a|1|"}\n0|b\r|\x1b'
    struct.pack_into("15s", data, at, name.encode())
    hostile = ntlens.open(bytes(data))
    assert hostile.process(4).name == name
    events = bodyfile(hostile.to_timeline("bodyfile"))
    assert len(events) == len(hostile.timeline()) == len(demo.timeline())
    assert sum("a\\u{7c}1\\u{7c}" in fields[1] for fields in events) > 0
    for lines in (hostile.to_timeline("timesketch"), hostile.to_timeline("bodyfile")):
        assert "\x1b" not in lines and "\r" not in lines
    lines = [json.loads(line) for line in hostile.to_timeline("timesketch").splitlines()]
    assert len(lines) == len(events) and any(line.get("name") == name for line in lines)


def test_a_thread_that_has_ended_has_an_end(demo: ntlens.Dump, demo_bytes: bytes) -> None:
    """While it runs, what lies in the place of the time is something else."""
    thread = demo.threads()[0]
    assert thread.exit_time is None and "exit_time" not in thread.absent
    field = {name: int(str(demo.dt("_ETHREAD", name)).split()[0], 16) for name in ("ExitTime",)}
    field["State"] = int(str(demo.dt("_KTHREAD", "State")).split()[0], 16)
    ended = 132_900_000_000_000_000
    data = bytearray(demo_bytes)
    struct.pack_into("<Q", data, demo.translate(thread.ethread + field["ExitTime"]).file_offset, ended)
    assert ntlens.open(bytes(data)).threads()[0].exit_time is None
    data[demo.translate(thread.ethread + field["State"]).file_offset] = 4
    dump = ntlens.open(bytes(data))
    [row] = [row for row in rows(dump.threads()) if row["ethread"] == thread.ethread]
    assert row["state"] == "Terminated" and row["exit_time"] == time(ended)
    assert ("threads", "exit_time", time(ended)) in {
        (row["table"], row["column"], row["time"]) for row in rows(dump.timeline())
    }


def test_a_time_that_no_calendar_has_is_told(demo: ntlens.Dump, demo_bytes: bytes) -> None:
    process = demo.process(4)
    offset = int(str(demo.dt("_EPROCESS", "CreateTime")).split()[0], 16)
    at = demo.translate(process.eprocess + offset).file_offset
    for value, counted in ((1, 1), ((1 << 64) - 1, 1), (100_000_000_000_000_000, 0)):
        data = bytearray(demo_bytes)
        struct.pack_into("<Q", data, at, value)
        dump = ntlens.open(bytes(data))
        table = dump.timeline()
        wrong = [one for one in table.incomplete if one["where"] == "processes.create_time"]
        assert sum(one["count"] for one in wrong) == counted
        assert len(table) == len(demo.timeline()) - counted
        # 1917 is a time, which a bodyfile cannot tell.
        text = dump.to_timeline("bodyfile")
        assert text.count("\n# 1 events of before 1970") == 1 - counted


def test_the_command_writes_the_same(demo: ntlens.Dump, demo_path: Path, cli: Path) -> None:
    dump = ntlens.open(demo_path)
    for name in ("timesketch", "bodyfile"):
        command = [cli, "timeline", demo_path, "--format", name]
        written = subprocess.run(command, check=True, capture_output=True).stdout.decode()
        assert written == dump.to_timeline(name)  # type: ignore[arg-type]
    chosen = [cli, "timeline", demo_path, "--where", "table = processes", "--format", "bodyfile"]
    lines = subprocess.run(chosen, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == sum(row.table == "processes" for row in dump.timeline())
    refused = subprocess.run([cli, "processes", demo_path, "--format", "bodyfile"], capture_output=True, text=True)
    assert refused.returncode == 2 and "bodyfile" in refused.stderr
    with pytest.raises(ValueError, match="format is one of bodyfile, timesketch"):
        demo.to_timeline("csv")  # type: ignore[arg-type]


def test_a_timeline_is_a_table(demo: ntlens.Dump) -> None:
    assert pa.table(demo.timeline()).num_rows == len(demo.timeline())
    row = demo.timeline()[0]
    assert row.message.startswith(f"{row.table}: ") and row.message.endswith(f": {row.event}")
    assert all("=" in detail for detail in row.details)
