"""Grain: one row per cell of a BG/NBD fit: what the fit expects of customers with that history."""

from scripts.prediction.lifetime_value import score_orders


def model(dbt, session):
    dbt.config(materialized="table")
    # dbt finds a reference that stands alone, not one that is subscripted.
    settings = dbt.ref("int_settings")
    return score_orders(
        dbt.ref("int_clv_order_cells").to_arrow_table(),
        dbt.ref("int_clv_fits").to_arrow_table(),
        dbt.ref("int_clv_windows").to_arrow_table(),
        settings.to_arrow_table().to_pylist()[0],
    )
