"""What is no query: an error at the character, with what to write instead."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerestory.model.errors import QueryError
from clerestory.server.insights import Program, Scope, compile_query, run
from tests.server.insights.queries import queries
from tests.server.insights.store import BASE_MS, Filled


def _compiled(query: str) -> Program:
    return compile_query(query, start_ms=0, end_ms=1000, now_ms=0, scope=Scope())


# query with the wrong place between » and «, words of the message, words of the hint
CASES = [
    ("»this« is not a query", "no command `this`", ""),
    ("»filtr« a = 1", "no command `filtr`", "filter"),
    ("»", "expected a command", ""),
    ("fields a |»", "expected a command", ""),
    ("»-« - find errors\nfields a", "expected a command", "comment begins with #"),
    ("fields »strlne«(a)", "no function `strlne`", "strlen"),
    ("fields »strlen(a, b)«", "strlen takes 1 argument; got 2", "strlen("),
    ("fields »substr(a)«", "substr takes 2 to 3 arguments; got 1", ""),
    ("fields »coalesce()«", "coalesce takes at least 1 argument; got 0", ""),
    ("filter »count(*)« > 1", "count` cannot be used here", "stats"),
    ("filter a =»=« 1", "expected a field", ""),
    ("filter a = »&« b", "unexpected character", "and"),
    ("filter a = »'x", "not closed", ""),
    ("filter a like »/x", "regular expression is not closed", ""),
    ("filter a = (1»", "expected `)`", ""),
    ("filter a in »1", "expected `[`", ""),
    ("filter a in [1»", "expected `]`", ""),
    ("filter »5m« > a", "a duration has no value", ""),
    ("fields a »b«", "expected `|`", ""),
    ("stats count(*) by bin(»5x«)", "`x` is no unit of time", "units are"),
    ("stats count(*) by bin(»x«)", "wants a period", ""),
    ("stats pct(a, »101«)", "from 0 to 100", ""),
    ("stats pct(a, »b«)", "spelled out", ""),
    ("stats »a« by b", "neither aggregated nor a group key", "max(a)"),
    ("stats count(*) by »max(a)«", "cannot stand behind `by`", ""),
    ("stats count(*) as n | filter »x« > 1", "not among the results of stats", "n"),
    ("stats sum(»latest(a)«)", "cannot be used here", ""),
    ('parse @message »"a * b *"« as x', "2 `*` and 1 name", ""),
    ('parse @message »"plain"«', "no `*`", ""),
    ("parse @message »/(a)(?<b>c)/«", "no name", "(?<name>..)"),
    ("parse @message »/abc/«", "no group", ""),
    ("parse @message »/(?=a)(?<b>c)/«", "look-around", ""),
    ("parse »json« field=a", "parse json is not supported", "jsonParse"),
    ("dedup a | »sort b«", "cannot follow dedup", "limit"),
    ("limit »0«", "from 1 to 100000", ""),
    ("limit »100001«", "from 1 to 100000", ""),
    ("limit »x«", "a whole number", ""),
    ("fields a | »SOURCE 'x'«", "only be the first", ""),
    ("»SOURCE 'x'« | fields a", "SOURCE cannot be used here", ""),
    ("»diff«", "diff follows pattern", ""),
    ("»fillmissing«", "follows stats", ""),
    ("filterIndex »a > 1«", "one field and its values", ""),
    ("fields formatDate(@timestamp, »'%Q'«)", "does not know `%Q`", ""),
    ("fields formatDate(@timestamp, '%Y', »'Moon/Base'«)", "no time zone", ""),
    ("fields parseDate(a, »'qq'«)", "does not know the letter `q`", ""),
    ("fields isIpInSubnet(a, »'10.0.0/8'«)", "is no subnet", ""),
    ("fields isIpv6InSubnet(a, »'10.0.0.0/8'«)", "no subnet of IPv6", ""),
    ("filter a in (»fields a, b«)", "gives 2 columns", ""),
    ("join left=a right=b where »c.x« = b.x (fields b)", "begins with neither", ""),
    ("fields »`a", "backtick is not closed", ""),
    # forms that the documentation, or another language, has
    ("parse @message »json« as a", "parse json is not supported", "jsonParse"),
    ("parse @message »xml« as a", "unexpected symbol found 'xml'", ""),
    ("pattern @message | »anomaly«", "the command `anomaly` is not supported", "diff"),
    ("»lookup« t a as b OUTPUT c", "the command `lookup` is not supported", "case("),
    ("fields a | »logcompare« 1d", "the command `logcompare` is not supported", "diff"),
    ("fields »@entity.name«", "`@entity.name` is not kept here", ""),
    ("stats »topk(a, 3)«", "the function `topk` is not supported", "limit"),
    ("stats »histogram(a, 3)«", "the function `histogram` is not supported", "floor("),
    ("fields split(a, »b«)", "split wants a value that is spelled out", "split(path, '/')"),
    ("fields split(a, »1«)", "split wants a text as its delimiter", "split(path, '/')"),
    ("stats »percentile«(a, 99)", "no function `percentile`", "`pct`"),
    ("stats »dc«(a) by b", "no function `dc`", "`count_distinct`"),
    ("filter »contains«(a, 'x')", "no function `contains`", "`strcontains`"),
    ("»order« by a", "no command `order`", "`sort`"),
    ("»SELECT« * FROM logs", "no command `SELECT`", "`fields`"),
    ("»frobnicate« a", "no command `frobnicate`", "countFrequent, count_frequent, dedup"),
    ("fields »*«", "expected a field", ""),
    ("filter a »between« 1 and 2", "unexpected symbol found 'between'", ""),
    ("filter a »is« null", "unexpected symbol found 'is'", ""),
    ("filter a like 'x%' »escape« '!'", "unexpected symbol found 'escape'", ""),
    ("limit 3 »offset« 2", "unexpected symbol found 'offset'", ""),
    ("limit 3»,« 4", "unexpected symbol found ','", ""),
    ("stats count(*) »where« a = 1", "unexpected symbol found 'where'", ""),
    ("unnest a into b»,« c", "unexpected symbol found ','", ""),
    ("join »type=outer left=a right=b« where a.x = b.x (fields x)", "type `outer`", "or left"),
    ("pattern a | diff »lastYear«", "does not know `lastYear`", "previousDay"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "message", "hint"), [one for one in CASES if one[1]])
def test_an_error_points_at_its_place_and_says_what_to_write(marked: str, message: str, hint: str):
    """The place is what an editor underlines, and what queryCompileError carries."""
    query = marked.replace("»", "").replace("«", "")

    with pytest.raises(QueryError) as caught:
        _compiled(query)

    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")
    assert caught.value.position == marked.index("»")
    if "«" in marked:
        assert caught.value.length == marked.index("«") - marked.index("»") - 1
    assert 0 <= caught.value.position <= len(query)


def test_a_query_of_more_than_10000_characters_is_an_error():
    """The limit is the one of StartQuery."""
    with pytest.raises(QueryError, match="10000"):
        _compiled("fields a" + " " * 10_000)


def test_nesting_without_end_is_an_error_and_no_crash():
    """Brackets must not reach the recursion limit."""
    with pytest.raises(QueryError, match="nested deeper"):
        _compiled("filter " + "(" * 5_000)


def test_a_chain_of_operators_without_end_is_an_error_and_no_crash():
    """It nests as deep as brackets do."""
    with pytest.raises(QueryError, match="at most 200 operators"):
        _compiled("filter a" + "+a" * 4_000)


def test_a_query_without_groups_is_an_error():
    """A query that asks nobody must not look like one that found nothing."""
    with pytest.raises(QueryError, match="names no log group"):
        compile_query("fields a", start_ms=0, end_ms=1, now_ms=0)


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "a(", "[z-a]", "a{2000}"])
def test_a_regular_expression_that_re2_refuses_is_an_error_at_its_place(
    filled: Filled, pattern: str
):
    """The engine has the last word, and says so before a record is read."""
    query = f"filter a like /{pattern}/"
    connection = filled.querying()

    with pytest.raises(QueryError, match=r"is not valid|not closed") as caught:
        run(connection, query, start_ms=BASE_MS, end_ms=BASE_MS + 1, scope=Scope())

    connection.close()
    assert caught.value.position == query.index("/")


_PIECES = [
    "fields", "filter", "stats", "sort", "limit", "parse", "dedup", "by", "as", "in", "like", "not",
    "and", "|", ",", "(", ")", "[", "]", "=", "!=", "<", "/", "*", "+", "-", "^", "%", "'x'", '"y"',
    "/re/", "`q`", "a.b", "a[0]", "@message", "5m", "1.5", "count(*)", "bin(5m)", "desc", "\\",
    "#c\n",
    "é", "\x00", "'", '"', "`", "SOURCE", "pattern", "diff", "unnest", "into", "join", "where",
]  # fmt: skip


@given(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_PIECES), max_size=14).map(" ".join))
)
def test_whatever_is_typed_gives_a_program_or_a_query_error(text: str):
    """Nothing else may come out: not a crash, not an IndexError."""
    _compile_or_refuse(text)


@given(text=queries(), seed=st.integers(0, 2**32))
def test_a_query_with_characters_changed_gives_a_program_or_a_query_error(text: str, seed: int):
    """Mistakes are made near good queries, not far from them."""
    chance = random.Random(seed)
    characters = list(text)
    for _change in range(chance.randint(1, 3)):
        place = chance.randrange(len(characters) + 1)
        piece = chance.choice([*_PIECES, ""])
        characters[place : place + chance.randint(0, 3)] = list(piece)

    _compile_or_refuse("".join(characters))


def _compile_or_refuse(text: str) -> None:
    try:
        program = _compiled(text)
    except QueryError as error:
        assert 0 <= error.position <= len(text)
        assert error.length >= 1
    else:
        assert program.sql.startswith("WITH ")


def test_nothing_that_is_typed_is_part_of_the_sql():
    """Values and names travel as parameters; so there is nothing to inject."""
    word = "zq9'x"
    query = (
        f'fields `{word}`, `a.{word}` as `n{word}`, jsonParse(a) | filter a = "{word}" '
        f'and b like "{word}" and c like /{word}/ and d in ["{word}"] or ltrim(a, "{word}") = 1 '
        f'| parse a "{word}*" as `p{word}` | parse b /(?<g>{word})/ '
        f"| unnest `l{word}` into `e{word}` | stats count(`{word}`) as `s{word}` by `k{word}` "
        f'| sort `s{word}` | filter `k{word}` != "{word}"'
    )

    program = _compiled(query)

    assert "zq9" not in program.sql
    assert sum("zq9" in str(value) for value in program.parameters.values()) >= 8


def test_every_example_of_the_manual_is_a_query():
    """An example that does not run is worse than none."""
    from clerestory.server.insights.registry import commands, functions

    def everything(_source: object) -> Scope:
        return Scope()

    for command in commands().values():
        if not command.refusal:
            compile_query(command.example, start_ms=0, end_ms=99, now_ms=0, scope=Scope(),
                          sources=everything)  # fmt: skip
    for function in functions().values():
        if not function.refusal:
            verb = "stats" if function.aggregate else "fields"
            _compiled(f"{verb} {function.example}")
