{{ config(materialized='view') }}

-- Grain: one row per person and segment type: ('all', 'all') always, then the types that the setting
-- `segments` lists. The year they came is not a segment: the cohort marts have the month. All values there are,
-- listed or not, are in int_customer_segment_values. To sum up over many rows, aggregate by segment_group first.

with customers as (
    select * from {{ ref('int_customers') }}
),

segment_groups as (
    select * from {{ ref('int_segment_groups') }}
),

final as (
    select
        customers.customer_id,
        segment_groups.segment_type,
        segment_groups.segment_value
    from customers
    inner join segment_groups on customers.segment_group = segment_groups.segment_group
)

select * from final
