"""A visitor of a page with the chat on it, as the tests drive it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from typing import Any

from playwright.sync_api import Locator, Page, Request, Route, expect
from servers.host_site import HostPage, HostSite

STAFF_TOKEN = "staff-token-of-the-tests"  # noqa: S105 - invented
LABEL = "Ask the helpdesk"
QUESTION = "How can I share my data?"
"""Answered by an article with four statements, four sources and something to ask next."""
PLAIN_QUESTION = "Who decides within thirty working days?"
EMPTY_PAGE_QUESTION = "Who is the contact in Portugal?"
WEAK_QUESTION = "Which courses are offered?"
LIST_QUESTION = "Which consent policies are required?"

# What a page does not allow is told there; the console would tell it, too, but not always.
_LISTEN = """
    window.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
_FETCH_FAILED = "Failed to load resource"


def policy(helpdesk: str) -> str:
    """The strictest policy that the chat is promised to work under."""
    return (
        f"default-src 'none'; script-src {helpdesk}; connect-src {helpdesk}; style-src 'self';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )


@dataclass
class Visit:
    """A page of a host site in a browser of its own."""

    page: Page
    host: HostSite
    helpdesk: str
    """Address of the server."""
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Errors of scripts and breaches of the page's policy."""

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if message.type == "error" and not message.text.startswith(_FETCH_FAILED)
                else None
            ),
        )
        self.page.add_init_script(_LISTEN)

    # ---- the page

    def go(self, body: str = "", *, language: str = "en", head: str = "", **given: str) -> None:
        """Open a page whose one script tag is the helpdesk's, with these `data-` attributes."""
        data = "".join(
            f' data-{name.replace("_", "-")}="{escape(value)}"' for name, value in given.items()
        )
        self.go_to(
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>A page</title>{head}"
            f'<script src="{self.helpdesk}/widget.js"{data} async></script></head>'
            f"<body><main><h1>A page</h1>{body}</main></body></html>"
        )

    def go_to(self, html: str, headers: dict[str, str] | None = None) -> None:
        """Open a page under the strict policy, or under other headers."""
        strict = {"Content-Security-Policy": policy(self.helpdesk)}
        self.host.pages["/page"] = HostPage(html, strict if headers is None else headers)
        self.page.goto(f"{self.host.origin}/page")

    def asked_of_helpdesk(self) -> list[str]:
        """Paths of the API that were called, in order."""
        calls = [each.url.removeprefix(self.helpdesk) for each in self.requests]
        return [each for each in calls if each.startswith("/v1/")]

    # ---- the chat

    @property
    def chat(self) -> Locator:
        return self.page.locator("helpdesk-chat")

    @property
    def frame(self) -> Locator:
        return self.chat.locator(".frame")

    @property
    def launcher(self) -> Locator:
        return self.page.get_by_role("button", name=LABEL)

    @property
    def box(self) -> Locator:
        return self.chat.locator(".asking textarea")

    @property
    def turns(self) -> Locator:
        return self.chat.locator(".turn")

    def button(self, name: str) -> Locator:
        """A button of the last reply."""
        return self.turns.last.get_by_role("button", name=name, exact=True)

    def open(self) -> None:
        self.launcher.click()
        expect(self.box).to_be_focused()

    def send(self, question: str = QUESTION) -> Locator:
        """Type a question and send it; returns its turn."""
        before = self.turns.count()
        self.box.fill(question)
        self.box.press("Enter")
        expect(self.turns).to_have_count(before + 1)
        return self.turns.nth(before)

    def ask(self, question: str = QUESTION) -> Locator:
        """Ask, and wait for the answer; returns its turn."""
        turn = self.send(question)
        expect(turn.locator(".rating")).to_be_visible()
        return turn

    # ---- what the helpdesk replies, invented

    def reply(self, path: str, body: str, **reply: Any) -> list[Any]:
        """Reply in the helpdesk's place; returns the bodies that are sent, as they come."""
        sent: list[Any] = []
        headers = {
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "Retry-After",
            **reply.pop("headers", {}),
        }

        def fulfil(route: Route) -> None:
            sent.append(json.loads(route.request.post_data or "null"))
            route.fulfill(body=body, headers=headers, **reply)

        self.page.route(f"{self.helpdesk}{path}", fulfil)
        return sent

    def reply_with(self, answer: dict[str, Any], *deltas: str) -> list[Any]:
        """Answer questions with an invented answer."""
        body = event_stream(answer, *deltas)
        return self.reply("/v1/answers", body, content_type="text/event-stream")

    def listen_for(self, *names: str) -> None:
        """Keep the events of the chat, for `heard`."""
        self.page.evaluate(
            """(names) => {
              const heard = [];
              for (const name of names) {
                document.addEventListener(name, (event) => heard.push([name, event.detail]));
              }
              document.heardByTest = heard;
            }""",
            names,
        )

    def heard(self) -> list[list[Any]]:
        found: list[list[Any]] = self.page.evaluate("document.heardByTest")
        return found


def invented(**changes: Any) -> dict[str, Any]:
    """An answer as the API gives it, with one statement and one source, unless changed."""
    answer = {
        "id": "an-id",
        "status": "answered",
        "language": "en",
        "text": "Boats sail at noon. [1]",
        "statements": [{"text": "Boats sail at noon.", "citations": [1], "language": "en"}],
        "citations": [cited()],
        "items": [],
        "reason": None,
        "strength": "strong",
        "next_step": None,
        "follow_ups": [],
        "article": None,
    }
    return {**answer, **changes}


def cited(**changes: Any) -> dict[str, Any]:
    """A citation as the API gives it."""
    citation = {
        "marker": 1,
        "kind": "source",
        "document_id": "harbour:boats.md",
        "source": "harbour",
        "path": "boats.md",
        "title": "Boats",
        "section": ["Times"],
        "url": "https://harbour.example/boats#times",
        "page": None,
        "quote": "Boats sail at noon.",
        "label": "required",
        "version": None,
        "doi": None,
        "published": None,
        "licence": None,
        "dated_by": None,
        "older": False,
        "superseded_by": None,
    }
    return {**citation, **changes}


def event_stream(answer: dict[str, Any] | None, *deltas: str) -> str:
    """The body of a streamed answer; without an answer it is cut before its end."""
    events: list[tuple[str, Any]] = [("passages", {"passages": []})]
    events += [("delta", {"text": text}) for text in deltas]
    if answer is not None:
        events.append(("answer", answer))
    return "".join(
        f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
        for number, (name, data) in enumerate(events, start=1)
    )
