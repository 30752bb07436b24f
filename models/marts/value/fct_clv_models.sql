-- Grain: one row per fit of a value model: window of the history (`full`, which predictions come from, and
-- `calibration`, which they are tested by), model, billing interval and segment: its parameters, how it was
-- found, and whether its predictions are published, or why not. For expected against actual see
-- fct_clv_backtest.

with fits as (
    select * from {{ ref('int_clv_fits') }}
),

windows as (
    select * from {{ ref('int_clv_windows') }}
),

verdicts as (
    select *
    from {{ ref('fct_clv_backtest') }}
    where bucket = 'all'
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- Gamma-Gamma is held to the revenue that BG/NBD's orders would have brought by it.
judged as (
    select
        fits.*,
        calibration.is_fitted as is_calibration_fitted,
        calibration.reason as calibration_reason,
        case
            when fits.model = 'gamma_gamma' then verdicts.has_passed_value_gate
            else verdicts.has_passed_gate
        end as has_passed_gate,
        case
            when fits.model = 'gamma_gamma' then verdicts.value_gate_reason
            else verdicts.gate_reason
        end as gate_reason,
        verdicts.has_passed_value_gate,
        verdicts.value_gate_reason,
        verdicts.alive_auc,
        verdicts.silence_auc
    from fits
    left join fits as calibration
        on
            fits.model = calibration.model
            and fits.segment_type = calibration.segment_type
            and fits.segment_value = calibration.segment_value
            and fits.billing_interval = calibration.billing_interval
            and calibration.window_name = 'calibration'
    left join verdicts
        on
            case when fits.model = 'gamma_gamma' then 'bg_nbd' else fits.model end = verdicts.model
            and fits.segment_type = verdicts.segment_type
            and fits.segment_value = verdicts.segment_value
            and fits.billing_interval = verdicts.billing_interval
),

decided as (
    select
        *,
        case
            when not is_fitted then concat('no fit: ', coalesce(reason, 'unknown'))
            when is_calibration_fitted is null then 'not tested: the part before the held-out one has no such customers'
            when not is_calibration_fitted
                then concat('not tested, no fit before the held-out part: ', coalesce(calibration_reason, 'unknown'))
            when has_passed_gate is null then 'not tested: nobody to hold it against'
            when not has_passed_gate then concat('failed the gate: ', gate_reason)
        end as withheld_reason
    from judged
),

-- BG/NBD knows no money; what Gamma-Gamma publishes is nothing else. Of contracts months may be right, and prices not.
valued as (
    select
        *,
        case
            when model = 'bg_nbd' then null
            when withheld_reason is not null then withheld_reason
            when model = 'sbg' and not coalesce(has_passed_value_gate, false)
                then concat('failed the value gate: ', value_gate_reason)
        end as value_withheld_reason,
        -- The orders may be right, and who still is a customer not: where hardly anybody is seen to leave, everybody is
        -- alive for ever.
        case
            when model <> 'bg_nbd' then null
            when withheld_reason is not null then withheld_reason
            when bounded_parameters <> '' then concat('parameters at a bound: ', bounded_parameters)
            when alive_auc is null or silence_auc is null
                then 'not tested: of those with a repeat purchase, all or none bought in the held-out part'
            when alive_auc <= silence_auc
                then concat(
                    'it tells who buys again no better than silence does: AUC ', {{ rounded_text('alive_auc', 3) }},
                    ', silence ', {{ rounded_text('silence_auc', 3) }}
                )
        end as alive_withheld_reason
    from decided
),

final as (
    select
        cast(valued.window_name as {{ dbt.type_string() }}) as window_name,
        cast(valued.model as {{ dbt.type_string() }}) as model,
        cast(valued.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(valued.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(valued.billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(windows.observed_from as date) as fitted_from,
        cast(windows.observed_until as date) as fitted_until,
        cast(
            case valued.model when 'bg_nbd' then 'week' when 'sbg' then valued.billing_interval end
            as {{ dbt.type_string() }}
        ) as time_unit,
        cast(
            case when valued.model = 'gamma_gamma' then settings.reporting_currency end as {{ dbt.type_string() }}
        ) as money_unit,
        valued.customers,
        valued.informative_customers,
        valued.cells,
        valued.is_fitted,
        valued.is_converged,
        valued.log_likelihood,
        {%- for parameter in ['r', 'alpha', 'a', 'b', 'p', 'q', 'v', 'beta'] %}
            valued.{{ parameter }},
            valued.{{ parameter }}_standard_error,
        {%- endfor %}
        valued.bounded_parameters,
        valued.starts,
        valued.iterations,
        valued.reason as fit_reason,
        case when valued.window_name = 'full' then valued.withheld_reason is null end as is_published,
        cast(
            case when valued.window_name = 'full' then valued.withheld_reason end as {{ dbt.type_string() }}
        ) as withheld_reason,
        case
            when valued.window_name = 'full' and valued.model <> 'bg_nbd' then valued.value_withheld_reason is null
        end as is_value_published,
        cast(
            case when valued.window_name = 'full' then valued.value_withheld_reason end as {{ dbt.type_string() }}
        ) as value_withheld_reason,
        case
            when valued.window_name = 'full' and valued.model = 'bg_nbd' then valued.alive_withheld_reason is null
        end as is_alive_published,
        cast(
            case when valued.window_name = 'full' then valued.alive_withheld_reason end as {{ dbt.type_string() }}
        ) as alive_withheld_reason
    from valued
    inner join windows on valued.window_name = windows.window_name
    cross join settings
)

select * from final
