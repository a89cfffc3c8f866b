"""What a dump tells, as events for a SIEM: of OCSF, and of the Elastic Common Schema (ECS).

>>> import json
>>> import ntlens
>>> dump = ntlens.demo()
>>> with open("events.jsonl", "w") as file:
...     file.writelines(json.dumps(event) + "\\n" for event in ntlens.to_ocsf(dump))

A process gives an event for its creation and one for its end, each at its own time; one whose creation time the dump
does not hold was seen at the time of the dump. Then come the findings, at the time of the dump: processes that are not
in the active list, each row of `crossings`, each row of `collisions`. A finding is a question and no verdict: it says
why it may be false, and most crossings of a machine are innocent.

Both functions give the same events in the same order, and each event has the same id in both, now and in another run:
ids are made from what the dump holds, not from where it lies. The events are dicts that `json.dumps` takes as they are.
What the dump does not hold is left out. Addresses are text of 16 hexadecimal digits, as in the command's JSON: few
stores keep whole numbers of 64 bits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from ntlens._ntlens import Dump, NotInDumpError, Table, __version__, questions

__all__ = ["ECS_VERSION", "OCSF_VERSION", "to_ecs", "to_ocsf"]

#: The version of the OCSF schema that the events follow.
OCSF_VERSION = "1.3.0"
#: The version of the Elastic Common Schema that the events follow.
ECS_VERSION = "8.11.0"

_Json = dict[str, Any]
_Row = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Severities and confidences of OCSF, by their captions.
_SEVERITIES = {"Informational": 1, "Low": 2, "Medium": 3, "High": 4}
_CONFIDENCES = {"Low": 1, "Medium": 2, "High": 3}
_INTEGRITIES = {"Untrusted": 1, "Low": 2, "Medium": 3, "High": 4, "System": 5, "Protected": 6}
_OTHER = 99

#: Columns of `processes`, and where OCSF (in a process object) and ECS (in an event) have them.
_PROCESS: tuple[tuple[str, str, str | None], ...] = (
    ("pid", "pid", "process.pid"),
    ("name", "name", "process.name"),
    ("command_line", "cmd_line", "process.command_line"),
    ("image_path", "file.path", "process.executable"),
    ("create_time", "created_time", "process.start"),
    ("exit_time", "terminated_time", "process.end"),
    ("session_id", "session.uid", None),
    ("integrity", "integrity", None),
    ("user_sid", "user.uid", "user.id"),
    ("user_name", "user.name", "user.name"),
)


@dataclass(frozen=True)
class _Activity:
    """What happened to a process: the activity of OCSF's class 1007, and the type of an ECS event."""

    id: int
    name: str
    ecs_type: str
    message: str


_LAUNCH = _Activity(1, "Launch", "start", "{process} was created")
_TERMINATE = _Activity(2, "Terminate", "end", "{process} ended")
# OCSF has no activity for what was merely there.
_OBSERVE = _Activity(_OTHER, "Observe", "info", "{process} was in the dump")


@dataclass(frozen=True)
class _Rule:
    """What a row of a table is a finding of, and why it may be false."""

    title: str
    severity: str
    confidence: str
    doubts: tuple[str, ...]


_BY_DESIGN = "services and programs share objects among sessions by design, in the global namespace"
_HANDED = "a process may have been given the handle on purpose, by inheritance or duplication"

