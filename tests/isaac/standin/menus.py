"""Menus, actions, context menus, notifications and the file dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .checks import arguments, behaves
from .sim import Sim, given, sim


class Menus:
    """What extensions have put into the app; all that stays is a leftover.

    Attributes:
        items: menu -> entries in order.
        actions: (extension, action) -> function.
        context: context menu entries.
        notes: notifications that were shown: text, status and buttons.
        dialogs: file dialogs that exist.
    """

    def __init__(self, owner: Sim):
        self.items: dict[str, list[Any]] = {}
        self.actions: dict[tuple[str, str], Callable[..., Any]] = {}
        self.context: list[ContextMenu] = []
        self.notes: list[Note] = []
        self.dialogs: list[FilePickerDialog] = []

    def click(self, path: str) -> Any:
        """For tests: choose a menu entry by path, such as ``Tools/Replicator/Tailgate``."""
        for menu, entries in self.items.items():
            for entry in entries:
                found = _find(entry, menu, path)
                if found is not None:
                    return _choose(found)
        raise LookupError(f"no menu entry {path!r}; there are {self.paths()}")

    def paths(self) -> list[str]:
        """Paths of all entries."""
        return sorted(p for menu, entries in self.items.items() for entry in entries for p in _paths(entry, menu))

    def notified(self) -> list[str]:
        """For tests: texts of the notifications so far."""
        return [note.text for note in self.notes]

    def leftovers(self) -> list[str]:
        """Entries, actions, context menus and dialogs."""
        out = [f"menu entry {path}" for path in self.paths()]
        out += [f"action {ext}/{action}" for ext, action in self.actions]
        out += [f"context menu {menu._dict.get('name')}" for menu in self.context]
        return out + [f"file dialog {dialog._title}" for dialog in self.dialogs]


def _paths(entry: Any, menu: str) -> list[str]:
    own = f"{menu}/{entry.name}"
    return [p for sub in entry.sub_menu for p in _paths(sub, own)] if entry.sub_menu else [own]


def _find(entry: Any, menu: str, path: str) -> Any:
    own = f"{menu}/{entry.name}"
    if own == path:
        return entry
    return next((found for sub in entry.sub_menu or [] if (found := _find(sub, own, path)) is not None), None)


def _choose(entry: Any) -> Any:
    if not entry.enabled or (entry.enable_fn and not entry.enable_fn()):
        raise RuntimeError(f"menu entry {entry.name!r} is disabled")
    if entry.onclick_action:
        return ActionRegistry().execute_action(*entry.onclick_action)
    if entry.onclick_fn:
        return given(entry.onclick_fn)
    raise RuntimeError(f"menu entry {entry.name!r} does nothing")


@behaves("omni.kit.menu.utils.MenuItemDescription")
class MenuItemDescription:
    """One entry of a menu."""

    def __init__(self, *args, **kwargs):
        given_ = {"name": "", "enabled": True, "ticked": False, **arguments("omni.kit.menu.utils.MenuItemDescription", args, kwargs)}
        for key in ("name", "glyph", "header", "enabled", "ticked", "sub_menu", "enable_fn", "ticked_fn", "onclick_action", "onclick_fn"):
            setattr(self, key, given_.get(key))


M = "omni.kit.menu.utils."


@behaves(M + "add_menu_items")
def add_menu_items(menu, name, menu_index=0, can_rebuild_menus=True, delegate=None):
    sim().part(Menus).items.setdefault(name, []).extend(menu)
    return menu


@behaves(M + "remove_menu_items")
def remove_menu_items(menu, name, can_rebuild_menus=True):
    held = sim().part(Menus).items.get(name, [])
    for entry in menu:
        if entry not in held:
            raise ValueError(f"menu {name!r} does not hold the entry {entry.name!r}")
        held.remove(entry)


@behaves(M + "refresh_menu_items")
def refresh_menu_items(name, immediately=None):
    """Nothing is drawn."""


@behaves(M + "MenuHelperExtensionFull")
class MenuHelperExtensionFull:
    """Mix-in that puts a window into a menu and ticks the entry while it is shown.

    As in Kit's own: a window is made anew whenever it is shown, and destroyed one tick after it was hidden; the mix-in takes over its
    ``visibility_changed_fn``. ``window_attr_name`` names the window of what ``create_window_fn`` returns.
    """

    def menu_startup(self, create_window_fn, window_name, menu_desc, menu_group, window_attr_name=None, verbose=False):
        held = self.__dict__.setdefault("_standin_menus", [])
        held.append(_Shown(create_window_fn, menu_desc, menu_group, window_attr_name))
        return len(held) - 1

    def menu_shutdown(self, index=-1):
        held = self.__dict__.get("_standin_menus", [])
        for shown in list(held) if index < 0 else [held[index]]:
            shown.remove()
            held.remove(shown)
        return True


class _Shown:
    """One window of the mix-in with its menu entry and action."""

    def __init__(self, create: Callable[[], Any], name: str, group: str, attribute: str | None):
        self._create, self._group, self._attribute, self._window = create, group, attribute, None
        self._action = (create.__module__, f"menu_toggle_window_helper_{name.lower()}")
        ActionRegistry().register_action(*self._action, self.toggle)
        self._entry = MenuItemDescription(name=name, ticked=True, ticked_fn=self._visible, onclick_action=self._action)
        add_menu_items([self._entry], group)

    def toggle(self) -> None:
        """Show or hide the window."""
        if self._visible():
            self._window.visible = False
            return
        made = given(self._create)
        self._window = getattr(made, self._attribute) if self._attribute else made
        self._window.visible = False
        self._window.set_visibility_changed_fn(self._changed)
        self._window.visible = True

    def remove(self) -> None:
        """Take everything back."""
        ActionRegistry().deregister_action(*self._action)
        remove_menu_items([self._entry], self._group)
        self._destroy()

    def _visible(self) -> bool:
        return self._window is not None and self._window.visible

    def _changed(self, visible: bool) -> None:
        if not visible:
            sim().loop.create_task(self._later())

    async def _later(self) -> None:
        await sim().next_tick()
        self._destroy()

    def _destroy(self) -> None:
        if self._window is not None:
            self._window.destroy()
        self._window = None


@behaves("omni.kit.actions.core.IActionRegistry")
class ActionRegistry:
    """Actions by extension and name."""

    def register_action(self, extension_id, action_id, python_object, display_name="", description="", icon_url="", tag=""):
        sim().part(Menus).actions[extension_id, action_id] = python_object
        return action_id

    def deregister_action(self, extension_id, action_id, invalidate=True):
        sim().part(Menus).actions.pop((extension_id, action_id), None)

    def deregister_all_actions_for_extension(self, extension_id, invalidate=True):
        held = sim().part(Menus).actions
        for key in [k for k in held if k[0] == extension_id]:
            del held[key]

    def execute_action(self, extension_id, action_id, *args, **kwargs):
        held = sim().part(Menus).actions
        if (extension_id, action_id) not in held:
            raise LookupError(f"no action {extension_id}/{action_id} is registered")
        return held[extension_id, action_id](*args, **kwargs)

    def get_action(self, extension_id, action_id):
        return sim().part(Menus).actions.get((extension_id, action_id))


@behaves("omni.kit.actions.core.get_action_registry")
def get_action_registry():
    return ActionRegistry()


@behaves("isaacsim.gui.components.menu.make_menu_item_description")
def make_menu_item_description(ext_id, name, onclick_fun, action_name=""):
    action = action_name or f"{ext_id}_{name}".lower().replace(" ", "_")
    ActionRegistry().register_action(ext_id, action, onclick_fun)
    return MenuItemDescription(name=name, onclick_action=(ext_id, action))


CONTEXT_KEYS = ("name", "glyph", "onclick_fn", "onclick_action", "show_fn", "enabled_fn")


class ContextMenu:
    """Subscription to a context menu entry; it goes when this is dropped or released."""

    def __init__(self, entry: dict[str, Any], index: str):
        for key in entry:
            if key not in CONTEXT_KEYS:
                raise ValueError(f"a context menu entry has no key {key!r}; it has {', '.join(CONTEXT_KEYS)}")
        self._dict, self._index = dict(entry), index
        held = sim().part(Menus).context
        self._key = _Entry(self._dict, index)
        held.append(self._key)
        self._held = held

    def release(self) -> None:
        """Remove the entry."""
        if self._key in self._held:
            self._held.remove(self._key)

    def __del__(self) -> None:
        if hasattr(self, "_held"):
            self.release()


class _Entry:
    """What the app keeps of a context menu entry."""

    def __init__(self, entry: dict[str, Any], index: str):
        self._dict, self._index = entry, index


@behaves("omni.kit.context_menu.add_menu")
def add_menu(menu_dict, index="MENU", extension_id=""):
    return ContextMenu(menu_dict, index)


@behaves("omni.kit.context_menu.get_menu_dict")
def get_menu_dict(index="MENU", extension_id=""):
    return [entry._dict for entry in sim().part(Menus).context if entry._index == index]


@behaves("omni.kit.notification_manager.NotificationStatus")
class NotificationStatus:
    """How grave a notification is."""

    WARNING = 0
    INFO = 1


@behaves("omni.kit.notification_manager.NotificationButtonInfo")
class NotificationButtonInfo:
    """A button of a notification."""

    def __init__(self, text, on_complete=None):
        self.text, self.on_complete = text, on_complete


class Note:
    """A notification."""

    def __init__(self, text: str, status: int, buttons: list[Any]):
        self.text, self.status, self.buttons = text, status, buttons

    def dismiss(self) -> None:
        """Hide it."""


@behaves("omni.kit.notification_manager.post_notification")
def post_notification(text, hide_after_timeout=True, duration=3, status=1, button_infos=()):
    if status not in (NotificationStatus.INFO, NotificationStatus.WARNING):
        raise ValueError(f"status must be NotificationStatus.INFO or WARNING, got {status!r}")
    note = Note(str(text), status, list(button_infos))
    sim().part(Menus).notes.append(note)
    return note


PICKER = (
    "width height click_apply_handler click_cancel_handler apply_button_label cancel_button_label current_directory current_filename "
    "allow_multi_selection enable_filename_input file_postfix_options file_extension_options item_filter_options item_filter_fn selection_changed_fn "
    "show_grid_view show_only_collections enable_checkpoints"
).split()


@behaves("omni.kit.window.filepicker.FilePickerDialog")
class FilePickerDialog:
    """A file dialog. A test chooses with ``sim.part(Menus).dialogs[-1]._apply("name.yaml", "/folder")``."""

    def __init__(self, title, **kwargs):
        for key in kwargs:
            if key not in PICKER:
                raise TypeError(f"FilePickerDialog has no keyword {key!r}; it has {', '.join(PICKER)}")
        self._title, self._how, self._shown = title, kwargs, False
        sim().part(Menus).dialogs.append(self)

    def show(self, path=None):
        self._shown = True
        if path is not None:
            self._how["current_directory"] = path

    def hide(self):
        self._shown = False

    def destroy(self):
        if self in sim().part(Menus).dialogs:
            sim().part(Menus).dialogs.remove(self)

    def get_filename(self):
        return self._how.get("current_filename", "")

    def get_current_directory(self):
        return self._how.get("current_directory", "")

    def navigate_to(self, path):
        self._how["current_directory"] = path

    def set_click_apply_handler(self, click_apply_handler):
        self._how["click_apply_handler"] = click_apply_handler

    def _apply(self, filename: str, folder: str) -> None:
        """Choose a file; the handler must hide the dialog."""
        if not self._shown:
            raise RuntimeError(f"the dialog {self._title!r} is not shown")
        given(self._how["click_apply_handler"], filename, folder)
        if self._shown:
            raise AssertionError(f"the handler of the dialog {self._title!r} did not call hide()")

    def _cancel(self) -> None:
        """Press cancel."""
        if "click_cancel_handler" in self._how:
            given(self._how["click_cancel_handler"], "", "")
        else:
            self.hide()
