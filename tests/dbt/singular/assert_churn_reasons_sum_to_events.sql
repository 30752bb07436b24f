-- Fails for a month in which the reasons of a segment type are not the departures, in number, MRR or value.

with reasons as (
    select
        month,
        segment_type,
        sum(churn_events) as churn_events,
        sum(mrr_lost) as mrr_lost,
        sum(value_lost) as value_lost
    from {{ ref('fct_churn_reasons') }}
    group by month, segment_type
),

events as (
    select
        churn_month as month,
        count(*) as churn_events,
        sum(mrr_lost) as mrr_lost,
        sum(value_lost) as value_lost
    from {{ ref('fct_churn_events') }}
    group by churn_month
)

select
    coalesce(reasons.month, events.month) as month,
    reasons.segment_type,
    reasons.churn_events,
    events.churn_events as counted_events
from reasons
full outer join events on reasons.month = events.month
where
    coalesce(reasons.churn_events, 0) <> coalesce(events.churn_events, 0)
    or coalesce(reasons.mrr_lost, 0) <> coalesce(events.mrr_lost, 0)
    or coalesce(reasons.value_lost, 0) <> coalesce(events.value_lost, 0)
