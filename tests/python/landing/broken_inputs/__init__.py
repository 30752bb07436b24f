"""Input that lies: a corpus of broken files, adapters and mappings, each with the one way it must end.

A kind is a function that writes the files and the adapter of a small company and says how their landing ends:
rows accepted with the right values, rows rejected with their reason, or the run stopped with a message for
people. What it writes is drawn from a seeded generator, so that another seed tries another variant.

`python -m tests.python.landing.broken_inputs --seed 7` prints the kinds and how they end.
"""

from __future__ import annotations

from importlib import import_module

from .corpus import KINDS, Kind, Landed, Reject, Shop, Stopped

for _group in ("texts", "tables", "containers", "values", "files", "adapters", "meaning"):
    import_module(f"{__name__}.{_group}")

__all__ = ["KINDS", "Kind", "Landed", "Reject", "Shop", "Stopped"]
