-- Grain: one row per model, segment, billing interval and bucket of customers: what the model, fitted on the history
-- without its last part, expected of that part, against what happened in it. A bucket is a number of repeat
-- purchases (or renewals) before; `all` is everybody, and has the verdicts of the gate. Beside each model stands what
-- needs none: as much again as in as many days before (of contracts: nobody leaves), and that without those who have
-- been silent for active_window_days, the hiatus rule of Wuebben and von Wangenheim (2008). Purchases are order days
-- for BG/NBD and paid months that took a renewal for the shifted beta-geometric; revenue adds Gamma-Gamma, or the
-- recurring revenue of each subscriber as it was. For parameters see fct_clv_models.

{% set rules = ['same_again', 'hiatus'] -%}

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
        order_predictions.segment_type,
        order_predictions.segment_value,
        'none' as billing_interval,
        order_predictions.customer_id,
        order_predictions.frequency as events,
        -- Sums of decimals are exact: those of floating numbers differ with the order in which an engine adds.
        cast(order_predictions.expected_orders_holdout as decimal(28, 9)) as expected_purchases,
        order_predictions.holdout_purchases as actual_purchases,
        order_predictions.purchases_before as same_again_purchases,
        case
            when order_predictions.age_days - order_predictions.recency_days < settings.active_window_days
                then order_predictions.purchases_before
            when order_predictions.purchases_before is not null then 0
        end as hiatus_purchases,
        -- BG/NBD lets nobody leave before their second purchase: of the others there is nothing to tell apart.
        case when order_predictions.frequency > 0 then order_predictions.probability_alive end as probability_alive,
        case
            when order_predictions.frequency > 0 then order_predictions.age_days - order_predictions.recency_days
        end as silent_days,
        cast(order_predictions.expected_revenue_holdout as {{ type_money() }}) as expected_revenue,
        order_predictions.holdout_net_revenue as actual_revenue
    from order_predictions
    cross join settings
    where order_predictions.expected_orders_holdout is not null

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
        renewable_months_holdout as same_again_purchases,
        cast(null as {{ dbt.type_bigint() }}) as hiatus_purchases,
        cast(null as {{ type_ratio() }}) as probability_alive,
        cast(null as {{ dbt.type_bigint() }}) as silent_days,
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
        {%- for rank in ['expected', 'actual'] + rules %}
            cast(
                2 * rank() over (
                    partition by model, segment_type, segment_value, billing_interval order by {{ rank }}_purchases
                )
                + count(*) over (
                    partition by model, segment_type, segment_value, billing_interval, {{ rank }}_purchases
                )
                - count(*) over (partition by model, segment_type, segment_value, billing_interval)
                - 2 as {{ dbt.type_bigint() }}
            ) as {{ rank }}_rank,
        {%- endfor %}
        {#- Twice the mean rank, from the least alive and from the longest silent on, of those who can be told apart. #}
        {%- for order, column in [('alive', 'probability_alive'), ('silence', '-silent_days')] %}
            case
                when probability_alive is not null
                    then cast(
                        2 * rank() over (
                            partition by
                                model, segment_type, segment_value, billing_interval, probability_alive is not null
                            order by {{ column }}
                        )
                        + count(*) over (
                            partition by
                                model, segment_type, segment_value, billing_interval, probability_alive is not null,
                                {{ column }}
                        )
                        - 1 as {{ dbt.type_bigint() }}
                    )
            end as {{ order }}_rank
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
        {%- for rule in rules %}
            case when count({{ rule }}_purchases) = count(*) then sum({{ rule }}_purchases) end as {{ rule }}_purchases,
        {%- endfor %}
        {%- for rule in ['expected'] + rules %}
            sum(abs({{ rule }}_purchases - actual_purchases)) as {{ rule }}_absolute_error,
            sum(
                cast(
                    power(cast({{ rule }}_purchases - actual_purchases as {{ type_ratio() }}), 2) as decimal(28, 9)
                )
            ) as {{ rule }}_squared_error,
            cast(sum({{ rule }}_rank * actual_rank) as {{ type_ratio() }})
            - cast(sum({{ rule }}_rank) as {{ type_ratio() }}) * sum(actual_rank) / count(*)
                as {{ rule }}_rank_covariance,
            cast(sum({{ rule }}_rank * {{ rule }}_rank) as {{ type_ratio() }})
            - cast(sum({{ rule }}_rank) as {{ type_ratio() }}) * sum({{ rule }}_rank) / count(*)
                as {{ rule }}_rank_variance,
            count({{ rule }}_purchases) = count(*)
            and min({{ rule }}_rank) < max({{ rule }}_rank)
            and min(actual_rank) < max(actual_rank) as {{ rule }}_has_order,
        {%- endfor %}
        cast(sum(actual_rank * actual_rank) as {{ type_ratio() }})
        - cast(sum(actual_rank) as {{ type_ratio() }}) * sum(actual_rank) / count(*) as actual_rank_variance,
        count(alive_rank) as ranked_customers,
        count(case when alive_rank is not null and actual_purchases > 0 then 1 end) as ranked_buyers,
        {%- for order in ['alive', 'silence'] %}
            sum(case when actual_purchases > 0 then {{ order }}_rank end) as {{ order }}_rank_of_buyers,
        {%- endfor %}
        -- Unknown of one is unknown of the sum.
        case when count(expected_revenue) = count(*) then sum(expected_revenue) end as expected_revenue,
        sum(actual_revenue) as actual_revenue
    from bucketed
    group by model, segment_type, segment_value, billing_interval, bucket
),

