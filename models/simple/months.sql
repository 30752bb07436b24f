-- Grain: one row per calendar month, all customers together: what a business looks at first. For segments, weeks or
-- other periods see the marts.

with base as (
    select *
    from {{ published('fct_customer_base') }}
    where segment_type = 'all'
),

retention as (
    select *
    from {{ published('fct_customer_retention_rate') }}
    where segment_type = 'all' and period_type = 'month'
),

subscriptions as (
    select *
    from {{ published('rpt_subscription_retention') }}
    where segment_type = 'all'
),

departures as (
    select
        churn_month as month,
        count(*) as departures
    from {{ published('fct_churn_events') }}
    group by churn_month
),

final as (
    select
        base.month,
        base.is_complete,
        base.installed_customers as active_customers,
        base.new_customers,
        base.reactivated_customers,
        coalesce(departures.departures, 0) as departures,
        base.lapsed_customers,
        retention.lost_customers,
        case when retention.is_window_observed then retention.retention_rate end as retention_rate,
        base.order_count + base.guest_order_count as orders,
        base.ordering_customers as buyers,
        base.net_revenue + base.guest_net_revenue as order_revenue,
        base.subscription_revenue,
        base.net_revenue + base.guest_net_revenue + base.subscription_revenue as revenue,
        subscriptions.closing_customers as subscribers,
        subscriptions.closing_mrr as mrr,
        subscriptions.new_mrr,
        subscriptions.reactivation_mrr,
        subscriptions.expansion_mrr,
        subscriptions.contraction_mrr,
        subscriptions.churn_mrr,
        subscriptions.gross_revenue_retention_rate,
        subscriptions.net_revenue_retention_rate
    from base
    left join retention on base.month = retention.period_start
    left join subscriptions on base.month = subscriptions.month
    left join departures on base.month = departures.month
)

select * from final
