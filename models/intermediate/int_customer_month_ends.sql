{{ config(materialized='view') }}

-- Grain: one row per customer and month from the month of the first purchase to as_of_date, silent months
-- included: what happened in it, and how the customer stood at its end (at as_of_date, in a month that is not
-- over). Made of int_customer_standing, each row of which stands for the silent months that follow it. How somebody
-- stands now is the row with `observed_until` = as_of_date.

{{ month_ends(is_current_only=false) }}
