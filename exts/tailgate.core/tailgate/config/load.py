"""YAML in, checked models out; every complaint carries file, line and key path."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tailgate.errors import UserError, Where, nearest

M = TypeVar("M", bound=BaseModel)


class Model(BaseModel):
    """Base of all configuration models: closed, finite, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source:
    """A YAML document with the line of every key path."""

    def __init__(self, path: str | Path, text: str | None = None):
        self.path = Path(path)
        self.tree = _parse(self.path, text if text is not None else _read(self.path))

    def where(self, loc: tuple) -> Where:
        """Return the place of a key path; the deepest part that the file holds gives the line."""
        node, line = self.tree, 1
        for part in loc:
            try:
                line = (node.lc.key(part) if isinstance(node, dict) else node.lc.item(part))[0] + 1
                node = node[part]
            except (KeyError, IndexError, TypeError, AttributeError):
                if not isinstance(part, str) or isinstance(node, (dict, list)):
                    continue
        return Where(self.path, line, key_path(loc))

    def plain(self) -> Any:
        """The document as plain dicts, lists and scalars."""
        return _plain(self.tree)


def key_path(loc: tuple) -> str:
    """Format a key path: ``cells[2].target``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def validate(model: type[M], data: Any, source: Source | None = None, prefix: tuple = ()) -> M:
    """Build ``model`` from ``data``; the first complaint becomes one UserError sentence."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = min(error.errors(), key=lambda e: (e["type"] != "extra_forbidden", len(e["loc"])))
        loc = prefix + _real_location(first["loc"], data)
        place = source.where(loc) if source else Where(key=key_path(loc))
        raise UserError(_sentence(first, model), place) from None


def load(model: type[M], path: str | Path, overrides: Sequence[str] = ()) -> M:
    """Read a YAML file into ``model``; ``overrides`` are ``path=value`` texts such as ``cells[0].target=20``."""
    source = Source(path)
    if not isinstance(source.tree, dict):
        raise UserError(f"must be a mapping of keys to values, got {type(source.plain()).__name__}", Where(path, 1))
    data = source.plain()
    for text in overrides:
        _override(data, text)
    return validate(model, data, source)


def _override(data: Any, text: str) -> None:
    """Set one value in plain data from ``path=value``; the value is YAML."""
    from ruamel.yaml import YAML

    path, equals, value = text.partition("=")
    parts = [int(p) if p.isdigit() else p for p in path.replace("[", ".").replace("]", "").split(".")]
    if not equals or "" in parts:
        raise UserError(f"--set must be path=value such as cells[0].target=20, got '{text}'")
    node = data
    for part, following in zip(parts[:-1], parts[1:], strict=True):
        if isinstance(node, dict) and part not in node and isinstance(following, str):
            node[part] = {}
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            raise UserError(f"--set {path}: there is no '{part}' to set a value in") from None
    try:
        node[parts[-1]] = YAML(typ="safe", pure=True).load(value)
    except (IndexError, TypeError):
        raise UserError(f"--set {path}: there is no place '{parts[-1]}' to set") from None


def dump(model: BaseModel | Any) -> str:
    """Write a model (or plain data) as YAML text; reading it back gives the same model."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 140
    out = io.StringIO()
    yaml.dump(model.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(model, BaseModel) else model, out)
    return out.getvalue()


def inside(root: str | Path, path: str | Path, where: Where | None = None) -> Path:
    """Resolve ``path`` under ``root``; a path that leaves the root is refused."""
    base = Path(root).expanduser().resolve()
    full = (base / Path(os.path.expandvars(str(path)))).resolve()
    if full != base and base not in full.parents:
        raise UserError(f"path must stay inside {base}, got '{path}'", where)
    return full


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"file not found{nearest(path.name, [p.name for p in path.parent.glob('*.y*ml')])}", path) from None
    except IsADirectoryError:
        raise UserError("must be a file, got a folder", path) from None
    except UnicodeDecodeError:
        raise UserError("must be UTF-8 text, got binary data", path) from None
    except PermissionError:
        raise UserError("cannot be read: permission denied", path) from None


def _parse(path: Path, text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or str(error)).split("\n")[0]
        raise UserError(f"is not valid YAML: {problem}", Where(path, mark.line + 1 if mark else None)) from None
    except YAMLError as error:
        raise UserError(f"is not valid YAML: {str(error).splitlines()[0]}", path) from None
    return {} if tree is None else tree


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(k): _plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [_plain(v) for v in node]
    if isinstance(node, bool) or node is None:
        return node
    for scalar in (int, float, str):
        if isinstance(node, scalar):
            return scalar(node)
    return str(node)


def _real_location(loc: tuple, data: Any) -> tuple:
    """Drop the parts of a pydantic location that name a union's member instead of a key in the data."""
    out, node = [], data
    for i, part in enumerate(loc):
        known = (isinstance(node, dict) and part in node) or (isinstance(node, list) and isinstance(part, int))
        if known or i == len(loc) - 1:
            out.append(part)
            node = node[part] if known and (not isinstance(part, int) or part < len(node)) else None
    return tuple(out)


def _fields(model: type[BaseModel], loc: tuple) -> list[str]:
    """Names allowed where ``loc`` ends, gathered over the model tree."""
    names: set[str] = set()
    seen: set[type] = set()

    def visit(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation not in seen:
                seen.add(annotation)
                names.update(f.alias or n for n, f in annotation.model_fields.items())
                for f in annotation.model_fields.values():
                    visit(f.annotation)
        for arg in getattr(annotation, "__args__", ()):
            visit(arg)

    own = model
    for part in loc[:-1]:
        if isinstance(part, str) and part in own.model_fields:
            candidates: list[type] = []
            stack = [own.model_fields[part].annotation]
            while stack:
                a = stack.pop()
                if isinstance(a, type) and issubclass(a, BaseModel):
                    candidates.append(a)
                stack.extend(getattr(a, "__args__", ()))
            if len(candidates) == 1:
                own = candidates[0]
                continue
            for c in candidates:
                visit(c)
            return sorted(names)
    return sorted(f.alias or n for n, f in own.model_fields.items())


def _sentence(error: dict, model: type[BaseModel]) -> str:
    kind, got, ctx = error["type"], error.get("input"), error.get("ctx", {})
    name = str(error["loc"][-1]) if error["loc"] else "value"
    if kind == "extra_forbidden":
        return f"unknown key '{name}'{nearest(name, _fields(model, error['loc']))}"
    if kind == "missing":
        return f"'{name}' is required"
    if kind == "finite_number" or (isinstance(got, float) and not math.isfinite(got)):
        return f"{name} must be a finite number, got {got}"
    if kind in ("literal_error", "enum"):
        options = str(ctx.get("expected")).replace(" or ", ", ").replace("'", "").split(", ")
        return f"{name} must be one of {ctx.get('expected')}, got {got!r}{nearest(str(got), options)}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tags = str(ctx.get("expected_tags", "constant, ranged, log_ranged, choice, conditional, joint")).replace("'", "").split(", ")
        got_tag = str(ctx.get("tag", "no 'kind'"))
        return f"{name}.kind must be one of {', '.join(tags)}, got {got_tag}{nearest(got_tag, tags)}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind == "value_error":
        return message
    wanted = message.removeprefix("Input should be ")
    return f"{name} must be {wanted}, got {_short(got)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
