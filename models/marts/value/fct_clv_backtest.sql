-- Grain: one row per model, segment, billing interval and bucket of customers: what the model, fitted on the history
-- without its last part, expected of that part, against what happened in it. A bucket is a number of repeat
-- purchases (or renewals) before; `all` is everybody, and has the verdicts of the gate. Purchases are order days
-- for BG/NBD and paid months that took a renewal for the shifted beta-geometric; revenue adds Gamma-Gamma, or the
-- recurring revenue of each subscriber as it was. For parameters see fct_clv_models.

with order_predictions as (
    select *
    from {{ ref('int_clv_order_predictions') }}
    where window_name = 'calibration'
),

subscription_predictions as (
    select *
    from {{ ref('int_clv_subscription_predictions') }}
    where window_name = 'calibration'
),

windows as (
    select *
    from {{ ref('int_clv_windows') }}
    where window_name = 'calibration'
),

settings as (
    select * from {{ ref('int_settings') }}
),

value_fits as (
    select
        segment_type,
        segment_value,
        is_fitted,
        reason,
        q
    from {{ ref('int_clv_fits') }}
    where window_name = 'calibration' and model = 'gamma_gamma'
),

held as (
    select
        'bg_nbd' as model,
        segment_type,
        segment_value,
        'none' as billing_interval,
        customer_id,
        frequency as events,
        -- Sums of decimals are exact: those of floating numbers differ with the order in which an engine adds.
        cast(expected_orders_holdout as decimal(28, 9)) as expected_purchases,
        holdout_purchases as actual_purchases,
        cast(expected_revenue_holdout as {{ type_money() }}) as expected_revenue,
        holdout_net_revenue as actual_revenue
    from order_predictions
    where expected_orders_holdout is not null

    union all

    select
        'sbg' as model,
        segment_type,
        segment_value,
        billing_interval,
        customer_id,
        renewals as events,
        cast(expected_renewed_months_holdout as decimal(28, 9)) as expected_purchases,
        holdout_renewed_months as actual_purchases,
        cast(expected_revenue_holdout as {{ type_money() }}) as expected_revenue,
        holdout_revenue as actual_revenue
    from subscription_predictions
    where is_running and expected_renewed_months_holdout is not null
),

-- Equal values share the mean of their ranks (Spearman). Twice the distance of a rank from the mean of all is a whole
-- number.
ranked as (
    select
        *,
        {%- for rank in ['expected', 'actual'] %}
            cast(
                2 * rank() over (
                    partition by model, segment_type, segment_value, billing_interval order by {{ rank }}_purchases
                )
                + count(*) over (
                    partition by model, segment_type, segment_value, billing_interval, {{ rank }}_purchases
                )
                - count(*) over (partition by model, segment_type, segment_value, billing_interval)
                - 2 as {{ dbt.type_bigint() }}
            ) as {{ rank }}_rank
            {{- ',' if not loop.last }}
        {%- endfor %}
    from held
),

bucketed as (
    select
        *,
        case when events >= 7 then '7+' else cast(events as {{ dbt.type_string() }}) end as bucket
    from ranked

    union all

    select
        *,
        'all' as bucket
    from ranked
),

measured as (
    select
        model,
        segment_type,
        segment_value,
        billing_interval,
        bucket,
        count(*) as customers,
        sum(expected_purchases) as expected_purchases,
        sum(actual_purchases) as actual_purchases,
        sum(abs(expected_purchases - actual_purchases)) as absolute_error,
        cast(sum(expected_rank * actual_rank) as {{ type_ratio() }})
        - cast(sum(expected_rank) as {{ type_ratio() }}) * sum(actual_rank) / count(*) as rank_covariance,
        cast(sum(expected_rank * expected_rank) as {{ type_ratio() }})
        - cast(sum(expected_rank) as {{ type_ratio() }}) * sum(expected_rank) / count(*) as expected_rank_variance,
        cast(sum(actual_rank * actual_rank) as {{ type_ratio() }})
        - cast(sum(actual_rank) as {{ type_ratio() }}) * sum(actual_rank) / count(*) as actual_rank_variance,
        min(expected_rank) < max(expected_rank) and min(actual_rank) < max(actual_rank) as has_order,
        -- Unknown of one is unknown of the sum.
        case when count(expected_revenue) = count(*) then sum(expected_revenue) end as expected_revenue,
        sum(actual_revenue) as actual_revenue
    from bucketed
    group by model, segment_type, segment_value, billing_interval, bucket
),

compared as (
    select
        *,
        {{ ratio('absolute_error', 'customers') }} as mean_absolute_error,
        -- Where all are expected, or do, the same there is no order to be right about.
        case
            when has_order then rank_covariance / sqrt(expected_rank_variance * actual_rank_variance)
        end as rank_correlation,
        {{ ratio('expected_purchases - actual_purchases', 'actual_purchases') }} as purchase_bias,
        {{ ratio('expected_revenue - actual_revenue', 'actual_revenue') }} as revenue_bias,
        {{ ratio(
            'sum(case when bucket <> \'all\' then abs(expected_purchases - actual_purchases) end) over fit',
            'sum(case when bucket = \'all\' then actual_purchases end) over fit'
        ) }} as bucket_error
    from measured
    window fit as (partition by model, segment_type, segment_value, billing_interval)
),

