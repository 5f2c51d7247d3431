"""Names that the API reference describes in words and the table has no row for; each with the flavours that have it.

Signatures of these are the ones of their behaviours, written from the same text (section 2 to 6 of the reference).
"""

from __future__ import annotations

BOTH = ("5.1", "6.0")

_UI = (
    "Alignment",
    "DockPolicy",
    "DockPosition",
    "DockPreference",
    "FillPolicy",
    "ScrollBarPolicy",
    "TextureFormat",
    "Type",
    "Workspace",
    "WINDOW_FLAGS_NONE",
    "WINDOW_FLAGS_NO_SCROLLBAR",
    "WINDOW_FLAGS_NO_RESIZE",
    "WINDOW_FLAGS_NO_COLLAPSE",
    "WINDOW_FLAGS_NO_CLOSE",
    "WINDOW_FLAGS_NO_MOVE",
    "WINDOW_FLAGS_NO_TITLE_BAR",
    "WINDOW_FLAGS_NO_SAVED_SETTINGS",
    "WINDOW_FLAGS_MODAL",
)

PROSE: dict[str, tuple[str, ...]] = {
    "carb.log_info": BOTH,
    "carb.log_warn": BOTH,
    "carb.log_error": BOTH,
    "carb.eventdispatcher.get_eventdispatcher": BOTH,
    "omni.ext.IExt": BOTH,
    "omni.kit.app.get_app": BOTH,
    "omni.kit.app.GLOBAL_EVENT_UPDATE": BOTH,
    "omni.kit.commands.Command": BOTH,
    "omni.kit.commands.execute": BOTH,
    "omni.kit.commands.register": BOTH,
    "omni.kit.commands.unregister": BOTH,
    "omni.kit.notification_manager.NotificationStatus": BOTH,
    "omni.kit.test.AsyncTestCase": BOTH,
    "omni.kit.undo.undo": BOTH,
    "omni.replicator.core.Writer": BOTH,
    "omni.replicator.core.BackendDispatch": BOTH,
    "omni.replicator.core.orchestrator.OrchestratorError": BOTH,
    "omni.replicator.core.orchestrator.OrchestratorStatus": BOTH,
    "omni.syntheticdata.SyntheticData": BOTH,
    "omni.timeline.get_timeline_interface": BOTH,
    "omni.usd.get_context": BOTH,
    "isaacsim.sensors.rtx.SUPPORTED_LIDAR_CONFIGS": BOTH,
    "isaacsim.sensors.experimental.rtx.SUPPORTED_LIDAR_CONFIGS": ("6.0",),
    **{f"omni.ui.{name}": BOTH for name in _UI},
}

EXTENSIONS: dict[str, dict[str, str]] = {
    "omni.replicator.core": {"5.1": "1.12.27", "6.0": "1.13.27"},
    "omni.warp.core": {"5.1": "1.8.2", "6.0": "1.13.0"},
    "isaacsim.sensors.rtx": {"5.1": "15.8.4", "6.0": "15.8.4"},
    "isaacsim.sensors.experimental.rtx": {"6.0": "1.4.6"},
    "omni.replicator.replicator_yaml": {"5.1": "2.0.11", "6.0": "2.0.12"},
}
"""Extensions whose versions the reference gives."""
