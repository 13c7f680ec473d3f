"""All awkward mails, invented, and what is to become of each.

``python tests/api/awkward_mails.py`` prints them as a table.
"""

from __future__ import annotations

import awkward_others
import awkward_parts
import awkward_texts
import awkward_threads

EVERY = [
    *awkward_threads.MAILS,
    *awkward_texts.MAILS,
    *awkward_parts.MAILS,
    *awkward_others.MAILS,
]

if __name__ == "__main__":
    print("| The mail | becomes | with |\n|---|---|---|")  # noqa: T201
    for each in EVERY:
        told = "; ".join(f"note: {note}" for note in each.notes)
        print(f"| {each.name} | {each.became} | {told} |")  # noqa: T201
