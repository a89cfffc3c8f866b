"""Values against the truth files, through Arrow, where all digits are."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import pyarrow as pa

import ntlens

ADDRESS = 0x000F_FFFF_FFFF_F000


def rows(table: ntlens.Table) -> list[dict[str, Any]]:
    """Rows with times as nanoseconds since 1970."""
    columns = pa.table(table)
    for index, field in enumerate(columns.schema):
        if pa.types.is_timestamp(field.type):
            assert str(field.type) == "timestamp[ns, tz=UTC]"
            columns = columns.set_column(index, field.name, columns.column(index).cast(pa.int64()))
    return columns.to_pylist()


def number(text: str | None) -> int | None:
    return None if text is None else int(text, 16)


def time(value: int | None) -> int | None:
    """A FILETIME in nanoseconds since 1970."""
    return None if not value else (value - 116_444_736_000_000_000) * 100


class Tally:
    """Counts of a comparison. A value is equal, or missing with a reason; anything else is different."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.different: list[str] = []

    def check(self, place: str, row: dict[str, Any], column: str, expected: Any) -> None:
        absent = dict(part.split("=") for part in (row["absent"] or "").split())
        if row[column] is None and column in absent:
            # The truth may know what the dump does not hold; where it knows nothing, there is nothing.
            self.counts["absent"] += 1
        elif row[column] == expected:
            self.counts["equal"] += 1
        else:
            self.different.append(f"{place} {column}: {row[column]!r}, expected {expected!r}")

    def finish(self, least: int) -> None:
        print(dict(self.counts), len(self.different), "different")
        assert not self.different, "\n".join(self.different[:20])
        assert self.counts["equal"] >= least


def protection(process: dict[str, Any]) -> str:
    truth = process["protection"]
    if truth is None:
        return "Protected" if process["protected_win7"] else "None"
    if truth["type"] == "None":
        return "None"
    kind = "PPL" if truth["type"] == "ProtectedLight" else "PP"
    return f"{kind}-{truth['signer']}" + ("-Audit" if truth["audit"] else "")


def opened(machine: Any) -> ntlens.Dump:
    with warnings.catch_warnings():
        # Some of the machines are damaged on purpose.
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        return ntlens.open(machine.path)


def test_processes(machine: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        found = {row["eprocess"]: row for row in rows(opened(machine).processes())}
    expected = [process for process in machine.truth["processes"] if not process["freed"]]
    assert set(found) == {number(process["eprocess"]) for process in expected}
    tally = Tally()
    for process in expected:
        row, token = found[number(process["eprocess"])], process["token"]
        user_dtb = number(process["user_dtb"])
        for column, value in {
            "pid": process["pid"],
            "ppid": process["ppid"],
            "name": process["image_name"],
            "image_path": process["image_path"],
            "create_time": time(process["create_time"]),
            "exit_time": time(process["exit_time"]),
            "dtb": number(process["dtb"]) & ADDRESS,
            "user_dtb": user_dtb & ADDRESS if user_dtb and user_dtb > 1 else None,
            "protection": protection(process),
            "signature_level": number(process["signature_level"]),
            "critical": process["critical"],
            "system_process": process["system_process"],
            "cross_session_create": process["cross_session_create"],
            "session_id": process["session_id"],
            "job": number(process["job"]),
            "token": number(token["va"]),
            "user_sid": token["user"],
            "integrity_rid": token["integrity_rid"],
            "privileges_enabled": token["privileges_on"],
            "flags": process["flags"]["Flags"]["set"],
        }.items():
            tally.check(f"{machine.name} {process['pid']}", row, column, value)
    tally.finish(10 * len(expected))


def test_handles(machine: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        found = {(row["pid"], row["handle"]): row for row in rows(opened(machine).handles(all=True))}
    tally, count = Tally(), 0
    for process in machine.truth["processes"]:
        table = process["handle_table"]
        if process["freed"] or not table or table["state"] != "resident":
            continue
        for handle in process["handles"]:
            row = found.get((process["pid"], handle["handle"]))
            if row is None:
                # Damaged entries of the machine that has some are told of in `incomplete`.
                assert machine.name.startswith("e5"), (process["pid"], handle)
                continue
            count += 1
            place = f"{machine.name} {process['pid']} {handle['handle']}"
            tally.check(place, row, "object", number(handle["object"]))
            tally.check(place, row, "type", handle["type"])
            tally.check(place, row, "granted_access", number(handle["access"]))
    tally.finish(2 * count)
    assert count > 0


def test_other_tables(machine: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        dump = opened(machine)
        modules, jobs, sessions = dump.modules(), dump.jobs(), dump.sessions()
        threads, cpus, crossings = dump.threads(), dump.cpus(), dump.crossings(border="session")
    assert dump.info.os_version in repr(dump)
    truth = machine.truth
    assert [(module.name, module.base, module.size) for module in modules] == [
        (module["name"], number(module["base"]), module["size"]) for module in truth["modules"]
    ]
    assert {job.job: job.session_id for job in jobs} == {number(job["va"]): job["session_id"] for job in truth["jobs"]}
    assert set(sessions["session_id"]) == {session["session_id"] for session in truth["sessions"]}
    assert len(cpus) == len(truth["cpus"])
    processes = [process for process in truth["processes"] if process["in_active_list"] and not process["freed"]]
    assert set(threads["ethread"]) == {number(thread["va"]) for process in processes for thread in process["threads"]}
    # Handles of tables that are not in the dump are in no answer.
    read = {process["pid"] for process in processes if (process["handle_table"] or {}).get("state") == "resident"}
    found = {(row.holder_pid, row.handle): row for row in crossings if row.holder_pid in read}
    expected = {(one["pid"], one["handle"]): one for one in truth["cross_session"] if one["pid"] in read}
    assert set(found) == set(expected)
    for key, one in expected.items():
        assert (found[key].object, found[key].path) == (number(one["object"]), one["path"])


def test_a_process_leads_to_what_belongs_to_it(machine: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ntlens.IncompleteWarning)
        dump = opened(machine)
        for truth in machine.truth["processes"][:12]:
            if truth["freed"] or not truth["in_active_list"]:
                continue
            process = dump.process(truth["pid"])
            assert process.eprocess == number(truth["eprocess"])
            if truth["token"]["state"] == "resident" and process.token is not None:
                assert process.token.token == number(truth["token"]["va"])
                assert process.token.integrity_rid == truth["token"]["integrity_rid"]
            assert set(process.threads()["ethread"]) == {number(thread["va"]) for thread in truth["threads"]}
            if truth["handle_table"] and truth["handle_table"]["state"] == "resident":
                assert len(process.handles()) == truth["handle_table"]["count"] or machine.name.startswith("e5")
