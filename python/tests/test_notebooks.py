"""The notebooks of `examples/`, each run from its first cell to its last, and what they find against the truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT, machines
from test_truth import number, protection

import ntlens

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
NAMES = ["first_look", "what_crosses_sessions", "who_can_reach_a_protected_process"]

Run = Callable[[str, "Path | None"], tuple[Any, list[Any]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a notebook over a dump, or the sample, away from the settings of the user."""

    def run(name: str, dump: Path | None) -> tuple[Any, list[Any]]:
        environment = {key: value for key, value in os.environ.items() if key != "NTLENS_DUMP"}
        for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            environment[variable] = str(tmp_path)
        if dump is not None:
            environment["NTLENS_DUMP"] = str(dump)
        program = [sys.executable, Path(__file__).with_name("run_notebook.py")]
        notebook = ROOT / "examples" / f"{name}.ipynb"
        here = tmp_path / "here"
        here.mkdir(exist_ok=True)
        done = subprocess.run(
            [*program, notebook, RESULTS[name]], env=environment, cwd=here, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        # Neither a notebook nor its kernel leaves files where it was started.
        assert not list(here.iterdir())
        said = json.loads(done.stdout)
        return said["result"], said["outputs"]

    return run


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    assert "ntlens.demo()" in path.read_text() and notebook.cells[0].cell_type == "markdown"


def test_every_notebook_is_tested() -> None:
    assert [path.stem for path in NOTEBOOKS] == NAMES


RESULTS = {
    "first_look": """{
        "protections": {str(kind): int(count) for kind, count in protections.items()},
        "hidden": [process.pid for process in hidden],
    }""",
    "what_crosses_sessions": """{
        "session": sorted([row.holder_pid, row.handle] for row in crossings if row.border == "session"),
        "foreign": sorted(foreign["holder_pid"].tolist()),
    }""",
    "who_can_reach_a_protected_process": """{
        "found": sorted([holder.pid, handle.handle] for handle, holder, _ in found),
        "remaining": sorted({int(holder.split()[0]) for holder in remaining["holder"]}),
    }""",
}


def pictures(outputs: list[Any]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("name", NAMES)
def test_over_the_sample(run: Run, demo: ntlens.Dump, name: str) -> None:
    result, outputs = run(name, None)
    assert not [output for output in outputs if output.get("name") == "stderr"]
    processes = list(demo.processes())
    if name == "first_look":
        # The machine that the sample is of hides one process on purpose.
        assert pictures(outputs) == 3 and result["hidden"] == [596]
        assert result["protections"] == Counter(process.protection for process in processes)
    elif name == "what_crosses_sessions":
        assert pictures(outputs) == 3 and result["foreign"] == [484] and len(result["session"]) == 4
    else:
        # Of all rights that are held to another's protected process only those of the parent are more than a look.
        assert pictures(outputs) == 1 and len(result["found"]) == 1 and result["remaining"] == []


@pytest.mark.parametrize("name", NAMES)
def test_over_a_small_dump(run: Run, testkit: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "small.dmp"
    subprocess.run([testkit, "make", "--build", "19041.1288", "--kind", "triage", path], check=True)
    result, _ = run(name, path)
    # It holds one process and no handle.
    expected = {NAMES[0]: ("hidden", []), NAMES[1]: ("session", []), NAMES[2]: ("found", [])}
    key, value = expected[name]
    assert result[key] == value


# Windows 7, 10 and 11; with and without containers.
@pytest.mark.parametrize("machine", machines("e4", "e7", "s4"), indirect=True)
def test_over_a_machine(run: Run, machine: Any) -> None:
    truth = [process for process in machine.truth["processes"] if not process["freed"]]

    result, _ = run("first_look", machine.path)
    assert result["protections"] == Counter(map(protection, truth))
    assert sorted(result["hidden"]) == sorted(process["pid"] for process in truth if not process["in_active_list"])

    # What the dump does not hold is another test's business.
    listed = {process["pid"] for process in truth if process["in_active_list"]}
    result, _ = run("what_crosses_sessions", machine.path)
    unread = {process["pid"] for process in truth if (process["handle_table"] or {}).get("state") != "resident"}
    expected = [one for one in machine.truth["cross_session"] if one["pid"] in listed - unread]
    assert result["session"] == sorted([one["pid"], one["handle"]] for one in expected)
    assert result["foreign"] == sorted(one["pid"] for one in expected if one["class"] == "foreign_session")

    result, _ = run(NAMES[2], machine.path)
    found = reaching(truth, unread)
    assert result["found"] == sorted(found)
    # Nothing acquits who is hidden, or has a protection without the signature that comes with it.
    suspects = {process["pid"] for process in truth if not process["in_active_list"] or written(process)}
    assert suspects & {pid for pid, _ in found} <= set(result["remaining"])
    print(len(found), "found,", len(result["remaining"]), "holders remain")


def written(process: dict[str, Any]) -> bool:
    level = number(process["signature_level"])
    return protection(process) != "None" and level is not None and not level & 15


def reaching(truth: list[dict[str, Any]], unread: set[int]) -> list[list[int]]:
    """Handles of others with rights that a protected process does not give, by their bits: winnt.h."""
    refused = {
        "Process": 0x0002 | 0x0008 | 0x0010 | 0x0020 | 0x0040 | 0x0080 | 0x0100 | 0x0200 | 0x0400 | 0xF_0000,
        "Thread": 0x0001 | 0x0008 | 0x0010 | 0x0020 | 0x0040 | 0x0080 | 0x0100 | 0x0200,
    }
    targets = {}
    for process in truth:
        if protection(process) != "None":
            targets[number(process["eprocess"])] = process["pid"]
            targets |= {number(thread["va"]): process["pid"] for thread in process["threads"]}
    return [
        [process["pid"], handle["handle"]]
        for process in truth
        if process["pid"] not in unread
        for handle in process["handles"]
        if targets.get(number(handle["object"]), process["pid"]) != process["pid"]
        and number(handle["access"]) & refused.get(handle["type"], 0)
    ]
