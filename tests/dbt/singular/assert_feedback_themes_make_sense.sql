-- Stops with the row of seeds/feedback_themes.csv that cannot work: nobody would miss a theme that is never found, or
-- see at once that one is found in every comment. Categories are those that the seed's description lists.

with themes as (
    select
        theme,
        category,
        language,
        pattern,
        owning_team,
        coalesce(nullif(trim(theme), ''), '(no theme)') as theme_name,
        coalesce(nullif(trim(pattern), ''), '') as pattern_text
    from {{ ref('feedback_themes') }}
),

alternatives as (
    {{ split_to_rows('themes', ['theme_name', 'language'], 'pattern_text', '|') }}
),

-- A word or phrase as comments are folded, so that it can be found; a star is allowed as the last letter.
word_problems as (
    select
        theme_name,
        language,
        case
            when trim(part) = '' then 'has an empty word in its pattern, which every comment contains'
            when trim(part) = '*' then 'has a pattern `*`, which every comment contains'
            when
                trim(part) <> trim({{ folded_words('part') }})
                and trim(part) <> concat(trim({{ folded_words('part') }}), '*')
                then concat(
                    'has the words `', part, '`: write them as `', trim({{ folded_words('part') }}),
                    '`, in lower case, without accents and signs; regular expressions are not understood'
                )
        end as problem
    from alternatives
),

disagreeing as (
    select
        theme_name,
        min(language) as language,
        'has two categories or two owning teams: a theme has one of each, in all its rows' as problem
    from themes
    group by theme_name
    having count(distinct category) > 1 or count(distinct owning_team) > 1
),

row_problems as (
    select
        theme_name,
        language,
        case
            when theme_name = '(no theme)' then 'has no name'
            when theme_name = 'unclassified' then 'has the name for comments without a theme: take another'
            when coalesce(trim(category), '') = '' then 'has no category'
            when category not in ('money', 'fulfilment', 'product', 'service', 'relationship', 'sentiment')
                then concat(
                    'has the unknown category `', category,
                    '`: it is one of money, fulfilment, product, service, relationship, sentiment'
                )
            when coalesce(trim(owning_team), '') = '' then 'has no owning team'
            when language is null or language not in ('en', 'vi')
                then concat('has the unknown language `', coalesce(language, ''), '`: it is en or vi')
        end as problem
    from themes
),

problems as (
    select * from word_problems
    union all
    select * from disagreeing
    union all
    select * from row_problems
)

select *
from problems
where
    case
        when problem is not null
            then {{ raise_error(
                "concat(" ~ rule_file('feedback_themes') ~ ", ': the theme `', theme_name, '` (', "
                ~ "coalesce(language, 'no language'), ') ', problem)"
            ) }}
        else false
    end
