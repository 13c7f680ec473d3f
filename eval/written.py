"""What a language model writes, and what the guard lets through: for reading by hand.

``python -m eval.written ask QUESTIONS OUT`` asks the model of the settings and
notes each sentence with what it cites and the guard's verdict. Somebody reads,
and sets ``supported`` to true or false on every line; ``python -m eval.written
score OUT`` then tells how much that is unsupported reached the reader.

The first run of it: docs/evaluation.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from eval.questions import read_questions
from eval.support_model import interval
from rag.errors import ModelUnavailable
from rag.generator import Shown
from rag.guard import Guard
from rag.models import Question
from rag.settings import Settings, read_settings
from rag.support import Support
from rag.wiring import build_embedder, build_model, build_retriever, open_index
from rag.writer import Writer

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)

_READ = 2
"""Passages that the model is shown: a small one takes minutes for more."""
_MARKED = r"""root ::= said said?
said ::= [A-Z0-9] [^.\[\]\n]{20,280} " [" [1-2] "]. "
"""
"""A grammar for llama.cpp, as the smallest models set no markers by themselves."""


@app.command()
def ask(
    questions: Annotated[Path, typer.Argument(help="Judged questions, JSON lines.")],
    out: Annotated[Path, typer.Argument(help="Where the sentences go, JSON lines.")],
    count: Annotated[int, typer.Option(help="How many questions, those that have an answer.")] = 60,
    marked: Annotated[
        bool, typer.Option(help="Make llama.cpp end every sentence with a marker.")
    ] = False,
) -> None:
    """Ask, and note what is written."""
    settings = read_settings(Settings)
    generation, embedder = open_index(settings), build_embedder(settings)
    retriever = build_retriever(settings, generation, embedder)
    model: Any = build_model(settings)
    if marked:
        model = model.bind(extra_body={"grammar": _MARKED}, frequency_penalty=0.4)
    writer = Writer(model, Guard(Support(embedder)), deadline_s=settings.generator.timeout_s)
    asked = [each for each in read_questions([questions]) if each.expect == "answer"]
    with out.open("w", encoding="utf-8") as file:
        for each in asked[:count]:
            found = retriever.search(Question(each.question), _READ)
            shown = [
                Shown(one.chunk.text, one.chunk.title, one.chunk.section, one.chunk.label)
                for one in found
            ]
            try:
                for draft in writer.drafts(each.question, each.language, shown):
                    line = {
                        "question": each.id, "text": draft.text, "markers": draft.markers,
                        "holds": draft.verdict.holds, "reason": draft.verdict.reason,
                        "cited": [
                            shown[n - 1].read for n in draft.markers if 0 < n <= len(shown)
                        ],
                        "supported": None,
                    }  # fmt: skip
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
            except ModelUnavailable as error:
                print(f"{each.id}: {error}")  # noqa: T201


@app.command()
def score(read: Annotated[Path, typer.Argument(help="The lines, judged by reading.")]) -> None:
    """Say how much of each kind reached the reader, with 95 % intervals."""
    lines = [json.loads(line) for line in read.read_text(encoding="utf-8").splitlines()]
    for supported, name in ((False, "unsupported, kept away"), (True, "supported, shown")):
        of_kind = [each for each in lines if each["supported"] is supported]
        hits = sum(each["holds"] is supported for each in of_kind)
        if of_kind:
            low, high = interval(hits, len(of_kind))
            print(f"{name:24} {hits} of {len(of_kind)}  [{low:.3f}, {high:.3f}]")  # noqa: T201


if __name__ == "__main__":
    app()
