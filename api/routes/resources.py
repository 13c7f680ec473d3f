"""The register of resources."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api.requests import Country, Label, Name
from api.schemas import ResourceOut, ResourcesOut
from rag.index import Generation

router = APIRouter(prefix="/v1/resources", tags=["resources"])


@router.get("")
def resources(
    request: Request,
    label: Annotated[Label | None, Query()] = None,
    country: Annotated[Country | None, Query()] = None,
    topic: Annotated[Name | None, Query()] = None,
    kind: Annotated[Name | None, Query()] = None,
) -> ResourcesOut:
    """List every document, standard and tool that the sources name, with its labels.

    A resource fits where one of its mentions has the label, the country and
    the topic together; it comes with all of its mentions.
    """
    generation: Generation = request.app.state.services.index.answerer().generation
    return listed(generation, label, country, topic, kind)


def listed(
    generation: Generation,
    label: str | None,
    country: str | None,
    topic: str | None,
    kind: str | None,
) -> ResourcesOut:
    """Return every resource that fits; None: no limit.

    Raises:
        UnknownTopic: Nothing is filed under the topic.
    """
    wanted = generation.topic(topic) if topic else None
    return ResourcesOut(
        resources=[
            ResourceOut.of(each)
            for each in generation.resources
            if (kind is None or each.kind == kind.lower())
            and any(
                (label is None or mention.label == label)
                and (country is None or mention.country == country)
                and (wanted is None or mention.topic == wanted)
                for mention in each.mentions
            )
        ]
    )
