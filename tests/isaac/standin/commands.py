"""omni.kit.commands and omni.kit.undo: commands by name, and what they did, so that it can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .checks import NoBehaviour, behaves
from .sim import Sim, sim

COMMANDS: dict[str, Callable[..., Any]] = {}
"""Commands of Isaac Sim by name; the table checks those it has."""


class Commands:
    """Commands that extensions registered, which must go with them, and the undo stack."""

    def __init__(self, owner: Sim):
        self.registered: dict[str, type] = {}
        self.done: list[Any] = []

    def leftovers(self) -> list[str]:
        """Commands that are still registered."""
        return [f"command {name}" for name in self.registered]


@behaves("omni.kit.commands.Command")
class Command:
    """Base of commands."""

    def do(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define do")


def _name(command: type) -> str:
    return command.__name__.removesuffix("Command")


@behaves("omni.kit.commands.register")
def register(command_class: type) -> None:
    if not issubclass(command_class, Command):
        raise TypeError(f"{command_class.__name__} must be a subclass of omni.kit.commands.Command")
    held = sim().part(Commands).registered
    if _name(command_class) in held:
        raise ValueError(f"command {_name(command_class)} is registered already")
    held[_name(command_class)] = command_class


@behaves("omni.kit.commands.unregister")
def unregister(command_class: type) -> None:
    sim().part(Commands).registered.pop(_name(command_class), None)


@behaves("omni.kit.commands.execute")
def execute(name: str, **kwargs: Any) -> tuple[bool, Any]:
    """Run a command. What one of an extension raises goes to the log, as Kit does it."""
    held = sim().part(Commands)
    if name in COMMANDS:
        return True, COMMANDS[name](**kwargs)
    if name not in held.registered:
        raise NoBehaviour(f"the stand-in has no behaviour for the command {name}; it has {', '.join(sorted({*COMMANDS, *held.registered}))}")
    made = held.registered[name](**kwargs)
    try:
        result = made.do()
    except Exception as error:
        sim().log.append(("error", f"command {name}: {error}"))
        return False, None
    if hasattr(made, "undo"):
        held.done.append(made)
    return True, result


@behaves("omni.kit.undo.undo")
def undo() -> bool:
    """Take the last command back."""
    held = sim().part(Commands)
    if not held.done:
        return False
    held.done.pop().undo()
    return True
