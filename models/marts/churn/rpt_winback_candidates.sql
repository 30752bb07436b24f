-- Grain: one row per customer who left and is not active again, by a subscription or by orders, ranked by what
-- winning him back promises: what he would bring in the next 365 days if he were back x the rate at which people who
-- left for his reason, and had stayed away as long as he has, came back within the next winback_window_days. The
-- rates are of our own history, of departures long enough ago to know; a group of few departures leans on all
-- departures of its basis, as if it had seen winback_smoothing_events more of them. What he would bring is what the
-- value models say, where they have passed their gate: of a shopper what they expect if he has not dropped out, of a
-- subscriber his recurring revenue for as long as a new contract lasts; else it is the value lost with him.

with events as (
    select * from {{ ref('fct_churn_events') }}
),

ages as (
    select
        time_away,
        minimum_days_away,
        lead(minimum_days_away) over (order by minimum_days_away) as next_minimum_days_away
    from {{ ref('winback_ages') }}
),

lifetime_values as (
    select * from {{ ref('fct_customer_lifetime_value') }}
),

order_predictions as (
    select *
    from {{ ref('int_clv_order_predictions') }}
    where window_name = 'full'
),

renewal_curves as (
    select * from {{ ref('fct_renewal_curves') }}
),

active_customers as (
    select customer_id
    from {{ ref('int_customer_spells') }}
    where active_until is null
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- Who was still away when he reached the age, and what he did in the days after it, if they are over.
observed as (
    select
        events.basis,
        events.reason,
        ages.time_away,
        count(*) as departures,
        sum(
            case
                when
                    events.reactivated_on
                    <= {{ add_days('events.churned_on', 'ages.minimum_days_away + settings.winback_window_days') }}
                    then 1
                else 0
            end
        ) as returns
    from events
    cross join ages
    cross join settings
    where
        (
            events.reactivated_on is null
            or events.reactivated_on > {{ add_days('events.churned_on', 'ages.minimum_days_away') }}
        )
        and {{ add_days('events.churned_on', 'ages.minimum_days_away + settings.winback_window_days') }}
        <= settings.as_of_date
    group by events.basis, events.reason, ages.time_away
),

observed_of_basis as (
    select
        basis,
        time_away,
        sum(departures) as departures,
        sum(returns) as returns
    from observed
    group by basis, time_away
),

-- Who ended a subscription and is active by his orders need not be won back.
candidates as (
    select numbered.*
    from (
        select
            *,
            row_number() over (partition by customer_id order by spell_number desc) as recency
        from events
    ) as numbered
    left join active_customers on numbered.customer_id = active_customers.customer_id
    where numbered.recency = 1 and not numbered.is_reactivated and active_customers.customer_id is null
),

rated as (
    select
        candidates.*,
        ages.time_away,
        coalesce(observed.departures, 0) as similar_departures,
        coalesce(observed.returns, 0) as similar_returns,
        {{ ratio(
            'coalesce(observed.returns, 0) + settings.winback_smoothing_events * '
            ~ 'observed_of_basis.returns * 1.0 / observed_of_basis.departures',
            'coalesce(observed.departures, 0) '
            ~ '+ case when observed_of_basis.departures > 0 then settings.winback_smoothing_events end'
        ) }} as win_back_rate
    from candidates
    cross join settings
    inner join ages
        on
            candidates.days_away >= ages.minimum_days_away
            and (ages.next_minimum_days_away is null or candidates.days_away < ages.next_minimum_days_away)
    left join observed
        on
            candidates.basis = observed.basis
            and candidates.reason = observed.reason
            and ages.time_away = observed.time_away
    left join observed_of_basis
        on candidates.basis = observed_of_basis.basis and ages.time_away = observed_of_basis.time_away
),

-- The months that a new contract is paid in its first year: each term as likely as to come to it.
new_contracts as (
    select
        billing_interval,
        case
            when billing_interval = 'week' and count(survival_rate) = 52 then 12.0 / 52 * sum(survival_rate)
            when billing_interval = 'month' and count(survival_rate) = 12 then sum(survival_rate)
            when billing_interval = 'quarter' and count(survival_rate) = 4 then 3 * sum(survival_rate)
            when billing_interval = 'year' and count(survival_rate) = 1 then 12 * sum(survival_rate)
        end as expected_months
    from renewal_curves
    where
        segment_type = 'all'
        and renewals < case billing_interval when 'week' then 52 when 'month' then 12 when 'quarter' then 4 else 1 end
    group by billing_interval
),

predicted as (
    select
        rated.*,
        case
            when rated.basis = 'subscription' then rated.mrr_lost * new_contracts.expected_months
            -- Only what is published: without it the models have failed.
            when lifetime_values.predicted_order_value_365_days is not null
                then order_predictions.value_if_alive_365_days
        end as predicted_value
    from rated
    left join lifetime_values on rated.customer_id = lifetime_values.customer_id
    left join order_predictions on rated.customer_id = order_predictions.customer_id
    left join new_contracts on rated.billing_interval = new_contracts.billing_interval
),

valued as (
    select
        *,
        case when predicted_value is null then 'value lost' else 'predictions' end as value_source,
        cast(coalesce(predicted_value, value_lost) as {{ type_money() }}) as value_if_back
    from predicted
),

final as (
    select
        cast(
            row_number() over (
                order by
                    case when win_back_rate is null then 1 else 0 end,
                    value_if_back * win_back_rate desc,
                    value_if_back desc,
                    customer_id asc
            ) as {{ dbt.type_bigint() }}
        ) as winback_rank,
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(churn_event_id as {{ dbt.type_string() }}) as churn_event_id,
        cast(basis as {{ dbt.type_string() }}) as basis,
        cast(churned_on as date) as churned_on,
        cast(days_away as {{ dbt.type_bigint() }}) as days_away,
        cast(time_away as {{ dbt.type_string() }}) as time_away,
        cast(churn_type as {{ dbt.type_string() }}) as churn_type,
        cast(reason as {{ dbt.type_string() }}) as reason,
        cast(reason_category as {{ dbt.type_string() }}) as reason_category,
        cast(is_controllable as boolean) as is_controllable,
        cast(owning_team as {{ dbt.type_string() }}) as owning_team,
        cast(plan as {{ dbt.type_string() }}) as plan,
        cast(main_feature as {{ dbt.type_string() }}) as main_feature,
        cast(last_nps_category as {{ dbt.type_string() }}) as last_nps_category,
        cast(tenure_months as {{ dbt.type_bigint() }}) as tenure_months,
        cast(mrr_lost as {{ type_money() }}) as mrr_lost,
        cast(value_lost as {{ type_money() }}) as value_lost,
        cast(value_source as {{ dbt.type_string() }}) as value_source,
        value_if_back,
        cast(similar_departures as {{ dbt.type_bigint() }}) as similar_departures,
        cast(similar_returns as {{ dbt.type_bigint() }}) as similar_returns,
        cast(win_back_rate as {{ type_ratio() }}) as win_back_rate,
        cast(value_if_back * win_back_rate as {{ type_money() }}) as expected_value
    from valued
)

select * from final
