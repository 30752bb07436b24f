-- Grain: one row per comment and theme found in it by the words of seeds/feedback_themes.csv, several to a comment;
-- a comment without any has one row, `unclassified`. For the comments themselves see int_comments.

with comments as (
    select * from {{ ref('int_comments') }}
),

themes as (
    select * from {{ ref('feedback_themes') }}
),

alternatives as (
    {{ split_to_rows('themes', ['theme'], 'pattern', '|') }}
),

-- As comments are folded, words stand between blanks: ` gia re ` is found as whole words, ` crash` with any ending.
-- A plain search, not a regular expression: an engine would compile one anew for every comment.
phrases as (
    select distinct
        theme,
        case
            when trim(part) like '%*' then concat(' ', replace(trim(part), '*', ''))
            else concat(' ', trim(part), ' ')
        end as phrase
    from alternatives
),

folded as (
    select
        comment_type,
        comment_id,
        {{ folded_words('comment_text') }} as folded_comment
    from comments
),

found as (
    select distinct
        folded.comment_type,
        folded.comment_id,
        phrases.theme
    from folded
    inner join phrases on {{ dbt.position('phrases.phrase', 'folded.folded_comment') }} > 0
),

final as (
    select
        comments.comment_type,
        comments.comment_id,
        comments.customer_id,
        comments.commented_on,
        cast(coalesce(found.theme, 'unclassified') as {{ dbt.type_string() }}) as theme
    from comments
    left join found
        on
            comments.comment_type = found.comment_type
            and comments.comment_id = found.comment_id
)

select * from final
