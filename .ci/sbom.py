"""Write what the helpdesk is made of: ``make sbom``, a CycloneDX file of the locked packages.

Read from the environment they are installed in, as only that knows their licences; what else is
installed there, for tests, is left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==", re.M)
_UNLOCKED = ("torch",)
"""What is installed before the lock, see the Makefile."""
_READ = {
    "imapclient": "BSD-3-Clause",
    "overrides": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "pypdfium2": "BSD-3-Clause OR Apache-2.0",
    "tiktoken": "MIT",
    "transformers": "Apache-2.0",
}
"""Licences of packages whose metadata tell them in no way that the tool knows: read in them."""


def plain(name: str) -> str:
    """The name of a package as all ways of writing it have in common."""
    return re.sub(r"[-_.]+", "-", name).lower()


def kept(whole: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Return a CycloneDX document with the components of these names only."""
    components = [each for each in whole["components"] if plain(each["name"]) in names]
    for each in components:
        if not each.get("licenses") and (licence := _READ.get(plain(each["name"]))):
            each["licenses"] = [{"expression": licence, "acknowledgement": "concluded"}]
    known = {each["bom-ref"] for each in components}
    dependencies = [
        {**each, "dependsOn": [ref for ref in each["dependsOn"] if ref in known]}
        if "dependsOn" in each
        else each
        for each in whole.get("dependencies", ())
        if each["ref"] in known
    ]
    return {**whole, "components": components, "dependencies": dependencies}


def main(environment: str, lock: str, to: str) -> int:
    """Write the file; returns the exit code."""
    tool = Path(sys.executable).with_name("cyclonedx-py")
    command = [
        *(str(tool), "environment", environment, "--pyproject", "pyproject.toml"),
        *("--mc-type", "application", "--output-format", "JSON", "--output-reproducible"),
        "--no-validate",  # of a thing of its own making; it takes minutes
    ]
    written = subprocess.run(command, check=False, capture_output=True, text=True)
    if written.returncode:
        print(f"sbom: {written.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    names = {plain(each) for each in _LOCKED.findall(Path(lock).read_text(encoding="utf-8"))}
    document = kept(json.loads(written.stdout), names | set(_UNLOCKED))
    Path(to).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"sbom: {to}: {len(document['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
