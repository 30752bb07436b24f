"""How fast and how right the lifetime-value models are, on made-up customers.

Where the package lifetimes is installed (it comes with the test tools) it does the same work on the same
customers, in the two ways it can be called: a row for each customer, as its users do, and a row for each
distinct history with how many customers have it.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from scripts.core.progress import show_live
from scripts.core.settings import PROJECT_ROOT
from scripts.core.text import in_columns
from scripts.prediction import bg_nbd, gamma_gamma, sbg
from scripts.prediction.fitting import Fit, distinct_cells

# Near the published fits of the CDNOW sample and of the high-end subscribers; time in weeks.
PLANTED = {
    bg_nbd.MODEL: {"r": 0.25, "alpha": 4.4, "a": 0.8, "b": 2.4},
    gamma_gamma.MODEL: {"p": 6.25, "q": 3.75, "v": 15.5},
    sbg.MODEL: {"alpha": 0.67, "beta": 3.8},
}
DAY = 1 / 7
LONGEST_AGE_IN_DAYS = 2 * 365
HORIZON = 52.0
RENEWALS_SEEN = 7
CONTENDERS = {
    "tenure rows": "Tenure, one row a customer",
    "tenure cells": "Tenure, cells",
    "lifetimes rows": "lifetimes, one row a customer",
    "lifetimes cells": "lifetimes, cells as weights",
}


def simulate_customers(customers: int, seed: int) -> dict[str, np.ndarray]:
    """Customers of the planted models as a warehouse has them: whole days, mean value in cents."""
    generator = np.random.default_rng(seed)
    age = generator.integers(1, LONGEST_AGE_IN_DAYS + 1, customers) / 7
    frequency, recency = bg_nbd.simulate(PLANTED[bg_nbd.MODEL], age, generator, grid=DAY)
    # As the warehouse computes weeks, so that equal days are equal numbers.
    recency = np.round(recency * 7) / 7
    mean_value = gamma_gamma.simulate(PLANTED[gamma_gamma.MODEL], frequency, generator)
    mean_value = np.maximum(np.round(mean_value, 2), 0.01)
    return {"frequency": frequency, "recency": recency, "age": age, "mean_value": mean_value}


def peak_megabytes() -> float:
    """Most memory this process has held.

    Linux keeps it by program; elsewhere `getrusage` has it, in KiB (macOS: bytes), perhaps with the parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1024**2 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class Stopwatch:
    """Seconds by the clock and of the processor, by name of the work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.processor_seconds: dict[str, float] = {}

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        clock, processor = time.perf_counter(), time.process_time()
        yield
        self.seconds[name] = time.perf_counter() - clock
        self.processor_seconds[name] = time.process_time() - processor


def _contend(contender: str, data: dict[str, np.ndarray]) -> dict[str, object]:
    """Fit and score with one contender; its seconds, memory, parameters and likelihoods."""
    package, form = contender.split()
    x, recency, age, mean_value = data["frequency"], data["recency"], data["age"], data["mean_value"]
    customers = np.ones(len(x))
    bought = x > 0
    watch = Stopwatch()
    with watch.work("cells"):
        times, counts = [x, recency, age], customers
        values, value_counts = [x[bought], mean_value[bought]], customers[bought]
        if form == "cells":
            times, counts = distinct_cells(times, counts)
            values, value_counts = distinct_cells(values, value_counts)
    if package == "tenure":
        with watch.work("fit purchases"):
            purchases = bg_nbd.fit(*times, counts).parameters
        with watch.work("fit values"):
            money = gamma_gamma.fit(*values, value_counts).parameters
        with watch.work("score"):
            expected = bg_nbd.expected_purchases(purchases, *times, HORIZON)
            gamma_gamma.expected_value(money, *values)
    else:
        from lifetimes import BetaGeoFitter, GammaGammaFitter

        model, value_model = BetaGeoFitter(), GammaGammaFitter()
        with watch.work("fit purchases"):
            model.fit(*times, weights=counts)
        with watch.work("fit values"):
            value_model.fit(*values, weights=value_counts)
        with watch.work("score"):
            expected = model.conditional_expected_number_of_purchases_up_to_time(HORIZON, *times)
            value_model.conditional_expected_average_profit(*values)
        purchases, money = dict(model.params_), dict(value_model.params_)
    peak = peak_megabytes()
    return {
        "rows": len(counts),
        "value_rows": len(value_counts),
        "seconds": watch.seconds,
        "processor_seconds": watch.processor_seconds,
        "megabytes": peak,
        "parameters": {bg_nbd.MODEL: purchases, gamma_gamma.MODEL: money},
        "log_likelihood": {
            bg_nbd.MODEL: bg_nbd.log_likelihood(purchases, *times, counts),
            gamma_gamma.MODEL: gamma_gamma.log_likelihood(money, *values, value_counts),
        },
        "expected": float(np.sum(np.asarray(expected) * counts)),
    }


def _run_in_own_process(contender: str, data: Path) -> tuple[dict[str, Any] | None, str]:
    """The result of a contender, or None and why it gave none (lifetimes may not converge)."""
    command = [sys.executable, "-m", "scripts.benchmark.value_models", contender, str(data)]
    ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return json.loads(ended.stdout), ""
    lines = [line for line in ended.stderr.splitlines() if line and not line.startswith(" ")]
    if ended.returncode < 0:
        return None, f"stopped by signal {-ended.returncode} (no memory is left?)"
    return None, " ".join(lines[-2:])[:300]


def _speed_table(results: dict[str, dict]) -> str:
    rows = [
        [
            "",
            "rows",
            "form cells",
            "fit BG/NBD",
            "fit Gamma-Gamma",
            "score",
            "all",
            "processor",
            "ratio",
            "peak",
        ]
    ]
    reference = sum(results["tenure cells"]["seconds"].values()) if "tenure cells" in results else None
    for contender, result in results.items():
        seconds = result["seconds"]
        total = sum(seconds.values())
        rows.append(
            [
                CONTENDERS[contender],
                f"{result['rows']:,}",
                *(f"{seconds[name]:.2f} s" for name in ("cells", "fit purchases", "fit values", "score")),
                f"{total:.2f} s",
                f"{sum(result['processor_seconds'].values()):.2f} s",
                f"{total / reference:.1f}" if reference else "",
                f"{result['megabytes']:,.0f} MB",
            ]
        )
    return in_columns(rows)


def _parameter_table(results: dict[str, dict]) -> str:
    names = [(model, name) for model in (bg_nbd.MODEL, gamma_gamma.MODEL) for name in PLANTED[model]]
    header = ["", *(name for _, name in names), "LL BG/NBD", "LL Gamma-Gamma", "purchases expected"]
    rows = [header, ["planted", *(f"{PLANTED[model][name]:g}" for model, name in names), "", "", ""]]
    for contender, result in results.items():
        rows.append(
            [
                CONTENDERS[contender],
                *(f"{result['parameters'][model][name]:.4f}" for model, name in names),
                f"{result['log_likelihood'][bg_nbd.MODEL]:,.3f}",
                f"{result['log_likelihood'][gamma_gamma.MODEL]:,.3f}",
                f"{result['expected']:,.1f}",
            ]
        )
    return in_columns(rows)


def measure(customers: int, seed: int) -> dict[str, Any]:
    """Simulate, and let every contender fit and score in its own process.

    `contenders` has the results by name, `notes` says who gave none and why.
    """
    contenders = list(CONTENDERS)
    notes = []
    if find_spec("lifetimes") is None:
        contenders = [name for name in contenders if not name.startswith("lifetimes")]
        notes.append("lifetimes is not installed; it comes with requirements-dev.lock.")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "customers.npz"
        show_live(f"  {customers:,} customers are made up")
        np.savez(data, **simulate_customers(customers, seed))
        for contender in contenders:
            show_live(f"  {CONTENDERS[contender]}")
            result, why = _run_in_own_process(contender, data)
            if result is None:
                notes.append(f"{CONTENDERS[contender]}: no result: {why}")
            else:
                results[contender] = result
    show_live("")
    return {"customers": customers, "seed": seed, "contenders": results, "notes": notes}


def speed_report(measured: dict[str, Any]) -> str:
    """The results of all contenders side by side."""
    results = measured["contenders"]
    return "\n".join(
        [
            f"{measured['customers']:,} customers seen for up to {LONGEST_AGE_IN_DAYS} days, "
            f"seed {measured['seed']}.",
            "Purchases of one day are one, so the best fit lies a little off what was planted.",
            f"Tenure fits from several starts, lifetimes from one. Expected: within {HORIZON:g} weeks.",
            "",
            _speed_table(results),
            "",
            _parameter_table(results),
            *(["", *measured["notes"]] if measured["notes"] else []),
        ]
    )


@dataclass(frozen=True)
class Coverage:
    """How often the 95 % interval of a parameter held what was planted, over many simulated companies."""

    model: str
    parameter: str
    planted: float
    median: float
    # Standard deviation of the estimates, and the mean of their standard errors; beside each other they tell
    # whether the errors are right.
    deviation: float
    standard_error: float
    fits: int
    intervals: int
    covered: int

    @property
    def share(self) -> float:
        """Share of the intervals that held the planted value."""
        return self.covered / self.intervals if self.intervals else float("nan")


def _simulate_and_fit(model: str, customers: int, seed: int) -> Fit:
    generator = np.random.default_rng(seed)
    ones = np.ones(customers)
    planted = PLANTED[model]
    if model == bg_nbd.MODEL:
        age = generator.integers(1, LONGEST_AGE_IN_DAYS + 1, customers) / 7
        return bg_nbd.fit(*bg_nbd.simulate(planted, age, generator), age, ones)
    if model == gamma_gamma.MODEL:
        frequency = 1.0 + generator.poisson(2.0, customers)
        return gamma_gamma.fit(frequency, gamma_gamma.simulate(planted, frequency, generator), ones)
    opportunities = generator.integers(1, RENEWALS_SEEN + 1, customers)
    return sbg.fit(*sbg.simulate(planted, opportunities, generator), ones)


def coverage_of(
    model: str, customers: int, seeds: range, on_fit: Callable[[], None] = lambda: None
) -> list[Coverage]:
    """Fit a model to a made-up company of each seed; count which intervals hold the planted parameters."""
    fits = []
    for seed in seeds:
        fits.append(_simulate_and_fit(model, customers, seed))
        on_fit()
    fitted = [fit for fit in fits if fit.is_fitted]
    rows = []
    for name, planted in PLANTED[model].items():
        estimates = np.array([fit.parameters[name] for fit in fitted])
        intervals = [interval for fit in fitted if (interval := fit.interval(name))]
        errors = [error for fit in fitted if (error := fit.standard_errors[name]) is not None]
        rows.append(
            Coverage(
                model=model,
                parameter=name,
                planted=planted,
                median=float(np.median(estimates)) if len(estimates) else float("nan"),
                deviation=float(estimates.std(ddof=1)) if len(estimates) > 1 else float("nan"),
                standard_error=float(np.mean(errors)) if errors else float("nan"),
                fits=len(fitted),
                intervals=len(intervals),
                covered=sum(low <= planted <= high for low, high in intervals),
            )
        )
    return rows


def coverage_table(rows: list[Coverage]) -> str:
    """The rows as a table for people."""
    header = ["model", "parameter", "planted", "median", "deviation", "standard error", "fits", "covered"]
    lines = [header]
    for row in rows:
        lines.append(
            [
                row.model,
                row.parameter,
                f"{row.planted:g}",
                f"{row.median:.4f}",
                f"{row.deviation:.4f}",
                f"{row.standard_error:.4f}",
                f"{row.intervals} of {row.fits}" if row.intervals < row.fits else f"{row.fits}",
                f"{row.share:.1%}",
            ]
        )
    return in_columns(lines)


def check_coverage(customers: int, seed: int, seeds: int) -> str:
    """The table of `coverage_of` for all models; seeds are counted from `seed`."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        show_live(f"  fit {done} of {seeds * len(PLANTED)}")

    rows = [
        row for model in PLANTED for row in coverage_of(model, customers, range(seed, seed + seeds), count)
    ]
    show_live("")
    last = seed + seeds - 1
    title = f"95 % intervals over {seeds} companies of {customers:,} customers, seeds {seed} to {last}"
    return f"{title}\n\n{coverage_table(rows)}"


if __name__ == "__main__":
    with np.load(sys.argv[2]) as stored:
        print(json.dumps(_contend(sys.argv[1], {name: stored[name] for name in stored.files})))
