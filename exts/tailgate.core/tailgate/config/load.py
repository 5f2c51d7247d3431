"""YAML in, checked models out; every complaint carries file, line and key path."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from tailgate.errors import UserError, Where, nearest
from tailgate.packages import need

M = TypeVar("M", bound=BaseModel)
MAX_VALUES = 1_000_000
"""Values that a document may hold with its aliases written out."""


class Model(BaseModel):
    """Base of all configuration models: closed, finite, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name):
        raise ValueError(f"name must be up to 100 letters, digits, '_', '.' or '-' and start with a letter or digit, got {_short(name)}")
    return name


Name = Annotated[str, AfterValidator(_file_name)]
"""A name that is also a file's or a folder's."""


class Source:
    """A YAML mapping with the line of every key path.

    Args:
        path: the file.
        overrides: ``path=value`` texts such as ``cells[0].target=20``; the place of such a value is the command line.

    Attributes:
        data: the document, overridden, as plain dicts, lists and scalars.
    """

    def __init__(self, path: str | Path, overrides: Sequence[str] = ()):
        self.path = Path(path)
        tree = _parse(self.path, _read(self.path))
        self.tree = {} if tree is None else tree
        self.data = plain(self.tree, self.path)
        if not isinstance(self.data, dict):
            raise UserError(f"must be a mapping of keys to values, got {_short(self.data)}", Where(path, 1))
        self._overridden = [_override(self.data, text) for text in overrides]

    def at(self, key: str) -> Where:
        """Return the place of a key path given as text."""
        return self.where(parse_key_path(key))

    def where(self, loc: tuple) -> Where:
        """Return the place of a key path; the deepest part that the file holds gives the line."""
        if any(loc[: len(path)] == path for path in self._overridden):
            return Where("--set", key=key_path(loc))
        node, line = self.tree, 1
        for part in loc:
            try:
                line = (node.lc.key(part) if isinstance(node, dict) else node.lc.item(part))[0] + 1
                node = node[part]
            except (KeyError, IndexError, TypeError, AttributeError):
                if not isinstance(part, str) or isinstance(node, (dict, list)):
                    continue
        return Where(self.path, line, key_path(loc))


def key_path(loc: tuple) -> str:
    """Format a key path: ``cells[2].target``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parse_key_path(text: str) -> tuple[str | int, ...]:
    """Parts of a key path: ``cells[2].target`` -> ("cells", 2, "target")."""
    return tuple(int(p) if p.isdigit() else p for p in text.replace("[", ".").replace("]", "").split("."))


def validate(model: type[M], data: Any, source: Source | None = None, prefix: tuple = ()) -> M:
    """Build ``model`` from ``data``; the first complaint becomes one UserError sentence."""
    try:
        made = model.model_validate(data)
        first = next(_taken_for_numbers(data, made), None)
    except ValidationError as error:
        found = error.errors()
        found = [e for e in found if not (e["type"] == "string_type" and isinstance(e["input"], dict))] or found
        first = min(found, key=lambda e: (e["type"] != "extra_forbidden", len(e["loc"])))
        first["loc"] = _real_location(first["loc"], data, first["type"] == "missing")
        first["loc"] += _key_meant(first, data)
    if not first:
        return made
    loc = prefix + first["loc"]
    raise UserError(_sentence(first, model), source.where(loc) if source else Where(key=key_path(loc)))


def _taken_for_numbers(given: Any, made: Any, loc: tuple = ()) -> Iterator[dict]:
    """A complaint for every truth value or text of a document that became a number of its model."""
    if isinstance(given, (bool, str)) and type(made) in (int, float):
        yield {"type": f"{type(made).__name__}_type", "loc": loc, "input": given, "msg": ""}
    held: dict[Any, Any] = {}
    if isinstance(made, BaseModel):
        held = {field.alias or name: getattr(made, name) for name, field in type(made).model_fields.items()}
    elif isinstance(made, (dict, list, tuple)):
        held = dict(made) if isinstance(made, dict) else dict(enumerate(made))
    parts = given.items() if isinstance(given, dict) else enumerate(given) if isinstance(given, list) else ()
    for key, value in parts:
        yield from _taken_for_numbers(value, held.get(key), (*loc, key))


def load(model: type[M], path: str | Path, overrides: Sequence[str] = ()) -> M:
    """Read a YAML file into ``model``; ``overrides`` are ``path=value`` texts such as ``cells[0].target=20``."""
    source = Source(path, overrides)
    return validate(model, source.data, source)


def _override(data: Any, text: str) -> tuple[str | int, ...]:
    """Set one value in plain data from ``path=value``, the value being YAML; returns the parts of the path."""
    path, equals, value = text.partition("=")
    parts = parse_key_path(path)
    if not equals or "" in parts:
        raise UserError(f"--set must be path=value such as cells[0].target=20, got '{text}'")
    node = data
    for part, following in zip(parts[:-1], parts[1:], strict=True):
        if isinstance(node, dict) and part not in node and isinstance(following, str):
            node[part] = {}
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            raise UserError(f"--set {path}: there is no '{part}' to set a value in{nearest(str(part), _names(node))}") from None
    try:
        node[parts[-1]] = value_of(f"--set {path}", value)
    except (IndexError, TypeError):
        raise UserError(f"--set {path}: there is no place '{parts[-1]}' to set") from None
    return parts


def value_of(name: str, text: str) -> Any:
    """A value given on the command line, read as YAML; ``name`` is what complaints call it."""
    return plain(_parse(name, text), name)


def _names(node: Any) -> list[str]:
    return list(node) if isinstance(node, dict) else [str(i) for i in range(len(node))] if isinstance(node, list) else []


def dump(model: BaseModel | Any) -> str:
    """Write a model (or plain data) as YAML text; reading it back gives the same model."""
    import io

    yaml = need("ruamel.yaml").YAML(typ="safe", pure=True)
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


def within(roots: Sequence[Path], path: str | Path, where: Where | None = None, base: Path | None = None) -> Path:
    """Resolve ``path`` relative to ``base`` (by default the first of ``roots``); one that lies in none of the roots is refused."""
    full = ((base or roots[0]) / Path(path).expanduser()).resolve()
    bases = [Path(root).resolve() for root in roots]
    if not any(base == full or base in full.parents for base in bases):
        raise UserError(f"path must lie in one of {', '.join(map(str, dict.fromkeys(bases)))}; got '{path}'", where)
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


def _parse(path: Path | str, text: str) -> Any:
    yaml, errors = need("ruamel.yaml"), need("ruamel.yaml.error")
    try:
        return yaml.YAML(typ="rt", pure=True).load(text)
    except errors.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or str(error)).split("\n")[0]
        raise UserError(f"is not valid YAML: {problem}", Where(path, mark.line + 1 if mark else None)) from None
    except errors.YAMLError as error:
        raise UserError(f"is not valid YAML: {str(error).splitlines()[0]}", path) from None
    except RecursionError:
        raise UserError("is nested too deeply", path) from None


def plain(tree: Any, path: Path | str) -> Any:
    """A document as plain dicts, lists and scalars; aliases are copied, and one that would grow without end is refused."""
    left = MAX_VALUES

    def visit(node: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise RecursionError
        if isinstance(node, dict):
            return {str(k): visit(v) for k, v in node.items()}
        if isinstance(node, list):
            return [visit(v) for v in node]
        if isinstance(node, bool) or node is None:
            return node
        return next((scalar(node) for scalar in (int, float, str) if isinstance(node, scalar)), str(node))

    try:
        return visit(tree)
    except RecursionError:
        raise UserError(f"must hold at most {MAX_VALUES:,} values, aliases written out, and be nested less deeply", path) from None


def _real_location(loc: tuple, data: Any, missing: bool) -> tuple:
    """Drop the parts of a pydantic location that name a union's member instead of a key in the data; the last part of a ``missing`` key stays."""
    out, node = [], data
    for i, part in enumerate(loc):
        known = (isinstance(node, dict) and part in node) or (isinstance(node, list) and isinstance(part, int))
        if known or (missing and i == len(loc) - 1):
            out.append(part)
            node = node[part] if known and (not isinstance(part, int) or part < len(node)) else None
    return tuple(out)


