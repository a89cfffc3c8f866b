"""What a user does first, line by line, over every machine: what belongs to a process, and what the answers lack."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pytest
from test_truth import number, opened

import ntlens

pytestmark = pytest.mark.filterwarnings("ignore::ntlens.IncompleteWarning")


def test_the_lines_of_the_readme(machine: Any) -> None:
    truth = machine.truth
    dump = ntlens.open(machine.path)
    assert dump.info.dump_type == truth["dump"]["dump_type"]
    coverage = dump.coverage()
    assert sum(coverage["bytes_present"]) // 4096 == truth["dump"]["pages_in_dump"]

    pids = {process["pid"] for process in truth["processes"] if not process["freed"]}
    t = dump.processes()
    frames = (t.to_pandas()["pid"].tolist(), t.to_polars()["pid"].to_list(), pyarrow.table(t)["pid"].to_pylist())
    in_sql = [pid for (pid,) in duckdb.sql("select pid from t").fetchall()]
    assert all(list(found) == in_sql for found in frames) and set(in_sql) == pids

    system = next(process for process in truth["processes"] if process["pid"] == 4)
    p = dump.process(4)
    assert p.eprocess == number(system["eprocess"])
    assert p.protection == dump.processes()[0].protection
    assert p.token.integrity == "System" and p.job is None and p.silo is None
    # A damaged table of handles gives what is left of it.
    assert len(p.handles()) == system["handle_table"]["count"] or machine.name.startswith("e5")
    assert set(p.handles()["pid"]) == {4}
    listing = dump.dt("_EPROCESS", "System*", at=p.eprocess)
    if system["system_process"] is not None:
        [line] = [line for line in listing.lines if "SystemProcess " in line]
        assert line.rpartition(": 0y")[2] == str(int(system["system_process"]))

    held = [handle for handle in system["handles"] if handle["type"] == "Event" and handle["name"]]
    for handle in held[:3]:
        holders = dump.holders(number(handle["object"]))
        assert (4, handle["handle"]) in {(row.holder_pid, row.handle) for row in holders}
    assert len(dump.objects()) > 100 and len(dump.cpus()) == len(truth["cpus"])
    sessions = {(row.holder_pid, row.handle) for row in dump.crossings() if row.border == "session"}
    assert sessions or not truth["cross_session"]

    base = number(truth["kernel"]["base"])
    if truth["modules"][0]["header"] == "present":
        assert dump.read_virtual(base, 64)[:2] == b"MZ" == dump.read_virtual(base, 64, pid=4)[:2]
    at = dump.translate(p.eprocess)
    assert at.physical is not None and dump.read_physical(at.physical, 64) == dump.read_virtual(p.eprocess, 64)


def test_a_process_leads_to_its_job_and_its_container(machine: Any) -> None:
    dump, truth = opened(machine), machine.truth
    jobs = {number(job["va"]): job for job in truth["jobs"]}
    counts = {"job": 0, "silo": 0, "none": 0}
    for process in truth["processes"]:
        if process["freed"] or not process["in_active_list"]:
            continue
        found = dump.process(process["pid"])
        if found.eprocess != number(process["eprocess"]):
            continue
        job = number(process["job"])
        if job is None:
            counts["none"] += 1
            assert found.job is None and found.silo is None
            continue
        counts["job"] += 1
        assert found.job.job == job and found.job.job_id == jobs[job]["job_id"]
        # The innermost silo among its job and those around it.
        while job is not None and not jobs[job]["silo"]:
            job = number(jobs[job]["parent"])
        if job is None:
            assert found.silo is None
        else:
            counts["silo"] += 1
            assert found.silo.job == job and process["pid"] in found.silo.processes
            assert found.silo.silo_kind == ("server-silo" if jobs[job]["server_silo"] else "silo")
    print(machine.name, counts)
    assert counts["job"] > 0 and counts["none"] > 0
    assert counts["silo"] > 0 or not any(job["silo"] for job in jobs.values())


def test_what_is_missing_has_the_members_of_the_command(machine: Any, cli: Path) -> None:
    dump = opened(machine)
    for question in ("processes", "handles", "doctor"):
        run = subprocess.run([cli, question, machine.path, "--format", "json"], check=True, capture_output=True)
        expected = json.loads(run.stdout)["incomplete"]
        for one in expected:
            for place in ("file_offset", "address"):
                one[place] = number(one[place])
        assert dump.ask(question).incomplete == expected
    if machine.name.startswith("e5"):
        faults = [one for one in dump.processes().incomplete if one["field"] is not None]
        assert faults and all(one["structure"] and one["found"] and one["expected"] for one in faults)
        assert any(one["address"] is not None for one in faults)
