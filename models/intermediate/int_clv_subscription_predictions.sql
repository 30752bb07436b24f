-- Grain: one row per window, customer who ever subscribed in it, and billing interval of a contract that runs (of who
-- has left: of the last one): how long the fit of that interval expects it to be paid, before any gate: not for
-- readers. Who has given notice pays to the end of their term; who has left, no more: a model of renewals knows no
-- return. For what may be published see fct_customer_lifetime_value.

with contracts as (
    select * from {{ ref('int_clv_contracts') }}
),

fits as (
    select *
    from {{ ref('int_clv_fits') }}
    where model = 'sbg'
),

renewal_scores as (
    select * from {{ ref('int_clv_renewal_scores') }}
),

windows as (
    select * from {{ ref('int_clv_windows') }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

horizon as (
    {{ number_series(0, 59) }}
),

ranked as (
    select
        window_name,
        customer_id,
        segment_type,
        segment_value,
        billing_interval,
        started_on,
        is_running,
        has_given_notice,
        begun_months,
        renewals,
        begun_months_of_term,
        mrr,
        count(case when is_running then 1 end) over (partition by window_name, customer_id) as running_contracts,
        row_number() over (
            partition by window_name, customer_id
            order by
                case when is_running then 0 else 1 end,
                case when has_given_notice then 1 else 0 end,
                mrr desc,
                ended_on desc,
                started_on desc,
                billing_interval asc
        ) as contract_rank
    from contracts
),

assigned as (
    select
        ranked.window_name,
        ranked.customer_id,
        case when fits.window_name is null then 'all' else ranked.segment_type end as segment_type,
        case when fits.window_name is null then 'all' else ranked.segment_value end as segment_value,
        ranked.billing_interval,
        ranked.started_on,
        ranked.is_running,
        ranked.has_given_notice or not ranked.is_running as is_ending,
        ranked.has_given_notice,
        ranked.begun_months,
        ranked.renewals,
        ranked.begun_months_of_term,
        case
            when not ranked.is_running then 0
            when ranked.billing_interval = 'quarter' then 3 - ranked.begun_months_of_term
            when ranked.billing_interval = 'year' then 12 - ranked.begun_months_of_term
            else 0
        end as certain_months,
        ranked.mrr,
        ranked.running_contracts
    from ranked
    left join fits
        on
            ranked.window_name = fits.window_name
            and ranked.segment_type = fits.segment_type
            and ranked.segment_value = fits.segment_value
            and ranked.billing_interval = fits.billing_interval
    where ranked.is_running or (ranked.running_contracts = 0 and ranked.contract_rank = 1)
),

-- What became of the months that would have taken a renewal. Another interval is no departure, unless it is the other
-- contract of who had two.
held_out as (
    select
        assigned.customer_id,
        assigned.billing_interval,
        count(distinct horizon.number) as holdout_months,
        sum(periods.mrr) as holdout_revenue
    from assigned
    inner join windows on assigned.window_name = windows.window_name and windows.holdout_months is not null
    inner join horizon
        on windows.holdout_months > horizon.number and assigned.certain_months <= horizon.number
    inner join periods
        on
            assigned.customer_id = periods.customer_id
            and case
                when assigned.running_contracts = 1 then periods.billing_interval else assigned.billing_interval
            end = periods.billing_interval
            and {{ add_months('assigned.started_on', 'cast(assigned.begun_months + horizon.number as integer)') }}
            >= periods.started_on
            and {{ add_months('assigned.started_on', 'cast(assigned.begun_months + horizon.number as integer)') }}
            < {{ open_end('periods.ended_on') }}
    where assigned.is_running
    group by assigned.customer_id, assigned.billing_interval
),

scored as (
    select
        assigned.*,
        windows.holdout_months is not null as is_calibration,
        case
            when assigned.is_ending then least(3, assigned.certain_months)
            else renewal_scores.expected_paid_months_90_days
        end as expected_paid_months_90_days,
        case
            when assigned.is_ending then least(12, assigned.certain_months)
            else renewal_scores.expected_paid_months_365_days
        end as expected_paid_months_365_days,
        case
            when assigned.is_ending then least(12, assigned.certain_months)
            else renewal_scores.discounted_paid_months_365_days
        end as discounted_paid_months_365_days,
        case
            when assigned.is_ending then 0
            else renewal_scores.expected_renewed_months_holdout
        end as expected_renewed_months_holdout,
        case
            when assigned.is_ending then 0
            else renewal_scores.renewable_months_holdout
        end as renewable_months_holdout,
        fits.is_fitted
    from assigned
    inner join windows on assigned.window_name = windows.window_name
    inner join fits
        on
            assigned.window_name = fits.window_name
            and assigned.segment_type = fits.segment_type
            and assigned.segment_value = fits.segment_value
            and assigned.billing_interval = fits.billing_interval
    left join renewal_scores
        on
            assigned.window_name = renewal_scores.window_name
            and assigned.segment_type = renewal_scores.segment_type
            and assigned.segment_value = renewal_scores.segment_value
            and assigned.billing_interval = renewal_scores.billing_interval
            and assigned.renewals = renewal_scores.renewals
            and assigned.begun_months_of_term = renewal_scores.begun_months_of_term
),

final as (
    select
        scored.window_name,
        scored.customer_id,
        cast(scored.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(scored.segment_value as {{ dbt.type_string() }}) as segment_value,
        scored.billing_interval,
        scored.renewals,
        scored.is_running,
        scored.has_given_notice,
        scored.mrr,
        cast(
            case when scored.is_fitted and not scored.is_calibration then scored.expected_paid_months_90_days end
            as {{ type_ratio() }}
        ) as expected_paid_months_90_days,
        cast(
            case when scored.is_fitted and not scored.is_calibration then scored.expected_paid_months_365_days end
            as {{ type_ratio() }}
        ) as expected_paid_months_365_days,
        cast(
            case when scored.is_fitted and not scored.is_calibration then scored.discounted_paid_months_365_days end
            as {{ type_ratio() }}
        ) * scored.mrr as predicted_value_365_days,
        cast(
            case when scored.is_fitted and scored.is_calibration then scored.expected_renewed_months_holdout end
            as {{ type_ratio() }}
        ) as expected_renewed_months_holdout,
        cast(
            case when scored.is_fitted and scored.is_calibration then scored.expected_renewed_months_holdout end
            as {{ type_ratio() }}
        ) * scored.mrr as expected_revenue_holdout,
        cast(
            case when scored.is_fitted and scored.is_calibration then scored.renewable_months_holdout end
            as {{ dbt.type_bigint() }}
        ) as renewable_months_holdout,
        case
            when scored.is_calibration
                then cast(coalesce(held_out.holdout_months, 0) as {{ dbt.type_bigint() }})
        end as holdout_renewed_months,
        case
            when scored.is_calibration then cast(coalesce(held_out.holdout_revenue, 0) as {{ type_money() }})
        end as holdout_revenue
    from scored
    left join held_out
        on scored.customer_id = held_out.customer_id and scored.billing_interval = held_out.billing_interval
)

select * from final
