-- Fails for a survey whose months do not count all of its responses, with a score and without.

with counted as (
    select
        survey,
        sum(case when is_counted then 1 else 0 end) as responses,
        sum(case when is_counted then 0 else 1 end) as unscored_responses
    from {{ ref('fct_nps_responses') }}
    group by survey
),

scored as (
    select
        survey,
        sum(responses) as responses,
        sum(unscored_responses) as unscored_responses
    from {{ ref('fct_nps_scores') }}
    where period_type = 'month' and segment_type = 'all' and survey <> 'all'
    group by survey
)

select
    coalesce(scored.survey, counted.survey) as survey,
    scored.responses,
    counted.responses as responses_with_a_score,
    scored.unscored_responses,
    counted.unscored_responses as responses_without_a_score
from scored
full outer join counted on scored.survey = counted.survey
where
    coalesce(scored.responses, 0) <> coalesce(counted.responses, 0)
    or coalesce(scored.unscored_responses, 0) <> coalesce(counted.unscored_responses, 0)
