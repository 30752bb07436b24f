"""Grain: one row per cell of the running contracts of a shifted beta-geometric fit: how long they are
expected to pay.
"""

from scripts.prediction.lifetime_value import score_renewals


def model(dbt, session):
    dbt.config(materialized="table")
    # dbt finds a reference that stands alone, not one that is subscripted.
    settings = dbt.ref("int_settings")
    return score_renewals(
        dbt.ref("int_clv_renewal_cells").to_arrow_table(),
        dbt.ref("int_clv_fits").to_arrow_table(),
        dbt.ref("int_clv_windows").to_arrow_table(),
        settings.to_arrow_table().to_pylist()[0],
    )
