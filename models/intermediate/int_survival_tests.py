"""Grain: one row per basis and segment, without `all`: did it leave at another pace than others of its type?

Only the arithmetic that SQL has no functions for: the sums are in int_survival_risk_sets.
"""

from scripts.prediction.survival import compare_segments


def model(dbt, session):
    """dbt's entry point."""
    return compare_segments(dbt.ref("int_survival_risk_sets").to_arrow_table())
