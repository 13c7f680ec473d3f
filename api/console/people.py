"""Who is meant by what the audit and tickets name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.auth import MACHINES
from api.desk.audit import HELPDESK, OPERATOR, REQUESTER
from api.desk.models import Member

_OTHERS = {
    MACHINES.who: "Staff (by the API)",
    REQUESTER: "The requester",
    HELPDESK: "The helpdesk itself",
    OPERATOR: "The operator",
}


@dataclass(frozen=True)
class People:
    """The list of staff, as pages name them."""

    members: Sequence[Member]

    @property
    def names(self) -> Mapping[str, str]:
        """Their names by id, of those who have left, too."""
        return {each.staff_id: each.name for each in self.members}

    def name(self, who: str | None) -> str:
        """Who that is, else what it says: machines give tickets to any name."""
        return self.names.get(who or "") or _OTHERS.get(who or "") or who or "Somebody"

    def who_see(self, country: str | None) -> list[Member]:
        """Those who may have tickets of a country."""
        return [each for each in self.members if not each.left_at and each.actor.sees(country)]
