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

from collections.abc import Iterator

from ntlens._ntlens import Dump
from ntlens.events import _ecs, _ocsf
from ntlens.events._ecs import ECS_VERSION
from ntlens.events._ocsf import OCSF_VERSION
from ntlens.events._source import Source
from ntlens.events._values import Json

__all__ = ["ECS_VERSION", "OCSF_VERSION", "to_ecs", "to_ocsf"]


def to_ocsf(dump: Dump) -> Iterator[Json]:
    """Events of the Open Cybersecurity Schema Framework, one dict for each.

    Shape: class 1007 (Process Activity: 1 Launch, 2 Terminate, 99 Observe) for processes, class 2004 (Detection
    Finding) for findings; `unmapped` has the name of the table, the row's own columns and, for a finding, the `doubts`:
    why it may be false. `metadata.uid` is the event's id, `metadata.correlation_uid` the dump's. Who launched a process
    is whom the process names as its parent, which its creator may have chosen. Units: times of the schema are
    milliseconds since 1970; those of the row are text with microseconds.

    Raises what the tables raise, and NotInDumpError if an event needs the time of the dump and nothing tells it.
    """
    source = Source(dump)
    for event in source.events():
        yield _ocsf.event_of(source, event)


def to_ecs(dump: Dump) -> Iterator[Json]:
    """Events of the Elastic Common Schema, one nested dict for each: the same as those of `to_ocsf`, with the same ids.

    Shape: `event.kind` is `event` for what happened to processes and `alert` for findings, `event.dataset` the table's
    name behind `ntlens.`, `event.id` the id. The row's own columns are below `ntlens.` and the table's name; why a
    finding may be false is in `ntlens.doubts`. Units: times are text, RFC 3339 in UTC with microseconds.

    Raises what the tables raise, and NotInDumpError if an event needs the time of the dump and nothing tells it.
    """
    source = Source(dump)
    for event in source.events():
        yield _ecs.event_of(source, event)
