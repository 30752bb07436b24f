{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customer_months',
        unique_key=['customer_id', 'month'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per customer and month at whose end they were active: what each component of their health measures,
-- from events up to that day alone. Null where nobody can know: a source that had not begun to tell, a window that
-- began before they did, nothing to compare with. For bands and score see fct_customer_health.

with settings as (
    select * from {{ ref('int_settings') }}
),

{% if is_incremental() -%}
touched as (
    {{ touched_customers() }}
),

{% endif -%}
-- Each row stands for the months until the next. In an incremental run everybody but the touched needs the open ones
-- alone.
active_standing as (
    select
        standing.customer_id,
        settings.as_of_date,
        {%- if is_incremental() %}
            case
                when touched.customer_id is not null then standing.month
                else greatest(standing.month, {{ open_since() }})
            end as from_month,
        {%- else %}
            standing.month as from_month,
        {%- endif %}
        coalesce(
            least({{ add_months('standing.next_month', -1) }}, {{ month_start('settings.as_of_date') }}),
            {{ month_start('settings.as_of_date') }}
        ) as until_month
    from {{ ref('int_customer_standing') }} as standing
    cross join settings
    {%- if is_incremental() %}
        left join touched on standing.customer_id = touched.customer_id
    {%- endif %}
    where standing.is_active
),

active_months as (
    {{ expand_months('active_standing', ['customer_id', 'as_of_date'], 'from_month', 'until_month') }}
),

month_ends as (
    select
        customer_id,
        month,
        cast(least({{ period_end('month', 'month') }}, as_of_date) as date) as observed_until
    from active_months
),

-- Where nobody uses a product there is none, and nothing is joined.
users as (
    select
        customer_id,
        first_used_on
    from {{ ref('int_customers') }}
    where first_used_on is not null
),

churn_spells as (
    select * from {{ ref('int_churn_spells') }}
),

order_days as (
    select
        customer_id,
        activity_on
    from {{ ref('int_customer_days') }}
    where order_count > 0
),

use_days as (
    select
        customer_id,
        activity_on
    from {{ ref('int_customer_days') }}
    where uses > 0
),

feature_months as (
    select * from {{ ref('int_customer_feature_months') }}
),

survey_responses as (
    select survey_responses.*
    from {{ ref('stg_survey_responses') }} as survey_responses
    inner join {{ ref('int_settings') }} as settings on survey_responses.responded_on <= settings.as_of_date
    where survey_responses.customer_id is not null and survey_responses.score is not null
),

support_tickets as (
    select support_tickets.*
    from {{ ref('stg_support_tickets') }} as support_tickets
    inner join {{ ref('int_settings') }} as settings on support_tickets.opened_on <= settings.as_of_date
),

payment_failures as (
    select payment_failures.*
    from {{ ref('stg_payment_failures') }} as payment_failures
    inner join {{ ref('int_settings') }} as settings on payment_failures.failed_on <= settings.as_of_date
),

months as (
    select * from {{ ref('int_months') }}
),

rules as (
    select
        {%- for component in health_components() %}
            max(
                case when component = '{{ component }}' then window_days end
            ) as {{ component }}_days{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('health_rules') }}
),

recorded as (
    select * from {{ ref('int_recorded_sources') }}
),

standing as (
    select
        month_ends.customer_id,
        month_ends.month,
        month_ends.observed_until,
        churn_spells.spell_number,
        -- A spell that a shopper began is one of orders until they subscribe.
        case
            when churn_spells.subscribed_on <= month_ends.observed_until then 'subscription'
            when churn_spells.customer_id is not null then 'orders'
        end as churn_basis,
        churn_spells.subscribed_on
    from month_ends
    left join churn_spells
        on
            month_ends.customer_id = churn_spells.customer_id
            and churn_spells.began_on <= month_ends.observed_until
            and {{ open_end('churn_spells.churned_on') }} > month_ends.observed_until
),

spine as (
    select
        standing.customer_id,
        standing.month,
        standing.observed_until,
        standing.spell_number,
        standing.churn_basis,
        -- Since when the product could have been used. A shopper, who needs no subscription for it: since they first
        -- did.
        case
            when standing.churn_basis = 'subscription' and recorded.usage_from is not null
                then greatest(standing.subscribed_on, recorded.usage_from)
            when standing.churn_basis = 'orders' then users.first_used_on
        end as usable_from
    from standing
    cross join recorded
    left join users on standing.customer_id = users.customer_id
),

-- Which days lie in which window of which month-end: a small table, so that what happened is joined by equality.
event_dates as (
    select activity_on as event_on from order_days
    union
    select activity_on as event_on from use_days
    union
    select opened_on as event_on from support_tickets
    union
    select failed_on as event_on from payment_failures
),

day_windows as (
    select
        event_dates.event_on,
        months.month,
        event_dates.event_on > {{ add_days('months.observed_until', '-rules.usage_frequency_days') }} as is_usage_day,
        event_dates.event_on > {{ add_days('months.observed_until', '-rules.usage_breadth_days') }} as is_breadth_day,
        event_dates.event_on > {{ add_days('months.observed_until', '-rules.order_trend_days') }}
            as is_recent_order_day,
        event_dates.event_on > {{ add_days('months.observed_until', '-2 * rules.order_trend_days') }} as is_order_day,
        event_dates.event_on > {{ add_days('months.observed_until', '-rules.tickets_days') }} as is_ticket_day,
        event_dates.event_on > {{ add_days('months.observed_until', '-rules.payments_days') }} as is_failure_day
    from event_dates
    cross join rules
    inner join months
        on
            event_dates.event_on <= months.observed_until
            and event_dates.event_on > {{ add_days(
                'months.observed_until',
                '-greatest(rules.usage_frequency_days, rules.usage_breadth_days, 2 * rules.order_trend_days, '
                ~ 'rules.tickets_days, rules.payments_days)'
            ) }}
),

order_day_counts as (
    select
        order_days.customer_id,
        day_windows.month,
        count(case when day_windows.is_recent_order_day then 1 end) as recent_order_day_count,
        count(case when not day_windows.is_recent_order_day then 1 end) as earlier_order_day_count
    from order_days
    inner join day_windows on order_days.activity_on = day_windows.event_on
    where
        day_windows.is_order_day
        and {{ only_touched_customer_months('order_days.customer_id', 'day_windows.month') }}
    group by order_days.customer_id, day_windows.month
),

-- Order days up to each month in which there was one, which stands for the months until the next.
orders_so_far as (
    select
        customer_id,
        month,
        last_ordered_on,
        min(first_ordered_on) over (partition by customer_id) as first_ordered_on,
        sum(order_day_count) over (
            partition by customer_id order by month rows between unbounded preceding and current row
        ) as order_day_count,
        lead(month) over (partition by customer_id order by month) as next_month
    from (
        select
            customer_id,
            {{ month_start('activity_on') }} as month,
            min(activity_on) as first_ordered_on,
            max(activity_on) as last_ordered_on,
            count(*) as order_day_count
        from order_days
        group by customer_id, {{ month_start('activity_on') }}
    ) as order_months
),

use_day_counts as (
    select
        use_days.customer_id,
        day_windows.month,
        count(*) as used_day_count
    from use_days
    inner join day_windows on use_days.activity_on = day_windows.event_on
    where
        day_windows.is_usage_day
        and {{ only_touched_customer_months('use_days.customer_id', 'day_windows.month') }}
    group by use_days.customer_id, day_windows.month
),

-- A feature was used in the window if its last use, in one of the months up to the month-end, lies in it.
used_features as (
    select
        feature_months.customer_id,
        day_windows.month,
        count(distinct feature_months.feature) as feature_count
    from feature_months
    inner join day_windows on feature_months.last_used_on = day_windows.event_on
    where
        day_windows.is_breadth_day
        and {{ only_touched_customer_months('feature_months.customer_id', 'day_windows.month') }}
    group by feature_months.customer_id, day_windows.month
),

last_uses as (
    select
        customer_id,
        month,
        max(last_used_on) over (
            partition by customer_id order by month rows between unbounded preceding and current row
        ) as last_used_on,
        lead(month) over (partition by customer_id order by month) as next_month
    from (
        select
            customer_id,
            month,
            max(last_used_on) as last_used_on
        from feature_months
        group by customer_id, month
    ) as used_months
),

scores as (
    select
        customer_id,
        responded_on,
        score,
        lead(responded_on) over (partition by customer_id order by responded_on) as next_responded_on
    from (
        select
            customer_id,
            responded_on,
            score,
            row_number() over (
                partition by customer_id, responded_on order by responded_at desc, response_id desc
            ) as recency
        from survey_responses
    ) as numbered
    where recency = 1
),

ticket_counts as (
    select
        support_tickets.customer_id,
        day_windows.month,
        count(*) as ticket_count
    from support_tickets
    inner join day_windows on support_tickets.opened_on = day_windows.event_on
    where
        day_windows.is_ticket_day
        and {{ only_touched_customer_months('support_tickets.customer_id', 'day_windows.month') }}
    group by support_tickets.customer_id, day_windows.month
),

failure_counts as (
    select
        payment_failures.customer_id,
        day_windows.month,
        count(*) as failure_count
    from payment_failures
    inner join day_windows on payment_failures.failed_on = day_windows.event_on
    where
        day_windows.is_failure_day
        and {{ only_touched_customer_months('payment_failures.customer_id', 'day_windows.month') }}
    group by payment_failures.customer_id, day_windows.month
),

joined as (
    select
        spine.*,
        rules.usage_frequency_days,
        rules.usage_breadth_days,
        recorded.tickets_from,
        recorded.payments_from,
        last_uses.last_used_on,
        settings.active_window_days,
        {{ days_between('orders_so_far.last_ordered_on', 'spine.observed_until') }} as order_silence_days,
        {{ days_between('orders_so_far.first_ordered_on', 'orders_so_far.last_ordered_on') }} as order_span_days,
        orders_so_far.order_day_count,
        coalesce(use_day_counts.used_day_count, 0) as used_day_count,
        coalesce(order_day_counts.recent_order_day_count, 0) as recent_order_day_count,
        coalesce(order_day_counts.earlier_order_day_count, 0) as earlier_order_day_count,
        coalesce(used_features.feature_count, 0) as feature_count,
        scores.score,
        coalesce(ticket_counts.ticket_count, 0) as ticket_count,
        coalesce(failure_counts.failure_count, 0) as failure_count
    from spine
    cross join rules
    cross join recorded
    cross join settings
    left join orders_so_far
        on
            spine.customer_id = orders_so_far.customer_id
            and spine.month >= orders_so_far.month
            and spine.month < {{ open_end('orders_so_far.next_month') }}
    left join order_day_counts
        on spine.customer_id = order_day_counts.customer_id and spine.month = order_day_counts.month
    left join use_day_counts
        on spine.customer_id = use_day_counts.customer_id and spine.month = use_day_counts.month
    left join used_features
        on spine.customer_id = used_features.customer_id and spine.month = used_features.month
    left join last_uses
        on
            spine.customer_id = last_uses.customer_id
            and spine.month >= last_uses.month
            and spine.month < {{ open_end('last_uses.next_month') }}
    left join scores
        on
            spine.customer_id = scores.customer_id
            and spine.observed_until >= scores.responded_on
            and spine.observed_until < {{ open_end('scores.next_responded_on') }}
            and scores.responded_on > {{ add_days('spine.observed_until', '-rules.nps_days') }}
    left join ticket_counts
        on spine.customer_id = ticket_counts.customer_id and spine.month = ticket_counts.month
    left join failure_counts
        on spine.customer_id = failure_counts.customer_id and spine.month = failure_counts.month
),

final as (
    select
        customer_id,
        month,
        observed_until,
        spell_number,
        churn_basis,
        -- Who came back is silent at most since their return.
        case
            when usable_from <= observed_until
                then cast(
                    {{ days_between('greatest(coalesce(last_used_on, usable_from), usable_from)', 'observed_until') }}
                    as {{ type_ratio() }}
                )
        end as usage_recency,
        case
            when usable_from <= {{ add_days('observed_until', '1 - usage_frequency_days') }}
                then cast(used_day_count as {{ type_ratio() }})
        end as usage_frequency,
        case
            when usable_from <= {{ add_days('observed_until', '1 - usage_breadth_days') }}
                then cast(feature_count as {{ type_ratio() }})
        end as usage_breadth,
        -- A subscriber's health is their use, not what they order besides.
        case
            when coalesce(churn_basis, 'orders') = 'orders'
                then {{ ratio('order_silence_days', 'active_window_days') }}
        end as order_recency,
        case
            when coalesce(churn_basis, 'orders') = 'orders'
                then cast(
                    {{ order_rhythm('order_day_count', 'order_span_days', 'order_silence_days', 'active_window_days') }}
                    as {{ type_ratio() }}
                )
        end as order_rhythm,
        case
            when coalesce(churn_basis, 'orders') = 'orders'
                then {{ ratio('recent_order_day_count', 'earlier_order_day_count') }}
        end as order_trend,
        cast(score as {{ type_ratio() }}) as nps,
        case when tickets_from <= observed_until then cast(ticket_count as {{ type_ratio() }}) end as tickets,
        case
            when payments_from <= observed_until and churn_basis = 'subscription'
                then cast(failure_count as {{ type_ratio() }})
        end as payments
    from joined
)

select * from final
