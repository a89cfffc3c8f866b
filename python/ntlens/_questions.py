"""Methods for the questions of the library's registry, so that a new question needs no line of Python."""

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any

from ntlens._ntlens import Dump, Process, Row, Table, questions

_Question = dict[str, Any]

#: The questions that are an attribute instead: there is one answer and it never changes.
_ATTRIBUTES = {"info"}


def add_methods() -> None:
    """Gives `Dump` a method for each question, and `Process` one for each that can be asked of a process alone."""
    Mapping.register(Row)
    all_of_them = questions()
    attributes = {column["name"] for one in all_of_them if one["name"] == "processes" for column in one["columns"]}
    for question in all_of_them:
        name = _python_name(question)
        if name not in _ATTRIBUTES:
            setattr(Dump, name, _of_dump(question))
        # The rows belong to processes, and no column of a process has the name.
        if question["columns"][0]["name"] == "pid" and name not in attributes:
            setattr(Process, name, _of_process(question))


def _python_name(question: _Question) -> str:
    """A question's name where no dash may stand in it."""
    name: str = question["name"].replace("-", "_")
    return name


def _of_dump(question: _Question) -> Callable[..., Table]:
    name = question["name"]

    def method(self: Dump, /, *args: Any, **kwargs: Any) -> Table:
        return self.ask(name, *args, **kwargs)

    parameters = [_parameter(parameter) for parameter in question["parameters"]]
    about = [f"{parameter['name']}: {parameter['about']}." for parameter in question["parameters"]]
    return _named(method, "Dump", question, parameters, about)


def _of_process(question: _Question) -> Callable[..., Table]:
    name = question["name"]

    def method(self: Process, /) -> Table:
        return self._ask(name)

    return _named(method, "Process", question, [], ["Only what belongs to this process."])


def _parameter(parameter: _Question) -> Parameter:
    by_position = parameter["form"] == "position"
    kind = Parameter.POSITIONAL_OR_KEYWORD if by_position else Parameter.KEYWORD_ONLY
    flag = parameter["form"] == "flag"
    kinds = {"flag": bool, "number": int | None}
    annotation = kinds.get(parameter["form"], str | int | None if "ADDRESS" in parameter["value"] else str | None)
    return Parameter(parameter["name"], kind, default=False if flag else None, annotation=annotation)


def _named(
    method: Callable[..., Table], owner: str, question: _Question, parameters: list[Parameter], about: list[str]
) -> Callable[..., Table]:
    """Gives a method what `help`, `inspect` and editors ask for."""
    this = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    parameters = sorted(parameters, key=lambda parameter: parameter.kind)
    method.__name__ = _python_name(question)
    method.__qualname__ = f"{owner}.{method.__name__}"
    method.__module__ = "ntlens"
    method.__signature__ = Signature([this, *parameters], return_annotation=Table)  # type: ignore[attr-defined]
    columns = [f"    {column['name']} ({column['kind']}): {column['about']}" for column in question["columns"]]
    sentence = question["about"][0].upper() + question["about"][1:] + "."
    method.__doc__ = "\n".join([sentence, "", *about, *([""] if about else []), "Columns:", *columns])
    return method
