"""The events that a dump tells of, before a schema gives them its names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from ntlens._ntlens import Dump, NotInDumpError, Table
from ntlens.events._mapping import LAUNCH, OBSERVE, RULES, TERMINATE, UNKNOWN_RULE, Activity
from ntlens.events._values import Json, Row, known


@dataclass(frozen=True)
class Event:
    """What both schemas are written from."""

    uid: str
    time: datetime
    table: str
    row: Row
    message: str
    #: The activity of a process, or else the name of the finding's rule.
    activity: Activity | None
    rule: str = ""
    severity: str = "Informational"
    title: str = ""
    confidence: str = "Low"
    doubts: tuple[str, ...] = ()
    #: The process that acts or is found.
    process: Row | None = None


class Source:
    """The processes of a dump, and the events that its tables tell of."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self.info: Row = dump.info.to_dict()
        # What tells this moment of this machine, and stays when the file is copied or renamed.
        identity = [
            self.info[column] for column in ("kernel_guid_age", "kernel_base", "system_dtb", "crash_time", "uptime")
        ]
        self._namespace: UUID = uuid5(uuid5(NAMESPACE_OID, "ntlens"), "/".join(map(str, identity)))
        self.uid = str(self._namespace)
        table = dump.processes()
        self.processes: Sequence[Row] = table.to_dicts()
        self._incomplete = len(table.incomplete)
        self.by_eprocess = {process["eprocess"]: process for process in self.processes}
        self._by_pid: defaultdict[int | None, list[Row]] = defaultdict(list)
        for process in self.processes:
            self._by_pid[process["pid"]].append(process)

    def uid_of(self, *parts: object) -> str:
        """An id that is the same in each run."""
        return str(uuid5(self._namespace, "/".join(map(str, parts))))

    def holder(self, pid: int | None, name: str | None) -> Row:
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

    def events(self) -> Iterator[Event]:
        """All events: processes in the order of their table, then findings."""
        for process in self.processes:
            if process["create_time"] is None:
                yield self._activity(process, OBSERVE, self.time())
            else:
                yield self._activity(process, LAUNCH, process["create_time"])
            if process["exit_time"] is not None:
                yield self._activity(process, TERMINATE, process["exit_time"])
        yield from self._hidden()
        yield from self._crossings()
        yield from self._collisions()

    def _activity(self, process: Row, activity: Activity, time: datetime) -> Event:
        uid = self.uid_of("processes", process["eprocess"], activity.name)
        message = activity.message.format(process=_named(process))
        return Event(uid, time, "processes", process, message, activity, process=process)

    def _finding(self, rule: str, table: str, row: Row, about: str, uid: str, missing: int, **more: Any) -> Event:
        its = RULES.get(rule, UNKNOWN_RULE)
        doubts = [*more.pop("doubts", ()), *its.doubts]
        if self.info["layout_origin"] not in (None, "exact"):
            doubts.append(f"the structures are not known exactly for this kernel (layout {self.info['layout_origin']})")
        if missing:
            doubts.append(f"the answer is incomplete: warnings say what could not be read ({missing})")
        message = f"{its.title}: {about}"
        given = {"title": its.title, "severity": its.severity, "confidence": its.confidence, **more}
        return Event(uid, self.time(), table, row, message, None, rule, doubts=tuple(doubts), **given)

    def _hidden(self) -> Iterator[Event]:
        """Processes that are in no active list, if there is one: a triage dump has none."""
        if not any("active-list" in process["sources"] for process in self.processes):
            return
        for process in self.processes:
            if "active-list" in process["sources"]:
                continue
            more: Json = {}
            if process["exit_time"] is not None or process["exiting"] or process["deleted"]:
                more = {
                    "severity": "Informational",
                    "confidence": "Low",
                    "doubts": ("this process has ended or is ending",),
                }
            uid = self.uid_of("hidden", process["eprocess"])
            about, missing = _named(process), self._incomplete
            yield self._finding("hidden-process", "processes", process, about, uid, missing, process=process, **more)

    def _crossings(self) -> Iterator[Event]:
        table: Table = self.dump.crossings(all=True)
        for row in table.to_dicts():
            holder = self.holder(row["holder_pid"], row["holder"])
            about = f"{_named(holder)}, {known(row['type'])} {known(row['path'])}"
            keys = ("border", "relation", "holder_pid", "handle", "object")
            uid = self.uid_of("crossings", *(row[key] for key in keys), holder.get("eprocess"))
            more: Json = {"doubts": ("the holder was created from another session",)} if row["creator_flag"] else {}
            missing = len(table.incomplete)
            yield self._finding(row["relation"], "crossings", row, about, uid, missing, process=holder, **more)

    def _collisions(self) -> Iterator[Event]:
        table: Table = self.dump.collisions()
        for row in table.to_dicts():
            more: Json = {"severity": "Medium"} if row["lower"] else {}
            uid = self.uid_of("collisions", row["global_object"], row["other_object"])
            about, missing = known(row["name"]), len(table.incomplete)
            yield self._finding("name-collision", "collisions", row, about, uid, missing, **more)

    def parent(self, process: Row) -> Row | None:
        """The parent, or as much as its child knows of it: only the id, if it is gone or the id is another's now."""
        found = self.by_eprocess.get(process.get("parent"))
        if found is None and process.get("ppid") is not None:
            return {"pid": process["ppid"]}
        return found


def _named(process: Row) -> str:
    return f"process {known(process['pid'])} {known(process['name'])}"
