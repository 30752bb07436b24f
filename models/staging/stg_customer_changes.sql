-- Grain: one row per landing batch and customer it touched. The increments of the customer grains follow it.

with changes as (
    select * from {{ source('raw', 'customer_changes') }}
),

final as (
    select
        cast(batch_id as {{ dbt.type_bigint() }}) as batch_id,
        cast(customer_id as {{ dbt.type_string() }}) as customer_id
    from changes
)

select * from final
