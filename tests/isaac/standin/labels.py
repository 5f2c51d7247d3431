"""Semantics: which labelled prim a shape belongs to, and what its labels are after inheritance and the global filter."""

from __future__ import annotations

from typing import Any

from tailgate.stage.labels import SCHEMA, attribute_name

from .checks import NoBehaviour, behaves
from .sim import Sim, sim


class SemanticFilter:
    """The global filter of the instance mapping."""

    def __init__(self, owner: Sim):
        self.text = "*:*"


def wanted(text: str) -> dict[str, set[str]]:
    """Taxonomy -> labels of a filter such as ``class:*`` or ``class:car|person; colour:red``."""
    out: dict[str, set[str]] = {}
    for part in text.replace("\n", ";").replace(",", ";").split(";"):
        taxonomy, colon, names = part.strip().partition(":")
        if not part.strip():
            continue
        if not colon or any(c in names for c in "&!()"):
            raise NoBehaviour(f"the stand-in has no behaviour for the semantic filter {text!r}")
        out.setdefault(taxonomy.strip(), set()).update(n.strip() for n in names.split("|"))
    return out


def own_labels(prim: Any) -> dict[str, list[str]]:
    """Labels authored on a prim by taxonomy; only those whose schema is applied count."""
    out = {}
    for schema in map(str, prim.GetAppliedSchemas()):
        name, _, taxonomy = schema.partition(":")
        if name == SCHEMA and taxonomy:
            held = prim.GetAttribute(attribute_name(taxonomy)).Get()
            if held:
                out[taxonomy] = [str(v) for v in held]
    return out


class Labels:
    """Labels of one stage, read when asked for and kept.

    Args:
        stage: the stage.
        text: filter that decides what counts; the global one by default.
    """

    def __init__(self, stage: Any, text: str = ""):
        self._stage, self._wanted = stage, wanted(text or sim().part(SemanticFilter).text)
        self._own: dict[str, dict[str, list[str]]] = {}
        self._entity: dict[str, str | None] = {}
        self._joined: dict[str, dict[str, str]] = {}

    def _of(self, path: str) -> dict[str, list[str]]:
        """Own labels of a prim that pass the filter."""
        if path not in self._own:
            prim = self._stage.GetPrimAtPath(path)
            self._own[path] = {t: kept for t, names in own_labels(prim).items() if (kept := self._kept(t, names))} if prim else {}
        return self._own[path]

    def _kept(self, taxonomy: str, names: list[str]) -> list[str]:
        chosen = self._wanted.get(taxonomy, set()) | self._wanted.get("*", set())
        return [n for n in names if "*" in chosen or n in chosen]

    def entity(self, path: str) -> str | None:
        """Path of the nearest labelled prim at or above a prim, None without one."""
        if path not in self._entity:
            chain = _up(path)
            self._entity[path] = next((p for p in chain if self._of(p)), None)
        return self._entity[path]

    def joined(self, path: str) -> dict[str, str]:
        """Labels of a prim and its ancestors, joined with commas: ``{"class": "wheel, car"}``."""
        if path not in self._joined:
            out: dict[str, list[str]] = {}
            for above in _up(path):
                for taxonomy, names in self._of(above).items():
                    out.setdefault(taxonomy, []).extend(n for n in names if n not in out.get(taxonomy, []))
            self._joined[path] = {taxonomy: ", ".join(names) for taxonomy, names in out.items()}
        return self._joined[path]


def _up(path: str) -> list[str]:
    """A path and those above it, without the root."""
    out = []
    while path and path != "/":
        out.append(path)
        path = path.rpartition("/")[0]
    return out


@behaves("omni.syntheticdata.SyntheticData")
class SyntheticData:
    """The instance mapping's switch."""

    @staticmethod
    def Get() -> SyntheticData:
        return SyntheticData()

    def set_instance_mapping_semantic_filter(self, predicate: str) -> None:
        wanted(predicate)
        sim().part(SemanticFilter).text = predicate