#: Rules by their names: those of crossings are the column `relation`.
_RULES: dict[str, _Rule] = {
    "hidden-process": _Rule(
        "A process is not in the list of active processes",
        "High",
        "Medium",
        (
            "a process is unlinked while it ends, and stays in memory as long as something refers to it",
            "the list may have been in change, or broken by what the dump does not hold",
        ),
    ),
    "name-collision": _Rule(
        "A name stands for a global object and for one of a session or container",
        "Low",
        "Low",
        ("programs that run once for each session make the same name in each", "who came first is not in the dump"),
    ),
    "session-holds-global": _Rule(
        "A process of a session holds an object of the global namespace", "Informational", "Low", (_BY_DESIGN,)
    ),
    "service-holds-session-object": _Rule(
        "A process of session 0 holds an object of another session",
        "Informational",
        "Low",
        ("services act for the users of sessions", _HANDED),
    ),
    "foreign-session": _Rule(
        "A process holds an object of another session", "Medium", "Medium", (_HANDED, "brokers serve several sessions")
    ),
    "no-session": _Rule(
        "A process without a session holds an object of a session",
        "Informational",
        "Low",
        ("System and minimal processes are in no session, and act for all of them",),
    ),
    "held-in-several-sessions": _Rule(
        "An object is held in several sessions", "Informational", "Low", (_BY_DESIGN, _HANDED)
    ),
    "writes-higher": _Rule(
        "A process may change a process, thread or token of higher integrity",
        "Medium",
        "Medium",
        (_HANDED, "the level is that of the primary token now, not when the handle was opened"),
    ),
    "writes-what-higher-holds": _Rule(
        "A process may change an object that a process of higher integrity holds",
        "Low",
        "Low",
        ("what the higher process does with the object is not known", _HANDED),
    ),
    "host-holds-silo": _Rule(
        "A process of the host holds an object of a container", "Informational", "Low", ("the host serves containers",)
    ),
    "silo-holds-host": _Rule(
        "A process of a container holds an object of the host",
        "Medium",
        "Medium",
        ("some objects are given by design",),
    ),
    "silo-holds-host-root": _Rule(
        "A process of a container holds an object of the host's root",
        "Low",
        "Low",
        ("objects that the kernel makes for all containers have no namespace of their own",),
    ),
    "silo-holds-silo": _Rule(
        "A process of a container holds an object of another container", "High", "Medium", (_HANDED,)
    ),
}
_UNKNOWN_RULE = _Rule("A handle crosses a border", "Informational", "Low", (_HANDED,))


@dataclass(frozen=True)
class _Event:
    """What both schemas are written from."""

    uid: str
    time: datetime
    table: str
    row: _Row
    message: str
    #: The activity of a process, or else the name of the finding's rule.
    activity: _Activity | None
    rule: str = ""
    severity: str = "Informational"
    title: str = ""
    confidence: str = "Low"
    doubts: tuple[str, ...] = ()
    #: The process that acts or is found, and what is known of it beside its row.
    process: _Row | None = None
    evidences: list[_Json] = field(default_factory=list)
    resources: list[_Json] = field(default_factory=list)


def to_ocsf(dump: Dump) -> Iterator[_Json]:
    """Events of the Open Cybersecurity Schema Framework, one dict for each.

    Shape: class 1007 (Process Activity: 1 Launch, 2 Terminate, 99 Observe) for processes, class 2004 (Detection
    Finding) for findings; `unmapped` has the name of the table, the row's own columns and, for a finding, the `doubts`:
    why it may be false. `metadata.uid` is the event's id, `metadata.correlation_uid` the dump's. Who launched a process
    is whom the process names as its parent, which its creator may have chosen. Units: times of the schema are
    milliseconds since 1970; those of the row are text with microseconds.

    Raises what the tables raise, and NotInDumpError if an event needs the time of the dump and nothing tells it.
    """
    source = _Source(dump)
    for event in source.events():
        yield _ocsf(source, event)


def to_ecs(dump: Dump) -> Iterator[_Json]:
    """Events of the Elastic Common Schema, one nested dict for each: the same as those of `to_ocsf`, with the same ids.

    Shape: `event.kind` is `event` for what happened to processes and `alert` for findings, `event.dataset` the table's
    name behind `ntlens.`, `event.id` the id. The row's own columns are below `ntlens.` and the table's name; why a
    finding may be false is in `ntlens.doubts`. Units: times are text, RFC 3339 in UTC with microseconds.

    Raises what the tables raise, and NotInDumpError if an event needs the time of the dump and nothing tells it.
    """
    source = _Source(dump)
    for event in source.events():
        yield _ecs(source, event)


