"""Errors, warnings, symbols."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import pytest

import ntlens


def test_one_class_catches_all() -> None:
    for kind in (
        ntlens.DumpError,
        ntlens.NoLayoutError,
        ntlens.SymbolsError,
        ntlens.NotInDumpError,
        ntlens.IncompleteError,
    ):
        assert issubclass(kind, ntlens.Error) and kind.__doc__ and kind.__module__ == "ntlens"
        assert isinstance(pickle.loads(pickle.dumps(kind("why"))), kind)
    assert issubclass(ntlens.IncompleteWarning, UserWarning)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory, demo_bytes: bytes) -> Path:
    """Nine tenths of a dump, whose kernel is found."""
    path = tmp_path_factory.mktemp("cut") / "cut.dmp"
    path.write_bytes(demo_bytes[: len(demo_bytes) * 9 // 10])
    return path


def test_a_warning_stands_at_the_users_line(cut: Path) -> None:
    with pytest.warns(ntlens.IncompleteWarning, match=r"the answer is incomplete, .* truncated") as caught:
        dump = ntlens.open(cut)
        table = dump.processes()
        dump.ask("handles")
        dump.process(4).handles()
        dump.to_timeline()
        list(ntlens.to_ocsf(dump))
    assert table.incomplete
    assert {Path(warning.filename).name for warning in caught} == {Path(__file__).name}
    assert [warning.lineno for warning in caught] == sorted(warning.lineno for warning in caught)


def test_strict_makes_errors_of_warnings(cut: Path) -> None:
    with pytest.raises(ntlens.IncompleteError, match="the answer is incomplete") as caught:
        ntlens.open(cut, strict=True)
    with pytest.warns(ntlens.IncompleteWarning):
        assert caught.value.incomplete == ntlens.open(cut).incomplete
    dump = ntlens.demo(strict=True)
    assert len(dump.processes()) == 36
    # A hole is an error in itself; as a table it is a row that says why, which strict refuses.
    with pytest.raises(ntlens.IncompleteError):
        dump.memory(0xFFFFF80000000000, 16)


def test_no_warning_where_nothing_is_missing(demo_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dump = ntlens.open(demo_path)
        assert dump.processes().incomplete == [] and dump.handles().incomplete == []


def test_memory(demo: ntlens.Dump) -> None:
    base = demo.info.kernel_base
    head = demo.read_virtual(base, 0x3000)
    assert head[:2] == b"MZ" and len(head) == 0x3000
    at = demo.translate(base)
    assert demo.read_physical(at.physical, 0x1000) == head[:0x1000]
    assert demo.read_virtual(base, 0) == b""
    rows = demo.memory(base + 1, 31)
    assert bytes.fromhex("".join(rows["bytes"])) == head[1:32]
    assert demo.memory(at.physical, 16, physical=True)["bytes"] == [head[:16].hex()]
    process = demo.process(4)
    assert process.read_virtual(base, 16) == demo.read_virtual(base, 16, pid=4) == head[:16]

    with pytest.raises(ntlens.NotInDumpError, match="after 0 of 16 bytes") as caught:
        demo.read_virtual(0xFFFFF80000000000, 16)
    assert caught.value.reason == "not-present"
    with pytest.raises(ntlens.NotInDumpError) as caught:
        demo.read_virtual(1 << 62, 16)
    assert caught.value.reason == "non-canonical"
    # A length that nobody has room for ends where the bytes do.
    with pytest.raises(ntlens.NotInDumpError, match=r"after [1-9]"):
        demo.read_virtual(base, 1 << 60)
    questions = [demo.process, lambda pid: demo.handles(pid=pid), lambda pid: demo.read_virtual(base, 16, pid=pid)]
    for question in questions:
        with pytest.raises(ntlens.NotInDumpError, match="no process with the id 99999 in the dump"):
            question(99999)
    with pytest.raises(OverflowError):
        demo.read_virtual(-1, 16)

    missing = demo.translate(0xFFFFF80000000000)
    assert missing.physical is None and missing.absent["physical"] == "not-present"


def test_types(demo: ntlens.Dump) -> None:
    system = demo.process(4)
    listing = demo.dt("_EPROCESS", "System*", at=system.eprocess)
    assert str(listing) == "   +0x87c SystemProcess    : 0y1"
    assert repr(listing) == str(listing) and listing.lines == [str(listing)]
    assert str(demo.dt("nt!_eprocess", "uniqueprocessid")).startswith("   +0x440 UniqueProcessId")
    assert "_EPROCESS" in demo.dt("_EPROC*").lines
    assert len(demo.dt("_EPROCESS", "Token", depth=1).lines) > 1
    with pytest.raises(ntlens.SymbolsError, match="no type of this kernel is named _NOPE"):
        demo.dt("_NOPE")


def test_names(demo: ntlens.Dump) -> None:
    found = demo.symbol("nt!PsInitialSystemProcess")
    assert found["name"] == ["nt!PsInitialSystemProcess"]
    nearest = demo.nearest(found[0].address + 4)
    assert nearest is not None and nearest.name == "nt!PsInitialSystemProcess+0x4"
    assert demo.nearest(0x1000) is None
    assert len(demo.symbol("nt!NoSuchName")) == 0
    assert demo.symbols()[0].module == "nt" and demo.symbols()[0].origin == "exact"


def test_symbols_of_the_user(demo: ntlens.Dump, demo_path: Path, tmp_path: Path, cli: Path) -> None:
    import subprocess

    isf = tmp_path / "kernel.json"
    subprocess.run([cli, "symbols", demo_path, "--to-isf", "-o", isf], check=True)
    for given in (isf, str(tmp_path), [tmp_path / "kernel.json"]):
        dump = ntlens.open(demo_path, symbols=given)
        assert dump.info.layout_source == str(isf) and dump.info.layout_origin == "exact"
        assert dump.processes()["pid"] == demo.processes()["pid"]
    other = tmp_path / "other.json"
    subprocess.run([cli, "symbols", "--build", "17763", "--to-isf", "-o", other], check=True)
    with pytest.raises(ntlens.SymbolsError, match="these are the symbols of"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ntlens.open(demo_path, symbols=other).processes()
    with pytest.raises(ntlens.SymbolsError):
        ntlens.open(demo_path, symbols=tmp_path / "nothing")


def test_page_tables_of_the_user(demo: ntlens.Dump, demo_path: Path) -> None:
    assert ntlens.open(demo_path, dtb=demo.info.dtb).processes()["pid"] == demo.processes()["pid"]
