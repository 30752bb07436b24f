-- Grain: one row per month and survey with at least one vote, all customers together.

with scores as (
    select *
    from {{ published('fct_nps_scores') }}
    where segment_type = 'all' and period_type = 'month' and votes > 0
),

final as (
    select
        period_start as month,
        survey,
        votes,
        promoters,
        detractors,
        nps,
        nps_lower_95,
        nps_upper_95,
        is_complete
    from scores
)

select * from final
