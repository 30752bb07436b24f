"""What does not fit into memory goes to disk, and the build goes on."""

from __future__ import annotations

from pathlib import Path

import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.environments import create

from scripts.core.settings import PROJECT_ROOT


def test_a_model_after_one_that_did_not_fit_into_memory_is_built(tmp_path: Path) -> None:
    """dbt sets the profile's `settings` for each model; DuckDB that has spilled takes no folder for it."""
    text = (PROJECT_ROOT / "profiles.yml").read_text(encoding="utf-8")
    text = text.replace("{{ env_var('TENURE_WAREHOUSE', 'warehouse') }}", str(tmp_path))
    profile = yaml.safe_load(text.replace("{{ env_var('TENURE_MEMORY_LIMIT', '4GB') }}", "50MB"))["tenure"]
    environment = create(DuckDBCredentials.from_dict(profile["outputs"][profile["target"]]))
    cursor = environment.handle().cursor()
    cursor.execute(
        "create temp table numbers as select range as number, hash(range) as mixed from range(5000000)"
    )
    assert list((tmp_path / ".scratch").iterdir())
    assert environment.handle().cursor().execute("select 1").fetchone() == (1,)
