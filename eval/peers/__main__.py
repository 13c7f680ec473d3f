"""Command line: ``python -m eval.peers``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from eval.peers.environments import PEERS, PeerFailed, python_of, run_peer
from eval.peers.exchange import say, write_task
from eval.peers.scoring import read_run, score, table, to_be_found
from eval.peers.task import documents_of, queries_of
from eval.questions import Judged, read_questions
from rag.errors import HelpdeskError
from rag.settings import Settings, read_settings
from rag.wiring import open_index

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    questions: Annotated[list[Path], typer.Option(help="Judged questions, JSON lines.")],
    corpus: Annotated[
        Path, typer.Option(help="Folder of the documents; the current index must hold it.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the run files and scores.json.")],
) -> None:
    """Let every peer search the documents that our index holds, and score what it finds."""
    judged = to_be_found(_read(questions))
    if not judged:
        _fail("none of these questions has evidence to be found", code=2)
    try:
        settings = read_settings(Settings)
        documents = documents_of(open_index(settings).documents(), corpus)
        write_task(out, documents, queries_of(judged))
        scores = {}
        for peer in PEERS:
            say(peer.name)
            python = python_of(peer, settings.data_dir / "peers", say)
            run_file = run_peer(peer, python, corpus, out)
            scores[peer.name] = score(judged, read_run(run_file, judged))
    except (HelpdeskError, PeerFailed, ValueError) as error:
        _fail(str(error))
    kept = {name: asdict(each) for name, each in scores.items()}
    (out / "scores.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(table(scores))
    print(f"\n{len(judged)} questions over {len(documents)} documents; run files: {out}")


def _read(files: Sequence[Path]) -> list[Judged]:
    try:
        return read_questions(files)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}", code=2)
    except ValueError as error:
        _fail(str(error), code=2)


def _fail(message: str, code: int = 1) -> NoReturn:
    print(f"eval.peers: {message}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m eval.peers")
