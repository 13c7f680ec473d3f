"""What is remembered of answers, for as long as conversations are kept.

What was asked, personal data masked, and what was decided and cited; never the
very words that somebody typed.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from api.desk.database import Database, DeskUnavailable
from api.desk.tables import ANSWERS, FEEDBACK
from rag.models import Answer, Citation
from rag.personal import find_personal, mask

_PAUSE_S = 5
"""After an answer could not be remembered, how long no other waits for that."""
_LOG = logging.getLogger(__name__)


class Conversations:
    """Answers by their id, and whether they were helpful."""

    def __init__(self, database: Database, days: int):
        """Keep for a number of days."""
        self._database = database
        self._kept = timedelta(days=days)
        self._resumes_at = float("-inf")

    def remember(self, answer: Answer, country: str | None, generation: str) -> None:
        """Note what was asked, cited and decided; an answer does not fail where this does.

        Args:
            answer: What was said; its text is not kept, and its question is masked.
            country: ISO 3166-1 alpha-2, where the question came with one.
            generation: Of the index that answered.
        """
        if time.monotonic() < self._resumes_at:
            return
        row = {
            "answer_id": answer.id,
            "created_at": datetime.now(UTC),
            "question": answer.question,
            "status": answer.status,
            "reason": answer.reason,
            "strength": answer.strength,
            "language": answer.language,
            "country": country,
            "article_id": answer.article.id if answer.article else None,
            "model": answer.model,
            "generation": generation,
            "cited": [_cited(each) for each in answer.citations],
            "timings_ms": answer.timings_ms,
        }
        try:
            # One that a power failure takes is no loss; that nobody waits for the disk is a gain.
            with self._database.writing(durable=False) as connection:
                connection.execute(insert(ANSWERS).values(row))
        except DeskUnavailable:
            self._resumes_at = time.monotonic() + _PAUSE_S
            _LOG.warning("answers are not remembered for %d s: the desk is unavailable", _PAUSE_S)
        except Exception as error:  # noqa: BLE001 - the answer is there, and is given
            _LOG.warning("an answer is not remembered: %s", type(error).__name__)

    def rate(self, answer_id: str, helpful: bool, comment: str | None) -> bool:
        """Note whether an answer helped; what was said of it before is replaced.

        Args:
            answer_id: Of the answer.
            helpful: Whether it was.
            comment: In the reader's words; kept with personal data masked.

        Returns:
            Whether the answer is remembered.

        Raises:
            DeskUnavailable: It could not be noted.
        """
        now = datetime.now(UTC)
        masked = comment and mask(comment, find_personal(comment))
        told = {"created_at": now, "helpful": helpful, "comment": masked}
        with self._database.writing() as connection:
            known = connection.execute(
                select(ANSWERS.c.answer_id)
                .where(ANSWERS.c.answer_id == answer_id, ANSWERS.c.created_at >= now - self._kept)
                # Of two at once the second waits, and replaces the first.
                .with_for_update()
            ).first()
            if known is None:
                return False
            of_it = FEEDBACK.c.answer_id == answer_id
            if not connection.execute(update(FEEDBACK).where(of_it).values(told)).rowcount:
                connection.execute(insert(FEEDBACK).values(answer_id=answer_id, **told))
        return True


def _cited(citation: Citation) -> dict[str, Any]:
    return {
        "marker": citation.marker,
        "kind": citation.kind,
        "document_id": citation.document_id,
        "section": list(citation.section),
        "url": citation.url,
        "page": citation.page,
        "label": citation.label,
    }
