"""One registry: the library, the command and the package have the same questions, parameters and columns by name."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import ntlens
from ntlens._ntlens import questions

# The sample has no kernel with service tables, and not every page: what it misses is another test's business.
pytestmark = pytest.mark.filterwarnings("ignore::ntlens.IncompleteWarning")

NAMES = [question["name"] for question in questions()]


@pytest.fixture(scope="module")
def schema(cli: Path) -> dict[str, Any]:
    return json.loads(subprocess.run([cli, "schema"], check=True, capture_output=True).stdout)["$defs"]


def test_every_question_is_there(demo: ntlens.Dump) -> None:
    assert len(NAMES) >= 12
    for name in NAMES:
        assert hasattr(ntlens.Dump, name.replace("-", "_")), name
    with pytest.raises(ValueError, match="no question is named"):
        demo.ask("no such")


@pytest.mark.parametrize("question", questions(), ids=NAMES)
def test_columns_are_those_of_the_command(demo: ntlens.Dump, schema: dict[str, Any], question: dict[str, Any]) -> None:
    name = question["name"]
    answer = demo.ask(name)
    assert answer.name == name
    if name != "info":
        assert getattr(demo, name.replace("-", "_"))().columns == answer.columns
    commands = list(schema[name]["properties"])
    assert [*answer.columns, "absent"] == commands
    assert answer.columns == [column["name"] for column in question["columns"]]
    for column in question["columns"]:
        assert (
            answer.about[column["name"]] == column["about"] == schema[name]["properties"][column["name"]]["description"]
        )


@pytest.mark.parametrize("question", questions(), ids=NAMES)
def test_parameters_are_those_of_the_command(cli: Path, question: dict[str, Any]) -> None:
    usage = subprocess.run([cli, question["name"], "--help"], check=True, capture_output=True, text=True).stdout
    # What every command has that reads a dump.
    common = subprocess.run([cli, "info", "--help"], check=True, capture_output=True, text=True).stdout
    options = set(re.findall(r"^ +(?:-\w, )?--([\w-]+)", usage, re.M)) - set(re.findall(r"--([\w-]+)", common))
    positions = re.search(r"^Usage: ntlens \S+ (.*)$", usage, re.M)
    assert positions is not None
    by_form = {"position": set(), "option": set()}
    for parameter in question["parameters"]:
        by_form["position" if parameter["form"] == "position" else "option"].add(parameter["name"])
    assert {option.replace("-", "_") for option in options} == by_form["option"]
    arguments = re.findall(r"^  [<\[]([^>\]]+)[>\]]", usage, re.M)
    assert len(arguments) - 1 == len(by_form["position"]), arguments

    if question["name"] != "info":
        method = inspect.signature(getattr(ntlens.Dump, question["name"].replace("-", "_")))
        assert set(method.parameters) - {"self"} == {parameter["name"] for parameter in question["parameters"]}


@pytest.mark.parametrize("table", ["memory", "translation", "symbols", "symbol", "embedded"])
def test_tables_of_other_commands(demo: ntlens.Dump, schema: dict[str, Any], table: str) -> None:
    base = demo.info.kernel_base
    answers: dict[str, Any] = {
        "memory": lambda: demo.memory(base, 100).columns,
        "translation": lambda: list(demo.translate(base)),
        "symbols": lambda: demo.symbols().columns,
        "symbol": lambda: demo.symbol("nt!Ps*").columns,
        "embedded": lambda: ntlens.embedded().columns,
    }
    assert [*answers[table](), "absent"] == list(schema[table]["properties"])


def test_rows_are_those_of_the_command(demo_path: Path, cli: Path) -> None:
    dump = ntlens.open(demo_path)
    for arguments, table in [
        (["handles", "--pid", "4"], dump.handles(pid=4)),
        (["handles", "--all"], dump.handles(all=True)),
        (["objects", r"\Device"], dump.objects(r"\Device")),
        (["holders", "--type", "Event"], dump.holders(type="Event")),
        (["processes"], dump.processes()),
    ]:
        command = [cli, arguments[0], demo_path, *arguments[1:], "--format", "json"]
        document = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        assert len(document["rows"]) == len(table) > 0
        for expected, row in zip(document["rows"], table, strict=True):
            assert row.absent == expected.pop("absent")
            assert {name: as_json(value) for name, value in row.items()} == {
                name: as_json(value) for name, value in expected.items()
            }
    # An address is a number here.
    event = dump.holders(type="Event")[0]
    assert [row.handle for row in dump.holders(event.object) if row.holder_pid == event.holder_pid] == [event.handle]


def as_json(value: Any) -> Any:
    """Addresses are texts in JSON, and times have a digit more."""
    if isinstance(value, str) and re.fullmatch("0x[0-9a-f]{16}", value):
        return int(value, 16)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{7}Z", value):
        return value[:-2]
    if isinstance(value, list):
        return [as_json(one) for one in value]
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f") if hasattr(value, "strftime") else value


def test_methods_of_a_process(demo: ntlens.Dump) -> None:
    process = demo.process(4)
    assert set(process.handles()["pid"]) == {4} == set(process.threads()["pid"])
    assert process.handles().to_dicts() == demo.handles(pid=4).to_dicts()
    assert len(process.threads()) == process.active_threads


def test_no_column_hides_behind_a_method(demo: ntlens.Dump) -> None:
    for question in questions():
        names = {column["name"] for column in question["columns"]}
        assert not names & set(dir(ntlens.Row)), question["name"]
    assert {name for name in demo.processes().columns if hasattr(ntlens.Process, name)} <= {"token", "job", "silo"}


def test_arguments_are_checked(demo: ntlens.Dump) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'pidd'"):
        demo.ask("handles", pidd=4)
    with pytest.raises(TypeError, match="takes 0 positional"):
        demo.ask("handles", 4)
    with pytest.raises(TypeError, match="twice"):
        demo.ask("objects", r"\Device", path=r"\Device")
    with pytest.raises(TypeError):
        demo.ask("handles", pid="4")
    with pytest.raises(OverflowError):
        demo.ask("handles", pid=-4)
    with pytest.raises(TypeError):
        demo.ask("holders", type=4)
    assert demo.handles(pid=None, all=False).to_dicts() == demo.handles().to_dicts()


def test_help_has_parameters_and_columns() -> None:
    text = inspect.getdoc(ntlens.Dump.handles)
    assert text is not None
    assert "pid: Only " in text and "granted_access (code): rights" in text
    assert str(inspect.signature(ntlens.Dump.holders)).startswith("(self, object: str | int | None = None, *, type: ")
