"""A process that counts, as a worker does; ``counting.py N`` counts N answers and waits."""

from __future__ import annotations

import sys

from api.metrics import Metrics
from rag.models import Answer


def main() -> None:
    """Count, say so, and live until somebody writes a line."""
    metrics = Metrics()
    for _ in range(int(sys.argv[1])):
        answer = Answer("1", "answered", "en", "text", timings_ms={"retrieve": 1.0})
        metrics.answered(answer)
        metrics.replied("/v1/answers", "POST", 200, 0.5)
    metrics.answering.inc()
    print("counted", flush=True)  # noqa: T201
    sys.stdin.readline()
    sys.stdout.write(metrics.exposition((), "")[0].decode())


if __name__ == "__main__":
    main()
