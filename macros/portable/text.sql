{#- Text as it is searched: what people write in a hurry, without accents and punctuation. -#}

{#-
    The words of a text in lower case, without accents (Vietnamese đ is d), one blank before, between and after them:
    `Giá quá cao!` becomes ` gia qua cao `, and `Don't` ` dont `. So a whole word is found by a plain search for it
    between blanks.
-#}
{% macro folded_words(text) -%}
    {{ return(adapter.dispatch('folded_words', 'tenure')(text)) }}
{%- endmacro %}

{% macro default__folded_words(text) -%}
    concat(
        ' ',
        trim(
            regexp_replace(
                regexp_replace(replace(strip_accents(lower({{ text }})), 'đ', 'd'), '[''’`]', '', 'g'),
                '[^\p{L}\p{N}]+',
                ' ',
                'g'
            )
        ),
        ' '
    )
{%- endmacro %}

{#- Spark has no accents to strip: letters are translated one by one, combining marks go. -#}
{% macro spark__folded_words(text) -%}
    {%- set letters = {
        'a': 'àáảãạăằắẳẵặâầấẩẫậäåā',
        'c': 'çćč',
        'd': 'đď',
        'e': 'èéẻẽẹêềếểễệëēęě',
        'i': 'ìíỉĩịîïī',
        'n': 'ñńň',
        'o': 'òóỏõọôồốổỗộơờớởỡợöøō',
        's': 'śš',
        'u': 'ùúủũụưừứửữựûüůū',
        'y': 'ỳýỷỹỵÿ',
        'z': 'źżž',
    } -%}
    {%- set from = letters.values() | join -%}
    {%- set to = [] -%}
    {%- for letter, accented in letters.items() -%}
        {%- do to.append(letter * (accented | length)) -%}
    {%- endfor -%}
    concat(
        ' ',
        trim(
            regexp_replace(
                regexp_replace(translate(lower({{ text }}), '{{ from }}', '{{ to | join }}'), '[\'’`\\p{M}]', ''),
                '[^\\p{L}\\p{N}]+',
                ' '
            )
        ),
        ' '
    )
{%- endmacro %}

{#- A select of `columns` of a relation and a row per part of `text` between separators, in the column `part`. -#}
{% macro split_to_rows(relation, columns, text, separator) -%}
    {{ return(adapter.dispatch('split_to_rows', 'tenure')(relation, columns, text, separator)) }}
{%- endmacro %}

{% macro default__split_to_rows(relation, columns, text, separator) -%}
    select
        {{ columns | join(', ') }},
        unnest(string_split({{ text }}, '{{ separator }}')) as part
    from {{ relation }}
{%- endmacro %}

{% macro spark__split_to_rows(relation, columns, text, separator) -%}
    select
        {{ columns | join(', ') }},
        explode(split({{ text }}, '[{{ separator }}]')) as part
    from {{ relation }}
{%- endmacro %}
