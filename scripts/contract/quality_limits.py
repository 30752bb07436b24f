"""How far data may drift, and how old they may get, before a validation says so.

An adapter sets these for its company under `freshness:` and `drift:`; landing notes them in `raw.settings`,
where validation, which knows no adapter, finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Freshness:
    """Days without a new row by the clock, after which there is a warning, or no publication. None: never."""

    warn_after_days: int | None = None
    stop_after_days: int | None = None

    @property
    def asks_the_clock(self) -> bool:
        """Whether there is a limit at all."""
        return self.warn_after_days is not None or self.stop_after_days is not None


@dataclass(frozen=True)
class QualityLimits:
    """The limits of one company.

    `freshness` holds for all tables but those that have their own in `table_freshness`. The others say what
    drift is: a distance of `deviations` usual deviations from what is usual, and of at least `smallest_shift`
    in a share or `smallest_factor` in an amount, however regular the past was.
    """

    freshness: Freshness = Freshness()
    table_freshness: Mapping[str, Freshness] = field(default_factory=dict)
    deviations: float = 4.0
    smallest_shift: float = 0.1
    smallest_factor: float = 1.5

    def freshness_of(self, table: str) -> Freshness:
        """What holds for one raw table."""
        return self.table_freshness.get(table, self.freshness)

    @property
    def asks_the_clock(self) -> bool:
        """Whether any table has a limit of age."""
        return any(one.asks_the_clock for one in (self.freshness, *self.table_freshness.values()))

    def to_settings(self) -> dict[str, str]:
        """Names and values for `raw.settings`; what is as by default is left out.

        >>> QualityLimits(Freshness(3), {"refunds": Freshness()}).to_settings()
        {'freshness.warn_after_days': '3', 'freshness.refunds': 'never'}
        """
        found = _freshness_settings("freshness", self.freshness)
        for table, freshness in self.table_freshness.items():
            # A table without limits differs from one that is not named.
            found |= _freshness_settings(f"freshness.{table}", freshness) or {f"freshness.{table}": "never"}
        default = QualityLimits()
        for name in DRIFT_NAMES:
            if getattr(self, name) != getattr(default, name):
                found[f"drift.{name}"] = repr(getattr(self, name))
        return found

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> QualityLimits:
        """What `to_settings` wrote; other names are left alone."""
        general: dict[str, int] = {}
        tables: dict[str, dict[str, int]] = {}
        drift: dict[str, float] = {}
        for name, value in settings.items():
            match name.split("."):
                case ["freshness", limit] if limit in FRESHNESS_NAMES:
                    general[limit] = int(value)
                case ["freshness", table, limit]:
                    tables.setdefault(table, {})[limit] = int(value)
                case ["freshness", table]:
                    tables.setdefault(table, {})
                case ["drift", limit]:
                    drift[limit] = float(value)
        return cls(
            Freshness(**general),
            {table: Freshness(**limits) for table, limits in tables.items()},
            **drift,
        )


FRESHNESS_NAMES = ("warn_after_days", "stop_after_days")
DRIFT_NAMES = ("deviations", "smallest_shift", "smallest_factor")


def _freshness_settings(prefix: str, freshness: Freshness) -> dict[str, str]:
    return {
        f"{prefix}.{name}": str(days)
        for name in FRESHNESS_NAMES
        if (days := getattr(freshness, name)) is not None
    }
