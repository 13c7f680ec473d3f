"""Hold a running server against its own description: ``python tests/fuzz/api_cases.py [CASES]``.

Starts the server over the index of HELPDESK_DATA_DIR (read only: it is linked to) with a desk of
its own, makes so many calls of what `/openapi.json` describes, half of them as described and half
not, and has schemathesis check every reply. By hand: 10,000 take some minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / each) for each in ("api", "rag", ""))]

TOKEN = "a-token-of-these-tests"  # noqa: S105 - invented
_KNOWN_BY_THE_INDEX = {"topic", "filters.topics"}
_KNOWN_BY_FUNCTIONS = {"email", "name", "assignee", "title", "group", "tags"}
"""Fields whose rule no JSON schema can say: a deliverable address, printable letters, a topic that
something is filed under. A refusal of these alone is no fault of the description."""
_LENIENT = {"/v1/chat/completions", "/mcp"}
"""Other people's interfaces: what a model could answer (the last message is a question of ours) and
what JSON-RPC takes are rules of theirs, and they pass over what they do not know."""


def cases(address: str, count: int, seed: int) -> Iterator[str]:
    """Make calls; yields what was wrong, and at last nothing.

    Args:
        address: Of a server that has `TOKEN` for staff and counts no calls.
        count: Of calls, in all; as many of each operation.
        seed: The same makes the same calls.
    """
    load_all_checks()
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations()]
    # What takes only words in its path, or nothing, cannot be called wrongly.
    modes = {
        each: (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if each.query or each.body
        else (GenerationMode.POSITIVE,)
        for each in operations
    }
    each_s = -(-count // sum(map(len, modes.values())))
    wrong: dict[str, str] = {}
    statuses: Counter[int] = Counter()
    begun = time.monotonic()
    with requests.Session() as session:
        for operation in operations:
            for mode in modes[operation]:
                settings = hypothesis.settings(
                    max_examples=each_s,
                    database=None,
                    deadline=None,
                    phases=[hypothesis.Phase.generate],
                    suppress_health_check=list(hypothesis.HealthCheck),
                )

                @hypothesis.seed(seed)
                @settings
                @hypothesis.given(case=operation.as_strategy(mode))
                def call(case: Any) -> None:
                    statuses[_checked(case, session, wrong)] += 1

                try:
                    call()
                except hypothesis.errors.Unsatisfiable:
                    continue
            done = f"{sum(statuses.values())} calls, {time.monotonic() - begun:.0f} s"
            print(f"{operation.label}: {done}, {len(wrong)} failures so far", flush=True)
    yield from wrong.values()
    told = ", ".join(f"{status}: {times}" for status, times in sorted(statuses.items()))
    print(f"{sum(statuses.values())} calls of {len(operations)} operations; replies: {told}")


def _checked(case: Any, session: requests.Session, wrong: dict[str, str]) -> int:
    # Where it was left out on purpose it stays away.
    headers = {"Authorization": f"Bearer {TOKEN}"} if "Authorization" in case.headers else {}
    reply = case.call(session=session, headers=headers)
    left_out = []
    if case.path in _LENIENT:
        left_out += [negative_data_rejection, positive_data_acceptance]
    elif reply.status_code == 414:
        # Too long to be read at all; schemathesis does not count it among refusals.
        left_out += [negative_data_rejection]
    elif (
        reply.status_code == 422 and _fields_of(reply) <= _KNOWN_BY_THE_INDEX | _KNOWN_BY_FUNCTIONS
    ):
        left_out += [positive_data_acceptance]
    try:
        case.validate_response(reply, excluded_checks=left_out, headers=headers)
    except FailureGroup as group:
        for failure in group.exceptions:
            key = f"{case.method} {case.path}: {failure.title}"
            wrong.setdefault(key, f"{key}\n{failure}\n{case.as_curl_command()}\n{reply.text[:300]}")
    return int(reply.status_code)


def _fields_of(reply: Any) -> set[str]:
    """The fields that a reply finds fault with, without the numbers of lists."""
    said: Mapping[str, Any] = reply.json()
    named = [each["field"] for each in said.get("errors", ())] or ["topic"]
    return {".".join(part for part in each.split(".") if not part.isdigit()) for each in named}


def main(arguments: list[str]) -> int:
    """Start the server, and call it."""
    import os

    from served import running

    index = Path(os.environ.get("HELPDESK_DATA_DIR", "data")).resolve()
    count = int(arguments[0]) if arguments else 10_000
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        for each in index.iterdir():
            if not each.name.startswith(("desk.", "usage.")):
                (data / each.name).symlink_to(each)
        more = {"HELPDESK_STAFF_TOKEN": TOKEN, "HELPDESK_LIMITS__TICKETS_PER_HOUR": "0"}
        with running(ROOT, data, **more) as (address, _):
            begun = time.monotonic()
            wrong = list(cases(address, count, seed=int(arguments[1]) if arguments[1:] else 1))
            for each in wrong:
                print(f"\nFAILED {each}")
            print(f"{len(wrong)} failures, {time.monotonic() - begun:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
