"""An event of the Elastic Common Schema."""

from __future__ import annotations

from ntlens.events._mapping import PROCESS, SEVERITIES
from ntlens.events._source import Event, Source
from ntlens.events._values import Json, plain, put, text, value_of

#: The version of the Elastic Common Schema that the events follow.
ECS_VERSION = "8.11.0"


def event_of(source: Source, event: Event) -> Json:
    """The event as the schema has it."""
    found: Json = {
        "@timestamp": text(event.time),
        "ecs": {"version": ECS_VERSION},
        "message": event.message,
        "event": {"id": event.uid, "module": "ntlens", "provider": "ntlens", "dataset": f"ntlens.{event.table}"},
        "host": {"os": {"type": "windows", "family": "windows", "platform": "windows", "name": "Windows"}},
        "ntlens": {"dump": {"uid": source.uid}, event.table: plain(event.table, event.row)},
    }
    put(found, "host.os.version", source.info["os_version"])
    if source.info["machine"] == "x64":
        put(found, "host.architecture", "x86_64")
    process = event.process
    if process is not None:
        for column, _, place in PROCESS:
            if place is not None:
                put(found, place, text(value_of(process, column)))
        parent = source.parent(process) or {}
        for column, _, place in PROCESS:
            if place is not None and place.startswith("process."):
                put(found, place.replace("process.", "process.parent."), text(value_of(parent, column)))
        for place, one in (("process.entity_id", process), ("process.parent.entity_id", parent)):
            if "eprocess" in one:
                put(found, place, source.uid_of("process", one["eprocess"]))
    if event.activity is not None:
        kind: Json = {"kind": "event", "category": ["process"], "type": [event.activity.ecs_type]}
        found["event"] |= kind | {"action": event.activity.name.lower()}
        return found
    found["event"] |= {
        "kind": "alert",
        "category": ["intrusion_detection"] + (["process"] if process is not None else []),
        "type": ["info"],
        "action": event.rule,
        "severity": SEVERITIES[event.severity],
    }
    found["rule"] = {"id": event.rule, "name": event.title}
    found["ntlens"] |= {"doubts": list(event.doubts), "confidence": event.confidence}
    return found
