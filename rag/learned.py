"""Files of numbers that were learned for one embedder, and mean nothing to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from rag.errors import BadSetting

T = TypeVar("T")
Numbers = Mapping[str, NDArray[Any]]
"""What a file holds, by name."""


class Misfit(ValueError):
    """Numbers that can be read and do not belong together; the message says why."""


def read_learned(file: Path, embedder: str, build: Callable[[Numbers], T]) -> T | None:
    """Read what was learned from an ``.npz`` file.

    Args:
        file: Its numbers, and the name of the embedder that they were learned for.
        embedder: The one in use.
        build: Makes of the numbers what is wanted; it may raise `Misfit`.

    Returns:
        None where there is no file, or one that was learned for another embedder.

    Raises:
        BadSetting: The file is broken; the message names it.
    """
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as held:
            built = build(held)
            learned_for = str(held["embedder"])
    except Misfit as error:
        raise BadSetting(f"cannot read {file}: {error}") from error
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise BadSetting(f"cannot read {file}: {type(error).__name__}") from error
    return built if learned_for == embedder else None
