"""The panels of the window, from top to bottom: each shows parts of the state and calls the session."""
