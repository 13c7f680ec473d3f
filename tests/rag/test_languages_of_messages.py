"""Every language of the helpdesk says all that English says: messages, and the seven articles."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from rag.language import LANGUAGES, detect_language
from rag.text import pin

ROOT = Path(__file__).resolve().parent.parent.parent
MESSAGES = ROOT / "corpus" / "messages"
ARTICLES = ROOT / "corpus" / "articles"
OTHERS = sorted(set(LANGUAGES) - {"en"})
KEYS = re.compile(r"\[\^([^]]*)\]")
TRANSLATED = 7
"""The articles of the prototype's questions."""


@dataclass(frozen=True)
class Text:
    """An article, or what says the same in another language."""

    front: dict[str, object]
    body: str

    @classmethod
    def read(cls, file: Path) -> Text:
        _, front, body = file.read_text(encoding="utf-8").split("---\n", 2)
        return cls(yaml.safe_load(front), body)

    @property
    def statements(self) -> list[str]:
        return [each for each in re.split(r"\n\s*\n", self.body) if each.strip()]

    @property
    def said(self) -> str:
        """Title and statements, without the keys of the evidence."""
        return f"{self.front['title']}\n{KEYS.sub('', self.body)}"


def messages(language: str) -> dict[str, str]:
    file = MESSAGES / f"{language}.yaml"
    found = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    assert isinstance(found, dict)
    return found


def placeholders(text: str) -> Counter[str]:
    return Counter(re.findall(r"{[^{}]*}", text))


def plain(text: str) -> str:
    return re.sub(r"{[^{}]*}", "", text)


def translations(language: str) -> list[Path]:
    return sorted(ARTICLES.rglob(f"*.{language}.md"))


def original(file: Path) -> Path:
    return file.with_name(f"{file.name.split('.')[0]}.md")


def figures(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", text))


def mail_addresses(text: str) -> Counter[str]:
    return Counter(re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text))


# What the helpdesk itself says


def test_there_are_messages_in_every_language_of_the_helpdesk_and_in_no_other() -> None:
    assert sorted(file.stem for file in MESSAGES.glob("*.yaml")) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_said_with_the_same_placeholders(language: str) -> None:
    english, own = messages("en"), messages(language)
    assert own.keys() == english.keys()
    for key, text in own.items():
        assert isinstance(text, str), key
        assert text.strip(), key
        assert placeholders(text) == placeholders(english[key]), key
        assert not re.search(r"[{}]", plain(text)), key


@pytest.mark.parametrize("language", OTHERS)
def test_no_message_is_left_in_english(language: str) -> None:
    english, own = messages("en"), messages(language)
    assert [key for key, text in own.items() if text == english[key]] == []


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_messages_are_in_their_language(language: str) -> None:
    assert detect_language("\n".join(map(plain, messages(language).values()))) == language


# The articles


@pytest.mark.parametrize("language", OTHERS)
def test_the_seven_articles_are_there_in_every_language(language: str) -> None:
    translated = {original(file) for file in ARTICLES.rglob("*.*.md")}
    assert len(translated) == TRANSLATED
    assert {original(file) for file in translations(language)} == translated


def test_every_translation_is_of_an_article_and_in_a_language_of_the_helpdesk() -> None:
    every = list(ARTICLES.rglob("*.*.md"))
    assert [file.name for file in every if not original(file).is_file()] == []
    assert {file.stem.split(".", 1)[1] for file in every} <= set(OTHERS)


@pytest.mark.parametrize("language", OTHERS)
def test_every_article_is_translated_whole(language: str) -> None:
    for file in translations(language):
        article, own = Text.read(original(file)), Text.read(file)
        keys = [KEYS.findall(each) for each in article.statements]
        assert [KEYS.findall(each) for each in own.statements] == keys, file.name
        assert own.front["of"] == pin(article.body), f"{file.name}: the article has changed since"
        assert own.front.keys() == {"title", "of", "reviewed_by"}


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_keeps_figures_and_mail_addresses(language: str) -> None:
    for file in translations(language):
        pairs = zip(Text.read(original(file)).statements, Text.read(file).statements, strict=True)
        for english, own in pairs:
            assert figures(own) == figures(english), file.name
            assert mail_addresses(own) == mail_addresses(english), file.name


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_names_the_labels_as_the_framework_does(language: str) -> None:
    """They are words of its pages, which a reader has to find there."""
    for file in translations(language):
        pairs = zip(Text.read(original(file)).statements, Text.read(file).statements, strict=True)
        for english, own in pairs:
            for label in ("Required", "Recommended", "Informational"):
                assert (label in own) == (label in english), f"{file.name}: {own[:60]}"


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_is_in_its_language(language: str) -> None:
    files = translations(language)
    found = {file.name: detect_language(Text.read(file).said) for file in files}
    assert {name: code for name, code in found.items() if code != language} == {}


@pytest.mark.parametrize("language", OTHERS)
def test_who_reviewed_a_translation_is_said_or_nobody_has(language: str) -> None:
    assert all(isinstance(Text.read(file).front["reviewed_by"], str)
               for file in translations(language))  # fmt: skip
