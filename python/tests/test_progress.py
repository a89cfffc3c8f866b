"""Bars: what a terminal and a notebook show of long work, and how a notebook ends it."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import ntlens
from ntlens import _progress

SLOW = f"""if True:
    import io, time, zlib, ntlens
    class Slow(io.BytesIO):
        delay = 0.0
        def read(self, size=-1, /):
            time.sleep(self.delay)
            return super().read(size)
    data = zlib.decompress(open({str(ROOT / "crates/ntlens/assets/demo.dmp.zlib")!r}, "rb").read())
"""


class Place:
    """Keeps what was shown and taken away."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def show(self, line: str) -> None:
        self.seen.append(line)

    def clear(self) -> None:
        self.seen.append("")


def test_a_line() -> None:
    assert _progress.line(0, None, 3.2) == "ntlens: reading, 3 s"
    assert _progress.line(500, 1000, 10) == f"ntlens: [{'#' * 15}{'.' * 15}] 500 of 1,000 rows, 10 s"
    assert _progress.line(5, 1, 0) == f"ntlens: [{'#' * 30}] 5 of 1 rows, 0 s"


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    place, now = Place(), 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    bar = _progress.Bar(lambda: place)
    bar(0, None)
    bar(10, 10)
    bar.close()
    assert place.seen == [""]
    bar(0, 10)
    now = 0.75
    bar(5, 10)
    now = 0.8
    bar(6, 10)
    now = 1.0
    bar(8, 10)
    bar.close()
    assert [line.split("] ")[-1] for line in place.seen] == ["", "5 of 10 rows, 1 s", "8 of 10 rows, 1 s", ""]


def test_what_is_wanted(demo_bytes: bytes) -> None:
    assert _progress.shown(None) is None and _progress.shown(False) is None
    assert isinstance(_progress.shown(True), _progress.Bar)
    assert _progress.shown(print) is print
    with pytest.raises(TypeError, match="progress is True, False, None or something to call, not int"):
        ntlens.open(demo_bytes, progress=7)  # type: ignore[arg-type]
    for wanted in (True, False, None):
        assert len(ntlens.open(demo_bytes, progress=wanted).processes()) == 36


def test_the_end_is_told_however_it_comes(demo_bytes: bytes) -> None:
    class Told:
        closed = 0

        def __call__(self, done: int, total: int | None) -> None: ...

        def close(self) -> None:
            self.closed += 1

    class Broken(io.BytesIO):
        broken = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.broken:
                raise RuntimeError("gone")
            return super().read(size)

    told, file = Told(), Broken(demo_bytes)
    dump = ntlens.open(file, progress=told)
    assert told.closed == 1
    dump.processes()
    assert told.closed == 2
    file.broken = True
    with pytest.raises(RuntimeError, match="gone"):
        dump.threads()
    assert told.closed == 3


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_a_terminal_has_a_line_and_loses_it() -> None:
    program = (
        SLOW
        + """
    file = Slow(data)
    dump = ntlens.open(file, progress=True)
    file.delay = 0.3
    print(len(dump.handles()))
"""
    )
    ours, theirs = pty.openpty()
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=theirs)
    said, _ = run.communicate(timeout=60)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert run.returncode == 0 and int(said) > 100
    assert shown.startswith("\rntlens: ") and shown.endswith(" \r")
    # Where nobody looks, nothing is drawn.
    quiet = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert quiet.stderr == b"" and quiet.stdout == said


def in_kernel(folder: Path, *arguments: str) -> Any:
    environment = os.environ | dict.fromkeys(("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"), str(folder))
    program = [sys.executable, str(Path(__file__).with_name("run_cell.py")), *arguments]
    here = folder / "here"
    here.mkdir()
    done = subprocess.run(program, env=environment, cwd=here, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not list(here.iterdir())
    return json.loads(done.stdout)


CELL = (
    SLOW
    + """
    file = Slow(data)
    dump = ntlens.open(file)
    file.delay = {delay}
    dump.handles()
    print("answered")
"""
)


def test_a_notebook_has_a_bar_and_loses_it(tmp_path: Path) -> None:
    said = in_kernel(tmp_path, CELL.format(delay=0.6))
    assert said["status"] == "ok" and "answered\n" in said["text"]
    assert said["shown"][0].startswith("ntlens: ") and said["shown"][-1] == ""
    assert len(said["shown"]) > 2


def test_a_notebook_ends_it(tmp_path: Path) -> None:
    said = in_kernel(tmp_path, CELL.format(delay=0.5), "interrupt")
    assert said["status"] == "error" and said["error"] == "KeyboardInterrupt"
    assert said["seconds"] < 5 and said["shown"][-1] == "" and "answered" not in said["text"]
