"""Fuzz the parsers by hand: ``python tests/fuzz/fuzz.py SECONDS [TARGET…]``.

By atheris, which has wheels for Linux and some Pythons only: ``pip install -r requirements-fuzz.lock``.
Each target runs in a process of its own; what was found lies in the folder that is named.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

_MOST = {"pdf": 30_000, "docx": 20_000, "odt": 20_000, "epub": 20_000, "archive": 20_000}
"""Bytes of an input; 4,000 else."""
_HANG_S = 10
_MEMORY_MB = 2048


def _one(name: str, seconds: int, folder: str) -> None:
    """Fuzz a target in this process; ends it."""
    import atheris

    with atheris.instrument_imports(include=["ingest", "rag", "api", "eval", "bs4", "pypdf", "markdown_it",
                                             "pdfminer", "pdfplumber", "liquid", "protego", "email"]):  # fmt: skip
        from targets import TARGETS
    from seeds import seeds, spoilt

    corpus = Path(folder) / f"corpus-{name}"
    corpus.mkdir(exist_ok=True)
    for number, content in enumerate((*seeds(name), *spoilt(name, 50))):
        (corpus / f"seed-{number}").write_bytes(content)
    target = TARGETS[name]
    atheris.Setup(
        [sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-timeout={_HANG_S}",
         f"-rss_limit_mb={_MEMORY_MB}", f"-max_len={_MOST.get(name, 4000)}", "-print_final_stats=1",
         f"-artifact_prefix={folder}/{name}-"],
        target,
    )  # fmt: skip
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """Fuzz each target for some seconds; returns the exit code."""
    if arguments[:1] == ["--one"]:
        _one(arguments[1], int(arguments[2]), arguments[3])
        return 0
    from targets import TARGETS

    if not arguments or not arguments[0].isdigit() or not set(arguments[1:]) <= set(TARGETS):
        print(f"usage: fuzz.py SECONDS [{'|'.join(TARGETS)}]...", file=sys.stderr)
        return 2
    folder = tempfile.mkdtemp(prefix="fuzz-")
    print(f"findings and logs: {folder}", flush=True)
    failed = 0
    for name in arguments[1:] or TARGETS:
        command = [sys.executable, __file__, "--one", name, arguments[0], folder]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        Path(folder, f"{name}.log").write_text(done.stdout + done.stderr)
        ran = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        left = re.search(r"=+ Uncaught Python exception: =+\n(.*)", done.stdout + done.stderr)
        told = "" if done.returncode == 0 else f"  FAILED {left[1] if left else 'see its log'}"
        print(f"{name:16}{ran[1] if ran else '?':>9} inputs{told}", flush=True)
        failed += done.returncode != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
