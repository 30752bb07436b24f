{{ config(materialized='view') }}

-- Grain: one row per customer: how they stand at as_of_date. The row of that month in int_customer_month_ends, without
-- the ones before it.

{{ month_ends(is_current_only=true) }}
