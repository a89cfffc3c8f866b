"""Where a dump can be: paths, memory, files that are not on a disk."""

from __future__ import annotations

import io
import mmap
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import pytest

import ntlens
from ntlens import _archive


class Counted(io.RawIOBase):
    """A file object that counts what is read of it, and gives less than it is asked for."""

    def __init__(self, data: bytes) -> None:
        self.inner, self.count = io.BytesIO(data), 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.inner.seek(offset, whence)

    def read(self, size: int = -1, /) -> bytes:
        piece = self.inner.read(min(size, 5000))
        self.count += len(piece)
        return piece


@pytest.fixture(scope="module")
def expected(demo: ntlens.Dump) -> list[dict[str, Any]]:
    return demo.processes().to_dicts()


def test_a_path(demo_path: Path, expected: list[dict[str, Any]]) -> None:
    class Somewhere:
        def __fspath__(self) -> str:
            return str(demo_path)

    for path in (str(demo_path), demo_path, Somewhere()):
        dump = ntlens.open(path)
        assert dump.name == dump.info.file == str(demo_path)
        assert dump.processes().to_dicts() == expected


def test_memory(demo_bytes: bytes, demo_path: Path, expected: list[dict[str, Any]]) -> None:
    for data in (demo_bytes, bytearray(demo_bytes), memoryview(demo_bytes), memoryview(demo_bytes)[:]):
        assert ntlens.open(data).processes().to_dicts() == expected
    with demo_path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        dump = ntlens.open(mapped)
        assert dump.processes().to_dicts() == expected
        assert dump.info.file_size == len(demo_bytes)
        del dump
    with pytest.raises(TypeError, match="contiguous"):
        ntlens.open(memoryview(demo_bytes)[::2])


def test_a_file_is_read_where_it_is_touched(demo_bytes: bytes, expected: list[dict[str, Any]]) -> None:
    file = Counted(demo_bytes)
    assert ntlens.open(file).processes().to_dicts() == expected
    assert file.count < len(demo_bytes) / 2


def test_an_open_file(demo_path: Path, expected: list[dict[str, Any]]) -> None:
    with demo_path.open("rb") as file:
        dump = ntlens.open(file)
        assert dump.name == str(demo_path)
        assert dump.processes().to_dicts() == expected


def test_a_member_of_an_archive(tmp_path: Path, demo_bytes: bytes, expected: list[dict[str, Any]]) -> None:
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = tmp_path / f"{compression}.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("demo.dmp", demo_bytes)
        with zipfile.ZipFile(path) as archive, archive.open("demo.dmp") as member:
            dump = ntlens.open(member)
            assert dump.name == "demo.dmp"
            assert dump.processes().to_dicts() == expected


def stream(size: int, seed: int = 1) -> bytes:
    """Bytes with much and with little in them."""
    random = Random(seed)
    pieces = [bytes(random.randrange(1, 200_000)) if random.random() < 0.5 else random.randbytes(50_000)]
    while sum(map(len, pieces)) < size:
        pieces.append(bytes(random.randrange(1, 900_000)) if random.random() < 0.3 else random.randbytes(30_000))
    return b"".join(pieces)[:size]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_is_read_where_it_is_touched(compression: int) -> None:
    data, file = stream(16 << 20), io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("before", b"x" * 1000)
        archive.writestr("dump", data)
        archive.writestr("after", stream(100_000, 2))
    packed = Counted(file.getvalue())
    with zipfile.ZipFile(packed) as archive, archive.open("dump") as member:
        view = _archive.seekable(member)
        assert isinstance(view, _archive.Stored) and view.seek(0, 2) == len(data)
        random = Random(3)
        packed.count = 0
        for _ in range(300):
            offset, size = random.randrange(len(data)), random.choice([1, 16, 4096, 65536])
            view.seek(offset)
            read = bytearray()
            while len(read) < min(size, len(data) - offset):
                read += view.read(size - len(read))
            assert read == data[offset : offset + size]
        # `zipfile` itself would read more than 1 GiB for it.
        assert packed.count < (12 * len(data) if compression else 300 << 16)
        view.seek(len(data))
        assert view.read(10) == b""


