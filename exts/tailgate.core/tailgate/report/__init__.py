"""Pictures, contact sheets and the report of a run."""
