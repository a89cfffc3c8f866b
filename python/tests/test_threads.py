"""Threads, Ctrl-C, progress."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ntlens


def test_several_threads_share_a_dump(demo_path: Path) -> None:
    dump = ntlens.open(demo_path)
    expected = {name: dump.ask(name).to_dicts() for name in ("processes", "handles", "threads", "tokens")}

    def ask(number: int) -> bool:
        name = list(expected)[number % len(expected)]
        return dump.ask(name).to_dicts() == expected[name] and dump.process(4).token.integrity == "System"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(64)))


def test_several_threads_share_a_file_object(demo_bytes: bytes) -> None:
    dump = ntlens.open(io.BytesIO(demo_bytes))
    expected = dump.handles().to_dicts()
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: dump.handles().to_dicts() == expected, range(8)))


class Slow(io.BytesIO):
    """A file far away."""

    delay = 0.0

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(self.delay)
        return super().read(size)


def test_others_run_while_a_question_is_answered(demo_bytes: bytes) -> None:
    file = Slow(demo_bytes)
    dump = ntlens.open(file)
    file.delay = 0.05
    counted, done = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    other = threading.Thread(target=count)
    other.start()
    dump.handles()
    done.set()
    other.join()
    assert counted > 5


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Who runs the tests in the background ignores Ctrl-C, and so would Python."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_ctrl_c_ends_a_question(demo_bytes: bytes) -> None:
    file = Slow(demo_bytes)
    dump = ntlens.open(file)
    expected = dump.handles().to_dicts()
    dump = ntlens.open(file)
    file.delay = 0.3
    timer = threading.Timer(0.4, os.kill, [os.getpid(), signal.SIGINT])
    start = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        dump.handles()
    assert time.monotonic() - start < 5
    # What was interrupted leaves nothing behind.
    file.delay = 0
    assert dump.handles().to_dicts() == expected


@pytest.mark.usefixtures("interrupts")
def test_ctrl_c_ends_an_open(demo_bytes: bytes) -> None:
    file = Slow(demo_bytes)
    file.delay = 0.3
    threading.Timer(0.4, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        ntlens.open(file)


def test_progress_is_told(demo_bytes: bytes) -> None:
    told: list[tuple[int, int | None]] = []
    file = Slow(demo_bytes)
    dump = ntlens.open(file, progress=lambda done, total: told.append((done, total)))
    told.clear()
    file.delay = 0.02
    count = len(dump.handles())
    assert told[-1] == (count, count)
    assert (0, None) in told
    assert all(done <= (total or 0) for done, total in told)


def test_an_exception_of_the_callback_ends_the_work(demo_bytes: bytes) -> None:
    def refuse(done: int, total: int | None) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        ntlens.open(demo_bytes, progress=refuse)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_dump_takes_little_memory(testkit: Path, tmp_path: Path) -> None:
    """A machine of 16 GiB, of which the file has nearly nothing: 200 MiB hold Python, pandas and the answer."""
    dump = tmp_path / "large.dmp"
    make = [testkit, "make", "--build", "19041.1288", "--kind", "full", "--processes", "60", "--memory", str(16 << 10)]
    subprocess.run([*make, dump], check=True)
    assert dump.stat().st_size > 15 << 30
    program = """if True:
        import ntlens, pandas, sys
        frame = ntlens.open(sys.argv[1]).processes().to_pandas()
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        print(len(frame), int(peak.split()[1]) // 1024)
    """
    run = subprocess.run([sys.executable, "-c", program, dump], check=True, capture_output=True, text=True)
    count, peak = map(int, run.stdout.split())
    print(f"{count} processes, {peak} MiB")
    assert count >= 60 and peak < 200
