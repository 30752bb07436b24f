{#-
    One setting of the company as SQL. Three places can name it, the first that does counts: `--vars` on the command
    line, the adapter's `vars` (landing wrote them to raw.settings), the default in dbt_project.yml.
-#}
{% macro setting(name, type) -%}
    {%- set given = (invocation_args_dict.get('vars') or {}) if invocation_args_dict is mapping else {} -%}
    {%- if name in given and given[name] is not none -%}
        cast({{ setting_literal(given[name]) }} as {{ type }})
    {%- else -%}
        cast(
            coalesce(
                (select max(s.value) from {{ source('raw', 'settings') }} as s where s.name = '{{ name }}'),
                {{ setting_literal(var(name)) }}
            ) as {{ type }}
        )
    {%- endif -%}
{%- endmacro %}

{#- Lists become comma-separated text: `acquisition_channel,country`. -#}
{% macro setting_literal(value) -%}
    {%- if value is none -%}
        cast(null as {{ dbt.type_string() }})
    {%- elif value is sequence and value is not string -%}
        {{ dbt.string_literal(value | join(',')) }}
    {%- else -%}
        {{ dbt.string_literal(dbt.escape_single_quotes(value | string)) }}
    {%- endif -%}
{%- endmacro %}

{#- The settings that models read, with their types; as_of_date is not among them: what holds of a day is resolved apart. -#}
{% macro company_settings() -%}
    {{ return({
        'business_timezone': dbt.type_string(),
        'reporting_currency': dbt.type_string(),
        'exchange_rate_max_age_days': dbt.type_bigint(),
        'active_window_days': dbt.type_bigint(),
        'onboarding_days': dbt.type_bigint(),
        'activation_use_days': dbt.type_bigint(),
        'activation_days': dbt.type_bigint(),
        'loyalty_tier_months': dbt.type_bigint(),
        'scenario_history_months': dbt.type_bigint(),
        'departure_days': dbt.type_bigint(),
        'churn_lookback_days': dbt.type_bigint(),
        'payment_grace_days': dbt.type_bigint(),
        'engagement_recent_days': dbt.type_bigint(),
        'engagement_baseline_days': dbt.type_bigint(),
        'engagement_declining_ratio': type_ratio(),
        'engagement_rising_ratio': type_ratio(),
        'churn_value_days': dbt.type_bigint(),
        'winback_window_days': dbt.type_bigint(),
        'winback_smoothing_events': dbt.type_bigint(),
        'health_outcome_days': dbt.type_bigint(),
        'survey_response_days': dbt.type_bigint(),
        'nps_minimum_votes': dbt.type_bigint(),
        'affinity_minimum_support': type_ratio(),
        'affinity_minimum_customers': dbt.type_bigint(),
        'comparison_minimum_customers': dbt.type_bigint(),
        'clv_segment': dbt.type_string(),
        'clv_minimum_customers': dbt.type_bigint(),
        'clv_segment_minimum_customers': dbt.type_bigint(),
        'clv_minimum_history_days': dbt.type_bigint(),
        'clv_holdout_days': dbt.type_bigint(),
        'clv_holdout_share': type_ratio(),
        'clv_annual_discount_rate': type_ratio(),
        'clv_gate_maximum_bias': type_ratio(),
        'clv_gate_maximum_bucket_error': type_ratio(),
        'clv_gate_minimum_rank_correlation': type_ratio(),
        'clv_gate_minimum_purchases': dbt.type_bigint(),
        'segments': dbt.type_string(),
        'company_segments': dbt.type_string(),
        'crossed_segments': dbt.type_string(),
        'crossed_segments_maximum_values': dbt.type_bigint(),
    }) }}
{%- endmacro %}

{#- Thresholds of seeds/segment_thresholds.csv, with their types. -#}
{% macro segment_thresholds() -%}
    {{ return({
        'new_customer_days': dbt.type_bigint(),
        'at_risk_after_days': dbt.type_bigint(),
        'bargain_discounted_share': type_ratio(),
        'loyal_order_days': dbt.type_bigint(),
        'loyal_paid_months': dbt.type_bigint(),
    }) }}
{%- endmacro %}

{#-
    The segment types and a customer's value of each, over the columns of int_customers. A value is the one known at the
    start of the customer's life with us. What the source does not say is `unknown`; who began without a subscription has
    the plan `none`.
-#}
{% macro segment_types() -%}
    {#- Who subscribed only in a later month had no plan in the beginning: by that plan, its orders would be those of
        customers who stayed. -#}
    {%- set began = 'coalesce(' ~ month_start('first_subscription_on') ~ ' <= cohort_month, false)' -%}
    {{ return({
        'acquisition_channel': "coalesce(acquisition_channel, 'unknown')",
        'country': "coalesce(country, 'unknown')",
        'plan': "case when " ~ began ~ " then coalesce(first_plan, 'unknown') else 'none' end",
        'billing_interval': "case when " ~ began ~ " then first_billing_interval else 'none' end",
    }) }}
{%- endmacro %}

{#- Whether the company looks at a segment type; `segments` is the column with the setting. -#}
{% macro is_segment_type_listed(segment_type, segments) -%}
    concat(',', replace({{ segments }}, ' ', ''), ',') like '%,{{ segment_type }},%'
{%- endmacro %}

{#- Whether a pair of the company's has the segment type; `crossed_segments` is the column with the setting. -#}
{% macro is_segment_type_crossed(segment_type, crossed_segments) -%}
    concat(',', replace(replace({{ crossed_segments }}, ' x ', ','), ' ', ''), ',') like '%,{{ segment_type }},%'
{%- endmacro %}

{#-
    The segments of a customer in one text, of the types that the company lists or crosses, and those of its own: period marts
    aggregate by it, and sum up to the segments afterwards, instead of taking every row as often as there are types. Two
    customers have the same one if, and only if, all these values are the same.
-#}
{% macro segment_group(segments, crossed_segments, company_segments) -%}
    concat(
        {%- for segment_type, value in segment_types().items() %}
            case
                when
                    {{ is_segment_type_listed(segment_type, segments) }}
                    or {{ is_segment_type_crossed(segment_type, crossed_segments) }}
                    then replace(replace(coalesce({{ value }}, ''), '~', '~0'), '|', '~1')
                else ''
            end, '|',
        {%- endfor %}
        coalesce({{ company_segments }}, '')
    )
{%- endmacro %}
