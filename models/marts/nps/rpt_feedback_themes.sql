-- Grain: one row per period (month, quarter, all), kind of comment (with a response, on leaving, both) and theme: what
-- people speak of, and what they are worth, survey comments beside those of the leaving. Several themes to a comment:
-- mentions do not add up to comments. For promoters and detractors of one survey see fct_nps_reasons.

with comments as (
    select * from {{ ref('int_comments') }}
),

comment_themes as (
    select * from {{ ref('int_comment_themes') }}
),

responses as (
    select * from {{ ref('fct_nps_responses') }}
),

themes as (
    {{ feedback_theme_list() }}
),

months as (
    select * from {{ ref('int_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

periods as (
    {{ month_periods(['month', 'quarter']) }}
),

-- Which comments a type holds.
comment_sources as (
    select
        'survey' as comment_type,
        'survey' as comment_source
    union all
    select
        'cancellation' as comment_type,
        'cancellation' as comment_source
    union all
    select
        'all' as comment_type,
        'survey' as comment_source
    union all
    select
        'all' as comment_type,
        'cancellation' as comment_source
),

comment_types as (
    select distinct comment_type from comment_sources
),

spine as (
    select distinct
        periods.period_type,
        periods.period_start,
        periods.is_complete,
        comment_types.comment_type,
        themes.theme,
        themes.category,
        themes.owning_team
    from periods
    cross join comment_types
    cross join themes
),

events as (
    select
        periods.period_type,
        periods.period_start,
        comment_sources.comment_type,
        comments.comment_type as comment_source,
        comments.comment_id,
        comments.customer_id,
        comments.commented_on,
        comments.mrr,
        comments.exposed_revenue,
        responses.nps_category
    from comments
    inner join comment_sources on comments.comment_type = comment_sources.comment_source
    inner join periods on {{ month_start('comments.commented_on') }} = periods.month
    left join responses
        on case when comments.comment_type = 'survey' then comments.comment_id end = responses.response_id
),

comment_totals as (
    select
        period_type,
        period_start,
        comment_type,
        count(*) as comments
    from events
    group by period_type, period_start, comment_type
),

-- A customer's latest comment says what they are worth; what they say on leaving comes after what they said before.
mentions as (
    select
        events.*,
        comment_themes.theme,
        row_number() over (
            partition by
                events.period_type,
                events.period_start,
                events.comment_type,
                comment_themes.theme,
                events.customer_id
            order by events.commented_on desc, events.comment_source asc, events.comment_id desc
        ) as recency
    from events
    inner join comment_themes
        on
            events.comment_source = comment_themes.comment_type
            and events.comment_id = comment_themes.comment_id
),

mention_totals as (
    select
        period_type,
        period_start,
        comment_type,
        theme,
        count(*) as mentions,
        count(distinct customer_id) as customers,
        sum(case when nps_category = 'promoter' then 1 else 0 end) as promoter_mentions,
        sum(case when nps_category = 'passive' then 1 else 0 end) as passive_mentions,
        sum(case when nps_category = 'detractor' then 1 else 0 end) as detractor_mentions,
        sum(case when customer_id is not null and recency = 1 then mrr else 0 end) as exposed_mrr,
        sum(case when customer_id is not null and recency = 1 then exposed_revenue else 0 end) as exposed_revenue
    from mentions
    group by period_type, period_start, comment_type, theme
),

combined as (
    select
        spine.*,
        coalesce(comment_totals.comments, 0) as comments,
        coalesce(mention_totals.mentions, 0) as mentions,
        coalesce(mention_totals.customers, 0) as customers,
        coalesce(mention_totals.promoter_mentions, 0) as promoter_mentions,
        coalesce(mention_totals.passive_mentions, 0) as passive_mentions,
        coalesce(mention_totals.detractor_mentions, 0) as detractor_mentions,
        coalesce(mention_totals.exposed_mrr, 0) as exposed_mrr,
        coalesce(mention_totals.exposed_revenue, 0) as exposed_revenue
    from spine
    left join comment_totals
        on
            spine.period_type = comment_totals.period_type
            and spine.period_start = comment_totals.period_start
            and spine.comment_type = comment_totals.comment_type
    left join mention_totals
        on
            spine.period_type = mention_totals.period_type
            and spine.period_start = mention_totals.period_start
            and spine.comment_type = mention_totals.comment_type
            and spine.theme = mention_totals.theme
),

shares as (
    select
        *,
        case when is_complete then {{ ratio('mentions', 'comments') }} end as mention_share,
        -- Comments without a theme come last, so that they push no theme down.
        rank() over (
            partition by period_type, period_start, comment_type
            order by case when theme = 'unclassified' then 1 else 0 end, mentions desc
        ) as theme_rank
    from combined
),

compared as (
    select
        *,
        lag(mentions) over periods_of_theme as previous_mentions,
        lag(mention_share) over periods_of_theme as previous_mention_share
    from shares
    window periods_of_theme as (partition by period_type, comment_type, theme order by period_start)
),

final as (
    select
        cast(period_type as {{ dbt.type_string() }}) as period_type,
        cast(period_start as date) as period_start,
        cast(comment_type as {{ dbt.type_string() }}) as comment_type,
        cast(theme as {{ dbt.type_string() }}) as theme,
        cast(category as {{ dbt.type_string() }}) as theme_category,
        cast(owning_team as {{ dbt.type_string() }}) as owning_team,
        cast(comments as {{ dbt.type_bigint() }}) as comments,
        cast(mentions as {{ dbt.type_bigint() }}) as mentions,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        cast(promoter_mentions as {{ dbt.type_bigint() }}) as promoter_mentions,
        cast(passive_mentions as {{ dbt.type_bigint() }}) as passive_mentions,
        cast(detractor_mentions as {{ dbt.type_bigint() }}) as detractor_mentions,
        cast(
            case when mentions > 0 and theme <> 'unclassified' then theme_rank end as {{ dbt.type_bigint() }}
        ) as theme_rank,
        -- A period that is not over has fewer mentions because it is not over.
        cast(
            case when is_complete then mentions - previous_mentions end as {{ dbt.type_bigint() }}
        ) as mentions_change,
        cast(exposed_mrr as {{ type_money() }}) as exposed_mrr,
        cast(exposed_revenue as {{ type_money() }}) as exposed_revenue,
        cast(mention_share as {{ type_ratio() }}) as mention_share,
        cast(mention_share - previous_mention_share as {{ type_ratio() }}) as mention_share_change,
        cast(is_complete as boolean) as is_complete
    from compared
)

select * from final
