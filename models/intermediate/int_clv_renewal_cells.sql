-- Grain: one row per window, segment, billing interval and distinct (renewals, ended or not, months begun of the
-- term): all that the shifted beta-geometric model asks of a contract, with the number of contracts that share
-- it. The pooled cells, ('all', 'all'), have all.

with contracts as (
    select * from {{ ref('int_clv_contracts') }}
),

scopes as (
    select
        window_name,
        segment_type,
        segment_value,
        billing_interval,
        renewals,
        is_ended,
        begun_months_of_term
    from contracts
    where segment_type <> 'all'

    union all

    select
        window_name,
        'all' as segment_type,
        'all' as segment_value,
        billing_interval,
        renewals,
        is_ended,
        begun_months_of_term
    from contracts
),

final as (
    select
        window_name,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        billing_interval,
        renewals,
        is_ended,
        begun_months_of_term,
        cast(count(*) as {{ dbt.type_bigint() }}) as contracts
    from scopes
    group by window_name, segment_type, segment_value, billing_interval, renewals, is_ended, begun_months_of_term
)

select * from final
