"""An event of the Open Cybersecurity Schema Framework."""

from __future__ import annotations

from ntlens._ntlens import __version__
from ntlens.events._mapping import CONFIDENCES, INTEGRITIES, LAUNCH, OTHER, PROCESS, SEVERITIES, TERMINATE
from ntlens.events._source import Event, Source
from ntlens.events._values import Json, Row, milliseconds, plain, put, value_of

#: The version of the OCSF schema that the events follow.
OCSF_VERSION = "1.3.0"


def event_of(source: Source, event: Event) -> Json:
    """The event as the schema has it."""
    info = source.info
    os: Json = {"name": "Windows", "type": "Windows", "type_id": 100}
    put(os, "version", info["os_version"])
    put(os, "build", None if info["windows_build"] is None else str(info["windows_build"]))
    server = info["product_type"] in ("server", "domain-controller")
    found: Json = {
        "time": milliseconds(event.time),
        "severity_id": SEVERITIES[event.severity],
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
    row = plain(event.table, event.row)
    unmapped: Json = {"table": event.table, "row": row}
    if event.activity is not None and event.process is not None:
        parent = source.parent(event.process)
        if event.activity is LAUNCH and parent is not None:
            actor: Json = {"process": _process(source, parent, with_parent=False)}
        elif event.activity is TERMINATE:
            # The schema's own rule where it is not known who ended a process.
            actor = {"process": _process(source, event.process, with_parent=False)}
        else:
            # The schema wants an actor, and its word for none that is known.
            actor = {"app_name": "Unknown"}
        found |= {"actor": actor, "process": _process(source, event.process), "unmapped": unmapped}
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
            "created_time": milliseconds(event.time),
        },
        "confidence_id": CONFIDENCES[event.confidence],
        "confidence": event.confidence,
        "status_id": 1,
        "status": "New",
        "evidences": _evidences(source, event, row),
        "unmapped": unmapped | {"doubts": list(event.doubts)},
    }
    if resources := _resources(event, row):
        found["resources"] = resources
    return _class(found, 2, "Findings", 4, "Detection Finding", 1, "Create")


def _class(
    found: Json, category: int, category_name: str, number: int, name: str, activity: int, activity_name: str
) -> Json:
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


def _process(source: Source, process: Row, *, with_parent: bool = True) -> Json:
    """The object of a process."""
    found: Json = {}
    for column, place, _ in PROCESS:
        put(found, place, milliseconds(value_of(process, column)))
    if "session" in found:
        # Identifiers are text in this schema.
        found["session"]["uid"] = str(found["session"]["uid"])
    if "file" in found:
        # A process is made from a regular file.
        found["file"] |= {"name": found["file"]["path"].rpartition("\\")[2], "type_id": 1}
    if "integrity" in found:
        found["integrity_id"] = INTEGRITIES.get(found["integrity"], OTHER)
    if "eprocess" in process:
        found["uid"] = source.uid_of("process", process["eprocess"])
    if with_parent and (parent := source.parent(process)) is not None:
        found["parent_process"] = _process(source, parent, with_parent=False)
    return found


def _evidences(source: Source, event: Event, row: Json) -> list[Json]:
    """What a finding rests on: the process and the object, or the two objects of one name."""
    if event.table == "collisions":
        sides = ("global_", "other_")
        return [{"data": {name: value for name, value in row.items() if name.startswith(side)}} for side in sides]
    if event.table == "processes":
        return [{"process": _process(source, event.row), "data": {"sources": row["sources"]}}]
    evidence: Json = {"data": {name: row[name] for name in ("handle", "granted_access", "access") if name in row}}
    holder = _process(source, event.process) if event.process is not None else {}
    # The schema wants one of these.
    if "pid" in holder or "uid" in holder:
        evidence["actor"] = {"process": holder}
    if event.row["type"] == "Process" and (target := source.by_eprocess.get(event.row["object"])) is not None:
        evidence["process"] = _process(source, target)
    return [evidence]


def _resources(event: Event, row: Json) -> list[Json]:
    """The objects that a finding is about, with those of their attributes that are known."""
    sides = {"crossings": ("",), "collisions": ("global_", "other_")}.get(event.table, ())
    pairs = (("uid", "object"), ("name", "path"), ("type", "type"))
    return [{attribute: row[side + column] for attribute, column in pairs if side + column in row} for side in sides]
