"""Staff before their browsers, as the tests have them sit down."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

Sit = Callable[..., Page]
"""By the name and role of somebody, and what `Browser.new_context` says may vary."""
