from __future__ import annotations

import re
from pathlib import Path

from docs.site.settings_page import PAGE, page

_NAMED = re.compile(r"\bHELPDESK_[A-Z_]*[A-Z]\b")


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make docs"


def test_the_page_has_settings_of_the_core_of_the_server_and_of_ingest() -> None:
    told = page()
    for name in (
        "HELPDESK_DATA_DIR",
        "HELPDESK_RETRIEVAL__WORDS_WEIGHT",
        "HELPDESK_SERVER__HOST",
        "HELPDESK_FETCH__PAUSE_S",
    ):
        assert f"| `{name}` |" in told


def test_documents_name_only_settings_that_there_are(root: Path, documents: list[Path]) -> None:
    known = set(_NAMED.findall(page()))
    unknown = {
        f"{each.relative_to(root)}: {name}"
        for each in documents
        for name in _NAMED.findall(each.read_text(encoding="utf-8"))
        # A section is named by what its settings begin with: HELPDESK_MAIL__…
        if name not in known and not any(other.startswith(f"{name}__") for other in known)
    }
    assert unknown == set()
