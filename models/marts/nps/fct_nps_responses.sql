-- Grain: one row per response to a survey by as_of_date. One without a score is here and counts nowhere
-- (`is_counted`); one without a customer counts as a vote of its own. A response is the answer to the latest
-- invitation of its customer to its survey, not older than survey_response_days. For NPS see fct_nps_scores: a
-- customer has one vote per period, and rows of this table are not to be averaged.

with responses as (
    select responses.*
    from {{ ref('stg_survey_responses') }} as responses
    inner join {{ ref('int_settings') }} as settings on responses.responded_on <= settings.as_of_date
),

invitations as (
    select * from {{ ref('stg_survey_invitations') }}
),

bands as (
    select * from {{ ref('nps_bands') }}
),

comments as (
    select *
    from {{ ref('int_comments') }}
    where comment_type = 'survey'
),

comment_themes as (
    select *
    from {{ ref('int_comment_themes') }}
    where comment_type = 'survey' and theme <> 'unclassified'
),

settings as (
    select * from {{ ref('int_settings') }}
),

candidates as (
    select
        responses.response_id,
        invitations.invitation_id,
        invitations.sent_on,
        row_number() over (
            partition by responses.response_id order by invitations.sent_at desc, invitations.invitation_id desc
        ) as recency
    from responses
    cross join settings
    inner join invitations
        on
            responses.customer_id = invitations.customer_id
            and responses.survey = invitations.survey
            and responses.responded_at >= invitations.sent_at
            and responses.responded_on <= {{ add_days('invitations.sent_on', 'settings.survey_response_days') }}
),

answered as (
    select * from candidates
    where recency = 1
),

theme_counts as (
    select
        comment_id,
        count(*) as theme_count
    from comment_themes
    group by comment_id
),

classified as (
    select
        responses.response_id,
        responses.customer_id,
        responses.survey,
        answered.invitation_id,
        answered.sent_on as invited_on,
        responses.responded_on,
        {{ days_between('answered.sent_on', 'responses.responded_on') }} as days_to_respond,
        responses.score,
        bands.band as nps_category,
        responses.score is not null as is_counted,
        comments.comment_text,
        case when comments.comment_id is not null then coalesce(theme_counts.theme_count, 0) end as theme_count,
        responses.responded_at,
        -- Of responses in the same second the one with the highest id.
        row_number() over (
            partition by responses.customer_id, responses.score is not null
            order by responses.responded_at desc, responses.response_id desc
        ) as recency,
        {%- for column, survey in [('recency_in_month', none), ('recency_in_survey_month', 'responses.survey')] %}
            row_number() over (
                partition by
                    responses.customer_id,
                    case when responses.customer_id is null then responses.response_id end,
                    {{ month_start('responses.responded_on') }},
                    {{ survey ~ ',' if survey }}
                    responses.score is not null
                order by responses.responded_at desc, responses.response_id desc
            ) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from responses
    left join answered on responses.response_id = answered.response_id
    left join bands on responses.score between bands.minimum_score and bands.maximum_score
    left join comments on responses.response_id = comments.comment_id
    left join theme_counts on responses.response_id = theme_counts.comment_id
),

final as (
    select
        cast(response_id as {{ dbt.type_string() }}) as response_id,
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(survey as {{ dbt.type_string() }}) as survey,
        cast(invitation_id as {{ dbt.type_string() }}) as invitation_id,
        cast(invited_on as date) as invited_on,
        cast(responded_on as date) as responded_on,
        cast(days_to_respond as {{ dbt.type_bigint() }}) as days_to_respond,
        cast(score as {{ dbt.type_bigint() }}) as score,
        cast(nps_category as {{ dbt.type_string() }}) as nps_category,
        cast(comment_text as {{ dbt.type_string() }}) as comment_text,
        cast(theme_count as {{ dbt.type_bigint() }}) as theme_count,
        cast(is_counted as boolean) as is_counted,
        cast(customer_id is not null and is_counted and recency = 1 as boolean) as is_last_of_customer,
        cast(is_counted and recency_in_month = 1 as boolean) as is_vote_of_month,
        cast(is_counted and recency_in_survey_month = 1 as boolean) as is_vote_of_survey_and_month,
        cast(responded_at as timestamp) as responded_at
    from classified
)

select * from final
