-- Grain: one row, the company's settings with as_of_date resolved: the one given, else the latest event in the
-- raw data. Plans for the future (the end of a subscription, a rate of exchange) are no events.

with settings as (
    select * from {{ ref('stg_settings') }}
),

event_bounds as (
    {%- set events = [
        ('stg_orders', 'ordered_on'),
        ('stg_refunds', 'refunded_on'),
        ('stg_subscriptions', 'started_on'),
        ('stg_subscriptions', 'cancel_requested_on'),
        ('stg_customers', 'signed_up_on'),
        ('stg_survey_invitations', 'sent_on'),
        ('stg_survey_responses', 'responded_on'),
        ('stg_usage_events', 'used_on'),
        ('stg_support_tickets', 'opened_on'),
        ('stg_payment_failures', 'failed_on'),
    ] %}
    {%- for relation, column in events %}
        select
            min({{ column }}) as first_event_on,
            max({{ column }}) as last_event_on
        from {{ ref(relation) }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

data_bounds as (
    select
        min(first_event_on) as first_event_on,
        max(last_event_on) as last_event_on
    from event_bounds
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
        cast(coalesce(settings.given_as_of_date, data_bounds.last_event_on) as date) as as_of_date,
        cast(data_bounds.first_event_on as date) as first_event_on,
        cast(data_bounds.last_event_on as date) as last_event_on,
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
    cross join data_bounds
    cross join thresholds
)

select * from final
