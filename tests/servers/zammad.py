"""A Zammad on 127.0.0.1, as far as its documented API says what it does with tickets.

Search is Zammad's over Elasticsearch: by words, the last of which may only have begun where nothing
but words is looked for, and of what was indexed a moment ago.

Source: https://docs.zammad.org/en/latest/api/, `SearchIndexBackend` of Zammad.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from servers import running

Way = Literal["take", "refuse", "die before", "die between", "die after", "slow", "forbid"]
"""See `servers.smtp`; `forbid`: answers 403."""
_SIMPLE = re.compile(r"[\w.@*?]+")


class Handler(running.Handler):
    def do_GET(self) -> None:  # noqa: N802
        zammad: ZammadServer = self.server.owner
        way = zammad.way(self)
        if way is None:
            return
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/api/v1/tickets/search":
            told: Any = zammad.search(query["query"], int(query.get("limit", 10)))
            if query.get("expand") != "true":
                assets = {"Ticket": {str(each["id"]): each for each in told}}
                numbers = [each["id"] for each in told]
                told = {"tickets": numbers, "tickets_count": len(numbers), "assets": assets}
            self.answer(200, told)
        elif found := re.fullmatch(r"/api/v1/ticket_articles/by_ticket/(\d+)", parts.path):
            of_it = [each for each in zammad.articles if each["ticket_id"] == int(found[1])]
            self.answer(200, of_it)
        else:
            self.answer(404, {"error": "No route matches"})

    def do_POST(self) -> None:  # noqa: N802
        zammad: ZammadServer = self.server.owner
        sent = json.loads(self.whole_body())
        way = zammad.way(self)
        if way is None:
            return
        if way != "die before":
            status, told = zammad.take(self.path, sent)
            if way != "die between":
                self.answer(status, told)
        if way.startswith("die"):
            self.die()

    def answer(self, status: int, told: Any) -> None:
        self.reply(status, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def die(self) -> None:
        self.close_connection = True
        self.connection.close()


class ZammadServer(running.RunningServer):
    """The server, with what was made there."""

    def __init__(
        self,
        token: str = "token-of-an-agent",  # noqa: S107
        behave: Callable[[], Way] = lambda: "take",
        index_s: float = 0.0,
        slow_s: float = 0.2,
    ) -> None:
        """Admit whoever has a token.

        Args:
            token: Of an agent.
            behave: Asked for every request.
            index_s: How long a new ticket is not found.
            slow_s: What "slow" is.
        """
        super().__init__(Handler)
        self.token = token
        self.behave = behave
        self.groups = {"Users"}
        self.tickets: list[dict[str, Any]] = []
        self.articles: list[dict[str, Any]] = []
        self.customers: set[str] = set()
        self.asked: list[str] = []
        self._index_s = index_s
        self._slow_s = slow_s
        self._made: dict[int, float] = {}
        self._turn = threading.Lock()

    def way(self, handler: Handler) -> Way | None:
        """How a request fares; None: it was refused."""
        self.asked.append(f"{handler.command} {urlsplit(handler.path).path}")
        if handler.fields.get("authorization") != f"Token token={self.token}":
            handler.answer(401, {"error": "Invalid token"})
            return None
        way = self.behave()
        if way in ("refuse", "forbid"):
            handler.answer(503 if way == "refuse" else 403, {"error": "no"})
            return None
        if way == "slow":
            time.sleep(self._slow_s)
        return way

    def search(self, query: str, limit: int) -> list[dict[str, Any]]:
        """Tickets whose title has all words; the last changed first."""
        simple = _SIMPLE.fullmatch(query) is not None
        wanted = [query.lower()] if simple else re.findall(r"\w+", query.lower())
        known = time.monotonic() - self._index_s
        with self._turn:
            tickets = [each for each in self.tickets if self._made[each["id"]] <= known]

        def fits(title: str) -> bool:
            words = re.findall(r"\w+", title.lower())
            return all(
                any(each.startswith(word) if simple else each == word for each in words)
                for word in wanted
            )

        return [each for each in reversed(tickets) if fits(each["title"])][:limit]

    def take(self, path: str, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Make a ticket or an article."""
        with self._turn:
            if path == "/api/v1/tickets":
                return self._ticket(sent)
            if path == "/api/v1/ticket_articles":
                if sent["ticket_id"] not in self._made:
                    return 404, {"error": "Couldn't find Ticket"}
                return 201, self._article(sent)
        return 404, {"error": "No route matches"}

    def _ticket(self, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        guessed, _, mail = str(sent["customer_id"]).partition(":")
        if sent["group"] not in self.groups or guessed != "guess" or not sent["title"]:
            return 422, {"error": "No lookup value found for 'group'"}
        self.customers.add(mail)
        number = len(self.tickets) + 1
        ticket = {"id": number, "number": str(22000 + number), "title": sent["title"]}
        self.tickets.append(ticket)
        self._made[number] = time.monotonic()
        self._article({**sent["article"], "ticket_id": number})
        return 201, ticket

    def _article(self, sent: dict[str, Any]) -> dict[str, Any]:
        article = {"id": len(self.articles) + 1, **sent}
        self.articles.append(article)
        return article
