"""What is indexed."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request

from api.schemas import DocumentOut, DocumentsOut
from rag.index import Generation

router = APIRouter(prefix="/v1/documents", tags=["documents"])


def _generation(request: Request) -> Generation:
    generation: Generation = request.app.state.services.index.answerer().generation
    return generation


@router.get("")
def documents(request: Request) -> DocumentsOut:
    """List every indexed document, placeholders included."""
    return DocumentsOut(
        documents=[DocumentOut.of(each) for each in _generation(request).documents()]
    )


@router.get("/{document_id:path}", responses={404: {"description": "no document has this id"}})
def document(document_id: str, request: Request) -> DocumentOut:
    """Return one indexed document."""
    found = _generation(request).document(document_id)
    if found is None:
        raise HTTPException(404, "no document has this id")
    return DocumentOut.of(found)