compared as (
    select
        *,
        {%- for rule in ['expected'] + rules %}
            {{ ratio(rule ~ '_absolute_error', 'customers') }} as {{ rule }}_mean_absolute_error,
            sqrt({{ ratio(rule ~ '_squared_error', 'customers') }}) as {{ rule }}_root_mean_squared_error,
            -- Where all are expected, or do, the same there is no order to be right about.
            case
                when {{ rule }}_has_order
                    then {{ rule }}_rank_covariance / sqrt({{ rule }}_rank_variance * actual_rank_variance)
            end as {{ rule }}_rank_correlation,
            {{ ratio(rule ~ '_purchases - actual_purchases', 'actual_purchases') }} as {{ rule }}_bias,
        {%- endfor %}
        {#- AUC: of a buyer and one who did not buy, how often is the buyer ranked as more alive? #}
        {%- for order in ['alive', 'silence'] %}
            case
                when bucket = 'all'
                    then {{ ratio(
                        order ~ '_rank_of_buyers - ranked_buyers * (ranked_buyers + 1)',
                        '2 * ranked_buyers * (ranked_customers - ranked_buyers)'
                    ) }}
            end as {{ order }}_auc,
        {%- endfor %}
        {{ ratio('expected_revenue - actual_revenue', 'actual_revenue') }} as revenue_bias,
        {{ ratio(
            'sum(case when bucket <> \'all\' then abs(expected_purchases - actual_purchases) end) over fit',
            'sum(case when bucket = \'all\' then actual_purchases end) over fit'
        ) }} as bucket_error
    from measured
    window fit as (partition by model, segment_type, segment_value, billing_interval)
),

-- The least that a rule without a model is off by.
rivalled as (
    select
        *,
        case
            when
                hiatus_purchases is not null
                and hiatus_root_mean_squared_error < same_again_root_mean_squared_error
                then hiatus_root_mean_squared_error
            when same_again_purchases is not null then same_again_root_mean_squared_error
        end as naive_root_mean_squared_error
    from compared
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
            when abs(compared.expected_bias) > settings.clv_gate_maximum_bias
                then concat(
                    'expected ', {{ rounded_text('compared.expected_purchases', 0) }}, ' purchases where there were ',
                    {{ rounded_text('compared.actual_purchases', 0) }}, ', off by ',
                    {{ rounded_text('100 * abs(compared.expected_bias)', 0) }}, ' %: clv_gate_maximum_bias allows ',
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
                and coalesce(compared.expected_rank_correlation, 0) < settings.clv_gate_minimum_rank_correlation
                then concat(
                    'customers stand in the wrong order, rank correlation ',
                    coalesce({{ rounded_text('compared.expected_rank_correlation', 2) }}, 'unknown'),
                    ': clv_gate_minimum_rank_correlation asks for ',
                    {{ rounded_text('settings.clv_gate_minimum_rank_correlation', 2) }}
                )
            -- What is expected is a mean, and it is the mean that squared errors are smallest for.
            when compared.expected_root_mean_squared_error >= compared.naive_root_mean_squared_error
                then concat(
                    'no better than no model: off by ',
                    {{ rounded_text('compared.expected_root_mean_squared_error', 2) }},
                    ' purchases a customer (root mean square), where the better rule without one is off by ',
                    {{ rounded_text('compared.naive_root_mean_squared_error', 2) }}
                )
        end as gate_reason
    from rivalled as compared
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
                    {{ rounded_text('value_fits.q', 4) }}, ', and has to be above 1'
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
        cast(valued.expected_bias as {{ type_ratio() }}) as purchase_bias,
        cast(valued.expected_mean_absolute_error as {{ type_ratio() }}) as mean_absolute_error,
        cast(valued.expected_root_mean_squared_error as {{ type_ratio() }}) as root_mean_squared_error,
        cast(valued.expected_rank_correlation as {{ type_ratio() }}) as rank_correlation,
        {%- for rule in rules %}
            cast(valued.{{ rule }}_purchases as {{ dbt.type_bigint() }}) as {{ rule }}_purchases,
            {%- for measure in ['bias', 'mean_absolute_error', 'root_mean_squared_error', 'rank_correlation'] %}
                cast(
                    case when valued.{{ rule }}_purchases is not null then valued.{{ rule }}_{{ measure }} end
                    as {{ type_ratio() }}
                ) as {{ rule }}_{{ measure }},
            {%- endfor %}
        {%- endfor %}
        cast(
            1 - {{ ratio('valued.expected_root_mean_squared_error', 'valued.naive_root_mean_squared_error') }}
            as {{ type_ratio() }}
        ) as skill,
        cast(valued.alive_auc as {{ type_ratio() }}) as alive_auc,
        cast(valued.silence_auc as {{ type_ratio() }}) as silence_auc,
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
