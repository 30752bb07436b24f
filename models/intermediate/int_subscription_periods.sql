-- Grain: one row per period of a subscription with one plan and price, begun by as_of_date, in the reporting
-- currency. Where two periods of one subscription overlap, the earlier ends as the later begins; one that ends on
-- the day it begins never ran. `ended_on` is exclusive, and null while the period runs: an end after as_of_date has
-- not happened. A subscription that runs without an end may end by a statement, see int_stated_departures. For what
-- was billed see int_subscription_bills, for who is active int_customer_spells.

with delivered as (
    -- A period without length touches no neighbour.
    select *
    from {{ ref('stg_subscriptions') }}
    where ended_on is null or ended_on > started_on
),

stated as (
    select *
    from {{ ref('int_stated_departures') }}
    where effect in ('ends', 'tells_why') and not is_contradicted and priority = 1
),

-- What the subscription says itself goes before what is stated about it elsewhere.
subscriptions as (
    select
        delivered.subscription_id,
        delivered.customer_id,
        delivered.plan,
        delivered.billing_interval,
        delivered.currency,
        delivered.amount,
        delivered.discount_amount,
        delivered.started_on,
        coalesce(delivered.ended_on, case when stated.effect = 'ends' then stated.departed_on end) as ended_on,
        delivered.ended_on is null and coalesce(stated.effect = 'ends', false) as is_end_stated,
        delivered.cancel_requested_on,
        delivered.cancel_type,
        coalesce(nullif(trim(delivered.cancel_reason), ''), stated.reason) as cancel_reason,
        coalesce(nullif(trim(delivered.cancel_comment), ''), stated.comment_text) as cancel_comment
    from delivered
    left join stated
        on
            delivered.subscription_id = stated.period_subscription_id
            and delivered.started_on = stated.period_started_on
),

exchange_rates as (
    select * from {{ ref('int_exchange_rates') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

begun as (
    select
        subscriptions.*,
        lead(subscriptions.started_on) over (
            partition by subscriptions.subscription_id order by subscriptions.started_on
        ) as next_started_on
    from subscriptions
    inner join settings on subscriptions.started_on <= settings.as_of_date
),

clipped as (
    select
        begun.*,
        begun.amount - begun.discount_amount > 0 as is_priced,
        coalesce(
            least(begun.ended_on, begun.next_started_on), begun.ended_on, begun.next_started_on
        ) as clipped_ended_on
    from begun
),

-- Periods of a subscription that follow each other on the same day are one contract; a free plan that takes the place
-- of another plan begins a new one.
opened as (
    select
        *,
        case
            when coalesce(lag(clipped_ended_on) over of_subscription <> started_on, true) then 1
            when
                not is_priced
                and coalesce(plan, '') <> coalesce(lag(plan) over of_subscription, '')
                then 1
            else 0
        end as opens_contract
    from clipped
    window of_subscription as (partition by subscription_id order by started_on)
),

contracts as (
    select
        *,
        sum(opens_contract) over (
            partition by subscription_id order by started_on rows between unbounded preceding and current row
        ) as contract_number
    from opened
),

priced as (
    select
        *,
        sum(case when is_priced then 1 else 0 end) over (
            partition by subscription_id, contract_number
            order by started_on
            rows between unbounded preceding and current row
        ) as price_number,
        sum(case when is_priced then 1 else 0 end) over (
            partition by subscription_id, contract_number
        ) as price_count
    from contracts
),

-- A free period inside a paid contract is a gift, not an end: the next paid one follows it, or it is stated to last
-- no longer than one billing interval.
held as (
    select
        *,
        is_priced
        or (
            price_number > 0
            and (
                price_number < price_count
                or coalesce(clipped_ended_on <= {{ add_interval('started_on', 'billing_interval', 1) }}, false)
            )
        ) as is_paid
    from priced
),

-- The billing day stays while the subscription is paid without a gap and by the same interval.
anchored as (
    select
        *,
        case
            when
                lag(clipped_ended_on) over of_subscription = started_on
                and lag(is_paid) over of_subscription
                and lag(billing_interval) over of_subscription = billing_interval
                then 0
            else 1
        end as opens_billing,
        -- A renewal at the same price, as the same subscription or another one.
        case
            when
                lag(clipped_ended_on) over (
                    partition by customer_id, currency, billing_interval, amount - discount_amount
                    order by started_on, subscription_id
                ) = started_on
                then 0
            else 1
        end as opens_price
    from held
    window of_subscription as (partition by subscription_id order by started_on)
),

numbered as (
    select
        *,
        sum(opens_billing) over (
            partition by subscription_id order by started_on rows between unbounded preceding and current row
        ) as billing_number,
        sum(opens_price) over (
            partition by customer_id, currency, billing_interval, amount - discount_amount
            order by started_on, subscription_id
            rows between unbounded preceding and current row
        ) as own_price_number
    from anchored
),

converted as (
    select
        numbered.*,
        min(numbered.started_on) over (
            partition by numbered.subscription_id, numbered.billing_number
        ) as billing_anchor_on,
        {{ to_reporting_currency(
            'numbered.amount - numbered.discount_amount',
            'exchange_rates.rate_to_reporting',
            'numbered.currency',
            'numbered.started_on'
        ) }} as net_amount,
        coalesce(numbered.cancel_requested_on, numbered.clipped_ended_on) <= settings.as_of_date as is_cancel_known
    from numbered
    cross join settings
    {{ join_exchange_rate('numbered', 'started_on') }}
),

-- By the rate at which the price began: a renewal at the same price is no movement, whatever the rate did since.
recurring as (
    select
        *,
        first_value(net_amount) over (
            partition by customer_id, currency, billing_interval, amount - discount_amount, own_price_number
            order by started_on, subscription_id
        ) as recurring_amount
    from converted
),

monthly as (
    select
        *,
        case billing_interval
            when 'week' then recurring_amount * 52 / 12
            when 'month' then recurring_amount
            when 'quarter' then recurring_amount / 3
            when 'year' then recurring_amount / 12
        end as own_mrr
    from recurring
),

final as (
    select
        monthly.subscription_id,
        monthly.customer_id,
        monthly.plan,
        monthly.billing_interval,
        monthly.started_on,
        case when monthly.clipped_ended_on <= settings.as_of_date then monthly.clipped_ended_on end as ended_on,
        monthly.billing_anchor_on,
        case
            when monthly.cancel_requested_on <= settings.as_of_date then monthly.cancel_requested_on
        end as cancel_requested_on,
        -- What as_of_date could not know yet: why somebody will leave.
        case when monthly.is_cancel_known then monthly.cancel_type end as cancel_type,
        case when monthly.is_cancel_known then monthly.cancel_reason end as cancel_reason,
        case when monthly.is_cancel_known then monthly.cancel_comment end as cancel_comment,
        monthly.currency,
        monthly.amount as list_amount,
        monthly.discount_amount,
        cast(monthly.net_amount as {{ type_order_money() }}) as net_amount,
        -- What is free for a while recurs at the price before.
        cast(
            case
                when monthly.is_paid and not monthly.is_priced
                    then max(case when monthly.is_priced then monthly.own_mrr end) over (
                        partition by monthly.subscription_id, monthly.contract_number, monthly.price_number
                    )
                else monthly.own_mrr
            end as {{ type_order_money() }}
        ) as mrr,
        monthly.is_paid,
        monthly.is_end_stated and monthly.clipped_ended_on <= settings.as_of_date as is_end_stated
    from monthly
    cross join settings
)

select * from final
