"""Files kept by hand: what is read of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BadSetting
from rag.kept import GivenTwice, load_yaml, read_kept


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("title: One\nkind: two\ntitle: Three\n", 3),
        ("ask:\n  en: [One]\n  pt: [Dois]\n  en: [Two]\n", 4),
        ("- {a: 1, a: 1}\n", 1),
        ("a: 1\n'a': 2\n", 2),
        ("? [{a: 1,\n   a: 2}]\n: b\n", 2),
    ],
)
def test_a_key_that_is_given_twice_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    with pytest.raises(GivenTwice):
        load_yaml(text)
    file = tmp_path / "kept.yaml"
    file.write_text(text)
    with pytest.raises(BadSetting) as raised:
        read_kept(file)
    assert str(file) in str(raised.value)
    assert f'is given twice in "<unicode string>", line {line},' in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: {a: 1}\nc: [{a: 1}, {a: 1}]\n",
        "no: 1\n'no': 2\n",
        "base: &base {a: 1}\nmore: {<<: *base, a: 2}\n",
        "itself: &itself [*itself]\n",
        "",
        "just words",
    ],
)
def test_what_is_given_once_is_read_as_ever(text: str) -> None:
    assert repr(load_yaml(text)) == repr(yaml.safe_load(text))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab:#-é", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
)


@given(_VALUES)
def test_whatever_is_written_is_read_again(value: object) -> None:
    assert load_yaml(yaml.safe_dump(value, allow_unicode=True)) == value
