"""Events for SIEMs: what the schemas require, and values against the truth files."""

from __future__ import annotations

import json
import uuid
import warnings
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

import ntlens
import ntlens.events
from ntlens.events import _ecs, _ocsf
from ntlens.events._mapping import RULES
from ntlens.events._source import Source

Event = dict[str, Any]

# Of the public schema (github.com/ocsf/ocsf-schema, version 1.3): the attributes whose requirement is `required`, by
# the file that has them: the base event with its includes, the category of system events, the two classes and their
# objects. An older version wanted `vendor_name` and `title` too.
BASE = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
REQUIRED = {1007: BASE | {"actor", "device", "process"}, 2004: BASE | {"finding_info"}}
# The enumerations of `activity_id`; 0 (Unknown) and 99 (Other) are of every class.
ACTIVITIES = {1007: {0, 1, 2, 3, 4, 5, 99}, 2004: {0, 1, 2, 3, 99}}
OBJECTS = {
    "metadata": {"product", "version"},
    "product": {"name", "vendor_name"},
    "device": {"type_id"},
    "os": {"name", "type_id"},
    "finding_info": {"uid", "title"},
    "analytic": {"type_id"},
    "file": {"name", "type_id"},
}
# Of these an object has at least one.
ONE_OF = {
    "process": {"pid", "uid"},
    "parent_process": {"pid", "uid"},
    "actor": {"process", "user", "session", "app_name", "app_uid"},
    "device": {"ip", "uid", "name", "hostname", "instance_uid", "interface_uid", "interface_name"},
    "user": {"account", "name", "uid"},
    "analytic": {"name", "uid"},
    "evidences": {"actor", "data", "device", "file", "process", "user"},
}
# The attributes of the schema that the objects have here: another would be ours, and belongs to `unmapped`.
KNOWN = {
    "process": {
        *("cmd_line", "created_time", "file", "integrity", "integrity_id", "name", "parent_process", "pid"),
        *("session", "terminated_time", "uid", "user"),
    },
    "device": {"type_id", "instance_uid", "os"},
    "os": {"name", "type", "type_id", "version", "build"},
    "evidences": {"actor", "process", "data"},
    "resources": {"uid", "name", "type"},
}
INTEGRITIES = {1: "Untrusted", 2: "Low", 3: "Medium", 4: "High", 5: "System", 6: "Protected"}

# Of the Elastic Common Schema's reference: values that are allowed, and the types that are expected with a category.
ECS_TYPES = {
    "process": {"access", "change", "end", "info", "start"},
    "intrusion_detection": {"allowed", "denied", "info"},
}
ECS_PROCESS = {"pid", "name", "command_line", "executable", "start", "end", "parent", "entity_id"}


def events(dump: ntlens.Dump) -> tuple[list[Event], list[Event]]:
    """Of both schemas, as a reader of lines of JSON has them."""
    with warnings.catch_warnings():
        # Some of the machines are damaged on purpose.
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        both = list(ntlens.to_ocsf(dump)), list(ntlens.to_ecs(dump))
    for one in both:
        assert json.loads(json.dumps(one)) == one
    return both


def opened(machine: Any) -> ntlens.Dump:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        return ntlens.open(machine.path)


