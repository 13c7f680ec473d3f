from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import shelf
from fakes import HashingEmbedder
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from pydantic import ValidationError

from rag import langchain_retriever
from rag.errors import NoIndex
from rag.index import Generation
from rag.langchain_retriever import HelpdeskRetriever
from rag.models import Filters, Question
from rag.store import Store


@pytest.fixture
def retriever(generation: Generation) -> HelpdeskRetriever:
    return HelpdeskRetriever(retriever=shelf.retriever_over(generation), k=3)


def test_documents_come_ranked_with_their_place(
    retriever: HelpdeskRetriever, generation: Generation
) -> None:
    found = retriever.invoke("Who is the steward?")
    passages = shelf.retriever_over(generation).search(Question("Who is the steward?"), 3)
    assert [each.page_content for each in found] == [each.chunk.text for each in passages]
    assert [each.id for each in found] == [each.chunk.chunk_id for each in passages]
    assert found[0].metadata == {
        "rank": 1,
        "score": passages[0].score,
        "document_id": "aurora:pages/sharing.md",
        "source": "aurora",
        "path": "pages/sharing.md",
        "title": "Sharing",
        "section": [],
        "url": f"{shelf.SITE}/sharing#agreements",
        "page": None,
        "label": None,
    }
    assert json.dumps(found[0].metadata)


def test_documents_come_as_well_where_they_are_awaited(retriever: HelpdeskRetriever) -> None:
    assert asyncio.run(retriever.ainvoke("Who signs?")) == retriever.invoke("Who signs?")


def test_a_search_can_be_limited(generation: Generation) -> None:
    limited = HelpdeskRetriever(
        retriever=shelf.retriever_over(generation), filters=Filters(sources=("folder",))
    )
    assert {each.metadata["source"] for each in limited.invoke("Who signs?")} == {"folder"}


@pytest.mark.parametrize("fields", [{"k": 0}, {"k": 101}, {"count": 3}])
def test_a_field_that_is_wrong_is_refused(generation: Generation, fields: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        HelpdeskRetriever(retriever=shelf.retriever_over(generation), **fields)


def test_it_stands_in_a_chain(retriever: HelpdeskRetriever) -> None:
    prompt = ChatPromptTemplate.from_template("{passages} {question}")
    asked = {"passages": retriever, "question": RunnablePassthrough()}
    chain = asked | prompt | FakeListChatModel(responses=["The holder."]) | StrOutputParser()
    assert chain.invoke("Who signs?") == "The holder."


def test_two_lines_open_the_index_of_the_environment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(store.directory))
    monkeypatch.setattr(langchain_retriever, "build_embedder", lambda _: HashingEmbedder())
    found = HelpdeskRetriever.open(k=1).invoke("Who is the steward?")
    assert [each.metadata["title"] for each in found] == ["Sharing"]


def test_without_an_index_the_cure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path / "nothing"))
    with pytest.raises(NoIndex, match="ingest run"):
        HelpdeskRetriever.open()


def test_the_helpdesk_itself_does_not_import_it(root: Path) -> None:
    code = (
        "import sys, rag.wiring, rag.__main__, api.main;"
        "print([name for name in sys.modules if name == 'rag.langchain_retriever'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
