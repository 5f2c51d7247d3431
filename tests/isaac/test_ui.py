"""omni.ui, menus, actions, notifications and dialogs: built as Kit builds them, read and used as a person does."""

import numpy as np
import pytest


@pytest.fixture
def ui(sim):
    import omni.ui as ui

    return ui


def test_widgets_are_built_read_and_clicked(sim, ui):
    window, clicks = ui.Window("Tailgate", width=300, height=200), []
    with window.frame, ui.VStack(spacing=4, height=0):
        label = ui.Label("idle", word_wrap=True, name="status")
        with ui.HStack():
            button = ui.Button("Run", clicked_fn=lambda: clicks.append(1))
            ui.Button("Stop", enabled=False)
        field = ui.IntField(name="count")
        box = ui.ComboBox(1, "small", "large")
        with ui.CollapsableFrame("More", collapsed=False), ui.HStack():
            check = ui.CheckBox()
            bar = ui.ProgressBar()
    seen = []
    field.model.add_end_edit_fn(lambda m: seen.append(m.get_value_as_int()))
    box.model.add_item_changed_fn(lambda model, item: seen.append(model.get_item_value_model().get_value_as_int()))
    assert sim.ui.texts() == ["idle", "Run", "Stop", "0", "large", "More", "False", "0.0"]
    sim.ui.click("Run")
    assert clicks == [1]
    with pytest.raises(RuntimeError, match="disabled"):
        sim.ui.click("Stop")
    with pytest.raises(LookupError, match="there are"):
        sim.ui.click("Start")
    sim.ui.find("IntField", name="count")._type(7)
    sim.ui.find("ComboBox")._choose("small")
    assert seen == [7, 0] and field.model.get_value_as_string() == "7"
    label.text, button.enabled = "running", False
    bar.model.set_value(0.25)
    check.model.set_value(True)
    assert sim.ui.find("Label", name="status").text == "running" and sim.ui.find("ProgressBar").model.get_value_as_float() == 0.25
    window.visible = False
    assert sim.ui.texts() == []
    window.destroy()


def test_what_is_folded_is_not_read(sim, ui):
    window, folds = ui.Window("Fold"), []
    with window.frame, ui.CollapsableFrame("More", collapsed=True, collapsed_changed_fn=folds.append):
        ui.Label("inside")
    assert sim.ui.texts() == ["More"]
    sim.ui.find("CollapsableFrame")._fold(False)
    assert sim.ui.texts() == ["More", "inside"] and folds == [False]
    ui.Workspace.set_show_window_fn("Fold", lambda on: setattr(window, "visible", on))
    ui.Workspace.show_window("Fold", False)
    assert not window.visible
    ui.Workspace.set_show_window_fn("Fold", None)
    window.destroy()


def test_frames_are_built_when_they_are_drawn(sim, ui):
    window, count = ui.Window("Tailgate"), [0]

    def build() -> None:
        count[0] += 1
        with ui.VStack():
            ui.Label(f"built {count[0]}")

    window.frame.set_build_fn(build)
    assert count == [0]
    assert sim.ui.texts() == ["built 1"] and sim.ui.texts() == ["built 1"]
    window.frame.rebuild()
    assert sim.ui.texts() == ["built 2"]
    window.destroy()


def test_trees_show_their_models(sim, ui):
    class Item(ui.AbstractItem):
        def __init__(self, text):
            super().__init__()
            self.model = ui.SimpleStringModel(text)

    class Model(ui.AbstractItemModel):
        def __init__(self):
            super().__init__()
            self.items = [Item("a")]

        def get_item_children(self, item=None):
            return self.items if item is None else []

        def get_item_value_model(self, item, column_id):
            return item.model

        def get_item_value_model_count(self, item):
            return 1

    class Forgetful(ui.AbstractItemModel):
        def __init__(self):
            pass

    class Delegate(ui.AbstractItemDelegate):
        def build_widget(self, model, item, column_id, level, expanded):
            ui.Label(f"<{model.get_item_value_model(item, column_id).get_value_as_string()}>")

        def build_header(self, column_id):
            ui.Label("class")

    window, model, chosen = ui.Window("Tree"), Model(), []
    with window.frame:
        tree = ui.TreeView(model, delegate=Delegate(), root_visible=False, header_visible=True, selection_changed_fn=chosen.extend)
    assert sim.ui.texts() == ["class", "<a>"]
    model.items.append(Item("b"))
    assert sim.ui.texts() == ["class", "<a>"], "nobody said that it changed"
    model._item_changed(None)
    assert sim.ui.texts() == ["class", "<a>", "<b>"]
    tree._select([model.items[1]])
    assert chosen == [model.items[1]]
    with pytest.raises(RuntimeError, match="super"), window.frame:
        ui.TreeView(Forgetful())
    window.destroy()


