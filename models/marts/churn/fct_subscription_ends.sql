-- Grain: one row per end of a subscription, and per period of one that goes on at a lower price for a reason that was
-- given: what ended, why, and whether the customer left with it. For the departures of customers see
-- fct_churn_events, for the MRR of customers by the month fct_subscription_movements.

with periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

settings as (
    select * from {{ ref('int_settings') }}
),

departures as (
    select
        churn_departures.customer_id,
        churn_departures.churn_event_id,
        churn_departures.subscribed_on,
        churn_departures.churned_on,
        {{ add_days('churn_departures.churned_on', '-settings.departure_days') }} as ended_after
    from {{ ref('int_churn_departures') }} as churn_departures
    cross join settings
    where churn_departures.basis = 'subscription'
),

reasons as (
    select * from {{ ref('churn_reasons') }}
),

followed as (
    select
        *,
        nullif(trim(cancel_reason), '') as stated_reason,
        nullif(trim(cancel_comment), '') as stated_comment,
        lead(started_on) over of_subscription as next_started_on,
        lead(mrr) over of_subscription as next_mrr,
        lead(nullif(trim(cancel_reason), '')) over of_subscription as next_stated_reason
    from periods
    window of_subscription as (partition by subscription_id order by started_on)
),

-- A source may repeat in each row why the subscription ended: what the next row says too is its reason.
ends as (
    select
        *,
        coalesce(next_started_on = ended_on, false) as is_continued
    from followed
    where
        ended_on is not null
        and (
            coalesce(next_started_on <> ended_on, true)
            or (
                next_mrr < mrr
                and stated_reason is not null
                and stated_reason <> coalesce(next_stated_reason, '')
            )
        )
),

starts as (
    select distinct
        customer_id,
        started_on
    from periods
),

joined as (
    select
        ends.*,
        departures.churn_event_id,
        case
            when ends.is_continued then 'smaller'
            when starts.customer_id is not null then 'switched'
            when departures.churn_event_id is not null then 'departure'
            else 'partial'
        end as end_kind,
        case
            when listed.reason_code is not null then listed.reason_code
            when ends.stated_reason is not null then 'unknown'
            else 'not_given'
        end as reason_code
    from ends
    left join reasons as listed on lower(ends.stated_reason) = listed.reason_code
    left join starts on ends.customer_id = starts.customer_id and ends.ended_on = starts.started_on
    left join departures
        on
            ends.customer_id = departures.customer_id
            and ends.started_on >= departures.subscribed_on
            and ends.ended_on <= departures.churned_on
            and ends.ended_on > departures.ended_after
),

final as (
    select
        cast(joined.subscription_id as {{ dbt.type_string() }}) as subscription_id,
        cast(joined.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(joined.started_on as date) as started_on,
        cast(joined.ended_on as date) as ended_on,
        {{ month_start('joined.ended_on') }} as ended_month,
        cast(joined.cancel_requested_on as date) as cancel_requested_on,
        cast(joined.end_kind as {{ dbt.type_string() }}) as end_kind,
        cast(coalesce(joined.plan, 'unknown') as {{ dbt.type_string() }}) as plan,
        cast(joined.billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(
            case when joined.end_kind = 'smaller' then joined.mrr - joined.next_mrr else joined.mrr end
            as {{ type_money() }}
        ) as mrr_ended,
        cast(joined.cancel_type as {{ dbt.type_string() }}) as cancel_type,
        cast(joined.reason_code as {{ dbt.type_string() }}) as reason_code,
        cast(reasons.reason as {{ dbt.type_string() }}) as reason,
        cast(reasons.category as {{ dbt.type_string() }}) as reason_category,
        cast(reasons.is_controllable as boolean) as is_controllable,
        cast(reasons.owning_team as {{ dbt.type_string() }}) as owning_team,
        cast(joined.stated_reason as {{ dbt.type_string() }}) as stated_reason,
        cast(joined.stated_comment as {{ dbt.type_string() }}) as cancel_comment,
        cast(coalesce(joined.is_end_stated, false) as boolean) as is_stated,
        cast(
            case when joined.end_kind = 'departure' then joined.churn_event_id end as {{ dbt.type_string() }}
        ) as churn_event_id
    from joined
    inner join reasons on joined.reason_code = reasons.reason_code
)

select * from final
