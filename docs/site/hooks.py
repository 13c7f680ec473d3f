"""What the site of the documents takes from outside ``docs/``; called by mkdocs (``mkdocs.yml``).

Some pages lie where people and forges look for them, and are pages of the site, too. A link to
a file that is no page is shown as the file's path, as the site may stand without the code.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "contributors/contributing.md": "CONTRIBUTING.md",
    "contributors/questions.md": "eval/data/README.md",
    "contributors/triage-examples.md": "corpus/triage/README.md",
    "changes.md": "CHANGELOG.md",
    "reporting.md": "SECURITY.md",
}
"""Page of the site, and the file in the repository that it is."""

_LINK = re.compile(r"(?<![!`])\[(?P<label>[^\]]+)\]\((?P<path>[^)#\s]+)(?P<place>#[^)\s]*)?\)")
_PAGES = {path: page for page, path in ELSEWHERE.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    for page, path in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Lead links of one page to pages of the site."""
    here = page.file.src_uri
    at = ELSEWHERE.get(here, f"docs/{here}")

    def led(found: re.Match[str]) -> str:
        label, path, place = found["label"], found["path"], found["place"] or ""
        if ":" in path:
            return found[0]
        target = normpath(join(dirname(at), path))
        if (ROOT / target).is_dir():
            target = join(target, "README.md")
        page_of_it = _PAGES.get(target) or (
            target.removeprefix("docs/") if target.startswith("docs/") else None
        )
        if page_of_it and files.get_file_from_path(page_of_it):
            return f"[{label}]({relpath(page_of_it, dirname(here) or '.')}{place})"
        if not (ROOT / target).exists():
            return found[0]  # mkdocs says what is wrong with it
        return f"{label} (`{target}`)" if target not in label else label

    return _LINK.sub(led, markdown)
