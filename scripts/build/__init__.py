"""From `raw` to the marts: dbt, the state of the incremental models, the rule files in `seeds/`."""