def _key_meant(error: dict, data: Any) -> tuple:
    """The key that a complaint about several keys is about: the first of its words that is a key there, as ``shutter.exposure_ms`` may be."""
    for part in error["loc"] if error["type"] == "value_error" else ():
        data = data[part] if isinstance(data, (dict, list)) else None
    words = error["msg"].removeprefix("Value error, ").split(", got")[0].split() if error["type"] == "value_error" else ()
    for word in words:
        path, node = tuple(word.rstrip(",:;").split(".")), data
        for part in path:
            node = node[part] if isinstance(node, dict) and part in node else None
        if node is not None:
            return path
    return ()


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


WANTED = {
    "int_": "a whole number",
    "float_": "a number",
    "string_type": "text",
    "bool_": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
}
"""Kind of complaint -> what was expected, in the words of a YAML file."""


def _sentence(error: dict, model: type[BaseModel]) -> str:
    kind, got, ctx = error["type"], error.get("input"), error.get("ctx", {})
    name = next((str(part) for part in reversed(error["loc"]) if isinstance(part, str)), "value")
    if kind == "extra_forbidden":
        return f"unknown key '{name}'{nearest(name, _fields(model, error['loc']))}"
    if kind == "missing":
        return f"'{name}' is required" if name == error["loc"][-1] else f"{name} must hold a value number {error['loc'][-1] + 1}, got none"
    if kind == "finite_number" or (isinstance(got, float) and not math.isfinite(got)):
        return f"{name} must be a finite number, got {got}"
    if kind in ("literal_error", "enum"):
        options = str(ctx.get("expected")).replace(" or ", ", ").replace("'", "").split(", ")
        near = nearest(str(got), options)
        return f"{name} must be one of {ctx.get('expected')}, got {got!r}{near if 'did you mean' in near else ''}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tags = str(ctx.get("expected_tags", "constant, ranged, log_ranged, choice, conditional, joint")).replace("'", "").split(", ")
        key = str(ctx.get("discriminator", "kind")).strip("'")
        if "tag" not in ctx:
            return f"{name}.{key} is required, one of {', '.join(tags)}"
        near = nearest(str(ctx["tag"]), tags)
        return f"{name}.{key} must be one of {', '.join(tags)}, got '{ctx['tag']}'{near if 'did you mean' in near else ''}"
    if kind in ("too_short", "too_long"):
        least, most = ctx.get("min_length"), ctx.get("max_length")
        return f"{name} must hold at {f'least {least}' if kind == 'too_short' else f'most {most}'} entries, got {ctx.get('actual_length')}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind == "value_error":
        return message
    wanted = next((f"be {words}" for start, words in WANTED.items() if kind.startswith(start)), message.split(" should ")[-1])
    return f"{name} must {wanted}, got {_short(got)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
