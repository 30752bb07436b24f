"""Grain: one row per shifted beta-geometric fit of the full window and number of renewals: the curve it
draws.
"""

from scripts.prediction.lifetime_value import renewal_curves


def model(dbt, session):
    dbt.config(materialized="table")
    # dbt finds a reference that stands alone, not one that is subscripted.
    settings = dbt.ref("int_settings")
    return renewal_curves(
        dbt.ref("int_clv_renewal_cells").to_arrow_table(),
        dbt.ref("int_clv_fits").to_arrow_table(),
        settings.to_arrow_table().to_pylist()[0],
    )
