"""From `git clone` to the first cited answer on a bare Debian with 2 cores, measured.

By hand, as root, where debootstrap is: `python tests/images/bare_machine.py [REPOSITORY]`. The
last commit of the repository is cloned (default: this one); 5 GB of disk are needed below TMPDIR.
Memory is not limited but looked at: whether 4 GB are enough is what the table tells.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from engine import debian, registries

ROOT = Path(__file__).resolve().parents[2]
_CORES = 2
_IDLE_S = 60
_ASK = """curl -sf http://127.0.0.1:8017/v1/answers -H 'Content-Type: application/json' \
-d '{"question": "How can I share my data?"}'"""
_STEPS = {
    "Installing PyTorch": "`make serve`: PyTorch",
    "Installing the locked": "`make serve`: the locked packages",
    "No index yet": "the first index, of the articles that are shipped",
    "Serving on": "the server, until it answers",
}


@dataclass
class Watch:
    """What the processes below one take, looked at twice a second."""

    process: psutil.Process
    peak: int = 0
    """The most bytes that they held since this was set to 0."""
    cpu: dict[int, float] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(0.5):
            self.peak = max(self.peak, self.memory())

    def memory(self) -> int:
        """Bytes that they hold now; what several of them share counts once."""
        total = 0
        for each in self._family():
            try:
                total += each.memory_full_info().pss
                times = each.cpu_times()
                self.cpu[each.pid] = times.user + times.system
            except psutil.Error:
                continue
        return total

    def _family(self) -> list[psutil.Process]:
        try:
            return self.process.children(recursive=True)
        except psutil.Error:
            return []


def _begin(root: Path, lent: list[tuple[Path, str]], command: str) -> subprocess.Popen[str]:
    """Run a command in there, with its own processes and mounts, which end with it."""
    lines = [f"mount -t proc proc {root}/proc"]
    for file, place in lent:
        inside = Path(f"{root}{place}")
        made = (
            f"mkdir -p {inside}" if file.is_dir() else f"mkdir -p {inside.parent}; touch {inside}"
        )
        lines += [made, f"mount --bind -o ro {file} {inside}"]
    lines.append(
        f"exec chroot {root} /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin sh -c '{command}'"
    )
    return subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", "\n".join(lines)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _size(folder: Path) -> int:
    return int(subprocess.check_output(["du", "-sk", folder], text=True).split()[0]) * 1024


def _measure(folder: Path, repository: Path) -> None:
    root = debian(folder / "debian", "make", "git")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    lent = [*registries(folder), (repository, "/src")]
    began = last = time.monotonic()
    script = "cd /root && git clone -q /src helpdesk && cd helpdesk && exec make serve PORT=8017"
    process = _begin(root, lent, script)
    watch = Watch(psutil.Process(process.pid))
    threading.Thread(target=watch.run, daemon=True).start()
    try:
        step, rows = "`git clone`", []
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{time.monotonic() - began:6.0f} s  {line}", end="", file=sys.stderr)
            for words, name in _STEPS.items():
                if words in line:
                    rows.append((step, time.monotonic() - last, watch.peak))
                    step, last, watch.peak = name, time.monotonic(), 0
                    print(rows[-1], file=sys.stderr)
            if "Serving on" in line:
                break
        while subprocess.run(_ASK, shell=True, capture_output=True, check=False).returncode:  # noqa: S602
            assert process.poll() is None, "make serve has ended"
            time.sleep(0.5)
        rows.append((step, time.monotonic() - last, watch.peak))
        whole = time.monotonic() - began
        time.sleep(_IDLE_S)
        idle = watch.memory()
    finally:
        watch.over.set()
        process.kill()
        process.wait()
    home = root / "root/helpdesk"
    for name, seconds, peak in rows:
        print(f"| {name} | {seconds:.0f} s | {peak / 1e6:.0f} MB |")
    most = max(peak for *_, peak in rows)
    used = sum(watch.cpu.values())
    print(f"| from clone to first answer | {whole:.0f} s | {most / 1e6:.0f} MB |")
    print(f"| processor time of all processes in it | {used:.0f} s | |")
    print(f"| the server, {_IDLE_S} s after its first answer | | {idle / 1e6:.0f} MB |")
    print(f"| disk: environment | | {_size(home / '.venv') / 1e6:.0f} MB |")
    print(f"| disk: index and other data | | {_size(home / 'data') / 1e6:.0f} MB |")


def main() -> int:
    """Measure, and print a table in Markdown."""
    repository = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT).resolve()
    folder = Path(tempfile.mkdtemp(prefix="nmg-bare-", dir=os.environ.get("TMPDIR", "/var/tmp")))
    try:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:_CORES])
        print(f"| {_CORES} cores | Time | Peak memory |\n|---|---|---|")
        _measure(folder, repository)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
