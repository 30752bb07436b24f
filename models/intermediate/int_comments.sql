-- Grain: one row per comment a person wrote by as_of_date: with a response to a survey, or when cancelling a
-- subscription, or leaving; blank ones are none. With what the customer was worth to us on that day, so that what
-- hangs on a theme can be summed. For the themes see int_comment_themes.

with responses as (
    select * from {{ ref('stg_survey_responses') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

departures as (
    select * from {{ ref('int_stated_departures') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- A source may repeat the comment in every period of the subscription: the last one has it.
cancellations as (
    select
        *,
        row_number() over (
            partition by subscription_id, cancel_comment, cancel_requested_on order by started_on desc
        ) as comment_number
    from periods
    where trim(cancel_comment) <> ''
),

comments as (
    select
        responses.response_id as comment_id,
        'survey' as comment_type,
        responses.customer_id,
        responses.responded_on as commented_on,
        responses.responded_on as valued_on,
        responses.comment as comment_text
    from responses
    inner join settings on responses.responded_on <= settings.as_of_date
    where trim(responses.comment) <> ''

    union all

    select
        concat(subscription_id, ' ', cast(started_on as {{ dbt.type_string() }})) as comment_id,
        'cancellation' as comment_type,
        customer_id,
        coalesce(cancel_requested_on, ended_on) as commented_on,
        -- Who says so after the end is worth what they were on the last day.
        case
            when cancel_requested_on < ended_on or ended_on is null then cancel_requested_on
            else {{ add_days('ended_on', -1) }}
        end as valued_on,
        cancel_comment as comment_text
    from cancellations
    where comment_number = 1

    union all

    -- What a statement says of a subscription stands with that.
    select
        concat('departure ', departure_id) as comment_id,
        'cancellation' as comment_type,
        customer_id,
        departed_on as commented_on,
        {{ add_days('departed_on', -1) }} as valued_on,
        comment_text
    from departures
    where comment_text is not null and effect is null
),

-- The last day of a paid subscription up to then: who answers after they have left is worth what they were.
paid_days as (
    select
        comments.comment_type,
        comments.comment_id,
        comments.customer_id,
        max(least(comments.valued_on, {{ add_days(open_end('periods.ended_on'), -1) }})) as paid_on
    from comments
    inner join periods on comments.customer_id = periods.customer_id and periods.started_on <= comments.valued_on
    where periods.is_paid
    group by comments.comment_type, comments.comment_id, comments.customer_id
),

subscription_values as (
    select
        paid_days.comment_type,
        paid_days.comment_id,
        sum(periods.mrr) as mrr
    from paid_days
    inner join periods
        on
            paid_days.customer_id = periods.customer_id
            and periods.started_on <= paid_days.paid_on
            and {{ open_end('periods.ended_on') }} > paid_days.paid_on
    where periods.is_paid
    group by paid_days.comment_type, paid_days.comment_id
),

order_values as (
    select
        comments.comment_type,
        comments.comment_id,
        sum(customer_days.net_revenue) as net_revenue
    from comments
    cross join settings
    inner join customer_days
        on
            comments.customer_id = customer_days.customer_id
            and customer_days.activity_on <= comments.valued_on
            and customer_days.activity_on > {{ add_days('comments.valued_on', '-settings.churn_value_days') }}
    group by comments.comment_type, comments.comment_id
),

final as (
    select
        cast(comments.comment_type as {{ dbt.type_string() }}) as comment_type,
        cast(comments.comment_id as {{ dbt.type_string() }}) as comment_id,
        comments.customer_id,
        comments.commented_on,
        comments.comment_text,
        cast(coalesce(subscription_values.mrr, 0) as {{ type_money() }}) as mrr,
        -- Refunds of older orders can make it negative: nobody stands to lose that.
        cast(
            12 * coalesce(subscription_values.mrr, 0)
            + case when order_values.net_revenue > 0 then order_values.net_revenue else 0 end
            as {{ type_money() }}
        ) as exposed_revenue
    from comments
    left join subscription_values
        on
            comments.comment_type = subscription_values.comment_type
            and comments.comment_id = subscription_values.comment_id
    left join order_values
        on
            comments.comment_type = order_values.comment_type
            and comments.comment_id = order_values.comment_id
)

select * from final
