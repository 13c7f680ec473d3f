"""The page of the API: Swagger UI from this server; the framework's own is loaded from elsewhere.

Its files come inside the package `fastapi-offline` (MIT; Swagger UI itself Apache-2.0), of which
nothing else is used.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

_PAGE = Path(__file__).parent.parent / "static" / "interface" / "page.html"

router = APIRouter(include_in_schema=False)


def swagger_files() -> Path:
    """Where the files of Swagger UI lie."""
    package = find_spec("fastapi_offline")
    assert package is not None  # noqa: S101 - it is installed with us
    assert package.origin is not None  # noqa: S101 - and is no namespace
    return Path(package.origin).parent / "static"


@router.get("/docs")
def interface() -> FileResponse:
    """Show every call, to be read and tried."""
    return FileResponse(_PAGE, media_type="text/html")
