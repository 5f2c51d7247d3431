"""Calls are held to the table, names to what is known, and behaviours take all that the table allows."""

import inspect

import pytest
from standin import NoBehaviour, SignatureError, standin, table
from standin.checks import BEHAVIOURS, Method

P = inspect.Parameter


def function_of(full: str):
    """What a behaviour really takes, without its check; None where nothing stands for the name."""
    module_rows = next((m for m in sorted(table.table(), key=len, reverse=True) if full.startswith(m + ".")), None)
    name = full[len(module_rows) + 1 :]
    if full in BEHAVIOURS:
        held = BEHAVIOURS[full]
        return held.__init__ if inspect.isclass(held) else held
    owner, _, method = name.rpartition(".")
    cls = BEHAVIOURS.get(f"{module_rows}.{owner}")
    held = inspect.getattr_static(cls, method, None) if cls else None
    return held.member if isinstance(held, Method) else None


def rows(flavour: str):
    for module, held in table.table().items():
        for name, row in held.items():
            if row["kind"] in ("function", "method", "class") and table.text_of(row, flavour) is not None:
                yield f"{module}.{name}", row


@pytest.mark.parametrize("flavour", table.FLAVOURS)
def test_behaviours_take_all_that_the_table_allows(flavour):
    bad, seen = [], 0
    for full, row in rows(flavour):
        held = function_of(full)
        if held is None or held is object.__init__ or table.text_of(row, flavour) == "*args, **kwargs":
            continue
        held = held.__func__ if isinstance(held, (staticmethod, classmethod)) else held
        own = inspect.signature(held)
        wants = list(table.signature_of(table.text_of(row, flavour)).parameters.values())
        first = [None] if next(iter(own.parameters), "") in ("self", "cls") else []
        positional = [None for p in wants if p.kind in (P.POSITIONAL_ONLY, P.POSITIONAL_OR_KEYWORD)]
        only = {p.name: None for p in wants if p.kind == P.KEYWORD_ONLY}
        named = {p.name: None for p in wants if p.kind in (P.POSITIONAL_OR_KEYWORD, P.KEYWORD_ONLY)}
        before = [None for p in wants if p.kind == P.POSITIONAL_ONLY]
        needed = {p.name: None for p in wants if p.default is P.empty and p.kind in (P.POSITIONAL_OR_KEYWORD, P.KEYWORD_ONLY)}
        seen += 1
        for args, kwargs in (([*first, *positional], only), ([*first, *before], named), ([*first, *before], needed)):
            try:
                own.bind(*args, **kwargs)
            except TypeError as error:
                bad.append(f"{full}{own}: {error}")
                break
        if bool(row.get("async")) != inspect.iscoroutinefunction(inspect.unwrap(held)) and row["kind"] != "class":
            bad.append(f"{full}: async is {bool(row.get('async'))} in the table")
    assert not bad, "\n".join(bad)
    assert seen > 150


def test_wrong_calls_raise(sim):
    import omni.replicator.core as rep
    from omni.kit.menu.utils import MenuItemDescription

    with pytest.raises(SignatureError, match="unexpected keyword argument 'subframes'"):
        rep.orchestrator.step(subframes=3)
    with pytest.raises(SignatureError, match="missing a required argument: 'resolution'"):
        rep.create.render_product("/World/Camera")
    with pytest.raises(SignatureError, match="too many positional"):
        rep.orchestrator.set_capture_on_play(False, True)
    with pytest.raises(SignatureError, match="'on_click'"):
        MenuItemDescription(name="x", on_click=print)
    with pytest.raises(SignatureError, match="missing a required argument: 'render_products'"):
        rep.annotators.get("rgb").attach(path="/x")


def test_unknown_names_raise_and_name_the_nearest(sim):
    import omni.replicator.core as rep

    with pytest.raises(AttributeError, match=r"did you mean 'render_product'"):
        rep.create.render_products("/World/Camera", (4, 4))
    with pytest.raises(ModuleNotFoundError):
        import omni.replicator.cor  # noqa: F401
    with pytest.raises(ValueError, match=r"did you mean 'HdrColor'"):
        rep.annotators.get("HDRColour")
    with pytest.raises(ValueError, match="no init parameter 'colourize'"):
        rep.annotators.get("semantic_segmentation", init_params={"colourize": False})


def test_known_names_without_a_behaviour_say_so_after_the_check(sim):
    import omni.replicator.core as rep

    with pytest.raises(SignatureError):
        rep.trigger.on_frame(every=2)
    with pytest.raises(NoBehaviour, match=r"no behaviour for omni.replicator.core.trigger.on_frame"):
        rep.trigger.on_frame(interval=2)


def test_modules_of_the_other_flavour_are_absent():
    with standin("5.1"):
        with pytest.raises(ModuleNotFoundError):
            import isaacsim.sensors.experimental.rtx  # noqa: F401
        from isaacsim.core.simulation_manager import SimulationManager

        with pytest.raises(AttributeError, match="5.1 has no"):
            SimulationManager.setup_simulation(dt=0.01)
    with standin("6.0"):
        from isaacsim.core.utils import semantics

        with pytest.raises(AttributeError, match="add_update_semantics"):
            semantics.add_update_semantics(None, "car")


def test_a_submodule_must_be_imported_by_name(sim):
    import omni.usd

    with pytest.raises(AttributeError, match="'import omni.timeline'"):
        omni.timeline.get_timeline_interface()


def test_nothing_is_left_in_the_process():
    import sys

    with standin("5.1"):
        import omni.replicator.core as rep
    assert not [name for name in sys.modules if name.split(".")[0] in ("omni", "carb", "isaacsim")]
    with pytest.raises(ModuleNotFoundError):
        import omni.usd  # noqa: F401
    with pytest.raises(RuntimeError, match="after its end"):
        rep.annotators.get("rgb")
