"""Daily use of the product by feature: it fades before most cancellations, not before a failed payment."""

from __future__ import annotations

import numpy as np

from scripts.demo.parameters import Parameters
from scripts.demo.people import People
from scripts.demo.subscriptions import FADING, VANISHED

FEATURES = ("dashboard", "reports", "export", "api", "mobile_app", "automation")
# Days of use that are drawn at a time: bounds the memory, not the result's size.
_CHUNK_DAYS = 4_000_000
_WEEKDAY = np.array([1.0, 1.05, 1.05, 1.0, 0.95, 0.45, 0.35])
# What is left of the use after the notice, when it had faded.
_AFTER_NOTICE = 0.04


def make_usage(
    parameters: Parameters, people: People, spells: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """A row per customer, day and feature that was used; sorted by day."""
    random = parameters.random("usage")
    count = spells["customer"].size
    satisfaction = people.satisfaction[spells["customer"]]
    intensity = np.clip(0.36 + 0.08 * satisfaction + random.normal(0, 0.13, count), 0.06, 0.85)
    breadth = np.clip(1 + random.poisson(0.9 + 0.25 * np.clip(satisfaction, -2, 2), count), 1, 5)
    favourite = random.choice(len(FEATURES), size=count, p=[0.38, 0.2, 0.1, 0.08, 0.16, 0.08])
    direction = random.choice([1, 5], size=count)

    stop = np.where(spells["ended"] >= 0, spells["ended"], parameters.last_day + 1)
    stop = np.minimum(stop, parameters.last_day + 1)
    stop = np.where(
        spells["engagement"] == VANISHED, np.minimum(stop, spells["started"] + spells["vanish_days"]), stop
    )
    length = np.maximum(stop - spells["started"], 0)

    parts: list[dict[str, np.ndarray]] = []
    bounds = np.searchsorted(
        np.cumsum(length), np.arange(_CHUNK_DAYS, length.sum() + _CHUNK_DAYS, _CHUNK_DAYS)
    )
    first = 0
    for last in [*np.unique(bounds + 1), count]:
        chunk = np.arange(first, min(last, count))
        first = min(last, count)
        if not chunk.size or not length[chunk].sum():
            continue
        spell = np.repeat(chunk, length[chunk])
        offset = np.arange(spell.size) - np.repeat(np.cumsum(length[chunk]) - length[chunk], length[chunk])
        day = spells["started"][spell] + offset

        share = intensity[spell] * _WEEKDAY[(day + 3) % 7]
        fades = spells["engagement"][spell] == FADING
        begin, notice = spells["fade_started"][spell], spells["requested"][spell]
        left = 1 - 0.96 * np.clip((day - begin) / np.maximum(notice - begin, 1), 0, 1)
        share = np.where(fades, share * np.where(day >= notice, _AFTER_NOTICE, left), share)
        # Whoever subscribes tries the product: the first day always counts.
        used = (random.random(spell.size) < share) | (offset == 0)
        spell, day = spell[used], day[used]

        for slot in range(5):
            chance = 1.0 if slot == 0 else 0.45
            uses_it = (breadth[spell] > slot) & (random.random(spell.size) < chance)
            who = spell[uses_it]
            uses = 1 + random.poisson(3.0, who.size)
            parts.append(
                {
                    "day": day[uses_it].astype(np.int32),
                    "customer": spells["customer"][who].astype(np.int32),
                    "feature": ((favourite[who] + slot * direction[who]) % len(FEATURES)).astype(np.int8),
                    "uses": uses.astype(np.int16),
                    # Tenths of a minute.
                    "minutes": np.minimum(random.gamma(2.0, 12.0, who.size) * uses, 30_000).astype(np.int16),
                }
            )
    names = ("day", "customer", "feature", "uses", "minutes")
    usage = {
        name: np.concatenate([part.pop(name) for part in parts] or [np.zeros(0, np.int32)]) for name in names
    }
    order = np.argsort(usage["day"], kind="stable")
    usage = {name: values[order] for name, values in usage.items()}
    return {"delivered": usage["day"], **usage}
