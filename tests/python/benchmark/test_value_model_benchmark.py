"""The benchmark runs, and planted parameters are recovered with intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from scripts.benchmark import value_models
from scripts.benchmark.value_models import PLANTED, coverage_of, coverage_table, simulate_customers
from scripts.cli import cli
from scripts.prediction import bg_nbd, gamma_gamma, sbg


@pytest.mark.parametrize(
    ("model", "customers"), [(bg_nbd.MODEL, 1_500), (gamma_gamma.MODEL, 1_200), (sbg.MODEL, 2_000)]
)
def test_intervals_hold_the_planted_parameters(model: str, customers: int) -> None:
    """40 companies; 95 % intervals of a right model fall outside this range once in a thousand times."""
    rows = coverage_of(model, customers, range(40))
    print(coverage_table(rows))
    assert [row.parameter for row in rows] == list(PLANTED[model])
    for row in rows:
        assert row.fits == row.intervals == 40
        assert 0.85 <= row.share <= 1.0, row
        # The errors given are as large as the estimates are spread.
        assert 0.6 <= row.standard_error / row.deviation <= 1.6, row
        assert abs(row.median - row.planted) <= 3 * row.deviation / np.sqrt(40) * 1.25, row


def test_clv_prints_all_contenders_side_by_side() -> None:
    result = CliRunner().invoke(cli, ["benchmark", "clv", "--customers", "3000", "--seed", "4"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    speed = [line for line in lines if line.startswith(("Tenure,", "lifetimes,"))]
    # A line of times and a line of parameters for each.
    assert len(speed) == 2 * len(value_models.CONTENDERS)
    likelihoods = {line.split()[-3] for line in speed[4:]}
    assert len(likelihoods) == 1, likelihoods
    assert "planted" in result.stdout


def test_clv_goes_without_lifetimes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_models, "find_spec", lambda name: None)
    result = CliRunner().invoke(cli, ["benchmark", "clv", "--customers", "500"])
    assert result.exit_code == 0, result.output
    assert "lifetimes is not installed; it comes with requirements-dev.lock." in result.stdout
    assert "Tenure, cells" in result.stdout


def test_coverage_prints_a_line_for_each_parameter() -> None:
    result = CliRunner().invoke(cli, ["benchmark", "coverage", "--customers", "300", "--seeds", "2"])
    assert result.exit_code == 0, result.output
    table = result.stdout.splitlines()
    assert table[0] == "95 % intervals over 2 companies of 300 customers, seeds 1 to 2"
    assert len(table) == 3 + sum(len(parameters) for parameters in PLANTED.values())


def test_simulated_customers_are_a_function_of_the_seed() -> None:
    first, again, other = simulate_customers(500, 1), simulate_customers(500, 1), simulate_customers(500, 2)
    for name, column in first.items():
        np.testing.assert_array_equal(column, again[name])
    assert not np.array_equal(first["age"], other["age"])
    days = first["age"] * 7
    np.testing.assert_allclose(days, np.round(days), atol=1e-9)
    assert (first["recency"] <= first["age"]).all()
