"""``python -m tailgate.cli``."""

from tailgate.cli import main

main()
