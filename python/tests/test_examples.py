"""The programs of `examples/`, over the sample dump."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import ntlens

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(path: Path) -> list[str]:
    done = subprocess.run([sys.executable, path], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_rows_say(path: Path, demo: ntlens.Dump) -> None:
    processes = list(demo.processes())
    protected = {process.eprocess: process for process in processes if process.protection != "None"}
    if path.stem == "protected":
        lines = [line.split()[0] for line in run(path)[1:]]
        assert lines == [str(process.pid) for process in protected.values()]
    elif path.stem == "handles":
        holders = {process.pid: process for process in processes if process.protection == "None"}
        held = [row for row in demo.handles() if row.object in protected and row.pid in holders]
        assert len(run(path)) == len(held) > 0
    else:
        pytest.fail(f"no test says what {path.name} prints")
