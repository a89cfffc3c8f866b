"""What the tests share: the sample dump, and machines whose truth is known, which lie beside the project.

The package must be installed. `NTLENS_SHARED` names the folder of machines, `NTLENS_CLI` the built command and
`NTLENS_TESTKIT` that of the testkit; what is not there is skipped, and says so.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import ntlens

ROOT = Path(__file__).resolve().parents[2]


def built(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, ROOT / "target" / "debug" / default))
    if not path.is_file():
        assert variable not in os.environ, f"{variable} names no file"
        pytest.skip(f"{path.name} is not built ({variable} names it)")
    return path


@pytest.fixture(scope="session")
def cli() -> Path:
    return built("NTLENS_CLI", "ntlens")


@pytest.fixture(scope="session")
def testkit() -> Path:
    return built("NTLENS_TESTKIT", "ntlens-testkit")


@pytest.fixture(scope="session")
def demo() -> ntlens.Dump:
    return ntlens.demo()


@pytest.fixture(scope="session")
def demo_bytes() -> bytes:
    """The sample as a file holds it."""
    import zlib

    return zlib.decompress((ROOT / "crates/ntlens/assets/demo.dmp.zlib").read_bytes())


@pytest.fixture(scope="session")
def demo_path(tmp_path_factory: pytest.TempPathFactory, demo_bytes: bytes) -> Path:
    path = tmp_path_factory.mktemp("demo") / "demo.dmp"
    path.write_bytes(demo_bytes)
    return path


class Machine:
    """A synthetic machine of the shared folder, with what is true of it."""

    def __init__(self, packed: Path, folder: Path) -> None:
        self.name = packed.name.removesuffix(".dmp.xz")
        self.path = folder / f"{self.name}.dmp"
        with lzma.open(packed) as source, self.path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        with lzma.open(packed.with_name(f"{self.name}.truth.json.xz")) as truth:
            self.truth: dict[str, Any] = json.load(truth)


def shared() -> Path | None:
    folder = Path(os.environ.get("NTLENS_SHARED", ROOT.parent / "shared"))
    if (folder / "dumps").is_dir():
        return folder
    assert "NTLENS_SHARED" not in os.environ, f"NTLENS_SHARED names {folder}, which has no dumps"
    return None


def machines(*wanted: str) -> list[Any]:
    """All machines, or those whose names begin as wanted: for tests that take long, or are not for damaged ones."""
    folder = shared()
    if folder is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="no shared folder with dumps"))]
    packed = sorted((folder / "dumps").glob("*.dmp.xz"))
    assert len(packed) >= 12
    packed = [path for path in packed if path.name.startswith(wanted or "")]
    assert len(packed) >= len(wanted)
    return [pytest.param(path, id=path.name.removesuffix(".dmp.xz")) for path in packed]


@pytest.fixture(scope="session", params=machines())
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(request.param, tmp_path_factory.mktemp("machine"))
