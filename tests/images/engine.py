"""Images made and run without an engine: debootstrap, buildah and crun."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = ("debootstrap", "buildah", "crun")
_BASE = "nmg-helpdesk-test-base"
# What Debian's own slim images leave out, too.
_NOT_IN_IMAGES = (
    "var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man",
)  # fmt: skip


def missing() -> str:
    """Why no image can be made here; empty: one can."""
    absent = [program for program in PROGRAMS if not shutil.which(program)]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return "" if os.geteuid() == 0 else "not root"


def done(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a command to its end and return what it wrote; what fails tells why."""
    ended = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout[-1000:]} {ended.stderr[-3000:]}"
    return ended.stdout


def debian(folder: Path, *packages: str) -> Path:
    """Make a bare Debian 12 with nothing but these packages."""
    included = ["ca-certificates", "python3", "python3-venv", *packages]
    done("debootstrap", "--variant=minbase", f"--include={','.join(included)}", "bookworm", folder)
    for path in _NOT_IN_IMAGES:
        shutil.rmtree(folder / path)
        (folder / path).mkdir()
    return folder


def registries(folder: Path) -> list[tuple[Path, str]]:
    """How this machine reaches its registry, as (file, where pip looks for it) to be lent.

    A build sees nothing of the machine; what pip is told here by files and by the environment is
    written down for it, with the folders and certificates that this names.
    """
    listed = done(sys.executable, "-m", "pip", "config", "list")
    told: dict[str, str] = {}
    for kind in (r"\w+", ":env:"):  # the environment has the last word
        told |= dict(re.findall(rf"^{kind}\.([\w-]+)='(.*)'$", listed, re.MULTILINE))
    config = folder / "pip.conf"
    config.write_text(
        "[global]\n" + "".join(f"{key} = {value}\n" for key, value in told.items()), "utf-8"
    )
    named = [part for value in told.values() for part in value.split()]
    # What a list of links leads to lies beside it.
    lists = [Path(part[7:]).parent for part in named if part.startswith("file:///")]
    paths = {*lists, *(Path(part) for part in named if part.startswith("/"))}
    return [(config, "/etc/pip.conf"), *((path, str(path)) for path in paths if path.exists())]


@dataclass(frozen=True)
class Image:
    """A built image."""

    name: str
    bytes: int
    config: Mapping[str, Any]
    """As Docker has it: Cmd, Env, User, Healthcheck, Volumes …"""


class Builder:
    """buildah, with a store of its own."""

    def __init__(self, folder: Path):
        """Keep images below `folder`; `clear` takes them away."""
        self._own = (
            "--root", str(folder / "images"), "--runroot", str(folder / "run"),
            "--storage-driver", os.environ.get("STORAGE_DRIVER", "overlay"),
        )  # fmt: skip

    def run(self, *words: str | Path, cwd: Path | None = None) -> str:
        """Run one of its commands."""
        return done("buildah", *self._own, *words, cwd=cwd)

    def base(self, root: Path) -> None:
        """Make the image that others are built on from a file system."""
        container = self.run("from", "scratch").strip()
        self.run("add", "--quiet", container, root, "/")
        self.run("commit", "--quiet", "--rm", "--format", "docker", container, _BASE)

    def build(self, context: Path, target: str, lent: Sequence[tuple[Path, str]]) -> Image:
        """Build one target of the Dockerfile."""
        volumes = [part for file, place in lent for part in ("--volume", f"{file}:{place}:ro")]
        name = f"nmg-helpdesk-test:{target}"
        self.run(
            "build", "--isolation", "chroot", "--format", "docker", "--layers", *volumes,
            "--build-arg", f"BASE=localhost/{_BASE}", "--target", target, "--tag", name, ".",
            cwd=context,
        )  # fmt: skip
        return self.image(name)

    def image(self, name: str) -> Image:
        """Look at an image."""
        (listed,) = json.loads(self.run("images", "--json", name))
        seen = json.loads(self.run("inspect", "--type", "image", name))
        size = _bytes(listed["size"])
        return Image(name, size, seen["Docker"]["config"])

    @contextmanager
    def unpacked(self, image: Image) -> Iterator[Path]:
        """The file system of an image."""
        container = self.run("from", image.name).strip()
        try:
            yield Path(self.run("mount", container).strip())
        finally:
            self.run("umount", container)
            self.run("rm", container)


def _bytes(told: str) -> int:
    number, unit = told.split()
    return int(float(number) * {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}[unit])


class Container:
    """An image that runs as `compose.yaml` has it: read-only, without rights; no network."""

    def __init__(self, image: Image, root: Path, data: Path, bundle: Path, memory: int):
        """Prepare to run it; `data` becomes what it may write, `memory` bytes are its limit."""
        self.id = f"nmg-helpdesk-{os.getpid()}-{bundle.name}"
        self._bundle, self._image = bundle, image
        bundle.mkdir()
        done("crun", "spec", cwd=bundle)
        config = json.loads((bundle / "config.json").read_text("utf-8"))
        user, group = map(int, image.config["User"].split(":"))
        os.chown(data, user, group)
        process = config["process"]
        process |= {
            "terminal": False,
            "user": {"uid": user, "gid": group},
            "args": image.config["Cmd"],
            "env": image.config["Env"],
            "cwd": image.config["WorkingDir"],
            "capabilities": {},
            "noNewPrivileges": True,
            "rlimits": [],
        }
        config["root"] = {"path": str(root), "readonly": True}
        config["mounts"] += [
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
            {"destination": "/data", "type": "bind", "source": str(data), "options": ["rbind"]},
        ]
        config["linux"]["resources"]["memory"] = {"limit": memory}
        self._config = config

    def start(self, **settings: str) -> subprocess.Popen[str]:
        """Run what the image runs."""
        env = [*self._image.config["Env"], *(f"{name}={value}" for name, value in settings.items())]
        self._config["process"]["env"] = env
        (self._bundle / "config.json").write_text(json.dumps(self._config), "utf-8")
        return subprocess.Popen(
            self._crun("run", self.id),
            cwd=self._bundle,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside it, as its own user."""
        return subprocess.run(
            self._crun("exec", "--user", self._image.config["User"], self.id, *command),
            capture_output=True,
            text=True,
            check=False,
        )

    def healthy(self) -> bool:
        """What the image's own check of its health says."""
        how, *command = self._image.config["Healthcheck"]["Test"]
        assert how == "CMD"
        return self.inside(*command).returncode == 0

    def until_healthy(self, process: subprocess.Popen[str], seconds: float) -> float:
        """Wait for that; returns how long it took."""
        began = time.monotonic()
        while not self.healthy():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() - began < seconds, "not healthy in time"
            time.sleep(5)
        return time.monotonic() - began

    def stop(self, process: subprocess.Popen[str], seconds: float) -> float:
        """Stop it as an engine does; returns how long it took."""
        began = time.monotonic()
        subprocess.run(self._crun("kill", self.id, "TERM"), check=True)
        process.wait(timeout=seconds)
        return time.monotonic() - began

    def remove(self) -> None:
        """Leave nothing of it running."""
        subprocess.run(self._crun("delete", "--force", self.id), check=False, capture_output=True)

    @staticmethod
    def _crun(*words: str) -> list[str]:
        # crun takes cgroups of the first or the second kind, and refuses a machine that has both.
        hide = "umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --cgroup-manager=cgroupfs"
        return ["unshare", "--mount", "sh", "-c", f'{hide} "$@"', "crun", *words]
