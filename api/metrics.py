"""Figures of the running server for Prometheus; every label is one of a known few values.

With several worker processes each writes its figures into files that they share, and whoever is
asked adds them up: `PROMETHEUS_MULTIPROC_DIR` names the folder, and has to be set before this is
imported.

Source: https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from rag.models import Answer

_SHARED = "PROMETHEUS_MULTIPROC_DIR"
_REQUEST_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_FILE_OF = re.compile(r"_(\d+)\.db$")
_LEAST = {"process_start_time_seconds", "process_max_fds"}
"""Of several processes the smallest is told; all else is added up."""


class Metrics:
    """What is counted in this process, one of several or the only one."""

    def __init__(self) -> None:
        """Begin to count; an app has its own."""
        self._own = CollectorRegistry()
        self._requests = Counter(
            "helpdesk_requests", "Requests that were replied to.",
            ("route", "method", "status"), registry=self._own,
        )  # fmt: skip
        self._request_s = Histogram(
            "helpdesk_request_seconds", "From a request to the end of its reply.",
            ("route",), registry=self._own, buckets=_REQUEST_S,
        )  # fmt: skip
        self._answers = Counter(
            "helpdesk_answers", "Answers, by how sure they are or why there is none.",
            ("status", "detail", "kind"), registry=self._own,
        )  # fmt: skip
        self._stage_s = Histogram(
            "helpdesk_answer_seconds", "Seconds that a stage of an answer took.",
            ("stage",), registry=self._own, buckets=_STAGE_S,
        )  # fmt: skip
        self._refused = Counter(
            "helpdesk_connections_refused", "Connections refused before there was a request.",
            ("status",), registry=self._own,
        )  # fmt: skip
        self.answering = Gauge(
            "helpdesk_answering", "Questions that are being answered, those in line included.",
            registry=self._own, multiprocess_mode="livesum",
        )  # fmt: skip
        self.waiting = Gauge(
            "helpdesk_waiting", "Steps of questions and searches that wait in line for a thread.",
            registry=self._own, multiprocess_mode="livesum",
        )  # fmt: skip
        self._folder = Path(os.environ[_SHARED]) if os.environ.get(_SHARED) else None
        if self._folder is None:
            ProcessCollector(registry=self._own)

    def replied(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request; its route as a template, never as it was called."""
        self._requests.labels(route, method, status).inc()
        self._request_s.labels(route).observe(seconds)

    def refused(self, status: int) -> None:
        """Count a connection that was told off before there was a request."""
        self._refused.labels(status).inc()

    def answered(self, answer: Answer) -> None:
        """Count an answer."""
        self._answers.labels(
            answer.status, answer.reason or answer.strength, _kind_of(answer)
        ).inc()
        for stage, took_ms in answer.timings_ms.items():
            self._stage_s.labels(stage).observe(took_ms / 1000)

    def exposition(self, state: Iterable[Metric], accept: str) -> tuple[bytes, str]:
        """Write all figures, of all processes.

        Args:
            state: What is no count, such as the age of the index.
            accept: The header of whoever asks.

        Returns:
            The text and its media type.
        """
        gathered = CollectorRegistry()
        gathered.register(_Fixed(state))
        if self._folder is None:
            gathered.register(_Fixed(self._own.collect()))
        else:
            pids = _alive(self._folder)
            MultiProcessCollector(gathered, str(self._folder))  # type: ignore[no-untyped-call]
            gathered.register(_Fixed(_processes(pids)))
        encode, media_type = choose_encoder(accept)
        return encode(gathered), media_type


@contextmanager
def shared_by_workers() -> Iterator[None]:
    """Have the processes that are begun from here on add up their figures."""
    if os.environ.get(_SHARED):
        yield
        return
    with TemporaryDirectory(prefix="helpdesk-metrics-") as folder:
        os.environ[_SHARED] = folder
        try:
            yield
        finally:
            del os.environ[_SHARED]


@dataclass(frozen=True, eq=False)
class _Fixed(Collector):
    """Figures that are at hand."""

    figures: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.figures


def _kind_of(answer: Answer) -> str:
    if answer.status == "abstained":
        return "none"
    if answer.items:
        return "list"
    return "article" if answer.article else "passages"


def _alive(folder: Path) -> list[int]:
    """The processes that count there and live; what the others had at hand is forgotten.

    What they counted stays.
    """
    named = {int(found[1]) for each in folder.glob("*.db") if (found := _FILE_OF.search(each.name))}
    alive = {pid for pid in named if psutil.pid_exists(pid)}
    for pid in named - alive:
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    return sorted(alive)


def _processes(pids: Sequence[int]) -> list[Metric]:
    """Memory, time and open files of several processes."""
    told: dict[str, Metric] = {}
    for pid in pids:
        for metric in ProcessCollector(registry=None, pid=partial(int, pid)).collect():
            known = told.setdefault(
                metric.name, Metric(metric.name, metric.documentation, metric.type)
            )
            if not known.samples:
                known.samples = list(metric.samples)
                continue
            join = min if metric.name in _LEAST else sum
            known.samples = [
                a._replace(value=join((a.value, b.value)))
                for a, b in zip(known.samples, metric.samples, strict=True)
            ]
    return list(told.values())
