-- Grain: one row per window, segment and distinct (number of repeat purchases of a value, their mean value): all that
-- Gamma-Gamma asks, with the number of customers who share it. Who has none is in here with (0, 0): they are scored,
-- not fitted. The pooled cells, ('all', 'all'), have everybody.

with histories as (
    select * from {{ ref('int_clv_order_histories') }}
),

scopes as (
    select
        window_name,
        segment_type,
        segment_value,
        valued_frequency,
        mean_repeat_value
    from histories
    where segment_type <> 'all'

    union all

    select
        window_name,
        'all' as segment_type,
        'all' as segment_value,
        valued_frequency,
        mean_repeat_value
    from histories
),

final as (
    select
        window_name,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        valued_frequency,
        mean_repeat_value,
        cast(count(*) as {{ dbt.type_bigint() }}) as customers
    from scopes
    group by window_name, segment_type, segment_value, valued_frequency, mean_repeat_value
)

select * from final
