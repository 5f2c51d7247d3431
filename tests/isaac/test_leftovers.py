"""What code under test leaves behind fails the test, and is named."""

import asyncio

import pytest
from scene import CAMERA, SIZE, street
from standin import standin


def leave_product(sim):
    import omni.replicator.core as rep

    rep.create.render_product(CAMERA, SIZE)


def leave_annotator(sim):
    import omni.replicator.core as rep

    product = rep.create.render_product(CAMERA, SIZE)
    rep.annotators.get("rgb").attach(product)
    product.destroy()


def leave_writer(sim):
    import omni.replicator.core as rep

    class Kept(rep.Writer):
        pass

    rep.WriterRegistry.register(Kept)


def leave_task(sim):
    import omni.kit.app

    async def ever() -> None:
        while True:
            await omni.kit.app.get_app().next_update_async()

    asyncio.ensure_future(ever())
    sim.update(2)


def leave_subscription(sim):
    import carb.settings

    carb.settings.get_settings().subscribe_to_node_change_events("/a", print)


KEPT = []


def leave_observer(sim):
    import carb.eventdispatcher
    import omni.kit.app

    dispatcher = carb.eventdispatcher.get_eventdispatcher()
    KEPT.append(dispatcher.observe_event(event_name=omni.kit.app.GLOBAL_EVENT_UPDATE, on_event=lambda e: None, observer_name="mine"))


def leave_menu(sim):
    from omni.kit.menu.utils import MenuItemDescription, add_menu_items

    add_menu_items([MenuItemDescription(name="Mine", onclick_fn=print)], "Tools")


def leave_action(sim):
    import omni.kit.actions.core

    omni.kit.actions.core.get_action_registry().register_action("my.ext", "go", print)


def leave_window(sim):
    import omni.ui as ui

    ui.Window("Mine")


def leave_context_menu(sim):
    import omni.kit.context_menu

    KEPT.append(omni.kit.context_menu.add_menu({"name": "Mine"}, "CREATE", "my.ext"))


def leave_write(sim):
    import omni.replicator.core as rep

    rep.backends.BaseBackend().schedule(print, "x")


CASES = {
    leave_product: "render product .* of /World/Camera",
    leave_annotator: "annotator rgb on",
    leave_writer: "writer Kept is registered",
    leave_task: "task still running: .*ever",
    leave_subscription: "settings subscription on /a",
    leave_observer: "event observer mine",
    leave_menu: "menu entry Tools/Mine",
    leave_action: "action my.ext/go",
    leave_window: "window Mine",
    leave_context_menu: "context menu Mine",
    leave_write: "1 writes that nobody waited for",
}


@pytest.mark.parametrize("leave", CASES, ids=lambda f: f.__name__)
def test_leftovers_are_named(leave):
    with pytest.raises(AssertionError, match=CASES[leave]), standin("5.1") as sim:
        sim.use_stage(street())
        leave(sim)
    KEPT.clear()


def test_an_app_that_stays_open_is_one():
    with pytest.raises(AssertionError, match="SimulationApp was not closed"), standin("6.0", mode="standalone"):
        from isaacsim import SimulationApp

        SimulationApp()


def test_a_failing_test_keeps_its_own_error():
    with pytest.raises(ZeroDivisionError), standin("5.1") as sim:
        leave_window(sim)
        raise ZeroDivisionError
