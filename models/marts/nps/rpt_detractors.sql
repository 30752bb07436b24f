-- Grain: one row per active customer whose latest response, over all surveys, is a detractor's: whom to call
-- first, and what is at stake. For all responses see fct_nps_responses.

with responses as (
    select *
    from {{ ref('fct_nps_responses') }}
    where is_counted and customer_id is not null
),

customers as (
    select *
    from {{ ref('dim_customers') }}
    where is_active
),

ranked as (
    select
        *,
        row_number() over (partition by customer_id order by responded_at desc, response_id desc) as recency
    from responses
),

joined as (
    select
        ranked.customer_id,
        ranked.response_id,
        ranked.survey,
        ranked.responded_on,
        {{ days_between('ranked.responded_on', 'customers.as_of_date') }} as days_since_response,
        ranked.score,
        ranked.comment_text is not null as has_comment,
        customers.lifecycle_stage,
        customers.loyalty_tier,
        customers.health_band,
        customers.historic_value,
        customers.predicted_value_365_days
    from ranked
    inner join customers on ranked.customer_id = customers.customer_id
    where ranked.recency = 1 and ranked.nps_category = 'detractor'
),

final as (
    select
        -- What is expected of them, where a model has stood its test; else, and after them, what they have brought.
        cast(
            row_number() over (
                order by
                    case when predicted_value_365_days is null then 1 else 0 end,
                    predicted_value_365_days desc,
                    historic_value desc,
                    responded_on desc,
                    customer_id asc
            ) as {{ dbt.type_bigint() }}
        ) as call_rank,
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(response_id as {{ dbt.type_string() }}) as response_id,
        cast(survey as {{ dbt.type_string() }}) as survey,
        cast(responded_on as date) as responded_on,
        cast(days_since_response as {{ dbt.type_bigint() }}) as days_since_response,
        cast(score as {{ dbt.type_bigint() }}) as score,
        cast(has_comment as boolean) as has_comment,
        cast(lifecycle_stage as {{ dbt.type_string() }}) as lifecycle_stage,
        cast(loyalty_tier as {{ dbt.type_string() }}) as loyalty_tier,
        cast(health_band as {{ dbt.type_string() }}) as health_band,
        cast(historic_value as {{ type_money() }}) as historic_value,
        cast(predicted_value_365_days as {{ type_money() }}) as predicted_value_365_days
    from joined
)

select * from final
