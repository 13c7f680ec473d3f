"""The helpdesk's search as a LangChain retriever, for chains of others.

::

    from rag.langchain_retriever import HelpdeskRetriever
    documents = HelpdeskRetriever.open().invoke("Who decides about access to data?")

Nothing here imports this file: LangChain's `Document` stays in it.
"""

from __future__ import annotations

from typing import Annotated, Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field, SkipValidation

from rag.models import Filters, Passage, Question
from rag.retriever import Retriever
from rag.settings import Settings, read_settings
from rag.wiring import build_embedder, build_retriever, open_index


class HelpdeskRetriever(BaseRetriever):
    """Finds the passages that fit a query best, each with the address it stands at."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    retriever: SkipValidation[Retriever]
    k: Annotated[int, Field(ge=1, le=100)] = 10
    """How many passages."""
    filters: Filters = Filters()
    """What the search is limited to."""

    @classmethod
    def open(cls, **fields: Any) -> HelpdeskRetriever:
        """Open the index that the environment names (`HELPDESK_DATA_DIR`).

        Raises:
            HelpdeskError: There is no index, or none that can be searched.
        """
        settings = read_settings(Settings)
        retriever = build_retriever(settings, open_index(settings), build_embedder(settings))
        return cls(retriever=retriever, **fields)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's signature
    ) -> list[Document]:
        found = self.retriever.search(Question(query, filters=self.filters), self.k)
        return [_document(passage) for passage in found]


def _document(passage: Passage) -> Document:
    chunk = passage.chunk
    return Document(
        id=chunk.chunk_id,
        page_content=chunk.text,
        metadata={
            "rank": passage.rank,
            "score": passage.score,
            "document_id": chunk.document_id,
            "source": chunk.source,
            "path": chunk.path,
            "title": chunk.title,
            "section": list(chunk.section),
            "url": chunk.begins_at,
            "page": chunk.page,
            "label": chunk.label,
        },
    )
