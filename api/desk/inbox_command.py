"""The command that looks into the mailbox once, by hand."""

from __future__ import annotations

import typer

from api.desk.database import DeskUnavailable
from api.desk.terminal import fail
from rag.errors import BadSetting


def inbox() -> None:
    """Take the mails that are in the mailbox now (a running server does so by itself)."""
    # Here, as what it brings along takes seconds, and no other command needs it.
    from api.main import open_inbox

    try:
        desk, opened = open_inbox()
    except BadSetting as error:
        fail(str(error), code=2)
    except DeskUnavailable as error:
        fail(str(error))
    if opened is None:
        fail("HELPDESK_INBOX__HOST names no mailbox", code=2)
    more = True
    while more:
        polled = opened.poll()
        told = ", ".join(f"{became} {count}" for became, count in sorted(polled.became.items()))
        typer.echo(told or "no new mails")
        if polled.why:
            fail(polled.why)
        more = polled.more
    desk.close()
