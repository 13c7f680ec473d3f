"""Personal data in what people write: found, and masked.

Before a text is logged, embedded, sent to a model or counted::

    mask(text, find_personal(text))

What is looked for, and what never is, stands in `rag.personal.finder`.
"""

from rag.personal.finder import find_personal, mask
from rag.personal.spans import KINDS, TOKENS, Kind, Personal

__all__ = ["KINDS", "TOKENS", "Kind", "Personal", "find_personal", "mask"]
