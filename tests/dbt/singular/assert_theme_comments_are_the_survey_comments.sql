-- Fails when the months of the themes do not hold the comments of the responses: comments are lost or doubled on the
-- way to their themes.

with months as (
    select distinct
        period_start,
        comments
    from {{ ref('rpt_feedback_themes') }}
    where period_type = 'month' and comment_type = 'survey'
),

figures as (
    select
        (select coalesce(sum(comments), 0) from months) as comments_of_themes,
        (select count(comment_text) from {{ ref('fct_nps_responses') }}) as comments_of_responses
)

select *
from figures
where comments_of_themes <> comments_of_responses
