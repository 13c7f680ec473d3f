"""What can be said of the images without making one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

_LEFT_OUT = {"torch", "sentence-transformers", "transformers", "sympy", "networkx", "scikit-learn"}


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "compose.yaml").read_text("utf-8"))["services"]
    return found


def _pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[\w.-]+==[^ ;\\]+", lock.read_text("utf-8"), re.MULTILINE))


def _names(lock: Path) -> set[str]:
    return {pin.partition("==")[0] for pin in _pins(lock)}


def test_the_dockerfile_is_clean(root: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint is not None
    done = subprocess.run(
        [hadolint, root / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_reads_from_the_makefile_where_torch_comes_from(root: Path) -> None:
    text = (root / "Dockerfile").read_text("utf-8")
    read = re.findall(r"sed -n '([^']+)' Makefile", text)
    found = [
        subprocess.run(
            ["sed", "-n", words, root / "Makefile"], capture_output=True, text=True, check=True
        ).stdout
        for words in read
    ]
    assert re.fullmatch(r"https://\S+\n", found[0])
    assert re.fullmatch(r"torch==[\d.]+\n", found[1])
    assert "://" not in text


def test_the_slim_lock_is_the_full_one_less_what_models_by_name_need(root: Path) -> None:
    full, slim = root / "requirements.lock", root / "requirements-slim.lock"
    assert _pins(slim) <= _pins(full)
    assert not _names(slim) & _LEFT_OUT
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["openai"], *extras["postgres"]]
    # Where this fails, a package is new: `make lock`, or the commands of it without --upgrade.
    assert {re.split(r"[\[=]", each)[0] for each in needed} <= _names(slim)


def test_the_helpdesk_alone_is_what_begins_by_default(services: dict[str, Any]) -> None:
    assert [name for name, each in services.items() if not each.get("profiles")] == ["helpdesk"]
    waits = services["helpdesk"]["depends_on"]
    assert not any(each["required"] for each in waits.values())


def test_the_helpdesk_can_write_nowhere_but_where_it_must(services: dict[str, Any]) -> None:
    helpdesk = services["helpdesk"]
    assert helpdesk["read_only"] is True
    assert helpdesk["tmpfs"] == ["/tmp"]
    assert helpdesk["volumes"] == ["data:/data"]
    assert helpdesk["mem_limit"]


def test_no_service_may_gain_rights_or_be_reached_from_other_machines(
    services: dict[str, Any],
) -> None:
    for name, each in services.items():
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in each, name
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", [])), name


def test_a_password_of_the_database_has_no_default(root: Path, services: dict[str, Any]) -> None:
    whole = yaml.safe_load((root / "compose.yaml").read_text("utf-8"))
    # An engine refuses a service whose secret is named after a variable that nobody set.
    assert services["postgres"]["secrets"] == ["postgres_password"]
    assert whole["secrets"] == {"postgres_password": {"environment": "POSTGRES_PASSWORD"}}
    url = services["helpdesk"]["environment"]["HELPDESK_DESK__DATABASE_URL"]
    assert "${POSTGRES_PASSWORD:+" in url
    assert url.endswith("helpdesk:${POSTGRES_PASSWORD-}@postgres/helpdesk}}")


def test_compose_asks_for_health_as_the_image_does(root: Path, services: dict[str, Any]) -> None:
    text = (root / "Dockerfile").read_text("utf-8")
    asked = re.search(r"HEALTHCHECK .*\\\n\s+CMD (.+)", text)
    assert asked is not None
    assert yaml.safe_load(asked[1]) == services["helpdesk"]["healthcheck"]["test"][1:]


def test_the_chroma_server_is_of_the_version_of_its_client(
    root: Path, services: dict[str, Any]
) -> None:
    version = services["chroma"]["image"].rpartition(":")[2]
    assert f"chromadb=={version}" in _pins(root / "requirements.lock")