judged as (
    select
        compared.*,
        case
            when compared.actual_purchases < settings.clv_gate_minimum_purchases
                then concat(
                    'purchases in the held-out part are too few to prove anything: ',
                    {{ rounded_text('compared.actual_purchases', 0) }}, ' where clv_gate_minimum_purchases asks for ',
                    cast(settings.clv_gate_minimum_purchases as {{ dbt.type_string() }})
                )
            when abs(compared.purchase_bias) > settings.clv_gate_maximum_bias
                then concat(
                    'expected ', {{ rounded_text('compared.expected_purchases', 0) }}, ' purchases where there were ',
                    {{ rounded_text('compared.actual_purchases', 0) }}, ', off by ',
                    {{ rounded_text('100 * abs(compared.purchase_bias)', 0) }}, ' %: clv_gate_maximum_bias allows ',
                    {{ rounded_text('100 * settings.clv_gate_maximum_bias', 0) }}, ' %'
                )
            when compared.bucket_error > settings.clv_gate_maximum_bucket_error
                then concat(
                    'the buckets are off by ', {{ rounded_text('100 * compared.bucket_error', 0) }},
                    ' % together: clv_gate_maximum_bucket_error allows ',
                    {{ rounded_text('100 * settings.clv_gate_maximum_bucket_error', 0) }}, ' %'
                )
            -- Contracts of one age are expected to do the same: for them an order of customers says nothing.
            when
                compared.model = 'bg_nbd'
                and coalesce(compared.rank_correlation, 0) < settings.clv_gate_minimum_rank_correlation
                then concat(
                    'customers stand in the wrong order, rank correlation ',
                    coalesce({{ rounded_text('compared.rank_correlation', 2) }}, 'unknown'),
                    ': clv_gate_minimum_rank_correlation asks for ',
                    {{ rounded_text('settings.clv_gate_minimum_rank_correlation', 2) }}
                )
        end as gate_reason
    from compared
    cross join settings
),

valued as (
    select
        judged.*,
        case
            when judged.gate_reason is not null then judged.gate_reason
            when coalesce(judged.actual_revenue, 0) <= 0 then 'nothing was earned in the held-out part'
            when judged.expected_revenue is null and judged.model = 'bg_nbd' and value_fits.segment_type is null
                then 'not tested: before the held-out part nobody had bought twice'
            when judged.expected_revenue is null and judged.model = 'bg_nbd' and not value_fits.is_fitted
                then concat('not tested, no fit before the held-out part: ', coalesce(value_fits.reason, 'unknown'))
            when judged.expected_revenue is null and judged.model = 'bg_nbd' and value_fits.q <= 1
                then concat(
                    'the mean of all is not finite by the fit before the held-out part: q is ',
                    {{ rounded_text('value_fits.q', 2) }}, ' and would have to be above 1'
                )
            when judged.expected_revenue is null then 'what is expected of some customers is not known'
            when abs(judged.revenue_bias) > settings.clv_gate_maximum_bias
                then concat(
                    'expected a revenue of ', {{ rounded_text('judged.expected_revenue', 0) }}, ' where it was ',
                    {{ rounded_text('judged.actual_revenue', 0) }}, ', off by ',
                    {{ rounded_text('100 * abs(judged.revenue_bias)', 0) }}, ' %: clv_gate_maximum_bias allows ',
                    {{ rounded_text('100 * settings.clv_gate_maximum_bias', 0) }}, ' %'
                )
        end as value_gate_reason
    from judged
    cross join settings
    left join value_fits
        on judged.segment_type = value_fits.segment_type and judged.segment_value = value_fits.segment_value
),

final as (
    select
        cast(valued.model as {{ dbt.type_string() }}) as model,
        cast(valued.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(valued.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(valued.billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(valued.bucket as {{ dbt.type_string() }}) as bucket,
        cast(windows.observed_from as date) as fitted_from,
        cast(windows.observed_until as date) as fitted_until,
        cast(windows.holdout_until as date) as holdout_until,
        cast(windows.holdout_days as {{ dbt.type_bigint() }}) as holdout_days,
        cast(valued.customers as {{ dbt.type_bigint() }}) as customers,
        cast(valued.expected_purchases as {{ type_ratio() }}) as expected_purchases,
        cast(valued.actual_purchases as {{ dbt.type_bigint() }}) as actual_purchases,
        cast(valued.purchase_bias as {{ type_ratio() }}) as purchase_bias,
        cast(valued.mean_absolute_error as {{ type_ratio() }}) as mean_absolute_error,
        cast(valued.rank_correlation as {{ type_ratio() }}) as rank_correlation,
        cast(valued.expected_revenue as {{ type_money() }}) as expected_revenue,
        cast(valued.actual_revenue as {{ type_money() }}) as actual_revenue,
        cast(valued.revenue_bias as {{ type_ratio() }}) as revenue_bias,
        cast(case when valued.bucket = 'all' then valued.bucket_error end as {{ type_ratio() }}) as bucket_error,
        case when valued.bucket = 'all' then valued.gate_reason is null end as has_passed_gate,
        cast(case when valued.bucket = 'all' then valued.gate_reason end as {{ dbt.type_string() }}) as gate_reason,
        case when valued.bucket = 'all' then valued.value_gate_reason is null end as has_passed_value_gate,
        cast(
            case when valued.bucket = 'all' then valued.value_gate_reason end as {{ dbt.type_string() }}
        ) as value_gate_reason
    from valued
    cross join windows
)

select * from final
