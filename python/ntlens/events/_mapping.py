"""What columns and findings are called by the schemas: all that is to be said of a new relation stands here."""

from __future__ import annotations

from dataclasses import dataclass

# Severities and confidences of OCSF, by their captions.
SEVERITIES = {"Informational": 1, "Low": 2, "Medium": 3, "High": 4}
CONFIDENCES = {"Low": 1, "Medium": 2, "High": 3}
INTEGRITIES = {"Untrusted": 1, "Low": 2, "Medium": 3, "High": 4, "System": 5, "Protected": 6}
OTHER = 99

#: Columns of `processes`, and where OCSF (in a process object) and ECS (in an event) have them.
PROCESS: tuple[tuple[str, str, str | None], ...] = (
    ("pid", "pid", "process.pid"),
    ("name", "name", "process.name"),
    ("command_line", "cmd_line", "process.command_line"),
    ("image_path", "file.path", "process.executable"),
    ("create_time", "created_time", "process.start"),
    ("exit_time", "terminated_time", "process.end"),
    ("session_id", "session.uid", None),
    ("integrity", "integrity", None),
    ("user_sid", "user.uid", "user.id"),
    ("user_name", "user.name", "user.name"),
)


@dataclass(frozen=True)
class Activity:
    """What happened to a process: the activity of OCSF's class 1007, and the type of an ECS event."""

    id: int
    name: str
    ecs_type: str
    message: str


LAUNCH = Activity(1, "Launch", "start", "{process} was created")
TERMINATE = Activity(2, "Terminate", "end", "{process} ended")
# OCSF has no activity for what was merely there.
OBSERVE = Activity(OTHER, "Observe", "info", "{process} was in the dump")


@dataclass(frozen=True)
class Rule:
    """What a row of a table is a finding of, and why it may be false."""

    title: str
    severity: str
    confidence: str
    doubts: tuple[str, ...]


_BY_DESIGN = "services and programs share objects among sessions by design, in the global namespace"
_HANDED = "a process may have been given the handle on purpose, by inheritance or duplication"

#: Rules by their names: those of crossings are the column `relation`.
RULES: dict[str, Rule] = {
    "hidden-process": Rule(
        "A process is not in the list of active processes",
        "High",
        "Medium",
        (
            "a process is unlinked while it ends, and stays in memory as long as something refers to it",
            "the list may have been in change, or broken by what the dump does not hold",
        ),
    ),
    "name-collision": Rule(
        "A name stands for a global object and for one of a session or container",
        "Low",
        "Low",
        ("programs that run once for each session make the same name in each", "who came first is not in the dump"),
    ),
    "session-holds-global": Rule(
        "A process of a session holds an object of the global namespace", "Informational", "Low", (_BY_DESIGN,)
    ),
    "service-holds-session-object": Rule(
        "A process of session 0 holds an object of another session",
        "Informational",
        "Low",
        ("services act for the users of sessions", _HANDED),
    ),
    "foreign-session": Rule(
        "A process holds an object of another session", "Medium", "Medium", (_HANDED, "brokers serve several sessions")
    ),
    "no-session": Rule(
        "A process without a session holds an object of a session",
        "Informational",
        "Low",
        ("System and minimal processes are in no session, and act for all of them",),
    ),
    "held-in-several-sessions": Rule(
        "An object is held in several sessions", "Informational", "Low", (_BY_DESIGN, _HANDED)
    ),
    "writes-higher": Rule(
        "A process may change a process, thread or token of higher integrity",
        "Medium",
        "Medium",
        (_HANDED, "the level is that of the primary token now, not when the handle was opened"),
    ),
    "writes-what-higher-holds": Rule(
        "A process may change an object that a process of higher integrity holds",
        "Low",
        "Low",
        ("what the higher process does with the object is not known", _HANDED),
    ),
    "host-holds-silo": Rule(
        "A process of the host holds an object of a container", "Informational", "Low", ("the host serves containers",)
    ),
    "silo-holds-host": Rule(
        "A process of a container holds an object of the host",
        "Medium",
        "Medium",
        ("some objects are given by design",),
    ),
    "silo-holds-host-root": Rule(
        "A process of a container holds an object of the host's root",
        "Low",
        "Low",
        ("objects that the kernel makes for all containers have no namespace of their own",),
    ),
    "silo-holds-silo": Rule(
        "A process of a container holds an object of another container", "High", "Medium", (_HANDED,)
    ),
}
UNKNOWN_RULE = Rule("A handle crosses a border", "Informational", "Low", (_HANDED,))
