"""Haystack with hybrid retrieval: BM25 and MiniLM, joined by reciprocal rank fusion.

Runs in an environment of its own: ``python -m eval.peers`` makes it.
"""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from haystack import Document, Pipeline
from haystack.components.converters import HTMLToDocument, MarkdownToDocument, PyPDFToDocument
from haystack.components.joiners import DocumentJoiner
from haystack.components.preprocessors import DocumentCleaner, DocumentSplitter
from haystack.components.retrievers.in_memory import (
    InMemoryBM25Retriever,
    InMemoryEmbeddingRetriever,
)
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

from eval.peers.exchange import PASSAGES, Task, answer, arguments, read_task, say
from eval.peers.minilm import minilm

WORDS, OVERLAP = 200, 50
"""Haystack's default length, which is also that of our chunks, so that each
passage may hold as much as ours. The 150 and 50 of its preprocessing tutorial
find less, R@5 0.67 against 0.73 over the framework's development questions;
512 and 32, passages 2.5 times as long as ours, find as much at 5 and more at 10."""


def main() -> None:
    """Index the documents, answer the questions."""
    task = read_task(arguments(__doc__ or "").parse_args())
    model = minilm()
    store = InMemoryDocumentStore()
    _index(task, store, model)
    asking = _asking(store, model)

    def search(query: str) -> list[tuple[str, str]]:
        found = asking.run(
            {"embedder": {"text": query}, "bm25": {"query": query}}, include_outputs_from={"joiner"}
        )
        return [(each.meta["path"], each.content) for each in found["joiner"]["documents"]]

    answer(task, search)


def _index(task: Task, store: InMemoryDocumentStore, model: str) -> None:
    indexing = Pipeline()
    indexing.add_component("cleaner", DocumentCleaner())
    indexing.add_component(
        "splitter", DocumentSplitter(split_by="word", split_length=WORDS, split_overlap=OVERLAP)
    )
    indexing.add_component(
        "embedder", SentenceTransformersDocumentEmbedder(model=model, progress_bar=False)
    )
    indexing.add_component("writer", DocumentWriter(store))
    indexing.connect("cleaner", "splitter")
    indexing.connect("splitter", "embedder")
    indexing.connect("embedder", "writer")
    documents = _converted(task)
    indexing.run({"cleaner": {"documents": documents}})
    say(f"{len(documents)} of {len(task.documents)} files, {store.count_documents()} passages")


def _converted(task: Task) -> list[Document]:
    """Read each file with the converter for its kind."""
    converters = {
        ".md": MarkdownToDocument(progress_bar=False),
        ".html": HTMLToDocument(),
        ".pdf": PyPDFToDocument(),
    }
    paths: dict[str, list[str]] = defaultdict(list)
    for path in task.documents:
        paths[Path(path).suffix.lower()].append(path)
    documents = []
    for suffix, names in paths.items():
        if suffix not in converters:
            say(f"no converter for {suffix}: {len(names)} left out")
            continue
        converted = converters[suffix].run(
            sources=[task.corpus / name for name in names], meta=[{"path": name} for name in names]
        )
        documents += converted["documents"]
    return documents


def _asking(store: InMemoryDocumentStore, model: str) -> Pipeline:
    asking = Pipeline()
    asking.add_component(
        "embedder", SentenceTransformersTextEmbedder(model=model, progress_bar=False)
    )
    asking.add_component("vectors", InMemoryEmbeddingRetriever(store))
    asking.add_component("bm25", InMemoryBM25Retriever(store))
    asking.add_component(
        "joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=PASSAGES)
    )
    asking.connect("embedder.embedding", "vectors.query_embedding")
    asking.connect("bm25", "joiner")
    asking.connect("vectors", "joiner")
    return asking


if __name__ == "__main__":
    main()
