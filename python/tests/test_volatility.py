"""volatility3's plugins over dumps that it cannot open itself, against what is true of the machines."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Machine, shared
from test_truth import number, opened

import ntlens

volatility = pytest.importorskip("ntlens.volatility", reason="no volatility3")

pytestmark = [
    pytest.mark.filterwarnings("ignore::ntlens.IncompleteWarning"),
    # volatility3's own schema names a draft that its validator does not know.
    pytest.mark.filterwarnings("ignore:The metaschema specified:DeprecationWarning"),
]

#: The kernel summary of Windows 7's kind, the live dump and the kernel dump of type 6, and the debugger's own kinds.
FOREIGN = {"s3": 2, "s4": 6, "e6": 6, "e2": 8, "e1": 9, "e4": 10}
#: volatility3 cuts addresses.
BITS = (1 << 48) - 1
EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What volatility3 keeps is none of the user's."""
    from volatility3 import schemas
    from volatility3.framework import constants

    monkeypatch.setattr(constants, "CACHE_PATH", str(tmp_path))
    monkeypatch.setattr(schemas, "cached_validation_filepath", str(tmp_path / "valid"))


def foreign(machine: Machine) -> ntlens.Dump:
    if machine.name[:2] not in FOREIGN:
        pytest.skip("volatility3 opens it, or it is damaged")
    dump = opened(machine)
    assert dump.info.dump_type == FOREIGN[machine.name[:2]] == machine.truth["dump"]["dump_type"]
    return dump


def own_symbols(machine: Machine, folder: Path) -> Path | None:
    """A copy: volatility3 writes into folders that it is given."""
    isf = machine.truth["isf"]
    name = f"{isf['guid']}-{isf['age']}.json.xz"
    found = shared() / "isf" / name
    if not found.is_file():
        return None
    place = folder / "windows" / "ntkrnlmp.pdb"
    place.mkdir(parents=True)
    shutil.copy(found, place / name)
    return folder


