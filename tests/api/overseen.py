"""``python overseen.py FILE …``: the server, with every address it turns to written into a file.

Python tells of each connection and each name that is looked up, whichever library begins it.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

_TURNED_TO = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


def main() -> None:
    """Serve."""
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in _TURNED_TO:
            # Of a connection the first argument is the socket.
            where = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
            os.write(log, f"{event} {where!r}\n".encode())

    sys.addaudithook(note)
    sys.argv = ["api"]
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    runpy.run_module("api", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
