"""From `raw` to the marts: dbt, the state of the incremental models."""