def filetime(value: int | None) -> timedelta | None:
    """A FILETIME as the time since 1970, to the microsecond."""
    return timedelta(microseconds=(value - 116_444_736_000_000_000) // 10) if value else None


def since(text: str | None) -> timedelta | None:
    """The same of a time in RFC 3339."""
    if text is None:
        return None
    assert text.endswith("Z")
    return datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(time: timedelta | None) -> int | None:
    return None if time is None else time // timedelta(milliseconds=1)


def nothing_is_empty(value: Any, place: str = "") -> None:
    """What is not known is left out."""
    assert value is not None, place
    assert value != {}, place
    if isinstance(value, dict):
        for name, one in value.items():
            assert isinstance(name, str)
            nothing_is_empty(one, f"{place}.{name}")
    elif isinstance(value, list):
        for one in value:
            nothing_is_empty(one, place)


def check_objects(value: Any) -> None:
    """Requirements of every object in an event of OCSF."""
    for name, one in value.items():
        if name in ("unmapped", "data"):
            continue
        for each in one if isinstance(one, list) else [one]:
            if not isinstance(each, dict):
                continue
            assert each.keys() >= OBJECTS.get(name, set()), name
            assert name not in ONE_OF or each.keys() & ONE_OF[name], name
            allowed = KNOWN.get("process" if name == "parent_process" else name)
            assert allowed is None or each.keys() <= allowed, name
            if "integrity_id" in each:
                assert INTEGRITIES.get(each["integrity_id"], each["integrity"]) == each["integrity"]
            check_objects(each)


def check_ocsf(event: Event) -> None:
    kind = event["class_uid"]
    assert event.keys() >= REQUIRED[kind]
    assert event["category_uid"] == kind // 1000
    assert event["activity_id"] in ACTIVITIES[kind]
    assert event["type_uid"] == kind * 100 + event["activity_id"]
    assert event["severity_id"] in range(1, 7)
    # From 1980 to 2100: in milliseconds, neither in seconds nor in nanoseconds.
    assert type(event["time"]) is int
    assert 315_532_800_000 < event["time"] < 4_102_444_800_000
    assert event["metadata"]["version"] == ntlens.events.OCSF_VERSION
    assert event["metadata"]["product"]["version"] == ntlens.__version__
    assert event["device"]["os"]["type_id"] == 100
    assert uuid.UUID(event["metadata"]["uid"]).version == 5
    if kind == 2004:
        assert event["finding_info"]["uid"] == event["metadata"]["uid"]
        assert event["evidences"]
        assert event["unmapped"]["doubts"]
        for doubt in event["unmapped"]["doubts"]:
            assert doubt in event["finding_info"]["desc"]
    check_objects(event)
    nothing_is_empty(event)


def check_ecs(event: Event, ocsf: Event) -> None:
    """An event of ECS, and that it is the same as that of OCSF."""
    assert event["ecs"] == {"version": ntlens.events.ECS_VERSION}
    about = event["event"]
    assert about["kind"] == {1007: "event", 2004: "alert"}[ocsf["class_uid"]]
    assert about["module"] == "ntlens"
    assert about["dataset"] == f"ntlens.{ocsf['unmapped']['table']}"
    for kind in about["type"]:
        assert all(kind in ECS_TYPES[category] for category in about["category"])
    assert about["id"] == ocsf["metadata"]["uid"]
    assert milliseconds(since(event["@timestamp"])) == ocsf["time"]
    assert event["message"] == ocsf["message"]
    assert event["host"]["os"]["type"] == "windows"
    assert event["ntlens"][ocsf["unmapped"]["table"]] == ocsf["unmapped"]["row"]
    assert event["ntlens"].get("doubts") == ocsf["unmapped"].get("doubts")
    assert event.keys() <= {"@timestamp", "ecs", "event", "host", "message", "ntlens", "process", "rule", "user"}
    assert event.get("process", {}).keys() <= ECS_PROCESS
    nothing_is_empty(event)


def check_all(dump: ntlens.Dump) -> tuple[list[Event], list[Event]]:
    ocsf, ecs = events(dump)
    assert len(ocsf) == len(ecs)
    for one, other in zip(ocsf, ecs, strict=True):
        check_ocsf(one)
        check_ecs(other, one)
    ids = Counter(event["metadata"]["uid"] for event in ocsf)
    assert ids.most_common(1)[0][1] == 1, "two events have one id"
    return ocsf, ecs


def test_of_the_sample(demo: ntlens.Dump, demo_bytes: bytes) -> None:
    ocsf, ecs = check_all(demo)
    classes = Counter((event["type_uid"], event["unmapped"]["table"]) for event in ocsf)
    processes = demo.processes()
    assert classes[100701, "processes"] == len(processes)
    assert classes[200401, "crossings"] == len(demo.crossings(all=True))
    hidden = [event["process"]["pid"] for event in ecs if event["event"]["action"] == "hidden-process"]
    assert hidden == [row["pid"] for row in processes if "active-list" not in row["sources"]]
    assert len(hidden) == 1
    # Another run, from another source of the same bytes.
    assert events(ntlens.open(demo_bytes)) == (ocsf, ecs)


def test_addresses_are_text(demo: ntlens.Dump) -> None:
    rows = [event["unmapped"]["row"] for event in ntlens.to_ocsf(demo) if event["type_uid"] == 100701]
    for row, process in zip(rows, demo.processes(), strict=True):
        assert row["eprocess"] == f"0x{process['eprocess']:016x}"
        assert set(row) == {name for name, value in process.items() if value is not None}


def test_hostile_names_break_no_line(demo_bytes: bytes) -> None:
    """A name in memory with ends of lines, a quote, an escape of terminals and a byte that is no ASCII."""
    name = b'a\n"\r\x1b[\x85,\\'
    patched = demo_bytes.replace(b"explorer.exe\0", name.ljust(12, b"_") + b"\0")
    assert patched != demo_bytes
    ocsf, ecs = check_all(ntlens.open(patched))
    for found in (ocsf, ecs):
        names = {event["process"].get("name", "") for event in found if "process" in event}
        assert any(one.startswith('a\n"\r\x1b[') for one in names)
        lines = "".join(json.dumps(event) + "\n" for event in found)
        assert [json.loads(line) for line in lines.splitlines()] == found


def test_a_dump_without_a_time_uses_the_latest_it_has(demo: ntlens.Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(demo)
    monkeypatch.setitem(source.info, "crash_time", None)
    exits = [row["exit_time"] for row in demo.processes() if row["exit_time"] is not None]
    assert source.time() == max([row["create_time"] for row in demo.processes()] + exits)
    monkeypatch.setattr(source, "processes", [])
    with pytest.raises(ntlens.NotInDumpError, match="when it was taken"):
        source.time()


def test_what_the_dump_does_not_hold_is_left_out(demo: ntlens.Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of which little is left: it was seen, when and by whom it was made is not said."""
    source = Source(demo)
    whole = source.processes[3]
    kept = {"eprocess", "sources", "name"}
    damaged = {column: value if column in kept else None for column, value in whole.items()}
    monkeypatch.setattr(source, "processes", [damaged])
    event = next(source.events())
    ocsf, ecs = _ocsf.event_of(source, event), _ecs.event_of(source, event)
    check_ocsf(ocsf)
    check_ecs(ecs, ocsf)
    assert ocsf["type_uid"] == 100799
    assert ocsf["time"] == milliseconds(source.info["crash_time"] - datetime(1970, 1, 1, tzinfo=UTC))
    assert ocsf["process"].keys() == {"name", "uid"}
    assert ocsf["actor"] == {"app_name": "Unknown"}
    assert ecs["process"].keys() == {"name", "entity_id"}
    assert "user" not in ecs


def test_a_holder_that_is_not_known_is_no_actor(demo: ntlens.Dump) -> None:
    source = Source(demo)
    event = next(event for event in source.events() if event.table == "crossings")
    holder = source.holder(None, "x.exe")
    found = _ocsf.event_of(source, replace(event, process=holder))
    check_ocsf(found)
    assert found["evidences"][0].keys() == {"data"}
    # Two processes of one id: which of them holds the handle is not known.
    pid = source.processes[3]["pid"]
    assert source.holder(pid, "x.exe") == source.processes[3]
    source._by_pid[pid].append(source.processes[4])
    assert source.holder(pid, "x.exe") == {"pid": pid, "name": "x.exe"}


def expected_processes(truth: Event) -> dict[str, Event]:
    return {f"{int(process['eprocess'], 16):#018x}": process for process in truth["processes"] if not process["freed"]}


def test_processes_of_the_machines(machine: Any) -> None:
    """Each process is launched once at its time, and ends once if it has; a value is the truth's or is left out."""
    dump = opened(machine)
    ocsf, ecs = check_all(dump)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        absent = {f"{row['eprocess']:#018x}": row.absent for row in dump.processes()}
    expected = expected_processes(machine.truth)
    counts: Counter[str] = Counter()
    launched, ended = [], []
    for event, other in zip(ocsf, ecs, strict=True):
        if event["class_uid"] != 1007:
            continue
        eprocess = event["unmapped"]["row"]["eprocess"]
        truth, process, ecs_process = expected[eprocess], event["process"], other["process"]
        created, exited = filetime(truth["create_time"]), filetime(truth["exit_time"])
        (ended if event["activity_id"] == 2 else launched).append(eprocess)
        if event["activity_id"] == 1:
            assert event["time"] == milliseconds(created)
            assert since(other["@timestamp"]) == created
            assert event["actor"]["process"]["pid"] == truth["ppid"]
        elif event["activity_id"] == 2:
            assert event["time"] == milliseconds(exited)
            assert since(other["@timestamp"]) == exited
        for column, values in {
            "pid": (truth["pid"], process.get("pid"), ecs_process.get("pid")),
            "name": (truth["image_name"], process.get("name"), ecs_process.get("name")),
            "ppid": (truth["ppid"], process["parent_process"].get("pid"), ecs_process["parent"].get("pid")),
            "command_line": (truth["command_line"], process.get("cmd_line"), ecs_process.get("command_line")),
            "create_time": (created, since(ecs_process.get("start")), since(ecs_process.get("start"))),
            "exit_time": (exited, since(ecs_process.get("end")), since(ecs_process.get("end"))),
            "user_sid": (truth["token"]["user"], process.get("user", {}).get("uid"), other.get("user", {}).get("id")),
        }.items():
            value, *found = values
            if column in absent[eprocess]:
                assert found == [None, None], column
                counts["absent"] += 1
            else:
                assert found == [value, value], f"{truth['pid']} {column}"
                counts["equal"] += 1
        assert process.get("created_time") == milliseconds(since(ecs_process.get("start")))
        assert process.get("terminated_time") == milliseconds(since(ecs_process.get("end")))
    print(dict(counts), len(launched), "launched", len(ended), "ended")
    assert sorted(launched) == sorted(expected)
    assert sorted(ended) == sorted(key for key, process in expected.items() if process["exit_time"])
    assert counts["equal"] >= 5 * len(expected)


def readable(truth: Event) -> set[int]:
    """Ids of processes whose handles the dump holds."""
    processes = [one for one in truth["processes"] if not one["freed"] and one["handle_table"]]
    return {one["pid"] for one in processes if one["handle_table"]["state"] == "resident"}


def test_findings_of_the_machines(machine: Any) -> None:
    truth = machine.truth
    ocsf, ecs = events(opened(machine))
    findings = [event["unmapped"]["row"] for event in ocsf if event["class_uid"] == 2004]
    rules = [event["event"]["action"] for event in ecs if event["event"]["kind"] == "alert"]
    assert set(rules) <= RULES.keys(), "a relation has no words of its own"
    hidden = {row["eprocess"] for row, rule in zip(findings, rules, strict=True) if rule == "hidden-process"}
    processes = expected_processes(truth).items()
    assert hidden == {eprocess for eprocess, process in processes if not process["in_active_list"]}

    holders = readable(truth)

    def crossings(border: str) -> list[tuple[int, int, int]]:
        rows = [row for row in findings if row.get("border") == border and "handle" in row]
        return sorted((row["holder_pid"], row["handle"], int(row["object"], 16)) for row in rows)

    for border, name in (("session", "cross_session"), ("silo", "cross_silo")):
        rows = [(one["pid"], one["handle"], int(one["object"], 16)) for one in truth[name] if one["pid"] in holders]
        assert crossings(border) == sorted(rows), border
    print(len(hidden), "hidden", Counter(rules))
    collisions = [row for row, rule in zip(findings, rules, strict=True) if rule == "name-collision"]
    of_sessions = [row for row in collisions if row["border"] == "session" and "other_silo" not in row]
    squatted = {
        (one["leaf"], *(int(one[side]["object"], 16) for side in ("global_object", "session_object")))
        for one in truth["squatting"]
    }
    assert squatted == {
        (row["name"], int(row["global_object"], 16), int(row["other_object"], 16)) for row in of_sessions
    }


@cache
def published(class_uid: int, *profiles: str) -> Any:
    """What checks an event of a class against the schema as the framework publishes it."""
    ocsf_json_schema = pytest.importorskip("ocsf_json_schema")
    jsonschema = pytest.importorskip("jsonschema")
    schema = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(ntlens.events.OCSF_VERSION))
    name = schema.lookup_class_name_from_uid(class_uid)
    return jsonschema.Draft202012Validator(schema.get_class_schema(name, list(profiles)))


def test_the_published_schema_takes_every_event(machine: Any) -> None:
    ocsf, _ = events(opened(machine))
    counts = Counter(event["class_uid"] for event in ocsf)
    for event in ocsf:
        schema = published(event["class_uid"], *event["metadata"]["profiles"])
        wrong = [f"{error.json_path}: {error.message}" for error in schema.iter_errors(event)]
        assert not wrong, wrong[:3]
    assert set(counts) == {1007, 2004}
    # A check that takes everything proves nothing.
    assert list(published(1007).iter_errors({**ocsf[0], "class_uid": 1008}))
    assert list(published(1007).iter_errors({**ocsf[0], "surely": "no attribute"}))


def test_numbers_of_the_published_schema_mean_what_they_should() -> None:
    ocsf_json_schema = pytest.importorskip("ocsf_json_schema")
    objects = ocsf_json_schema.get_ocsf_schema(ntlens.events.OCSF_VERSION)["objects"]
    levels = objects["process"]["attributes"]["integrity_id"]["enum"]
    assert {int(value): level["caption"] for value, level in levels.items() if 0 < int(value) < 99} == INTEGRITIES
