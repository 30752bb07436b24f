-- Grain: one row per window, customer, billing interval and contract: paid periods that follow each other
-- without a day between, as known at the window's end. A contract comes up for renewal each time its interval is
-- over: a customer who leaves within a term has paid it, and has left at its end. Until that day has come they count
-- as not yet come up, and so does who has given notice: of those of the same term who will renew, nobody is known to.
-- Who then goes on with another interval has not left. For departures see int_churn_spells.

with windows as (
    select * from {{ ref('int_clv_windows') }}
),

segment_values as (
    select segment_values.*
    from {{ ref('int_customer_segment_values') }} as segment_values
    inner join {{ ref('int_settings') }} as settings on segment_values.segment_type = settings.clv_segment
),

periods as (
    select
        windows.window_name,
        windows.observed_until,
        subscription_periods.customer_id,
        subscription_periods.billing_interval,
        subscription_periods.mrr,
        subscription_periods.started_on,
        case
            when subscription_periods.ended_on <= windows.observed_until then subscription_periods.ended_on
        end as ended_on,
        coalesce(subscription_periods.cancel_requested_on <= windows.observed_until, false) as has_given_notice
    from windows
    inner join {{ ref('int_subscription_periods') }} as subscription_periods
        on windows.observed_until >= subscription_periods.started_on
    where subscription_periods.is_paid
),

-- A period that begins when all before it have ended, and not on the very day, opens a new contract.
marked as (
    select
        *,
        case
            when
                started_on <= max(coalesce(ended_on, cast('9999-12-31' as date))) over (
                    partition by window_name, customer_id, billing_interval
                    order by started_on, coalesce(ended_on, cast('9999-12-31' as date))
                    rows between unbounded preceding and 1 preceding
                )
                then 0
            else 1
        end as opens_contract
    from periods
),

numbered as (
    select
        *,
        sum(opens_contract) over (
            partition by window_name, customer_id, billing_interval
            order by started_on, coalesce(ended_on, cast('9999-12-31' as date))
            rows between unbounded preceding and current row
        ) as contract_number
    from marked
),

contracts as (
    select
        window_name,
        observed_until,
        customer_id,
        billing_interval,
        contract_number,
        min(started_on) as started_on,
        case when count(ended_on) = count(*) then max(ended_on) end as ended_on,
        sum(case when ended_on is null then mrr else 0 end) as mrr,
        sum(case when ended_on is null and has_given_notice then mrr else 0 end) as noticed_mrr
    from numbered
    group by window_name, observed_until, customer_id, billing_interval, contract_number
),

switched as (
    select distinct
        contracts.window_name,
        contracts.customer_id,
        contracts.billing_interval,
        contracts.contract_number
    from contracts
    inner join periods
        on
            contracts.window_name = periods.window_name
            and contracts.customer_id = periods.customer_id
            and contracts.billing_interval <> periods.billing_interval
            and contracts.ended_on >= periods.started_on
            and contracts.ended_on < {{ open_end('periods.ended_on') }}
),

termed as (
    select
        contracts.*,
        switched.customer_id is not null as is_switched,
        case contracts.billing_interval
            when 'month' then 1
            when 'quarter' then 3
            when 'year' then 12
        end as term_months,
        coalesce(contracts.ended_on, {{ add_days('contracts.observed_until', 1) }}) as known_until
    from contracts
    left join switched
        on
            contracts.window_name = switched.window_name
            and contracts.customer_id = switched.customer_id
            and contracts.billing_interval = switched.billing_interval
            and contracts.contract_number = switched.contract_number
),

begun as (
    select
        *,
        {{ months_run('started_on', 'known_until') }} as begun_months,
        {{ days_between('started_on', 'known_until') }} as run_days
    from termed
),

counted as (
    select
        *,
        cast(
            case
                when billing_interval = 'week' then floor((run_days - 1) / 7)
                else floor((begun_months - 1) / term_months)
            end as {{ dbt.type_bigint() }}
        ) as renewals
    from begun
),

final as (
    select
        counted.window_name,
        counted.customer_id,
        cast(coalesce(segment_values.segment_type, 'all') as {{ dbt.type_string() }}) as segment_type,
        cast(coalesce(segment_values.segment_value, 'all') as {{ dbt.type_string() }}) as segment_value,
        counted.billing_interval,
        cast(counted.contract_number as {{ dbt.type_bigint() }}) as contract_number,
        counted.started_on,
        counted.ended_on,
        counted.ended_on is null as is_running,
        counted.ended_on is null and counted.noticed_mrr = counted.mrr as has_given_notice,
        counted.ended_on is not null
        and not counted.is_switched
        and {{ add_interval('counted.started_on', 'counted.billing_interval', 'counted.renewals + 1') }}
        <= counted.observed_until as is_ended,
        cast(counted.begun_months as {{ dbt.type_bigint() }}) as begun_months,
        counted.renewals,
        -- Of the term that runs; what it holds is paid for.
        cast(
            case
                when counted.billing_interval = 'week' then 1
                else counted.begun_months - counted.renewals * counted.term_months
            end as {{ dbt.type_bigint() }}
        ) as begun_months_of_term,
        -- Without what will not be renewed.
        cast(
            case when counted.noticed_mrr = counted.mrr then counted.mrr else counted.mrr - counted.noticed_mrr end
            as {{ type_money() }}
        ) as mrr
    from counted
    left join segment_values on counted.customer_id = segment_values.customer_id
)

select * from final