class _Source:
    """The processes of a dump, and the events that its tables tell of."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self.info: _Row = dump.info.to_dict()
        # What tells this moment of this machine, and stays when the file is copied or renamed.
        identity = [
            self.info[column] for column in ("kernel_guid_age", "kernel_base", "system_dtb", "crash_time", "uptime")
        ]
        self._namespace: UUID = uuid5(uuid5(NAMESPACE_OID, "ntlens"), "/".join(map(str, identity)))
        self.uid = str(self._namespace)
        table = dump.processes()
        self.processes: Sequence[_Row] = table.to_dicts()
        self._incomplete = len(table.incomplete)
        self.by_eprocess = {process["eprocess"]: process for process in self.processes}
        self._by_pid: defaultdict[int | None, list[_Row]] = defaultdict(list)
        for process in self.processes:
            self._by_pid[process["pid"]].append(process)

    def uid_of(self, *parts: object) -> str:
        """An id that is the same in each run."""
        return str(uuid5(self._namespace, "/".join(map(str, parts))))

    def holder(self, pid: int | None, name: str | None) -> _Row:
        """A process by its id; where several have the id, only what is certain."""
        found = self._by_pid[pid] if pid is not None else []
        return found[0] if len(found) == 1 else {"pid": pid, "name": name}

    def time(self) -> datetime:
        """The time of the dump, or the latest that anything in it has."""
        crash_time: datetime | None = self.info["crash_time"]
        if crash_time is not None:
            return crash_time
        times: list[datetime | None] = []
        for process in self.processes:
            times += [process["create_time"], process["exit_time"]]
        latest = max((time for time in times if time is not None), default=None)
        if latest is None:
            raise NotInDumpError("nothing in the dump tells when it was taken, and events need a time")
        return latest

    def events(self) -> Iterator[_Event]:
        """All events: processes in the order of their table, then findings."""
        for process in self.processes:
            if process["create_time"] is None:
                yield self._activity(process, _OBSERVE, self.time())
            else:
                yield self._activity(process, _LAUNCH, process["create_time"])
            if process["exit_time"] is not None:
                yield self._activity(process, _TERMINATE, process["exit_time"])
        yield from self._hidden()
        yield from self._crossings()
        yield from self._collisions()

    def _activity(self, process: _Row, activity: _Activity, time: datetime) -> _Event:
        uid = self.uid_of("processes", process["eprocess"], activity.name)
        message = activity.message.format(process=_named(process))
        return _Event(uid, time, "processes", process, message, activity, process=process)

    def _finding(self, rule: str, table: str, row: _Row, about: str, uid: str, missing: int, **more: Any) -> _Event:
        known = _RULES.get(rule, _UNKNOWN_RULE)
        doubts = [*more.pop("doubts", ()), *known.doubts]
        if self.info["layout_origin"] not in (None, "exact"):
            doubts.append(f"the structures are not known exactly for this kernel (layout {self.info['layout_origin']})")
        if missing:
            doubts.append(f"the answer is incomplete: warnings say what could not be read ({missing})")
        message = f"{known.title}: {about}"
        given = {"title": known.title, "severity": known.severity, "confidence": known.confidence, **more}
        return _Event(uid, self.time(), table, row, message, None, rule, doubts=tuple(doubts), **given)

    def _hidden(self) -> Iterator[_Event]:
        """Processes that are in no active list, if there is one: a triage dump has none."""
        if not any("active-list" in process["sources"] for process in self.processes):
            return
        for process in self.processes:
            if "active-list" in process["sources"]:
                continue
            more: _Json = {}
            if process["exit_time"] is not None or process["exiting"] or process["deleted"]:
                more = {
                    "severity": "Informational",
                    "confidence": "Low",
                    "doubts": ("this process has ended or is ending",),
                }
            uid = self.uid_of("hidden", process["eprocess"])
            evidence = {"process": self.process(process), "data": {"sources": process["sources"]}}
            yield self._finding(
                "hidden-process",
                "processes",
                process,
                _named(process),
                uid,
                self._incomplete,
                process=process,
                evidences=[evidence],
                **more,
            )

    def _crossings(self) -> Iterator[_Event]:
        table: Table = self.dump.crossings(all=True)
        for row in table.to_dicts():
            plain = _plain("crossings", row)
            holder = self.holder(row["holder_pid"], row["holder"])
            evidence: _Json = {"actor": {"process": self.process(holder)}}
            target = self.by_eprocess.get(row["object"]) if row["type"] == "Process" else None
            if target is not None:
                evidence["process"] = self.process(target)
            evidence["data"] = {name: plain[name] for name in ("handle", "granted_access", "access") if name in plain}
            doubts = ("the holder was created from another session",) if row["creator_flag"] else ()
            keys = ("border", "relation", "holder_pid", "handle", "object")
            uid = self.uid_of("crossings", *(row[key] for key in keys), holder.get("eprocess"))
            yield self._finding(
                row["relation"],
                "crossings",
                row,
                f"{_named(holder)}, {_known(row['type'])} {_known(row['path'])}",
                uid,
                len(table.incomplete),
                doubts=doubts,
                process=holder,
                evidences=[evidence],
                resources=[_resource(plain, "object", "path", "type")],
            )

    def _collisions(self) -> Iterator[_Event]:
        table: Table = self.dump.collisions()
        for row in table.to_dicts():
            plain = _plain("collisions", row)
            sides = ("global", "other")
            evidences = [
                {"data": {name: value for name, value in plain.items() if name.startswith(f"{side}_")}}
                for side in sides
            ]
            more: _Json = {"severity": "Medium"} if row["lower"] else {}
            uid = self.uid_of("collisions", row["global_object"], row["other_object"])
            yield self._finding(
                "name-collision",
                "collisions",
                row,
                str(_known(row["name"])),
                uid,
                len(table.incomplete),
                evidences=evidences,
                resources=[_resource(plain, f"{side}_object", f"{side}_path", f"{side}_type") for side in sides],
                **more,
            )

    def process(self, process: _Row, *, with_parent: bool = True) -> _Json:
        """The process object of OCSF."""
        found: _Json = {}
        for column, place, _ in _PROCESS:
            _put(found, place, _milliseconds(_value(process, column)))
        if "session" in found:
            found["session"]["uid"] = str(found["session"]["uid"])
        if "file" in found:
            # A process is made from a regular file.
            found["file"] |= {"name": found["file"]["path"].rpartition("\\")[2], "type_id": 1}
        if "integrity" in found:
            found["integrity_id"] = _INTEGRITIES.get(found["integrity"], _OTHER)
        if "eprocess" in process:
            found["uid"] = self.uid_of("process", process["eprocess"])
        if with_parent and (parent := self.parent(process)) is not None:
            found["parent_process"] = self.process(parent, with_parent=False)
        return found

    def parent(self, process: _Row) -> _Row | None:
        """The parent, or as much as its child knows of it: only the id, if it is gone or the id is another's now."""
        found = self.by_eprocess.get(process.get("parent"))
        if found is None and process.get("ppid") is not None:
            return {"pid": process["ppid"]}
        return found


