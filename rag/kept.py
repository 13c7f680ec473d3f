"""Files kept by hand, read so that a slip in one is told in a line."""

from __future__ import annotations

from pathlib import Path

import yaml

from rag.errors import BadSetting


def read_kept(file: Path) -> object:
    """Read a YAML file; an empty one is an empty mapping.

    Raises:
        BadSetting: It is missing, or no YAML; the message names it.
    """
    # The quicker of two that read the same: the glossary takes a second with the other.
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both safe
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise BadSetting(f"cannot read {file}: {' '.join(str(error).split())[:200]}") from error
    return {} if found is None else found