def second(filetime: int | None) -> datetime.datetime | None:
    return EPOCH + datetime.timedelta(seconds=filetime // 10_000_000) if filetime else None


def check_processes(rows: list[dict[str, Any]], machine: Machine) -> None:
    expected = {
        (
            process["pid"],
            process["ppid"],
            process["image_name"],
            number(process["eprocess"]) & BITS,
            second(process["create_time"]),
            second(process["exit_time"]),
        )
        for process in machine.truth["processes"]
        if process["in_active_list"] and not process["freed"]
    }
    assert len(expected) > 50
    columns = ("PID", "PPID", "ImageFileName", "Offset(V)", "CreateTime", "ExitTime")
    found = [tuple(row[column] for column in columns) for row in rows]
    found = [(*row[:4], *(time and time.replace(microsecond=0) for time in row[4:])) for row in found]
    assert len(found) == len(expected) and set(found) == expected


def test_plugins_run_with_what_ntlens_knows(machine: Machine) -> None:
    dump = foreign(machine)
    context = volatility.context(dump)
    check_processes(volatility.run(context, "windows.pslist"), machine)

    info = {row["Variable"]: row["Value"] for row in volatility.run(context, "windows.info")}
    assert int(info["Kernel Base"], 16) == number(machine.truth["kernel"]["base"])
    assert int(info["DTB"], 16) == dump.info.system_dtb
    # volatility3 cuts it.
    assert machine.truth["build_lab"][:32] == info["NTBuildLab"]

    modules = volatility.run(context, "windows.modules.Modules")
    truth = machine.truth["modules"]
    assert [(row["Base"], row["Size"], row["Name"], row["Path"]) for row in modules] == [
        (number(module["base"]) & BITS, module["size"], module["name"], module["path"]) for module in truth
    ]

    system = next(process for process in machine.truth["processes"] if process["pid"] == 4)
    held = {
        (handle["handle"], number(handle["object"]) & BITS, number(handle["access"])) for handle in system["handles"]
    }
    rows = volatility.run(context, "windows.handles", pid=[4])
    found = {(row["HandleValue"], row["Offset"], row["GrantedAccess"]) for row in rows}
    # volatility3 drops objects of which the stored type byte is 0 (see docs/peers.md); it invents none.
    print(f"{machine.name}: {len(found)} of {len(held)} handles of System")
    assert len(found) == len(rows) and found <= held and len(found) >= len(held) * 9 // 10
    # Threads and names of objects are further structures of the same table.
    assert {row["PID"] for row in rows} == {4} and any(row["Name"] == "KnownDlls" for row in rows)


def test_plugins_run_with_a_table_that_is_given(machine: Machine, tmp_path: Path) -> None:
    dump = foreign(machine)
    symbols = own_symbols(machine, tmp_path / "symbols")
    if symbols is None:
        pytest.skip("its table is not in the shared folder")
    before = sorted(tmp_path.rglob("symbols/**/*"))
    given = volatility.run(dump, "windows.pslist", symbols=symbols)
    check_processes(given, machine)
    assert given == volatility.run(dump, "windows.pslist")
    assert sorted(tmp_path.rglob("symbols/**/*")) == before
    with pytest.raises(ntlens.SymbolsError, match="no table of the kernel"):
        volatility.run(dump, "windows.pslist", symbols=tmp_path / "nothing")


@pytest.mark.parametrize("with_symbols", [False, True], ids=["alone", "with-symbols"])
def test_the_command_line_opens_them(machine: Machine, tmp_path: Path, with_symbols: bool) -> None:
    if machine.name[:2] not in ("s3", "s4"):
        pytest.skip("one of each type is enough")
    given = ["-s", str(own_symbols(machine, tmp_path / "symbols"))] if with_symbols else []
    options = ["-q", "--offline", "-r", "json", "--cache-path", tmp_path, *given, "-f", machine.path]
    run = subprocess.run(
        [sys.executable, "-m", "ntlens.volatility", *options, "windows.pslist"],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    rows = json.loads(run.stdout)
    for row in rows:
        for column in ("CreateTime", "ExitTime"):
            row[column] = row[column] and datetime.datetime.fromisoformat(row[column])
    check_processes(rows, machine)


def test_rows_hang_below_each_other(machine: Machine) -> None:
    dump = foreign(machine)
    rows = volatility.run(dump, "windows.pstree")
    depths = {row["PID"]: row["TreeDepth"] for row in rows}
    assert depths[4] == 0 and max(depths.values()) >= 2
    for row in rows:
        if row["TreeDepth"] > 0:
            assert depths[row["PPID"]] == row["TreeDepth"] - 1


def test_the_layer_has_the_holes_of_the_dump(machine: Machine) -> None:
    from volatility3.framework import exceptions
    from volatility3.framework.layers.scanners import BytesScanner

    dump = foreign(machine)
    context = volatility.context(dump)
    layer = context.layers["memory_layer"]
    held = sorted((row.start, row.bytes_present) for row in dump.coverage())
    start, size = held[0]
    hole = start + size
    assert not layer.is_valid(hole) and layer.is_valid(hole - 16, 16) and not layer.is_valid(hole - 16, 17)
    head = dump.read_physical(hole - 16, 16)
    assert layer.read(hole - 16, 16) == head
    with pytest.raises(exceptions.InvalidAddressException):
        layer.read(hole - 16, 32)
    assert layer.read(hole - 16, 32, pad=True) == head + bytes(16)
    # Two stretches and the hole between them.
    after = next(begin for begin, _ in held if begin > hole)
    if after - hole < 1 << 20:
        text = layer.read(hole - 16, after - hole + 32, pad=True)
        assert text == head + bytes(after - hole) + dump.read_physical(after, 16)
    assert layer.maximum_address == held[-1][0] + held[-1][1] - 1
    with pytest.raises(NotImplementedError):
        layer.write(start, b"x")
    # A scan sees every stretch, whatever holes are around it.
    base = dump.translate(dump.info.kernel_base).physical
    found = list(layer.scan(context, BytesScanner(b"MZ")))
    assert base in found and all(layer.read(place, 2) == b"MZ" for place in found)


def test_what_a_plugin_does_not_have_is_told(demo: ntlens.Dump) -> None:
    context = volatility.context(demo)
    listed = [process.pid for process in demo.processes() if "active-list" in process.sources]
    assert [row["PID"] for row in volatility.run(context, "windows.pslist")] == listed
    [system] = volatility.run(context, "windows.pslist", pid=[4])
    assert system["PID"] == 4
    assert [row["PID"] for row in volatility.run(context, "windows.pslist")] == listed
    with pytest.raises(TypeError, match=r"no option 'pids'; it has .*pid"):
        volatility.run(context, "windows.pslist", pids=[4])
    with pytest.raises(ValueError, match=r"no plugin 'windows\.nothing'"):
        volatility.run(context, "windows.nothing")


def test_a_small_dump_is_refused(testkit: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.dmp"
    subprocess.run([testkit, "make", "--build", "19041.1288", "--kind", "triage", path], check=True)
    with pytest.raises(ntlens.Error, match="holds no physical memory"):
        volatility.context(ntlens.open(path))


def test_volatility3_is_needed_only_when_it_is_asked_for() -> None:
    program = """if True:
        import sys
        sys.modules["volatility3"] = None
        import ntlens
        try:
            import ntlens.volatility
        except ImportError as error:
            print(error)
    """
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "this needs volatility3: pip install ntlens[volatility]"