def _ocsf(source: _Source, event: _Event) -> _Json:
    info = source.info
    os: _Json = {"name": "Windows", "type": "Windows", "type_id": 100}
    _put(os, "version", info["os_version"])
    _put(os, "build", None if info["windows_build"] is None else str(info["windows_build"]))
    server = info["product_type"] in ("server", "domain-controller")
    found: _Json = {
        "time": _milliseconds(event.time),
        "severity_id": _SEVERITIES[event.severity],
        "severity": event.severity,
        "message": event.message,
        "metadata": {
            "version": OCSF_VERSION,
            "product": {"name": "ntlens", "vendor_name": "ntlens", "version": __version__},
            "profiles": ["host"],
            "uid": event.uid,
            "correlation_uid": source.uid,
        },
        # A dump does not tell the machine's name: the instance is the machine at that moment.
        "device": {"type_id": 1 if server else 0, "instance_uid": source.uid, "os": os},
    }
    unmapped: _Json = {"table": event.table, "row": _plain(event.table, event.row)}
    if event.activity is not None and event.process is not None:
        parent = source.parent(event.process)
        if event.activity is _LAUNCH and parent is not None:
            actor: _Json = {"process": source.process(parent, with_parent=False)}
        elif event.activity is _TERMINATE:
            # The schema's own rule where it is not known who ended a process.
            actor = {"process": source.process(event.process, with_parent=False)}
        else:
            # The schema wants an actor, and its word for none that is known.
            actor = {"app_name": "Unknown"}
        found |= {"actor": actor, "process": source.process(event.process), "unmapped": unmapped}
        return _class(found, 1, "System Activity", 7, "Process Activity", event.activity.id, event.activity.name)
    found |= {
        "finding_info": {
            "uid": event.uid,
            "title": event.title,
            "desc": f"{event.message}. It may be false: {'; '.join(event.doubts)}.",
            "types": [event.rule],
            "data_sources": [event.table],
            # The type Rule.
            "analytic": {"name": event.rule, "type_id": 1},
            "created_time": _milliseconds(event.time),
        },
        "confidence_id": _CONFIDENCES[event.confidence],
        "confidence": event.confidence,
        "status_id": 1,
        "status": "New",
        "evidences": event.evidences,
        "unmapped": unmapped | {"doubts": list(event.doubts)},
    }
    if event.resources:
        found["resources"] = event.resources
    return _class(found, 2, "Findings", 4, "Detection Finding", 1, "Create")