def test_pictures_have_the_bytes_they_need(sim, ui):
    provider = ui.ByteImageProvider()
    provider.set_bytes_data(list(range(16)), [2, 2])
    assert provider._pixels.shape == (2, 2, 4)
    provider.set_data_array(np.zeros((2, 3, 4), np.uint8), [3, 2])
    with pytest.raises(ValueError, match="24 bytes"):
        provider.set_bytes_data([0] * 18, [3, 2])
    window = ui.Window("Picture")
    with window.frame:
        ui.ImageWithProvider(provider, width=30, height=20)
    assert sim.ui.find("ImageWithProvider")._provider is provider
    window.destroy()


def test_what_no_source_shows_is_an_error(sim, ui):
    window = ui.Window("Strict")
    with window.frame, ui.VStack():
        label = ui.Label("x")
        with pytest.raises(TypeError, match="'colour'"):
            ui.Label("x", colour=3)
        with pytest.raises(AttributeError, match="'txt'"):
            label.txt = "y"
        with pytest.raises(TypeError, match="value model"):
            ui.FloatField(3.0)
    with pytest.raises(RuntimeError, match="inside a container"):
        ui.Label("nowhere")
    with pytest.raises(RuntimeError, match="its title is its name"):
        ui.Window("Strict")
    with pytest.raises(AttributeError, match="did you mean"):
        ui.Buton("x")
    window.destroy()


def test_a_window_of_a_menu_opens_hides_and_goes(sim, ui):
    from omni.kit.menu.utils import MenuHelperExtensionFull

    class View:
        def __init__(self):
            self.window = ui.Window("Tailgate")

    class Extension(MenuHelperExtensionFull):
        def on_startup(self, ext_id):
            self.menu_startup(View, "Tailgate", "Tailgate", "Tools/Replicator", window_attr_name="window")

    extension = Extension()
    extension.on_startup("tailgate.ui-1.0")
    assert sim.menus.paths() == ["Tools/Replicator/Tailgate"]
    sim.menus.click("Tools/Replicator/Tailgate")
    assert sim.ui.windows["Tailgate"].visible
    sim.menus.click("Tools/Replicator/Tailgate")
    assert not sim.ui.windows["Tailgate"].visible
    sim.update(2)
    assert not sim.ui.windows
    sim.menus.click("Tools/Replicator/Tailgate")
    extension.menu_shutdown()
    assert not sim.ui.windows and not sim.menus.leftovers()


def test_menu_entries_run_their_actions(sim):
    import omni.kit.actions.core
    from omni.kit.menu.utils import MenuItemDescription, add_menu_items, remove_menu_items

    done, registry = [], omni.kit.actions.core.get_action_registry()
    registry.register_action("my.ext", "go", lambda: done.append("go"))
    menu = [MenuItemDescription(name="Sub", sub_menu=[MenuItemDescription(name="Go", onclick_action=("my.ext", "go"))])]
    add_menu_items(menu, "Tools")
    sim.menus.click("Tools/Sub/Go")
    assert done == ["go"]
    remove_menu_items(menu, "Tools")
    registry.deregister_all_actions_for_extension("my.ext")
    with pytest.raises(LookupError):
        registry.execute_action("my.ext", "go")


def test_notifications_context_menus_and_dialogs(sim):
    import omni.kit.context_menu
    import omni.kit.notification_manager as notes
    from omni.kit.window.filepicker import FilePickerDialog

    notes.post_notification("done", duration=2, status=notes.NotificationStatus.WARNING)
    assert sim.menus.notified() == ["done"]
    entry = omni.kit.context_menu.add_menu({"name": "Tailgate", "onclick_fn": print}, "CREATE", "my.ext")
    assert [e["name"] for e in omni.kit.context_menu.get_menu_dict("CREATE")] == ["Tailgate"]
    entry = None
    assert entry is None and omni.kit.context_menu.get_menu_dict("CREATE") == []
    chosen = []
    dialog = FilePickerDialog("Open", click_apply_handler=lambda name, folder: (chosen.append((name, folder)), dialog.hide()))
    dialog.show("/data")
    sim.menus.dialogs[-1]._apply("a.yaml", "/data")
    assert chosen == [("a.yaml", "/data")] and dialog.get_current_directory() == "/data"
    with pytest.raises(TypeError, match="file_extensions"):
        FilePickerDialog("Open", file_extensions=[])
    dialog.destroy()
