"""Strict calls: every call of a stand-in is bound to its row of the table for the flavour that runs, before anything else happens."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from tailgate.errors import nearest

from . import table

T = TypeVar("T")

BEHAVIOURS: dict[str, Any] = {}
"""Full dotted name -> the function, class or constant that stands for it."""
FLAVOUR_OF: list[str] = []
"""The flavour that runs; one entry while a stand-in is open."""


class NoBehaviour(NotImplementedError):
    """The table knows a name and the call was right, but the stand-in does nothing for it."""


class SignatureError(TypeError):
    """A call that the real function would refuse, or that no source shows."""


def flavour() -> str:
    """The flavour that runs."""
    if not FLAVOUR_OF:
        raise RuntimeError("no stand-in of Isaac Sim is open: what was imported from it is used after its end")
    return FLAVOUR_OF[-1]


def bind(full: str, args: tuple, kwargs: dict[str, Any]) -> None:
    """Check a call against the row of ``full``; names without a row are not checked."""
    row = table.find(full)
    if row is None:
        return
    text = table.text_of(row, flavour())
    if text is None:
        raise AttributeError(f"Isaac Sim {flavour()} has no {full}")
    try:
        table.signature_of(text).bind(*args, **kwargs)
    except TypeError as error:
        raise SignatureError(f"{full}({text}) in Isaac Sim {flavour()}: {error}") from None


def missing(full: str) -> Callable[..., Any]:
    """What stands for a known name without a behaviour: it checks the call, then says so."""

    def call(*args: Any, **kwargs: Any) -> Any:
        bind(full, args, kwargs)
        raise NoBehaviour(f"the stand-in has no behaviour for {full}")

    call.__name__ = call.__qualname__ = full.rsplit(".", 1)[-1]
    return call


def checked(full: str, function: Callable[..., T]) -> Callable[..., T]:
    """A function whose calls are bound to the row of ``full`` first."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> T:
        bind(full, args, kwargs)
        return function(*args, **kwargs)

    return call


class Method:
    """A checked method of a class, absent in flavours that lack it. Private uses inside the stand-in go the same way."""

    def __init__(self, full: str, member: Any):
        self.full, self.member = full, member
        self.name = full.rsplit(".", 1)[-1]

    def __get__(self, instance: Any, owner: type) -> Any:
        row = table.find(self.full)
        if row is not None and FLAVOUR_OF and table.text_of(row, flavour()) is None:
            raise AttributeError(f"Isaac Sim {flavour()} has no {self.full}")
        call = self.member.__get__(instance, owner)
        if instance is None and inspect.isfunction(self.member):
            return _of_class(self.full, call)
        return checked(self.full, call)


def _of_class(full: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A method taken from its class: the object comes first."""

    @functools.wraps(function)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        bind(full, args, kwargs)
        return function(self, *args, **kwargs)

    return call


def behaves(full: str) -> Callable[[T], T]:
    """Let a function or class stand for a full dotted name. A class gets its methods checked; those it lacks raise ``NoBehaviour``."""

    def take(thing: T) -> T:
        BEHAVIOURS[full] = _class(full, thing) if inspect.isclass(thing) else checked(full, thing) if callable(thing) else thing
        return BEHAVIOURS[full]

    return take


def _class(full: str, cls: type) -> type:
    module, _, name = full.rpartition(".")
    if table.find(full) is not None and "__init__" in vars(cls):
        cls.__init__ = _constructor(full, cls)
    for member, row in table.table().get(module, {}).items():
        owner, _, method = member.rpartition(".")
        if owner != name:
            continue
        held = inspect.getattr_static(cls, method, None)
        if held is None:
            absent = missing(f"{full}.{method}")
            wrapped = (lambda call: staticmethod(call) if row.get("binding") else _unbound(call))(absent)
            setattr(cls, method, wrapped)
        elif not isinstance(held, Method) and method in vars(cls):
            setattr(cls, method, Method(f"{full}.{method}", held))
    cls.__module__, cls.__name__, cls.__qualname__ = module, name, name
    return cls


def _unbound(call: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    return method


def _constructor(full: str, cls: type) -> Callable[..., None]:
    make = cls.__init__

    @functools.wraps(make)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bind(full, args, kwargs)
        make(self, *args, **kwargs)

    return __init__


def arguments(full: str, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments by name, as the row of ``full`` names them."""
    names = list(table.signature_of(table.text_of(table.find(full), flavour())).parameters)
    return {**dict(zip(names, args, strict=False)), **kwargs}


def behaves_by_name(full: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As ``behaves`` for a function with many parameters: it gets those that were given, all by name."""

    def take(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(**arguments(full, args, kwargs))

        return behaves(full)(call)

    return take


def unknown_attribute(owner: str, name: str, known: list[str]) -> AttributeError:
    """The error for a name that no source shows, with the nearest known one."""
    return AttributeError(f"{owner} has no '{name}' that Isaac Sim {flavour()} is known to have{nearest(name, known)}")