def _class(
    found: _Json, category: int, category_name: str, number: int, name: str, activity: int, activity_name: str
) -> _Json:
    """An event with what says which class it is of."""
    uid = category * 1000 + number
    return {
        "category_uid": category,
        "category_name": category_name,
        "class_uid": uid,
        "class_name": name,
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": uid * 100 + activity,
        "type_name": f"{name}: {activity_name}",
        **found,
    }


def _ecs(source: _Source, event: _Event) -> _Json:
    found: _Json = {
        "@timestamp": _text(event.time),
        "ecs": {"version": ECS_VERSION},
        "message": event.message,
        "event": {"id": event.uid, "module": "ntlens", "provider": "ntlens", "dataset": f"ntlens.{event.table}"},
        "host": {"os": {"type": "windows", "family": "windows", "platform": "windows", "name": "Windows"}},
        "ntlens": {"dump": {"uid": source.uid}, event.table: _plain(event.table, event.row)},
    }
    _put(found, "host.os.version", source.info["os_version"])
    if source.info["machine"] == "x64":
        _put(found, "host.architecture", "x86_64")
    process = event.process
    if process is not None:
        for column, _, place in _PROCESS:
            if place is not None:
                _put(found, place, _text(_value(process, column)))
        parent = source.parent(process) or {}
        for column, _, place in _PROCESS:
            if place is not None and place.startswith("process."):
                _put(found, place.replace("process.", "process.parent."), _text(_value(parent, column)))
        for place, one in (("process.entity_id", process), ("process.parent.entity_id", parent)):
            if "eprocess" in one:
                _put(found, place, source.uid_of("process", one["eprocess"]))
    if event.activity is not None:
        kind: _Json = {"kind": "event", "category": ["process"], "type": [event.activity.ecs_type]}
        found["event"] |= kind | {"action": event.activity.name.lower()}
        return found
    found["event"] |= {
        "kind": "alert",
        "category": ["intrusion_detection"] + (["process"] if process is not None else []),
        "type": ["info"],
        "action": event.rule,
        "severity": _SEVERITIES[event.severity],
    }
    found["rule"] = {"id": event.rule, "name": event.title}
    found["ntlens"] |= {"doubts": list(event.doubts), "confidence": event.confidence}
    return found


def _value(process: _Row, column: str) -> Any:
    value = process.get(column)
    # Processes that the kernel makes of no file have a bare name there.
    return None if column == "image_path" and value is not None and "\\" not in value else value


def _resource(plain: _Json, uid: str, name: str, kind: str) -> _Json:
    """What a finding is about, with those of its attributes that are known."""
    pairs = (("uid", uid), ("name", name), ("type", kind))
    return {attribute: plain[column] for attribute, column in pairs if column in plain}


_KINDS: dict[str, dict[str, str]] = {
    one["name"]: {column["name"]: column["kind"] for column in one["columns"]} for one in questions()
}


def _plain(table: str, row: _Row) -> _Json:
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
    return _text(value)


def _put(found: _Json, place: str, value: Any) -> None:
    """Puts a value that is there where dots say."""
    if value is None:
        return
    *path, last = place.split(".")
    for name in path:
        found = found.setdefault(name, {})
    found[last] = value


def _named(process: _Row) -> str:
    return f"process {_known(process['pid'])} {_known(process['name'])}"


def _known(value: Any) -> Any:
    return "?" if value is None else value


def _milliseconds(value: Any) -> Any:
    """A time as milliseconds since 1970; all else as it is."""
    return (value - _EPOCH) // timedelta(milliseconds=1) if isinstance(value, datetime) else value


def _text(value: Any) -> Any:
    """A time as RFC 3339 has it; all else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value
