"""Tailgate inside Isaac Sim: the backend and the writer; the only importer of omni.replicator.core and isaacsim."""
