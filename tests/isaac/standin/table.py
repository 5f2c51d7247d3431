"""The signature table: what names Isaac Sim 5.1 and 6.0 have and what they take.

``../api.json`` holds facts only, one line per module: qualified name -> row. A row has ``kind``, a signature per flavour (Python's own syntax; a
default that nobody read is ``...``) under "5.1" and "6.0", or one under "both", and where they apply ``alias``, ``binding``, ``async``, ``dtype``,
``shape``, ``gpu``, ``fields``. A setting's signature is its type and default.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[1] / "api.json"
FLAVOURS = ("5.1", "6.0")
KEPT = ("binding", "async", "dtype", "shape", "gpu", "fields")

Row = dict[str, Any]
Table = dict[str, dict[str, Row]]


def compact(rows: Iterable[dict[str, Any]]) -> Table:
    """The table of a full list of API rows."""
    table: Table = {}
    for row in rows:
        table.setdefault(row["module"], {})[row["qualname"]] = _compact_row(row)
    return {module: dict(sorted(table[module].items())) for module in sorted(table)}


def _compact_row(row: dict[str, Any]) -> Row:
    out: Row = {"kind": row["kind"]}
    signatures = {}
    for flavour in row["versions"]:
        params = row.get("params_by_version", {}).get(flavour, row["params"])
        more = row.get("extra_params_6_0", []) if flavour == "6.0" else []
        signatures[flavour] = _setting(params) if row["kind"] == "setting" else _written(params, more)
    if len(signatures) == 2 and len(set(signatures.values())) == 1:
        signatures = {"both": next(iter(signatures.values()))}
    out.update(signatures)
    alias = row.get("import_as", "").removeprefix("rep.")
    if alias and f"omni.replicator.core.{alias}" != f"{row['module']}.{row['qualname']}":
        out["alias"] = f"omni.replicator.core.{alias}"
    out.update({key: row[key] for key in KEPT if row.get(key)})
    return out


def _setting(params: list[dict[str, Any]]) -> str:
    return f"{params[0]['kind']}={params[0].get('default', '?')}"


def _written(params: list[dict[str, Any]], more: list[str]) -> str:
    """Parameters in Python's syntax."""
    out: list[str] = []
    keywords = False
    for n, param in enumerate(params):
        kind, text = param["kind"], param["name"]
        if kind in ("keyword_only", "init_param") and not keywords:
            keywords = True
            out.append("*")
        if kind == "var_positional":
            keywords, text = True, f"*{text}"
        elif kind == "var_keyword":
            out += [f"{name}=..." for name in more]
            text = f"**{text}"
        elif not param.get("required"):
            default = str(param.get("default", "?"))
            text += f"={'...' if default == '?' else default}"
        out.append(text)
        if kind == "positional_only" and (n + 1 == len(params) or params[n + 1]["kind"] != "positional_only"):
            out.append("/")
    if more and not any(p["kind"] == "var_keyword" for p in params):
        out += [] if keywords else ["*"]
        out += [f"{name}=..." for name in more]
    return ", ".join(out)


def written(table: Table) -> str:
    """The table as JSON, one line per symbol."""
    modules = []
    for module, rows in table.items():
        lines = [f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in rows.items()]
        modules.append(f"{json.dumps(module)}:{{\n" + ",\n".join(lines) + "}")
    return "{" + ",\n".join(modules) + "}\n"


@cache
def table() -> Table:
    """The committed table."""
    return json.loads(PATH.read_text())


def text_of(row: Row, flavour: str) -> str | None:
    """A row's signature in one flavour, None where the flavour lacks it."""
    return row.get("both", row.get(flavour))


@cache
def signature_of(text: str) -> inspect.Signature:
    """Parse a written signature. Defaults stay text: only their being there counts."""
    arguments = ast.parse(f"def f({text}): pass").body[0].args  # type: ignore[attr-defined]
    P = inspect.Parameter
    out = []
    positional = arguments.posonlyargs + arguments.args
    first_default = len(positional) - len(arguments.defaults)
    for n, argument in enumerate(positional):
        kind = P.POSITIONAL_ONLY if n < len(arguments.posonlyargs) else P.POSITIONAL_OR_KEYWORD
        default = P.empty if n < first_default else ast.unparse(arguments.defaults[n - first_default])
        out.append(P(argument.arg, kind, default=default))
    if arguments.vararg:
        out.append(P(arguments.vararg.arg, P.VAR_POSITIONAL))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        out.append(P(argument.arg, P.KEYWORD_ONLY, default=P.empty if default is None else ast.unparse(default)))
    if arguments.kwarg:
        out.append(P(arguments.kwarg.arg, P.VAR_KEYWORD))
    return inspect.Signature(out)


@cache
def members(flavour: str) -> dict[str, dict[str, str]]:
    """Module -> top-level name -> full name of its row, for one flavour, aliases included. A class may be there for its methods only."""
    out: dict[str, dict[str, str]] = {}
    for module, rows in table().items():
        for name, row in rows.items():
            if row["kind"] in ("setting", "annotator", "command") or text_of(row, flavour) is None:
                continue
            top = name.split(".")[0]
            out.setdefault(module, {}).setdefault(top, f"{module}.{top}")
            if "alias" in row:
                parent, _, last = row["alias"].removesuffix(name.removeprefix(top)).rpartition(".")
                out.setdefault(parent, {}).setdefault(last, f"{module}.{top}")
    return out


@cache
def find(full: str) -> Row | None:
    """The row of a full dotted name."""
    for module, rows in table().items():
        if full.startswith(module + ".") and full[len(module) + 1 :] in rows:
            return rows[full[len(module) + 1 :]]
    return None


def annotators(flavour: str) -> dict[str, Row]:
    """Rows of the annotators of one flavour, by name."""
    return {name: row for name, row in table()["omni.replicator.core"].items() if row["kind"] == "annotator" and text_of(row, flavour) is not None}


def settings(flavour: str) -> dict[str, tuple[str, Any]]:
    """Settings of one flavour: path -> (type, default), None where the default is not known."""
    out = {}
    for name, row in table()["carb.settings"].items():
        if row["kind"] == "setting" and text_of(row, flavour) is not None:
            kind, _, default = text_of(row, flavour).partition("=")
            out[name] = (kind, None if default == "?" else ast.literal_eval(default))
    return out
