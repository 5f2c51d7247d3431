"""What a panel is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from tailgate_ui.session import Session
    from tailgate_ui.state import State


class Panel:
    """One section of the window; built anew whenever a part that it shows has changed."""

    title: ClassVar[str] = ""
    collapsed: ClassVar[bool] = False

    def __init__(self, session: Session):
        self.session = session

    def shows(self, state: State) -> tuple[Any, ...]:
        """The parts of the state that it depends on."""
        raise NotImplementedError

    def build(self, state: State) -> None:
        """Make its widgets, inside a container."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what it holds in Kit."""
