"""Command line: ``python -m eval.learning``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from eval.learning.asks import (
    FOLDS,
    SEED,
    Gain,
    asked_of,
    embedded,
    gains,
    left_out_scores,
    shipped_scores,
    wins,
)
from eval.learning.head import head_matcher, learn_head
from eval.learning.reader import ENGLISH, read_scores, teach_minilm
from eval.peers.minilm import check
from rag.errors import HelpdeskError
from rag.settings import Settings, read_settings
from rag.wiring import build_embedder, open_index

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    seed: Annotated[int, typer.Option(help="For all that is left to chance.")] = SEED,
    minilm: Annotated[
        Path | None,
        typer.Option(
            help="Folder of all-MiniLM-L6-v2, for the reader; without it: the head alone."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    save: Annotated[
        Path | None, typer.Option(help="Where to keep a head learned from all articles (.npz).")
    ] = None,
) -> None:
    """Learn from the ways people ask, and say whether that is worth anything."""
    say = partial(typer.echo, err=True)
    try:
        settings = read_settings(Settings)
        if minilm:
            check(minilm / "model.safetensors")
        embedder = build_embedder(settings)
        articles = open_index(settings).articles
    except (HelpdeskError, OSError) as error:
        typer.echo(f"eval.learning: {error}", err=True)
        raise typer.Exit(1) from error
    asked = asked_of(
        articles, lambda texts: embedded(texts, embedder, settings.data_dir / "learning")
    )
    if len(asked.said) < FOLDS**2:
        typer.echo(f"eval.learning: {len(asked.said)} articles are too few to learn from", err=True)
        raise typer.Exit(1)
    import torch

    torch.set_num_threads(threads)
    every = np.arange(len(asked.texts))
    english = every[asked.languages == ENGLISH]
    shipped = shipped_scores(asked)
    typer.echo(
        f"{len(asked.said)} articles, {len(every)} variants in {len(set(asked.languages))}"
        f" languages; {FOLDS} folds of articles, seed {seed}; before, after, gain"
    )
    match = head_matcher(asked, seed, say)
    headed = left_out_scores(asked, match, seed)
    total = gains(asked, shipped, headed, every)
    typer.echo(_told("head", "all", total))
    for subset, rows in (("English", english), ("other", np.setdiff1d(every, english))):
        if len(rows):
            typer.echo(_told("head", subset, gains(asked, shipped, headed, rows)))
    typer.echo(f"head: {_verdict(total)}")
    if save or wins(total):
        head = learn_head(asked, np.arange(len(asked.said)), seed)
        typer.echo(f"head, learned from all articles, in 8 bits: {head.size / 1e6:.2f} MB")
        if save:
            head.save(save, embedder.name)
    if minilm and len(english):
        teach = partial(teach_minilm, folder=str(minilm), seed=seed)
        read, both = read_scores(asked, [lambda _: shipped, match], teach, seed, say)
        for name, before, after in (
            ("reader", shipped, read),
            ("reader beside head", headed, both),
        ):
            found = gains(asked, before, after, english)
            typer.echo(_told(name, "English", found))
            typer.echo(f"{name}: {_verdict(found)}")


def _told(name: str, subset: str, found: Sequence[Gain]) -> str:
    return "\n".join(
        f"{name:20} {subset:8} {gain.measure:12} {gain.before:.3f}  {gain.after:.3f}"
        f"  {gain.difference.mean:+.3f} [{gain.difference.low:+.3f}, {gain.difference.high:+.3f}]"
        for gain in found
    )


def _verdict(found: Sequence[Gain]) -> str:
    return "wins" if wins(found) else "does not win"


if __name__ == "__main__":
    app(prog_name="python -m eval.learning")
