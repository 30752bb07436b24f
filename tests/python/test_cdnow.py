"""The CDNOW sample, which the package lifetimes ships, lands with the counts of the literature."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from warehouses import Warehouse


@pytest.mark.xdist_group("cdnow")
def test_cdnow_sample_has_its_published_counts(tmp_path: Path) -> None:
    """2,357 customers, 2,457 repeat order days, 946 repeaters by 1997-09-30 (Fader, Hardie and Lee 2005)."""
    package = find_spec("lifetimes")
    assert package is not None and package.origin is not None
    warehouse = Warehouse(tmp_path)
    warehouse.land("cdnow", Path(package.origin).parent / "datasets")
    warehouse.dbt("build", "--exclude-resource-type", "unit_test")
    (row,) = warehouse.rows(
        """
        select count(*), sum(order_day_count - 1), count(*) filter (order_day_count > 1), max(as_of_date)
        from marts.dim_customers
        where is_customer
        """
    )
    assert [str(value) for value in row] == ["2357", "2457", "946", "1997-09-30"]
