"""Real data: readers, groups and splits."""

from tailgate.reference.open import open_reference
from tailgate.reference.reader import Entry, Reader, ReferenceSet

__all__ = ["Entry", "Reader", "ReferenceSet", "open_reference"]
