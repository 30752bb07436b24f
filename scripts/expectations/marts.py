"""What is expected of the tables that readers get: schema `marts`."""

from __future__ import annotations

from scripts.expectations.queries import Past, Suite


def suites(past: Past) -> list[Suite]:
    """One suite for each mart."""
    return []
