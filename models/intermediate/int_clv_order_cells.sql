-- Grain: one row per window, segment and distinct (frequency, recency, age): all that BG/NBD asks of a purchase
-- history, with the number of customers who share it. Fits and scores cost by the cell, not by the customer. The
-- pooled cells, ('all', 'all'), have everybody.

with histories as (
    select * from {{ ref('int_clv_order_histories') }}
),

scopes as (
    select
        window_name,
        segment_type,
        segment_value,
        frequency,
        recency_days,
        age_days
    from histories
    where segment_type <> 'all'

    union all

    select
        window_name,
        'all' as segment_type,
        'all' as segment_value,
        frequency,
        recency_days,
        age_days
    from histories
),

final as (
    select
        window_name,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        frequency,
        recency_days,
        age_days,
        cast(count(*) as {{ dbt.type_bigint() }}) as customers
    from scopes
    group by window_name, segment_type, segment_value, frequency, recency_days, age_days
)

select * from final
