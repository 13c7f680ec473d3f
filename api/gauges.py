"""What a checkup found, as figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from api.checkup import Checkup
from api.desk.tally import Tally


def gauges_of(found: Checkup) -> Iterator[Metric]:
    """Yield them; what is not known is left out."""
    yield _one("ready", "1 if questions can be answered.", found.unready is None)
    yield _one("troubles", "Things to look after; /readyz names them.", len(found.troubles))
    if found.info:
        built = datetime.fromisoformat(found.info.built_at).timestamp()
        yield _one("index_built_timestamp_seconds", "When the index was built.", built)
        yield _one("index_age_seconds", "Since the index was built.", found.index_age_s)
        yield _one("index_documents", "Documents in the index.", found.info.documents)
        yield _one("index_chunks", "Passages in the index.", found.info.chunks)
        yield _one("articles_stale", "Articles whose sentences have gone.", found.stale_articles)
        yield _one(
            "model_failing", "1 if the language model could not be had the last time.",
            found.model_trouble is not None,
        )  # fmt: skip
    yield _one("sources_stale", "Sources that could not be had.", len(found.stale_sources))
    yield _sources(found)
    if found.disk_free is not None:
        yield _one("disk_free_bytes", "Free where the data directory is.", found.disk_free)
    yield _one("desk_up", "1 if the desk's database can be read.", found.desk is not None)
    if found.desk:
        yield from _desk(found.desk)


def _sources(found: Checkup) -> Metric:
    ages = GaugeMetricFamily(
        "helpdesk_source_age_seconds", "Since a source was last had whole.", labels=("source",)
    )
    for name, state in found.sources.items():
        if state.read_at:
            ages.add_metric((name,), _since(datetime.fromisoformat(state.read_at)))
    return ages


def _desk(desk: Tally) -> Iterator[Metric]:
    tickets = GaugeMetricFamily("helpdesk_tickets", "Tickets, by state.", labels=("state",))
    for state, count in desk.tickets.items():
        tickets.add_metric((state,), count)
    yield tickets
    outbox = GaugeMetricFamily(
        "helpdesk_outbox", "Messages that wait, and that are not tried any more.", labels=("state",)
    )
    outbox.add_metric(("waiting",), desk.waiting)
    outbox.add_metric(("dead",), desk.dead)
    yield outbox
    # 0 where nothing waits, so that an alert on it ends.
    yield _one(
        "outbox_oldest_seconds", "Since the oldest message that waits.", _since(desk.oldest_waiting)
    )
    yield _one(
        "tickets_oldest_new_seconds", "Since the oldest new ticket.", _since(desk.oldest_new)
    )


def _one(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"helpdesk_{name}", told, value=float(value))


def _since(moment: datetime | None) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds()) if moment else 0.0
