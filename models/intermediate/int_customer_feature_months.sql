{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers',
        unique_key=['customer_id', 'feature', 'month'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per customer, feature and month in which they used it, up to as_of_date. It tells what was used
-- up to a month-end without a pass over the days.

with usage_events as (
    select usage_events.*
    from {{ ref('stg_usage_events') }} as usage_events
    inner join {{ ref('int_settings') }} as bounds on usage_events.used_on <= bounds.as_of_date
    where usage_events.uses > 0 and {{ only_touched_customers('usage_events.customer_id') }}
),

final as (
    select
        customer_id,
        feature,
        {{ month_start('used_on') }} as month,
        cast(sum(uses) as {{ dbt.type_bigint() }}) as uses,
        min(used_on) as first_used_on,
        max(used_on) as last_used_on
    from usage_events
    group by customer_id, feature, {{ month_start('used_on') }}
)

select * from final
