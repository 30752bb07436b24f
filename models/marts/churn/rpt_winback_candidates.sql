-- Grain: one row per customer who left and is not active again, by a subscription or by orders, ranked by what
-- winning them back promises: what they would bring in the next 365 days if they were back x the rate at which
-- people who left for their reason, and had been away for as long as the class of days says that they are in, came back
-- within the next winback_window_days. The rates are of our own history, of departures long enough ago to know; a
-- group of few departures leans on all departures of its basis, as if it had seen winback_smoothing_events more of
-- them. What they would bring is what the value models say, where they have passed their gate: of a shopper what these
-- expect if they have not dropped out, of a subscriber the recurring revenue for as long as a new contract lasts; else
-- it is the value lost with them.

-- Who did not return: of each customer, the last departure.
with events as (
    select
        churn_event_id,
        customer_id,
        basis,
        churned_on,
        days_away,
        churn_type,
        reason,
        reason_category,
        is_controllable,
        owning_team,
        plan,
        billing_interval,
        main_feature,
        last_nps_category,
        tenure_months,
        mrr_lost,
        value_lost
    from {{ ref('fct_churn_events') }}
    where not is_reactivated
),

ages as (
    select
        time_away,
        minimum_days_away,
        coalesce(
            lead(minimum_days_away) over (order by minimum_days_away),
            cast(9223372036854775807 as {{ dbt.type_bigint() }})
        ) as next_minimum_days_away
    from {{ ref('winback_ages') }}
),

lifetime_values as (
    select
        customer_id,
        predicted_order_value_365_days
    from {{ ref('fct_customer_lifetime_value') }}
),

order_predictions as (
    select
        customer_id,
        value_if_alive_365_days
    from {{ ref('int_clv_order_predictions') }}
    where window_name = 'full'
),

-- Money is expected only by what has passed the gate of money.
renewal_curves as (
    select renewal_curves.*
    from {{ ref('fct_renewal_curves') }} as renewal_curves
    inner join {{ ref('fct_clv_models') }} as models
        on
            renewal_curves.segment_type = models.segment_type
            and renewal_curves.segment_value = models.segment_value
            and renewal_curves.billing_interval = models.billing_interval
    where models.window_name = 'full' and models.model = 'sbg' and models.is_value_published
),

active_customers as (
    select customer_id
    from {{ ref('int_customer_spells') }}
    where active_until is null
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- Departures that look alike, so that each age is held against these and not against every departure.
departures as (
    select
        basis,
        reason,
        churned_on,
        reactivated_on,
        count(*) as departures
    from {{ ref('fct_churn_events') }}
    group by basis, reason, churned_on, reactivated_on
),

-- On which days of the class they were still away, as far as the days after are over: the class stands for all of its
-- days, and many who come back do so in its first ones.
away_days as (
    select
        departures.basis,
        departures.reason,
        departures.departures,
        ages.time_away,
        ages.minimum_days_away as first_day,
        least(
            ages.next_minimum_days_away - 1,
            {{ days_between('departures.churned_on', 'settings.as_of_date') }} - settings.winback_window_days,
            {{ days_between('departures.churned_on', open_end('departures.reactivated_on')) }} - 1
        ) as last_day,
        -- From this day on the return lay within the window.
        {{ days_between('departures.churned_on', 'departures.reactivated_on') }}
        - settings.winback_window_days as returns_from_day
    from departures
    cross join ages
    cross join settings
),

observed as (
    select
        basis,
        reason,
        time_away,
        sum(departures) as departures,
        sum(case when returns_from_day <= last_day then departures else 0 end) as returns,
        sum(departures * (last_day - first_day + 1)) as days,
        sum(
            case
                when returns_from_day <= last_day
                    then departures * (last_day - greatest(first_day, returns_from_day) + 1)
                else 0
            end
        ) as return_days
    from away_days
    where last_day >= first_day
    group by basis, reason, time_away
),

observed_of_basis as (
    select
        basis,
        time_away,
        sum(days) as days,
        sum(return_days) as return_days
    from observed
    group by basis, time_away
),

-- Who ended a subscription and is active by their orders need not be won back.
candidates as (
    select events.*
    from events
    left join active_customers on events.customer_id = active_customers.customer_id
    where active_customers.customer_id is null
),

-- The age of a departure: few days, so that the candidates are joined by equality.
days_and_ages as (
    select
        days.days_away,
        ages.time_away
    from (select distinct days_away from candidates) as days
    inner join ages
        on days.days_away >= ages.minimum_days_away and days.days_away < ages.next_minimum_days_away
),

rated as (
    select
        candidates.*,
        days_and_ages.time_away,
        coalesce(observed.departures, 0) as similar_departures,
        coalesce(observed.returns, 0) as similar_returns,
        {{ ratio(
            '(coalesce(observed.departures * observed.return_days * 1.0 / observed.days, 0) '
            ~ '+ settings.winback_smoothing_events * observed_of_basis.return_days * 1.0 / observed_of_basis.days)',
            'coalesce(observed.departures, 0) '
            ~ '+ case when observed_of_basis.days > 0 then settings.winback_smoothing_events end'
        ) }} as win_back_rate
    from candidates
    cross join settings
    inner join days_and_ages on candidates.days_away = days_and_ages.days_away
    left join observed
        on
            candidates.basis = observed.basis
            and candidates.reason = observed.reason
            and days_and_ages.time_away = observed.time_away
    left join observed_of_basis
        on
            candidates.basis = observed_of_basis.basis
            and days_and_ages.time_away = observed_of_basis.time_away
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
