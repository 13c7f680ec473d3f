"""Files kept by hand, read so that a slip in one is told in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rag.errors import BadSetting


def load_yaml(text: str) -> Any:
    """Parse YAML, with the quicker of two loaders that read the same.

    The glossary takes a second with the other one, the articles seven.

    Raises:
        yaml.YAMLError: It is none.
    """
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    return yaml.load(text, Loader=loader)  # noqa: S506 - both are safe


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
