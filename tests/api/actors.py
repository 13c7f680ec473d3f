"""Who does something at the desk, in tests."""

from __future__ import annotations

from api.desk.models import Actor

STAFF = Actor("staff", "admin")
OTHER = Actor("another", "agent")
PORTUGAL = Actor("S-LISBON", "agent", frozenset({"PT"}))
"""Sees tickets of one country only."""
