"""Learns to sort messages: ``python -m eval.learning.triage``, by hand (some 40 minutes, 2 cores).

The embedder's own model is tuned further on the examples in ``corpus/triage``:
to each of its matrices two narrow ones are added (low-rank adaptation), and on
top a linear decision is learned for each label. What is learned goes beside the
examples, where `rag.triage.sorter` finds it.

With ``--folds`` nothing is saved: each part of the examples is sorted by what
was learned from the others.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.progress import Progress, track
from sklearn.metrics import f1_score  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from eval.triage import Message, read_messages
from rag.errors import HelpdeskError
from rag.personal import find_personal, mask
from rag.triage.e5_file import E5File
from rag.triage.encoder import Cutter
from rag.triage.sorter import BASE, DECISIONS, FILE, as_read

EXAMPLES = FILE.parent
RANK = 16
_FROZEN = 6
"""Lower layers, of twelve, that stay as they are; what they make of a text is made once."""
_SCALE = 2.0
"""What the product of the narrow matrices counts."""
_EPOCHS = 4
_RATE = 1e-3
_HEAD_RATE = 2e-3
_WARM_UP = 0.06
"""Share of the steps in which the rate rises; then it falls to nearly nothing."""
_LAST_RATE = 0.02
_BATCH = 16
_BUCKET = 8
"""Batches sorted by length together, as a batch takes as long as its longest text."""
_DROPOUT = 0.1
_DOUBT = 0.1
"""How far a label is not believed (label smoothing)."""
_WORTH = {"intent": 1.0, "priority": 0.4, "answerable": 0.3}
"""What a mistake in a decision costs."""

Say = Callable[[str], None]
Row = tuple[Tensor, list[int]]
"""What the lower layers make of a message, and the place of its label in each decision."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Tuned:
    """What was learned."""

    numbers: Mapping[str, NDArray[Any]]
    """As `rag.triage.sorter` reads them."""
    decide: Callable[[Sequence[Message]], dict[str, list[str]]]
    """Labels of messages by decision."""

    def save(self, file: Path) -> None:
        """Keep it, in 16 bits."""
        held: dict[str, Any] = {**self.numbers, "embedder": np.array(BASE)}
        # Beside it first: whoever interrupts this leaves what was there.
        new = file.with_suffix(".new.npz")
        np.savez_compressed(new, **held)
        new.replace(file)


class _Adapted(nn.Module):
    """A linear layer that stays as it is, and what is learned to be added."""

    def __init__(self, weight: Tensor, bias: Tensor):
        super().__init__()
        wide, deep = weight.shape
        self.weight, self.bias = weight, bias
        self.down = nn.Parameter(torch.randn(RANK, deep) / deep**0.5)
        self.up = nn.Parameter(torch.zeros(wide, RANK))

    def forward(self, state: Tensor) -> Tensor:
        added = F.linear(F.linear(state, self.down.to(state.dtype)), self.up.to(state.dtype))
        return F.linear(state, self.weight, self.bias) + _SCALE * added


