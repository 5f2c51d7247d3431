"""What of a stage does not compose, in one sentence each: missing files, missing prims, cycles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.errors import close_file

if TYPE_CHECKING:
    from pxr import Usd

SITE = r"@(?P<by>[^@]*)@(?:,@[^@]*@)*<(?P<prim>[^>]*)>"
SHAPES = (
    (rf"Could not open asset @(?P<what>[^@]*)@ for (?P<arc>\w+) introduced by {SITE}\.?(?: -- (?P<why>.*))?", "a {arc} names {what}, which {why}"),
    (rf"Unresolved (?P<arc>\w+) prim path @(?P<what>[^@]*)@<defaultPrim> introduced by {SITE}", "a {arc} names {what}, which has no default prim"),
    (
        rf"Unresolved (?P<arc>\w+) prim path @(?P<what>[^@]*)@<(?P<target>[^>]*)> introduced by {SITE}",
        "a {arc} names {target} in {what}, and there is no such prim",
    ),
    (
        rf"Cycle detected:\s*{SITE}.*?CANNOT (?P<arc>\w+)[^@]*@(?P<what>[^@]*)@(?:,@[^@]*@)*<(?P<target>[^>]*)>",
        "its {arc} of {target}{other} leads back to itself",
    ),
    (
        r"Sublayer hierarchy with root layer @(?P<by>[^@]*)@ has cycles.*? layer @(?P<what>[^@]*)@(?P<prim>)",
        "the sublayers of {by} lead back to {what}",
    ),
    (r"Could not load sublayer @(?P<what>[^@]*)@ of layer @(?P<by>[^@]*)@(?P<prim>)", "the sublayer {what} of {by} cannot be opened"),
)
"""How OpenUSD words its errors, and how they are said here."""
UNREADABLE = "is of a format that this USD cannot read"
NOUNS = {"inherit": "inheritance", "specialize": "specialization"}


@contextmanager
def hushed() -> Iterator[None]:
    """Keep USD from writing what does not compose to the error stream, over and over; ``composition_errors`` names it."""
    from pxr import UsdUtils

    delegate = UsdUtils.CoalescingDiagnosticDelegate()
    try:
        yield
    finally:
        delegate.TakeUncoalescedDiagnostics()


def composition_errors(stage: Usd.Stage) -> list[tuple[str, str]]:
    """Path of the prim ("" for the stage) and a sentence for each error of composition, each once, sorted.

    Prims below a cycle or a missing file are there without what was to be brought in.
    """
    if hasattr(stage, "GetCompositionErrors"):
        errors = stage.GetCompositionErrors()
    else:
        errors = [error for prim in stage.TraverseAll() for error in prim.GetPrimIndex().localErrors]
    return sorted({sentence(spelled(error)) for error in errors})


def spelled(error: object) -> str:
    """USD's words for an error; those of a file that is no text cannot be read, but for what they begin with."""
    try:
        return str(error)
    except UnicodeDecodeError as unread:
        return unread.object.decode("utf-8", "replace")


def unloaded(stage: Usd.Stage) -> list[str]:
    """Paths of the active prims whose payload is not loaded, sorted."""
    prims = (stage.GetPrimAtPath(path) for path in stage.FindLoadable())
    return sorted(str(prim.GetPath()) for prim in prims if prim and prim.IsActive() and not prim.IsLoaded())


def sentence(text: str) -> tuple[str, str]:
    """Path of the prim, and one of USD's composition errors in one sentence."""
    flat = " ".join(text.split())
    for shape, words in SHAPES:
        found = re.match(shape, flat)
        if found:
            held = found.groupdict()
            what, by = (Path((held.get(name) or "").partition(":SDF_FORMAT_ARGS")[0]) for name in ("what", "by"))
            what = by.parent / what
            there, missing = what.is_file(), close_file(what)
            held["other"] = f" in {what.name}" if what != by else ""
            held["what"] = what.relative_to(by.parent).as_posix() if by.name and what.is_relative_to(by.parent) else what.name
            held["by"] = by.name
            held["arc"] = NOUNS.get(held.get("arc") or "", held.get("arc"))
            held["why"] = reason(held.get("why") or "", there) + missing
            return held["prim"] or "", words.format(**held)
    return "", flat.rstrip(".")


def syntax_error(text: str) -> str:
    """Line and complaint of USD's parser in one of its errors, for the end of a sentence; "" where it has none."""
    found = re.search(r":(\d+):\d+: (.+?)(?: in <.*)?$", text, re.MULTILINE)
    return f": line {found[1]}: {found[2].partition(' matching pxrInternal')[0]}" if found else ""


def reason(why: str, there: bool) -> str:
    """Why a file could not be opened; a file that is not ``there`` gives no reason."""
    if not why and not there:
        return "was not found"
    return UNREADABLE if "file format" in why else "is not a valid USD file"
