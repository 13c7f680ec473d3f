"""The chat widget: plain modules and their texts, for the pages of anyone who may ask here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from rag.messages import FALLBACK, Messages

router = APIRouter(include_in_schema=False)

MODULES = Path(__file__).parent.parent / "static" / "widget"
_LAUNCHER = ("launcher", "unreachable")
"""What is said before the chat is loaded."""
_UNFILLED = "const TEXTS = {};"
_SCRIPT = "text/javascript"
_KEEP = {"Cache-Control": "no-cache"}
"""Asked for anew each time, and sent only when it changed: an upgrade reaches every site at once,
and no page runs half of the old modules with half of the new."""


@dataclass(frozen=True)
class Script:
    """A script as it is sent."""

    text: str
    tag: str
    """Its entity tag."""

    @classmethod
    def of(cls, text: str) -> Script:
        """Tag a script by what it holds."""
        return cls(text, f'"{sha256(text.encode()).hexdigest()[:20]}"')


class WidgetTexts:
    """What the widget says, as the scripts that carry it; they are made once."""

    def __init__(self, messages: Messages, contact: str):
        """Carry messages; `contact` is the mail address for when the helpdesk is out of reach."""
        self._messages = messages
        self._contact = contact
        self.loader = Script.of(self._loader())
        """The script that a page names, with the few texts that it says itself."""
        self.modules: Mapping[str, Script] = {
            language: Script.of(self._module(language)) for language in messages.languages()
        }
        """The texts of each language as a module."""

    def _module(self, language: str) -> str:
        texts = {key: self._said(language, key) for key in self._messages.texts[FALLBACK]}
        return (
            f"export const contact = {json.dumps(self._contact)};\n"
            f"export const texts = {json.dumps(texts, ensure_ascii=False)};\n"
        )

    def _loader(self) -> str:
        texts = {
            language: {
                key: self._said(language, key).replace("{email}", self._contact)
                for key in _LAUNCHER
            }
            for language in sorted(self._messages.languages())
        }
        script = (MODULES / "loader.js").read_text(encoding="utf-8")
        return script.replace(_UNFILLED, f"const TEXTS = {json.dumps(texts, ensure_ascii=False)};")

    def _said(self, language: str, key: str) -> str:
        # Placeholders are filled in the browser, so nothing is formatted here.
        return self._messages.texts[language].get(key) or self._messages.texts[FALLBACK][key]


class Modules(StaticFiles):
    """The modules that need no texts."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Send a module, unless the browser has this one."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_KEEP)
        return response


@router.api_route("/widget.js", methods=["GET", "HEAD"])
async def loader(request: Request) -> Response:
    """The one script that a page names."""
    texts: WidgetTexts = request.app.state.services.widget_texts
    return _sent(request, texts.loader)


@router.api_route("/widget/texts/{language}.js", methods=["GET", "HEAD"])
async def module(language: str, request: Request) -> Response:
    """The texts of a language."""
    texts: WidgetTexts = request.app.state.services.widget_texts
    found = texts.modules.get(language)
    if found is None:
        raise HTTPException(404, "the widget does not speak this language")
    return _sent(request, found)


def _sent(request: Request, script: Script) -> Response:
    headers = {**_KEEP, "ETag": script.tag}
    # A proxy that compresses marks tags as weak, and a browser may name several.
    known = request.headers.get("if-none-match", "").split(",")
    if any(each.strip().removeprefix("W/") in (script.tag, "*") for each in known):
        return Response(status_code=304, headers=headers)
    return Response(script.text, media_type=_SCRIPT, headers=headers)