class _Layer(nn.Module):
    def __init__(self, file: E5File, name: str):
        super().__init__()
        hidden, inner = file.sizes.hidden, file.sizes.inner
        self.heads = file.sizes.heads
        self.epsilon = file.epsilon

        def adapted(part: str, width: int) -> _Adapted:
            weight = _half(file.matrix(f"{name}.{part}.w", width))
            return _Adapted(weight, _half(file.numbers(f"{name}.{part}.b")))

        self.q, self.k, self.v, self.ao = (adapted(part, hidden) for part in ("q", "k", "v", "ao"))
        self.fi, self.fo = adapted("fi", hidden), adapted("fo", inner)
        self.norms = {
            norm: tuple(_half(file.numbers(f"{name}.{norm}.{part}")) for part in "wb")
            for norm in ("aln", "oln")
        }

    def forward(self, state: Tensor, ends: Tensor) -> Tensor:
        batch, length, hidden = state.shape

        def by_head(of: Tensor) -> Tensor:
            return of.view(batch, length, self.heads, -1).transpose(1, 2)

        # Written out and in 32 bits, as PyTorch's own is slower on a processor.
        asks, keys, values = (by_head(each(state)).float() for each in (self.q, self.k, self.v))
        near = asks @ keys.transpose(-1, -2) / (hidden // self.heads) ** 0.5
        found = (near + ends).softmax(-1) @ values
        seen = found.transpose(1, 2).reshape(batch, length, hidden).to(state.dtype)
        state = self._norm(state + self.ao(seen), "aln")
        return self._norm(state + self.fo(F.gelu(self.fi(state))), "oln")

    def _norm(self, state: Tensor, name: str) -> Tensor:
        weight, bias = self.norms[name]
        return F.layer_norm(state, weight.shape, weight, bias, self.epsilon)


class _Network(nn.Module):
    """The model with what is learned."""

    def __init__(self, file: E5File, labels: Mapping[str, Sequence[str]]):
        super().__init__()
        hidden = file.sizes.hidden
        self.file = file
        places = file.numbers("emb.pos").reshape(-1, hidden) + file.numbers("emb.type")[:hidden]
        self.places = torch.from_numpy(places)
        self.layers = nn.ModuleList(_Layer(file, f"l{each}") for each in range(file.sizes.layers))
        self.layers[:_FROZEN].requires_grad_(requires_grad=False)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(hidden, len(each)) for name, each in labels.items()}
        )

    @torch.no_grad()
    def below(self, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """What the frozen layers make of texts, each of shape (pieces, hidden)."""
        weight, bias = (
            torch.from_numpy(self.file.numbers(f"emb.ln.{part}").copy()) for part in "wb"
        )
        found: list[Tensor] = [torch.empty(0)] * len(texts)
        # Those of like length together, as none is filled up by much then.
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        for start in track(range(0, len(order), _BATCH), "reading messages", transient=True):
            batch = order[start : start + _BATCH]
            state = nn.utils.rnn.pad_sequence(
                [torch.from_numpy(self.file.words(texts[at])) for at in batch], batch_first=True
            )
            state = state + self.places[: state.shape[1]]
            state = F.layer_norm(state, weight.shape, weight, bias, self.file.epsilon).bfloat16()
            _, ends = _real([len(texts[at]) for at in batch])
            for layer in self.layers[:_FROZEN]:
                state = layer(state, ends)
            for row, at in enumerate(batch):
                found[at] = state[row, : len(texts[at])].clone()
        return found

    def forward(self, below: Sequence[Tensor]) -> dict[str, Tensor]:
        """Scores of each decision for a batch of what `below` gives."""
        state = nn.utils.rnn.pad_sequence(list(below), batch_first=True)
        real, ends = _real([len(each) for each in below])
        for layer in self.layers[_FROZEN:]:
            state = layer(state, ends)
        share = real.float()[:, :, None]
        mean = (state.float() * share).sum(1) / share.sum(1)
        mean = F.dropout(mean, _DROPOUT, self.training)
        return {name: head(mean) for name, head in self.heads.items()}


def _real(lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Which places of a batch hold a piece, and what is added so that no other is looked at."""
    real = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return real, torch.where(real, 0.0, -1e9)[:, None, None, :]


def tune(messages: Sequence[Message], seed: int, threads: int, say: Say) -> Tuned:
    """Learn from messages.

    Args:
        messages: Examples with their labels; personal data is masked here.
        seed: For all that is left to chance.
        threads: Processor cores to use.
        say: Told how it goes on.

    Raises:
        ModelUnavailable: The package of the model is missing.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    lot = random.Random(seed)  # noqa: S311
    labels = {
        name: sorted({str(getattr(message, name)) for message in messages}) for name in DECISIONS
    }
    file = E5File.shipped()
    network, cutter = _Network(file, labels), Cutter(file)
    rows = _rows(messages, labels, network, cutter)
    learned = [each for each in network.layers.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": learned, "lr": _RATE},
            {"params": network.heads.parameters(), "lr": _HEAD_RATE},
        ],
        weight_decay=0.01,
    )
    steps = _EPOCHS * -(-len(rows) // _BATCH)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate_at, steps=steps))
    weights = {
        name: _weights([row[1][at] for row in rows], len(labels[name]))
        for at, name in enumerate(labels)
    }
    network.train()
    with Progress(transient=True) as progress:
        task = progress.add_task("learning to sort messages", total=steps)
        for epoch in range(1, _EPOCHS + 1):
            losses = []
            for batch in _batches(rows, lot):
                scores = network([row[0] for row in batch])
                loss = torch.zeros(())
                for at, name in enumerate(labels):
                    wanted = torch.tensor([row[1][at] for row in batch])
                    loss = loss + _WORTH[name] * F.cross_entropy(
                        scores[name], wanted, weight=weights[name], label_smoothing=_DOUBT
                    )
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(learned, 1.0)
                optimizer.step()
                rate.step()
                losses.append(loss.item())
                progress.advance(task)
            say(f"{epoch} of {_EPOCHS} times read; loss {np.mean(losses):.3f}")
    network.eval()
    return Tuned(_numbers(network, labels), partial(_decided, network, labels, cutter))


def _decided(
    network: _Network,
    labels: Mapping[str, Sequence[str]],
    cutter: Cutter,
    messages: Sequence[Message],
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in labels}
    with torch.no_grad():
        for start in range(0, len(messages), _BATCH):
            batch = messages[start : start + _BATCH]
            scores = network(network.below([cutter.ids(_masked(each)) for each in batch]))
            for name, each in scores.items():
                found[name] += [labels[name][at] for at in each.argmax(1).tolist()]
    return found


def _masked(message: Message) -> str:
    text = as_read(message.subject, message.text)
    return mask(text, find_personal(text, message.language))


def _rows(
    messages: Sequence[Message],
    labels: Mapping[str, Sequence[str]],
    network: _Network,
    cutter: Cutter,
) -> list[Row]:
    below = network.below([cutter.ids(_masked(message)) for message in messages])
    places = [
        [each.index(str(getattr(message, name))) for name, each in labels.items()]
        for message in messages
    ]
    return list(zip(below, places, strict=True))


def _batches(rows: Sequence[Row], lot: random.Random) -> Iterator[list[Row]]:
    """All rows in a new order, those of like length together."""
    mixed = lot.sample(rows, len(rows))
    near = [
        row
        for start in range(0, len(mixed), _BATCH * _BUCKET)
        for row in sorted(mixed[start : start + _BATCH * _BUCKET], key=lambda row: len(row[0]))
    ]
    batches = [near[start : start + _BATCH] for start in range(0, len(near), _BATCH)]
    lot.shuffle(batches)
    yield from batches


def _weights(places: Sequence[int], labels: int) -> Tensor:
    """Rare labels count more, though not so much that all count alike."""
    counts = Counter(places)
    return torch.tensor([(len(places) / labels / counts[at]) ** 0.5 for at in range(labels)])


def _rate_at(step: int, *, steps: int) -> float:
    return min(1.0, (step + 1) / (_WARM_UP * steps)) * max(_LAST_RATE, 1 - step / steps)


def _half(numbers: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.array(numbers)).bfloat16()


def _numbers(network: _Network, labels: Mapping[str, Sequence[str]]) -> dict[str, NDArray[Any]]:
    numbers: dict[str, NDArray[Any]] = {}
    held = {
        name: each.detach().numpy()
        for name, each in network.named_parameters()
        if each.requires_grad
    }
    for name, values in held.items():
        kind, place, *rest = name.split(".")
        if kind == "heads":
            numbers[".".join((place, *rest))] = values
        else:
            scale = _SCALE if rest[-1] == "up" else 1
            numbers[".".join((f"l{place}", *rest))] = (scale * values).astype(np.float16)
    numbers |= {f"{name}.labels": np.array(each) for name, each in labels.items()}
    return numbers


@app.command()
def main(
    folds: Annotated[
        int,
        typer.Option(min=0, help="Parts to sort by the others; 0: learn from all, and keep it."),
    ] = 0,
    seed: Annotated[int, typer.Option(help="For all that is left to chance.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    save: Annotated[Path, typer.Option(help="Where to keep what was learned.")] = FILE,
) -> None:
    """Learn to sort messages from the examples in corpus/triage."""
    try:
        messages = [
            message for file in sorted(EXAMPLES.glob("*.jsonl")) for message in read_messages(file)
        ]
        typer.echo(
            f"{len(messages)} examples in {len({each.language for each in messages})} languages"
        )
        if folds:
            _cross_validate(messages, folds, seed, threads)
        else:
            tune(messages, seed, threads, typer.echo).save(save)
            typer.echo(f"{save}: {save.stat().st_size / 1e6:.1f} MB")
    except (HelpdeskError, ValueError, OSError) as error:
        typer.echo(f"eval.learning.triage: {error}", err=True)
        raise typer.Exit(1) from error


def _cross_validate(messages: Sequence[Message], folds: int, seed: int, threads: int) -> None:
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    wanted: dict[str, list[str]] = {name: [] for name in DECISIONS}
    given: dict[str, list[str]] = {name: [] for name in DECISIONS}
    intents = [message.intent for message in messages]
    for number, (learned, left) in enumerate(parts.split(intents, intents), 1):
        decided = tune([messages[at] for at in learned], seed, threads, typer.echo).decide(
            [messages[at] for at in left]
        )
        for name in DECISIONS:
            wanted[name] += [str(getattr(messages[at], name)) for at in left]
            given[name] += decided[name]
        scores = ", ".join(
            f"{name} {f1_score(wanted[name], given[name], average='macro'):.3f}"
            for name in DECISIONS
        )
        typer.echo(
            f"macro-F1 after {number} of {folds} parts, {len(wanted['intent'])} messages: {scores}"
        )


if __name__ == "__main__":
    app(prog_name="python -m eval.learning.triage")
