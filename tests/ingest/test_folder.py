"""A folder of Markdown, HTML, text and PDF files, or one such file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from reading import load_folder

from ingest.loaders.folder import folder_files
from ingest.models import Document, Loaded, Source

Write = Callable[..., Path]


def load(path: Path, address: str | None = "https://tide.example") -> Loaded:
    everything = Loaded()
    for each in load_folder(Source("atlas", "folder", path, address, "CC0-1.0", "2031-05-04")):
        everything.documents += each.documents
        everything.skipped += each.skipped
        everything.problems += each.problems
    return everything


def the(loaded: Loaded) -> Document:
    assert loaded.problems == []
    (document,) = loaded.documents
    return document


def test_every_kind_of_file_is_read(write: Write, pdf_bytes: Callable[..., bytes]) -> None:
    root = write(
        {
            "a.md": "# Ebb\n\nIt goes.",
            "b.markdown": "It stands.",
            "deep/c.html": "<title>Flow</title><main><p>It comes.</p></main>",
            "deep/d.htm": "<p>It turns.</p>",
            "e.txt": "It waits.",
            "f.PDF": pdf_bytes(["It is written."]),
        }
    )
    loaded = load(root)
    assert (loaded.skipped, loaded.problems) == ([], [])
    assert {each.path: each.text for each in loaded.documents} == {
        "a.md": "It goes.",
        "b.markdown": "It stands.",
        "deep/c.html": "It comes.",
        "deep/d.htm": "It turns.",
        "e.txt": "It waits.",
        "f.PDF": "It is written.",
    }


def test_a_document_says_where_it_comes_from(write: Write) -> None:
    document = the(load(write({"deep/the ebb.md": "It goes out and comes back again every day."})))
    assert (document.document_id, document.source, document.path) == (
        "atlas:deep/the ebb.md",
        "atlas",
        "deep/the ebb.md",
    )
    assert document.url == "https://tide.example/deep/the%20ebb.md"
    assert (document.published, document.licence, document.language) == (
        "2031-05-04",
        "CC0-1.0",
        "en",
    )


def test_without_an_address_documents_have_no_url(write: Write) -> None:
    assert the(load(write({"a.md": "It goes."}), address=None)).url is None


def test_the_language_is_that_of_the_text(write: Write) -> None:
    text = "Das Wasser steht morgens am höchsten und fällt bis zum Abend wieder ab."
    assert the(load(write({"a.md": text}))).language == "de"


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        (
            "a.md",
            "---\ntitle: Of the front matter\n---\n# Of the body\n\nX.",
            "Of the front matter",
        ),
        ("a.md", "X.\n\n# Of the *body*\n\nX.", "Of the body"),
        ("a.md", "## No title\n\nX.", "a"),
        ("a.html", "<title>Of the head</title><p>X.</p>", "Of the head"),
        ("a.html", "<title>Of the head</title><h1>Of the body</h1><p>X.</p>", "Of the body"),
    ],
)
def test_the_title_is_what_the_page_calls_itself(
    write: Write, name: str, content: str, title: str
) -> None:
    assert the(load(write({name: content}))).title == title


def test_front_matter_is_no_text(write: Write) -> None:
    assert the(load(write({"a.md": "---\ntitle: Ebb\nsecret: words\n---\r\nIt goes."}))).text == (
        "It goes."
    )


def test_a_mark_of_the_encoding_is_no_text(write: Write) -> None:
    assert the(load(write({"a.md": b"\xef\xbb\xbfIt goes."}))).text == "It goes."


def test_one_file_is_read_by_itself(write: Write) -> None:
    root = write({"a.md": "It goes.", "b.md": "It comes."})
    assert the(load(root / "b.md")).path == "b.md"


@pytest.mark.parametrize("name", ["a.yml", "a.csv", "a.png", "Makefile", "a.md.bak"])
def test_an_unknown_type_is_skipped_and_named(write: Write, name: str) -> None:
    loaded = load(write({name: "It goes.", "b.md": "It comes."}))
    assert [each.path for each in loaded.documents] == ["b.md"]
    (skipped,) = loaded.skipped
    assert skipped.path == name
    assert skipped.reason.startswith("unknown type")
    assert loaded.problems == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("SOURCE.md", "a note about the source"),
        ("LICENSE", "a licence text"),
        ("deep/LICENCE.md", "a licence text"),
        ("LICENSE-CC-BY.txt", "a licence text"),
        ("LICENSES/CC0-1.0.txt", "a licence text"),
        ("COPYING", "a licence text"),
    ],
)
def test_a_file_that_is_no_document_is_skipped_with_its_reason(
    write: Write, path: str, reason: str
) -> None:
    loaded = load(write({path: "Words of nobody.", "b.md": "It comes."}))
    assert [each.path for each in loaded.documents] == ["b.md"]
    assert [(each.path, each.reason) for each in loaded.skipped] == [(path, reason)]


@pytest.mark.parametrize(
    "path", ["licensing.md", "deep/SOURCE.md", "licence-to-fish/rod.md", "copying-the-log.md"]
)
def test_a_document_about_licences_or_sources_is_read(write: Write, path: str) -> None:
    assert the(load(write({path: "It comes."}))).path == path


def test_plain_text_is_no_markdown(write: Write) -> None:
    text = "Ebb * and * flow\n    go <down>\nthe river.\n \n\n- one\n- two\n  lines\n\n3. third\n"
    document = the(load(write({"a.txt": text})))
    assert [block.text for section in document.sections for block in section.blocks] == [
        "Ebb * and * flow go <down> the river.",
        "- one",
        "- two lines",
        "3. third",
    ]


@pytest.mark.parametrize(
    "text", ["## Ebb\n\nIt *goes*.", "---\ntitle: X\n---\n## Ebb\n\nIt *goes*."]
)
def test_plain_text_that_is_markdown_is_read_as_that(write: Write, text: str) -> None:
    assert the(load(write({"a.txt": text}))).sections[0].heading == ("Ebb",)


def test_the_topic_is_the_first_folder(write: Write) -> None:
    loaded = load(write({"a.md": "It goes.", "tides/deep/b.md": "It comes."}))
    assert {each.path: each.topic for each in loaded.documents} == {
        "a.md": None,
        "tides/deep/b.md": "tides",
    }


@pytest.mark.parametrize(
    ("front", "published", "dated_by"),
    [("", "2031-05-04", "snapshot"), ("---\ndate: 2029-03-04\n---\n", "2029-03-04", "page")],
)
def test_a_date_says_whether_it_is_that_of_the_file_or_of_the_whole_source(
    write: Write, front: str, published: str, dated_by: str
) -> None:
    document = the(load(write({"a.md": f"{front}It goes."})))
    assert (document.published, document.dated_by) == (published, dated_by)


def test_a_few_words_are_taken_to_be_in_the_language_of_the_others(write: Write) -> None:
    german = "Das Wasser steht morgens am höchsten und fällt bis zum Abend wieder ab."
    loaded = load(write({"a.md": german, "b.md": "Oslo."}))
    assert {each.language for each in loaded.documents} == {"de"}


def test_what_a_site_prints_on_every_page_is_left_out(write: Write) -> None:
    frame = (
        "<h2>Useful things</h2><p>Look at our <a href='https://rope.example'>rope</a>.</p>"
        "<p>And at our boat.</p>"
    )
    pages = {
        f"{number}.html": f"<main><h1>T</h1><p>Day {number} has its own ebb.</p>{frame}</main>"
        for number in range(6)
    }
    documents = load(write(pages)).documents
    texts = {each.path: each.text for each in documents}
    assert texts == {f"{number}.html": f"Day {number} has its own ebb." for number in range(6)}
    assert not any(each.mentions for each in documents)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("404.html", "error page"), ("TEMPLATE_tide.html", "template or demo page")],
)
def test_a_rendered_page_that_is_no_content_is_skipped(
    write: Write, name: str, reason: str
) -> None:
    loaded = load(write({name: "<p>Words that nobody should cite.</p>"}))
    assert [(each.path, each.reason) for each in loaded.skipped] == [(name, reason)]


def test_hidden_files_and_links_out_of_the_folder_are_not_read(
    write: Write, tmp_path: Path
) -> None:
    root = write({".hidden.md": "Secret.", ".git/a.md": "Secret.", "a.md": "It goes."})
    (tmp_path / "outside.md").write_text("Secret.")
    (root / "link.md").symlink_to(tmp_path / "outside.md")
    assert [each.name for each in folder_files(root)] == ["a.md"]


@pytest.mark.parametrize("content", ["---\ntitle: Ebb\n---\n", "<!-- nothing -->\n", "...\n"])
def test_a_file_without_text_is_skipped(write: Write, content: str) -> None:
    loaded = load(write({"a.md": content}))
    assert (loaded.documents, loaded.problems) == ([], [])
    assert [(each.path, each.reason) for each in loaded.skipped] == [("a.md", "no text")]


def test_a_file_that_holds_only_the_notice_is_a_placeholder(write: Write) -> None:
    notice = "We are still working on the content for this page."
    document = the(load(write({"es.md": f"---\ntitle: Spain\n---\n{notice}"})))
    assert (document.title, document.placeholder, document.sections) == ("Spain", True, ())


def test_a_file_with_text_beside_the_notice_is_no_placeholder(write: Write) -> None:
    notice = "We are still working on the content for this page."
    document = the(load(write({"pt.md": f"It goes.\n\n{notice}"})))
    assert (document.placeholder, document.text) == (False, "It goes.")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.md", b"", "the file is empty"),
        ("a.md", b" \n\n", "the file is empty"),
        ("a.md", b"\x89PNG\r\n\x1a\n\x00\xff", "not UTF-8 text"),
        ("a.md", b"plain\x00but binary", "binary data"),
        ("a.md", b"%PDF-1.7 in ASCII", "binary data"),
        ("a.txt", "Ebbe à marée".encode("latin-1"), "not UTF-8 text"),
        ("a.md", b"---\ntitle: [open\n---\nIt goes.", "the front matter is not YAML in line 3"),
        ("a.md", b"---\njust words\n---\nIt goes.", "the front matter is not a mapping"),
        ("a.pdf", b"", "the file is empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem_and_the_rest_is_read(
    write: Write, name: str, content: bytes, why: str
) -> None:
    loaded = load(write({name: content, "b.md": "It comes."}))
    assert [each.path for each in loaded.documents] == ["b.md"]
    (problem,) = loaded.problems
    assert problem.path == name
    assert problem.problem.startswith(why)
    assert "\n" not in problem.problem


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", "<span>" * 5000 + "words"),
        ("a.html", "<div>" * 5000 + "words"),
        ("a.md", ">" * 5000 + "words"),
        ("a.md", "---\nx: " + "[" * 5000 + "\n---\nwords"),
    ],
)
def test_a_file_nested_too_deeply_does_not_end_the_run(
    write: Write, name: str, content: str
) -> None:
    assert "b.md" in {
        each.path for each in load(write({name: content, "b.md": "It comes."})).documents
    }


def test_the_digest_changes_with_the_text_and_only_with_it(write: Write) -> None:
    first = the(load(write({"a.md": "It goes."}, "one"))).sha256
    same = the(load(write({"a.md": "It   goes.\n"}, "two"))).sha256
    other = the(load(write({"a.md": "It comes."}, "three"))).sha256
    assert first == same != other


@pytest.mark.parametrize(
    "front", ["date: 2020-02-30", "date: 9999-99-99T99:99:99", f"number: {'9' * 6000}"]
)
def test_an_impossible_date_or_number_in_the_front_matter_is_a_problem_of_that_file_alone(
    write: Callable[..., Path], front: str
) -> None:
    bad = f"---\ntitle: Ebb\n{front}\n---\nIt turns."
    loaded = load(write({"bad.md": bad, "good.md": "The water stands still at slack tide."}))
    assert [each.path for each in loaded.problems] in ([], ["bad.md"])
    assert "good.md" in [each.path for each in loaded.documents]


def test_a_title_that_is_no_plain_value_is_no_title(write: Callable[..., Path]) -> None:
    front = "---\nmany: &many [ebb, flow]\ntitle: [*many, *many]\n---\n# Of the body\n\nIt turns."
    assert load(write({"a.md": front})).documents[0].title == "Of the body"


def test_a_name_that_cannot_be_printed_is_a_problem_and_the_rest_is_read(
    write: Callable[..., Path],
) -> None:
    folder = write({"good.md": "It turns.", "two\nlines.md": "It turns."})
    loaded = load(folder)
    assert [each.path for each in loaded.documents] == ["good.md"]
    assert [each.path for each in loaded.problems] == [r"two\nlines.md"]


def test_the_untitled_page_of_a_folder_is_called_like_the_folder(write: Write) -> None:
    root = write({"guides/_index.md": "Nets are mended in spring.", "readme.md": "Read on."})
    titles = {
        document.path: document.title
        for loaded in load_folder(Source("atlas", "folder", root))
        for document in loaded.documents
    }
    assert titles == {"guides/_index.md": "guides", "readme.md": "readme"}
