-- Grain: one row per basis, segment and horizon (30, 90, 180 days): do the activated, who used the product on
-- activation_use_days of the first activation_days from their sign-up, stay longer than the others? A landmark
-- analysis: both are customers still on the day after, and the horizon counts from it. Who left before could not be
-- activated any more, so counting them as not activated would make activation look good by itself. Not a proof that use
-- makes them stay: who means to stay uses. For how fast sign-ups get to a first use see rpt_onboarding.

{% set horizons = [30, 90, 180] -%}

with customers as (
    select *
    from {{ ref('int_customers') }}
    where signed_up_on is not null
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

customer_days as (
    select *
    from {{ ref('int_customer_days') }}
    where uses > 0
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

recorded_sources as (
    select * from {{ ref('int_recorded_sources') }}
),

segment_groups as (
    select * from {{ ref('int_segment_groups') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

early_use as (
    select
        customers.customer_id,
        count(*) as use_days
    from customers
    cross join settings
    inner join customer_days
        on
            customers.customer_id = customer_days.customer_id
            and customer_days.activity_on >= customers.signed_up_on
            and customer_days.activity_on < {{ add_days('customers.signed_up_on', 'settings.activation_days') }}
    group by customers.customer_id
),

-- Of whom use was recorded from the day they signed up.
landmarks as (
    select
        customers.customer_id,
        customers.segment_group,
        {{ add_days('customers.signed_up_on', 'settings.activation_days') }} as landmark_on,
        coalesce(early_use.use_days >= settings.activation_use_days, false) as is_activated,
        settings.as_of_date,
        settings.active_window_days
    from customers
    cross join settings
    cross join recorded_sources
    left join early_use on customers.customer_id = early_use.customer_id
    where recorded_sources.usage_from <= customers.signed_up_on
),

-- Customers on the day itself, and the last day of the days that they stay without a break.
present as (
    select
        landmarks.*,
        max({{ open_end('spells.active_until') }}) as active_until
    from landmarks
    inner join spells
        on
            landmarks.customer_id = spells.customer_id
            and spells.active_from <= landmarks.landmark_on
            and {{ open_end('spells.active_until') }} > landmarks.landmark_on
    where landmarks.landmark_on <= landmarks.as_of_date
    group by
        landmarks.customer_id,
        landmarks.segment_group,
        landmarks.landmark_on,
        landmarks.is_activated,
        landmarks.as_of_date,
        landmarks.active_window_days
),

subscribed as (
    select distinct present.customer_id
    from present
    inner join periods
        on
            present.customer_id = periods.customer_id
            and periods.started_on <= present.landmark_on
            and {{ open_end('periods.ended_on') }} > present.landmark_on
),

-- A shopper is a customer for active_window_days after an order, whatever they do: before, nobody can have left.
followed as (
    {%- for days in horizons %}
        select
            case when subscribed.customer_id is null then 'orders' else 'subscription' end as basis,
            present.segment_group,
            {{ days }} as horizon_days,
            present.is_activated,
            present.active_until > {{ add_days('present.landmark_on', days) }} as is_retained
        from present
        left join subscribed on present.customer_id = subscribed.customer_id
        where
            {{ add_days('present.landmark_on', days) }} <= present.as_of_date
            and (subscribed.customer_id is not null or present.active_window_days <= {{ days }})
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

grouped as (
    select
        basis,
        segment_group,
        horizon_days,
        {%- for group, condition in [('activated', 'is_activated'), ('other', 'not is_activated')] %}
            count(case when {{ condition }} then 1 end) as {{ group }}_customers,
            count(case when {{ condition }} and is_retained then 1 end) as {{ group }}_retained
            {{- ',' if not loop.last }}
        {%- endfor %}
    from followed
    group by basis, segment_group, horizon_days
),

totals as (
    {{ sum_by_segment(
        'grouped',
        ['basis', 'horizon_days'],
        ['activated_customers', 'activated_retained', 'other_customers', 'other_retained']
    ) }}
),

rated as (
    select
        totals.*,
        settings.activation_use_days,
        settings.activation_days,
        {%- for group in ['activated', 'other'] %}
            case
                when totals.{{ group }}_customers >= settings.comparison_minimum_customers
                    then {{ ratio('totals.' ~ group ~ '_retained', 'totals.' ~ group ~ '_customers') }}
            end as {{ group }}_rate,
            cast(totals.{{ group }}_customers as {{ type_ratio() }}) as {{ group }}_number
            {{- ',' if not loop.last }}
        {%- endfor %}
    from totals
    cross join settings
),

bounded as (
    select
        *,
        {%- for group in ['activated', 'other'] %}
            {%- for side in ['lower', 'upper'] %}
                {{ wilson_bound(group ~ '_rate', group ~ '_number', side) }} as {{ group }}_rate_{{ side }},
            {%- endfor %}
        {%- endfor %}
        activated_rate - other_rate as rate_difference
    from rated
),

-- The interval of a difference from those of both rates (Newcombe 1998).
compared as (
    select
        *,
        rate_difference
        - sqrt(power(activated_rate - activated_rate_lower, 2) + power(other_rate_upper - other_rate, 2))
            as rate_difference_lower,
        rate_difference
        + sqrt(power(activated_rate_upper - activated_rate, 2) + power(other_rate - other_rate_lower, 2))
            as rate_difference_upper
    from bounded
),

final as (
    select
        cast(basis as {{ dbt.type_string() }}) as basis,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(horizon_days as {{ dbt.type_bigint() }}) as horizon_days,
        cast(activation_use_days as {{ dbt.type_bigint() }}) as activation_use_days,
        cast(activation_days as {{ dbt.type_bigint() }}) as activation_days,
        {%- for group in ['activated', 'other'] %}
            cast({{ group }}_customers as {{ dbt.type_bigint() }}) as {{ group }}_customers,
            cast({{ group }}_retained as {{ dbt.type_bigint() }}) as {{ group }}_retained,
            cast({{ group }}_rate as {{ type_ratio() }}) as {{ group }}_retention_rate,
            cast({{ group }}_rate_lower as {{ type_ratio() }}) as {{ group }}_retention_rate_lower,
            cast({{ group }}_rate_upper as {{ type_ratio() }}) as {{ group }}_retention_rate_upper,
        {%- endfor %}
        cast(rate_difference as {{ type_ratio() }}) as rate_difference,
        cast(rate_difference_lower as {{ type_ratio() }}) as rate_difference_lower,
        cast(rate_difference_upper as {{ type_ratio() }}) as rate_difference_upper,
        cast(rate_difference_lower > 0 or rate_difference_upper < 0 as boolean) as is_different
    from compared
)

select * from final
