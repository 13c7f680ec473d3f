"""Files kept by hand, read so that a slip in one is told in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from rag.errors import BadSetting

_Kept = TypeVar("_Kept")


class GivenTwice(yaml.MarkedYAMLError):
    """A mapping gives one key twice: YAML forbids it, and its readers drop the first in silence."""


def load_yaml(text: str) -> Any:
    """Parse YAML, with the quicker of two loaders that read the same.

    The glossary takes a second with the other one, the articles seven.

    Raises:
        GivenTwice: A key stands twice in one mapping.
        yaml.YAMLError: It is none.
    """
    loader = (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_keys_given_twice(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_keys_given_twice(root: yaml.Node) -> None:
    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        # What is aliased stands in several places, and may hold itself.
        if isinstance(node, yaml.ScalarNode) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
            continue
        keys = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    raise GivenTwice(
                        problem=f"{key.value!r} is given twice", problem_mark=key.start_mark
                    )
                keys.add((key.tag, key.value))
            nodes += (key, value)


def read_kept(file: Path) -> object:
    """Read a YAML file; an empty one is an empty mapping.

    Raises:
        BadSetting: It is missing, or no YAML; the message names it.
    """
    try:
        found = load_yaml(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise BadSetting(f"cannot read {file}: {' '.join(str(error).split())[:200]}") from error
    return {} if found is None else found


def read_kept_as(file: Path, kind: TypeAdapter[_Kept]) -> _Kept:
    """Read a YAML file that is to be of a kind; an empty one is an empty mapping.

    Raises:
        BadSetting: It is missing, no YAML, or not of that kind; one line names the file and the
            place of the first slip.
    """
    try:
        return kind.validate_python(read_kept(file))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise BadSetting(f"cannot read {file}: {place}: {first['msg']}") from error
