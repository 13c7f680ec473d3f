"""The images, built and run: `make image-test`, as root, in some 20 minutes and 10 GB of disk.

They are built on a bare Debian, and run read-only, without rights and without any network.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from engine import Builder, Container, Image, debian, missing, registries

pytestmark = [
    pytest.mark.image,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(bool(missing()), reason=missing() or "it can be built"),
]

_LIMITS = {"slim": 1_100_000_000, "full": 2_400_000_000}
"""Bytes that an image may have."""
_MEMORY = 3 * 2**30
"""As in compose.yaml."""
_ASK = """
import json, urllib.request
body = json.dumps({"question": "How can I share my data?"}).encode()
headers = {"Content-Type": "application/json"}
call = urllib.request.Request("http://127.0.0.1:8000/v1/answers", body, headers)
print(urllib.request.urlopen(call, timeout=60).read().decode())
"""
_PAGE = """
from pathlib import Path
folder = Path("/tmp/pages")
folder.mkdir()
(folder / "tides.md").write_text("# Tides\\n\\nThe harbour master records the tides.")
"""


@dataclass(frozen=True)
class Built:
    """An image, and where its files can be seen."""

    image: Image
    root: Path


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not where the other tests write: that may be memory.
    made = Path(tempfile.mkdtemp(prefix="nmg-images-", dir=os.environ.get("TMPDIR", "/var/tmp")))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def images(root: Path, folder: Path) -> Iterator[Callable[[str], Built]]:
    builder = Builder(folder)
    builder.base(debian(folder / "debian"))
    lent = registries(folder)
    with ExitStack() as opened:
        made: dict[str, Built] = {}

        def built(target: str) -> Built:
            if target not in made:
                image = builder.build(root, target, lent)
                made[target] = Built(image, opened.enter_context(builder.unpacked(image)))
            return made[target]

        yield built


@pytest.fixture(params=["slim", "full"])
def built(images: Callable[[str], Built], request: pytest.FixtureRequest) -> Built:
    made: Built = images(request.param)
    return made


@pytest.fixture
def container(built: Built, folder: Path) -> Iterator[Container]:
    data = Path(tempfile.mkdtemp(prefix="data-", dir=folder))
    bundle = folder / f"bundle-{data.name}"
    made = Container(built.image, built.root, data, bundle, _MEMORY)
    yield made
    made.remove()


def test_an_image_is_no_larger_than_it_may_be(built: Built) -> None:
    print(f"\n{built.image.name}: {built.image.bytes / 1e6:.0f} MB")
    assert built.image.bytes <= _LIMITS[built.image.name.rpartition(":")[2]]


def test_a_container_begins_with_nothing_and_answers_with_citations(
    container: Container,
) -> None:
    process = container.start()
    first = container.until_healthy(process, 1200)
    answer = json.loads(container.inside("python3", "-c", _ASK).stdout)
    assert answer["status"] == "answered"
    assert answer["citations"]
    # What it may not: write anywhere else, be somebody, call an installer.
    assert container.inside("touch", "/app/x").returncode != 0
    assert container.inside("touch", "/tmp/x", "/data/x").returncode == 0
    assert container.inside("id", "-u").stdout.strip() == "10001"
    assert container.inside("python3", "-c", "import pip").returncode != 0
    # A file is read by a process of its own, which writes below /tmp.
    assert container.inside("python3", "-c", _PAGE).returncode == 0
    ran = container.inside("python3", "-m", "ingest", "run", "--source", "/tmp/pages")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    stopped = container.stop(process, 20)
    container.remove()
    process = container.start()
    again = container.until_healthy(process, 300)
    print(f"\nready after {first:.0f} s, again after {again:.0f} s; stopped in {stopped:.1f} s")


def test_a_container_stops_at_once_while_it_builds_its_first_index(container: Container) -> None:
    process = container.start()
    assert process.stdout is not None
    assert "No index yet" in process.stdout.readline()
    assert container.stop(process, 20) < 10


@pytest.mark.parametrize("setting", ["EMBEDDER__MODEL", "RERANKER__MODEL"])
def test_the_slim_image_refuses_a_model_by_name(
    images: Callable[[str], Built], folder: Path, setting: str
) -> None:
    built = images("slim")
    data = Path(tempfile.mkdtemp(prefix="data-", dir=folder))
    container = Container(built.image, built.root, data, folder / f"bundle-{setting}", _MEMORY)
    process = container.start(**{f"HELPDESK_{setting}": "someone/some-model"})
    said, _ = process.communicate(timeout=120)
    container.remove()
    (line,) = said.strip().splitlines()
    assert process.returncode == 2
    assert "run the full image" in line


def test_the_full_image_has_what_loads_a_model_by_name(images: Callable[[str], Built]) -> None:
    packages = next((images("full").root / "app/.venv/lib").glob("python3.*/site-packages"))
    assert (packages / "torch").is_dir()
    assert (packages / "sentence_transformers").is_dir()
    assert not list(packages.glob("nvidia*"))
