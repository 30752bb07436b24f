-- Grain: one row per period of a subscription with one plan and price, begun by as_of_date, in the reporting
-- currency. Where two periods of one subscription overlap, the earlier ends as the later begins. `ended_on` is
-- exclusive, and null while the period runs: an end after as_of_date has not happened. For who is active see
-- int_customer_spells.

with subscriptions as (
    select * from {{ ref('stg_subscriptions') }}
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
        coalesce(
            least(begun.ended_on, begun.next_started_on), begun.ended_on, begun.next_started_on
        ) as clipped_ended_on
    from begun
),

converted as (
    select
        clipped.*,
        {{ to_reporting_currency(
            'clipped.amount - clipped.discount_amount',
            'exchange_rates.rate_to_reporting',
            'clipped.currency',
            'clipped.started_on'
        ) }} as net_amount,
        coalesce(clipped.cancel_requested_on, clipped.clipped_ended_on) <= settings.as_of_date as is_cancel_known
    from clipped
    cross join settings
    {{ join_exchange_rate('clipped', 'started_on') }}
),

final as (
    select
        converted.subscription_id,
        converted.customer_id,
        converted.plan,
        converted.billing_interval,
        converted.started_on,
        case when converted.clipped_ended_on <= settings.as_of_date then converted.clipped_ended_on end as ended_on,
        case
            when converted.cancel_requested_on <= settings.as_of_date then converted.cancel_requested_on
        end as cancel_requested_on,
        -- What as_of_date could not know yet: why somebody will leave.
        case when converted.is_cancel_known then converted.cancel_type end as cancel_type,
        case when converted.is_cancel_known then converted.cancel_reason end as cancel_reason,
        case when converted.is_cancel_known then converted.cancel_comment end as cancel_comment,
        converted.currency,
        converted.amount as list_amount,
        converted.discount_amount,
        cast(converted.net_amount as {{ type_order_money() }}) as net_amount,
        cast(
            case converted.billing_interval
                when 'week' then converted.net_amount * 52 / 12
                when 'month' then converted.net_amount
                when 'quarter' then converted.net_amount / 3
                when 'year' then converted.net_amount / 12
            end as {{ type_order_money() }}
        ) as mrr,
        converted.net_amount > 0 as is_paid
    from converted
    cross join settings
    where converted.clipped_ended_on is null or converted.clipped_ended_on > converted.started_on
)

select * from final
