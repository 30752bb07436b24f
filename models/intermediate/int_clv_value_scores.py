"""Grain: one row per cell of a Gamma-Gamma fit: what one purchase of customers who spent so is expected to be
worth.
"""

from scripts.prediction.lifetime_value import score_values


def model(dbt, session):
    dbt.config(materialized="table")
    return score_values(
        dbt.ref("int_clv_value_cells").to_arrow_table(),
        dbt.ref("int_clv_fits").to_arrow_table(),
    )