def test_an_extract_answers_as_its_dump_does(demo: ntlens.Dump, tmp_path: Path) -> None:
    process = next(process for process in demo.processes() if process.peb is not None and process.exit_time is None)
    path = tmp_path / "small.dmp"
    demo.extract(path, process=process.pid)
    small = ntlens.open(path)
    # Its page tables may lead elsewhere now; what the process is and has stays.
    assert small.process(process.pid) == process and len(small.processes()) == len(demo.processes())
    assert small.process(process.pid).handles().to_dicts() == process.handles().to_dicts()
    with pytest.raises(FileExistsError):
        demo.extract(path, kernel=True)
    with pytest.raises(TypeError, match="either process or kernel=True"):
        demo.extract(tmp_path / "none.dmp")
    with pytest.raises(ntlens.NotInDumpError, match="no process with the id 3"):
        demo.extract(tmp_path / "none.dmp", process=3)
    demo.extract(tmp_path / "kernel.dmp", kernel=True)
    assert {entry.name for entry in tmp_path.iterdir()} == {"small.dmp", "kernel.dmp"}
    assert len(ntlens.open(tmp_path / "kernel.dmp").modules()) == len(demo.modules())


def test_a_member_that_was_closed_says_so(demo_bytes: bytes) -> None:
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            archive.writestr("demo.dmp", demo_bytes)
        with zipfile.ZipFile(file) as archive, archive.open("demo.dmp") as member:
            dump = ntlens.open(member)
        with pytest.raises(ValueError, match=r"demo\.dmp is closed: ask while it is open"):
            dump.read_physical(len(demo_bytes) // 2, 16)


def test_members_of_other_kinds_are_read_as_they_are(demo_bytes: bytes) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("bz2", bytes(1000), zipfile.ZIP_BZIP2)
        archive.writestr("deflated", stream(100_000), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(file) as archive, archive.open("bz2") as member:
        assert _archive.seekable(member) is member
    assert _archive.seekable(file) is file
    # What an archive says of a member may be a lie.
    with zipfile.ZipFile(file) as archive:
        archive.getinfo("deflated").file_size = 1 << 40
        view = _archive.seekable(archive.open("deflated"))
        assert view.seek(0, 2) == 1 << 40
        view.seek(1 << 39)
        with pytest.raises(zipfile.BadZipFile, match="deflated is shorter than the archive says"):
            view.read(10)


def test_a_file_of_fsspec(demo_bytes: bytes, expected: list[dict[str, Any]]) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/demo.dmp", demo_bytes)
    with memory.open("/demo.dmp") as file:
        assert ntlens.open(file).processes().to_dicts() == expected


def test_an_exception_of_the_file_is_what_one_sees(demo_bytes: bytes) -> None:
    class Broken(Counted):
        fails = False

        def read(self, size: int = -1, /) -> bytes:
            if self.fails:
                raise ConnectionError("the share is gone")
            return super().read(size)

    file = Broken(demo_bytes)
    dump = ntlens.open(file)
    file.fails = True
    with pytest.raises(ConnectionError, match="the share is gone"):
        dump.handles()
    # The dump is as good as its file.
    file.fails = False
    assert len(dump.handles()) > 0


def test_what_is_no_dump(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        ntlens.open(tmp_path / "none.dmp")
    assert caught.value.filename == str(tmp_path / "none.dmp")
    with pytest.raises(IsADirectoryError):
        ntlens.open(tmp_path)
    with pytest.raises(ntlens.DumpError, match="PAGEDU64"):
        ntlens.open(b"MZ" + bytes(5000))
    with pytest.raises(ntlens.DumpError):
        ntlens.open(b"")
    with pytest.raises(ntlens.DumpError):
        ntlens.open(io.BytesIO())
    with pytest.raises(TypeError, match="not int"):
        ntlens.open(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="binary mode"):
        ntlens.open(io.StringIO("PAGEDU64" * 1000))  # type: ignore[arg-type]


def test_a_file_that_is_short(demo_bytes: bytes) -> None:
    cut = demo_bytes[: len(demo_bytes) // 2]
    with pytest.warns(ntlens.IncompleteWarning):
        dump = ntlens.open(cut)
    assert dump.incomplete and dump.info.file_complete is False
    assert {"what", "where", "reason", "count"} < set(dump.incomplete[0])
    with pytest.raises(ntlens.Error):
        ntlens.open(cut, strict=True)
