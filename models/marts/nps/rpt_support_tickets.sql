-- Grain: one row per month and segment: how many tickets customers opened, how soon they were closed and how
-- satisfied they were with that, and the same of the tickets whose customer left within churn_lookback_days.
-- Tickets of nobody we know are in none. For the tickets before a single departure see fct_churn_events.

with known_tickets as (
    select support_tickets.*
    from {{ ref('stg_support_tickets') }} as support_tickets
    inner join {{ ref('int_settings') }} as settings on support_tickets.opened_on <= settings.as_of_date
    where support_tickets.customer_id is not null
),

tickets as (
    select
        *,
        {{ dbt.datediff('opened_at', 'closed_at', 'minute') }} as minutes_to_close -- noqa: LT05
    from known_tickets
),

departures as (
    select
        customer_id,
        churned_on
    from {{ ref('fct_churn_events') }}
),

segments as (
    select * from {{ ref('int_customer_segments') }}
),

months as (
    select * from {{ ref('int_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- A customer may leave twice: a ticket is one, whatever followed it.
followed as (
    select
        tickets.ticket_id,
        max(case when departures.customer_id is not null then 1 else 0 end) as has_left
    from tickets
    cross join settings
    left join departures
        on
            tickets.customer_id = departures.customer_id
            and tickets.opened_on < departures.churned_on
            and {{ add_days('tickets.opened_on', 'settings.churn_lookback_days') }} >= departures.churned_on
    group by tickets.ticket_id
),

measured as (
    select
        tickets.ticket_id,
        tickets.customer_id,
        {{ month_start('tickets.opened_on') }} as month,
        tickets.satisfaction,
        -- A ticket that is closed later was open on the last day known.
        case
            when tickets.closed_on <= settings.as_of_date and tickets.closed_at >= tickets.opened_at
                then tickets.minutes_to_close / 60.0
        end as hours_to_close,
        followed.has_left = 1 as has_left
    from tickets
    cross join settings
    inner join followed on tickets.ticket_id = followed.ticket_id
),

{% set groups = [('', 'true'), ('_before_departure', 'measured.has_left')] -%}
counted as (
    select
        measured.month,
        segments.segment_type,
        segments.segment_value,
        count(distinct measured.customer_id) as customers
        {%- for suffix, condition in groups %},
            count(case when {{ condition }} then 1 end) as tickets{{ suffix }},
            count(case when {{ condition }} then measured.hours_to_close end) as closed_tickets{{ suffix }},
            {{ percentile('case when ' ~ condition ~ ' then measured.hours_to_close end', 0.5) }}
                as median_hours_to_close{{ suffix }},
            count(case when {{ condition }} then measured.satisfaction end) as rated_tickets{{ suffix }},
            sum(case when {{ condition }} then measured.satisfaction end) as satisfaction{{ suffix }}
        {%- endfor %}
    from measured
    inner join segments on measured.customer_id = segments.customer_id
    group by measured.month, segments.segment_type, segments.segment_value
),

final as (
    select
        cast(counted.month as date) as month,
        cast(counted.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(counted.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(counted.customers as {{ dbt.type_bigint() }}) as customers,
        cast(counted.tickets as {{ dbt.type_bigint() }}) as tickets,
        cast(counted.closed_tickets as {{ dbt.type_bigint() }}) as closed_tickets,
        cast(counted.median_hours_to_close as {{ type_ratio() }}) as median_hours_to_close,
        cast(counted.rated_tickets as {{ dbt.type_bigint() }}) as rated_tickets,
        {{ ratio('counted.satisfaction', 'counted.rated_tickets') }} as average_satisfaction,
        cast(counted.tickets_before_departure as {{ dbt.type_bigint() }}) as tickets_before_departure,
        cast(counted.median_hours_to_close_before_departure as {{ type_ratio() }})
            as median_hours_to_close_before_departure,
        cast(counted.rated_tickets_before_departure as {{ dbt.type_bigint() }}) as rated_tickets_before_departure,
        {{ ratio('counted.satisfaction_before_departure', 'counted.rated_tickets_before_departure') }}
            as average_satisfaction_before_departure,
        cast(
            {{ add_days('months.month_end_on', 'settings.churn_lookback_days') }} <= settings.as_of_date as boolean
        ) as is_complete
    from counted
    inner join months on counted.month = months.month
    cross join settings
)

select * from final
