-- Grain: one row, the company's settings with as_of_date resolved: the one given, else the day of the last event
-- that has happened. Plans for the future (what begins after the load, the end of a subscription, a rate of
-- exchange, a departure to come) are no events, and a few rows far behind all others are taken for mistyped dates.

{%- set events = [
    ('orders', 'ordered_on'),
    ('refunds', 'refunded_on'),
    ('subscriptions', 'started_on'),
    ('subscriptions', 'cancel_requested_on'),
    ('departures', 'recorded_on'),
    ('customers', 'signed_up_on'),
    ('survey_invitations', 'sent_on'),
    ('survey_responses', 'responded_on'),
    ('usage_events', 'used_on'),
    ('support_tickets', 'opened_on'),
    ('payment_failures', 'failed_on'),
] -%}
{#- Rows are stray if they are at most so many, and at most this part of all; they lie more than so many days, and so
    many times the longest silence there was, behind the others, which fill at least so many days. More rows are stray
    if they are a trickle: at most that part of all, and so many times thinner than what was before. -#}
{%- set stray_rows, stray_part, stray_days, stray_silences, days_to_tell = 3, 50, 30, 3, 20 %}
{%- set trickle_part, trickle_thinner = 100, 20 %}

with settings as (
    select * from {{ ref('stg_settings') }}
),

loads as (
    select * from {{ ref('stg_loads') }}
),

last_load as (
    select max(loaded_at) as loaded_at
    from loads
),

load_day as (
    select
        {%- set moment = utc_to_business_time("last_load.loaded_at", "settings.business_timezone") %}
        {{ open_end("cast(" ~ moment ~ " as date)") }}
            as loaded_on
    from settings
    cross join last_load
),

event_days as (
    {%- for table, column in events %}
        select
            '{{ table }}' as table_name,
            '{{ column }}' as column_name,
            {{ column }} as event_on,
            count(*) as events
        from {{ ref('stg_' ~ table) }}
        where {{ column }} is not null
        group by {{ column }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

-- What has happened: nothing can have after the load.
past_days as (
    select
        event_days.event_on,
        sum(event_days.events) as events
    from event_days
    inner join load_day on event_days.event_on <= load_day.loaded_on
    group by event_days.event_on
),

silences as (
    select
        event_on,
        {{ days_between('lag(event_on) over (order by event_on)', 'event_on') }} as silent_days,
        count(*) over (order by event_on) - 1 as days_before,
        sum(events) over (order by event_on desc) as events_since,
        sum(events) over () as all_events,
        {{ days_between('event_on', 'max(event_on) over ()') }} + 1 as days_since,
        {{ days_between('min(event_on) over ()', 'lag(event_on) over (order by event_on)') }} + 1 as days_until
    from past_days
),

compared as (
    select
        *,
        max(silent_days) over (order by event_on rows between unbounded preceding and 1 preceding) as longest_before
    from silences
),

stray as (
    select min(event_on) as since
    from compared
    where
        silent_days > {{ stray_days }}
        and silent_days > {{ stray_silences }} * longest_before
        and days_before >= {{ days_to_tell }}
        and (
            (events_since <= {{ stray_rows }} and events_since * {{ stray_part }} <= all_events)
            or (
                events_since * {{ trickle_part }} <= all_events
                and events_since * {{ trickle_thinner }} * days_until <= (all_events - events_since) * days_since
            )
        )
),

last_days as (
    select max(past_days.event_on) as last_on
    from past_days
    cross join stray
    where past_days.event_on < {{ open_end('stray.since') }}
),

resolved as (
    select
        cast(coalesce(settings.given_as_of_date, last_days.last_on) as date) as as_of_date,
        case when settings.given_as_of_date is null then last_days.last_on end as told_on
    from settings
    cross join last_days
),

data_bounds as (
    select
        min(event_days.event_on) as first_event_on,
        -- A subscription that begins after the load is a plan, whatever day the company asks for.
        max(
            case
                when event_days.table_name <> 'subscriptions' or event_days.event_on <= load_day.loaded_on
                    then event_days.event_on
            end
        ) as last_event_on,
        min(case when event_days.event_on = resolved.told_on then event_days.table_name end) as as_of_table,
        coalesce(
            sum(
                case
                    when event_days.column_name = 'started_on' and event_days.event_on > resolved.as_of_date
                        then event_days.events
                end
            ),
            0
        ) as planned_subscriptions,
        coalesce(
            sum(
                case
                    when event_days.table_name <> 'subscriptions' and event_days.event_on > resolved.as_of_date
                        then event_days.events
                end
            ),
            0
        ) as later_events
    from resolved
    cross join load_day
    left join event_days on 1 = 1
),

planned_departures as (
    select count(*) as departures
    from {{ ref('stg_departures') }} as departures
    inner join resolved on departures.departed_on > resolved.as_of_date
),

thresholds as (
    select
        {%- for name, type in segment_thresholds().items() %}
            cast(max(case when threshold = '{{ name }}' then value end) as {{ type }}) as {{ name }}
            {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('segment_thresholds') }}
),

final as (
    select
        resolved.as_of_date,
        data_bounds.as_of_table,
        cast(data_bounds.first_event_on as date) as first_event_on,
        cast(data_bounds.last_event_on as date) as last_event_on,
        cast(data_bounds.planned_subscriptions as {{ dbt.type_bigint() }}) as planned_subscriptions,
        cast(planned_departures.departures as {{ dbt.type_bigint() }}) as planned_departures,
        cast(data_bounds.later_events as {{ dbt.type_bigint() }}) as later_events,
        {%- for name in segment_thresholds() %}
            thresholds.{{ name }},
        {%- endfor %}
        {%- for name in company_settings() %}
            settings.{{ name }},
        {%- endfor %}
        -- What rows already computed depend on: when any of it changes, incremental models start over.
        concat(
            {%- for name in segment_thresholds() %}
                '{{ name }} ', coalesce(cast(thresholds.{{ name }} as {{ dbt.type_string() }}), ''), ' ',
            {%- endfor %}
            {%- for name in company_settings() %}
                '{{ name }} ', coalesce(cast(settings.{{ name }} as {{ dbt.type_string() }}), '')
                {{- ", ' '," if not loop.last }}
            {%- endfor %}
        ) as fingerprint
    from settings
    cross join resolved
    cross join data_bounds
    cross join planned_departures
    cross join thresholds
)

select * from final
