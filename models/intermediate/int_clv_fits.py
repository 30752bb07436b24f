"""Grain: one row per window, model, billing interval and segment that was tried: what maximum likelihood
found. The mathematics are in scripts/prediction; this hands the cells over.
"""

from scripts.prediction.lifetime_value import fit_models


def model(dbt, session):
    dbt.config(materialized="table")
    # dbt finds a reference that stands alone, not one that is subscripted.
    settings = dbt.ref("int_settings")
    return fit_models(
        dbt.ref("int_clv_order_cells").to_arrow_table(),
        dbt.ref("int_clv_value_cells").to_arrow_table(),
        dbt.ref("int_clv_renewal_cells").to_arrow_table(),
        dbt.ref("int_clv_windows").to_arrow_table(),
        settings.to_arrow_table().to_pylist()[0],
    )
