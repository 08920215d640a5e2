"""Every function of the documentation: what it gives, by hand, or the error that names it."""

from collections.abc import Iterator

import pytest

from clerestory.model.errors import QueryError
from clerestory.server.insights import Scope, compile_query, run
from clerestory.server.insights.vocabulary import FUNCTIONS
from clerestory.server.store.embedded import Connection
from tests.server.insights.store import BASE_MS, Filled

# 2023-11-14 22:13:20.123 UTC, a Tuesday
EVENT = {
    "at": 123,
    "level": "ERROR",
    "message": "user=bob took 12 ms",
    "n": -2.5,
    "m": 7,
    "word": "42",
    "name": "Zoë",
    "empty": "",
    "blank": " \t",
    "list": ["a", "b", 3],
    "map": {"x": {"y": [1, 2]}},
    "text": '{"k": [10, {"z": "deep"}], "t": true, "n": null}',
    "ip": "10.1.2.3",
    "ip6": "2001:db8::1",
    "day": "2024-02-29 12:30",
}

CASES = [
    ("abs(n)", "2.5"),
    ("abs(word)", "42"),
    ("abs(name)", None),
    ("ceil(n)", "-2"),
    ("floor(n)", "-3"),
    ("greatest(n, m, nope)", "7"),
    ("least(n, m, nope)", "-2.5"),
    ("greatest(nope)", None),
    ("log(1)", "0"),
    ("log(0)", None),
    ("round(2.5)", "3"),
    ("round(-2.5)", "-3"),
    ("round(2.345, 2)", "2.35"),
    ("round(1234, -2)", "1200"),
    ("sqrt(16)", "4"),
    ("sqrt(n)", None),
    ("round(haversine(52.52, 13.405, 48.8566, 2.3522))", "877"),
    ("toNumber(word) + 1", "43"),
    ("toInt('5.7')", "5"),
    ("toInt(3000000000)", None),
    ("toLong('-5.7')", "-5"),
    ("toDouble('1e3')", "1000"),
    ("2 ^ 3", "8"),
    ("2 ^ 3 ^ 2", "512"),
    ("-2 ^ 2", "-4"),
    ("10 % 3", "1"),
    ("-7 % 3", "-1"),
    ("1000000000000001 % 1.5", "0.5"),
    ("9007199254740992 % 1.5", None),
    ("m / 0", None),
    ("m + nope", None),
    ("7 - 2 - 1", "4"),
    ("1 / 3", "0.3333333333333333"),
    ("ispresent(n)", "true"),
    ("ispresent(nope)", "false"),
    ("coalesce(nope, word, name)", "42"),
    ("coalesce(nope, 'none')", "none"),
    ("case(m > 100, 'big', m > 5, 'some', 'few')", "some"),
    ("case(m > 100, 'big')", None),
    ("if(m = 7, 'seven', 'other')", "seven"),
    ("isNumeric(word)", "true"),
    ("isNumeric(name)", "false"),
    ("messageSize(name)", "4"),
    ("unmask(name)", "Zoë"),
    ("queryStartTime()", str(BASE_MS)),
    ("queryEndTime()", str(BASE_MS + 59_999)),
    ("queryTimeRange()", "59999"),
    ("isempty(empty)", "1"),
    ("isempty(nope)", "1"),
    ("isempty(name)", "0"),
    ("isblank(blank)", "1"),
    ("isblank(name)", "0"),
    ("concat(name, '-', nope, m)", "Zoë-7"),
    ("ltrim('xyZxyfooxyZ', 'xyZ')", "fooxyZ"),
    ("rtrim('xyZfooxyxyZ', 'xyZ')", "xyZfoo"),
    ("trim('xyZxyfooxyxyZ', 'xyZ')", "foo"),
    ("trim('  a ')", "a"),
    ("ltrim('  a ')", "a "),
    ("rtrim('  a ')", "  a"),
    ("strlen(name)", "3"),
    ("toupper(name)", "ZOË"),
    ("tolower(name)", "zoë"),
    ("substr('xyZfooxyZ', 3, 3)", "foo"),
    ("substr(name, 2)", "ë"),
    ("substr(nope, 2)", None),
    ("replace('a.b.a', 'a', 'x')", "x.b.x"),
    ("regexReplace(message, /[0-9]+/, '<n>')", "user=bob took <n> ms"),
    (r"regexReplace('ab', '(a)(b)', '\\2\\1')", "ba"),
    ("strcontains(message, 'bob')", "1"),
    ("strcontains(message, 'BOB')", "0"),
    ("strcontains(message, 'BOB', true)", "1"),
    ("strcontains(nope, 'x')", "0"),
    ("startsWith(message, 'user')", "1"),
    ("endsWith(message, 'user')", "0"),
    ("urlencode('a b/ë')", "a%20b%2F%C3%AB"),
    ("urldecode('a%20b')", "a b"),
    ("base64encode('foo')", "Zm9v"),
    ("base64decode('Zm9v')", "foo"),
    ("base64decode('###')", ""),
    ("split('a/b', '/')", '["a","b"]'),
    ("hexToAscii('48656c6c6f')", "Hello"),
    ("hexToAscii('xyz')", None),
    ("hexToDec('0xff')", "255"),
    ("hexToDec('zz')", None),
    ("decToHex(255)", "0xff"),
    ("decToHex(-255)", "-0xff"),
    ("decToHex(0)", "0x0"),
    ("jsonArrayContains(list, nope)", "false"),
    ("not jsonArrayContains(list, nope)", "true"),
    ("not isPublicIP(nope)", "true"),
    ("not isPublicIP(ip)", "true"),
    ("jsonArraySize(concat('[', m, ',', m, ']'))", "2"),
    ("jsonParse(n)", None),
    ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("sha256('a')", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ("bin(1h)", "2023-11-14 22:00:00.000"),
    ("bin(5m)", "2023-11-14 22:10:00.000"),
    ("bin(7h)", "2023-11-14 20:00:00.000"),
    ("bin(1d)", "2023-11-14 00:00:00.000"),
    ("bin(1w)", "2023-11-13 00:00:00.000"),
    ("bin(1mo)", "2023-11-01 00:00:00.000"),
    ("bin(1q)", "2023-10-01 00:00:00.000"),
    ("bin(1y)", "2023-01-01 00:00:00.000"),
    ("bin(100ms)", "2023-11-14 22:13:20.100"),
    ("bin(2hrs)", "2023-11-14 22:00:00.000"),
    ("datefloor(@timestamp, 1h)", "2023-11-14 22:00:00.000"),
    ("dateceil(@timestamp, 1h)", "2023-11-14 23:00:00.000"),
    ("dateceil(@timestamp, 1mo)", "2023-12-01 00:00:00.000"),
    ("dateceil(fromMillis(3600000), 1h)", "1970-01-01 01:00:00.000"),
    ("fromMillis(1500000000000)", "2017-07-14 02:40:00.000"),
    ("toMillis(@timestamp)", str(BASE_MS + 123)),
    ("now()", "1800000000"),
    ("parseDate(day, 'yyyy-MM-dd HH:mm', 'UTC')", "1709209800000"),
    ("parseDate(day, 'yyyy-MM-dd HH:mm', 'Europe/Berlin')", "1709206200000"),
    ("parseDate(name, 'yyyy')", None),
    ("formatDate(@timestamp, '%Y-%m-%d %H:%M:%S')", "2023-11-14 22:13:20"),
    ("formatDate(@timestamp, '%d.%m. %H Uhr %z', 'Europe/Berlin')", "14.11. 23 Uhr +0100"),
    ("strftime(@timestamp, '%A %j %L')", "Tuesday 318 123"),
    ("jsonParse(text)", '{"k": [10, {"z": "deep"}], "t": true, "n": null}'),
    ("jsonParse(name)", None),
    ("jsonStringify(list)", '["a","b",3]'),
    ("jsonArraySize(list)", "3"),
    ("jsonArraySize('[1, 2]')", "2"),
    ("jsonArraySize(map)", None),
    ("jsonArrayContains(list, 'b')", "true"),
    ("jsonArrayContains(list, 3)", "true"),
    ("jsonArrayContains(list, 'B')", "false"),
    ("jsonArrayContains(name, 'B')", "false"),
    ("isValidIp(ip)", "true"),
    ("isValidIp(ip6)", "true"),
    ("isValidIp(name)", "false"),
    ("isValidIpV4(ip)", "true"),
    ("isValidIpV4(ip6)", "false"),
    ("isValidIpV6(ip6)", "true"),
    ("isIpInSubnet(ip, '10.0.0.0/8')", "true"),
    ("isIpInSubnet(ip6, '2001:db8::/32')", "true"),
    ("isIpInSubnet(name, '10.0.0.0/8')", "false"),
    ("isIpv4InSubnet(ip, '10.2.0.0/16')", "false"),
    ("isIpv6InSubnet(ip6, '2001:db8::/32')", "true"),
    ("ipv4ToNumber(ip)", "167838211"),
    ("ipv4ToNumber(name)", None),
    ("isPrivateIP(ip)", "true"),
    ("isPrivateIP('8.8.8.8')", "false"),
    ("isPublicIP('8.8.8.8')", "true"),
    ("isPublicIP(ip)", "false"),
    ("isPublicIP(name)", "false"),
    ("isReservedIP('127.0.0.1')", "true"),
    ("isReservedIP('8.8.8.8')", "false"),
    ("map.x.y[1]", "2"),
    ("map.x.y.0", "1"),
    ("list", '["a","b",3]'),
    ("toupper(list)", None),
    ("list = list", "false"),
    ("word = 42", "true"),
    ("word = '42.0'", "true"),
    ("'9007199254740993' = '9007199254740992'", "false"),
    ("word < '5'", "false"),
    ("name < 'a'", "true"),
    ("nope != 1", "false"),
    ("not nope = 1", "true"),
    ("name like 'oë'", "true"),
    ("name not like /^Z/", "false"),
    ("name =~ /(?i)^z/", "true"),
    ("word in [42, 'x']", "true"),
    ("nope not in [1]", "false"),
    ("true", "true"),
]


@pytest.fixture(scope="module")
def connection(filled: Filled) -> Iterator[Connection]:
    filled.clear()
    filled.own([EVENT])
    found = filled.querying()
    yield found
    found.close()


def _value(connection: Connection, expression: str) -> str | None:
    result = run(
        connection,
        f"fields {expression} as x",
        start_ms=BASE_MS,
        end_ms=BASE_MS + 59_999,
        scope=Scope(),
        clock=lambda: 1_800_000_000.0,
    )
    assert len(result.rows) == 1
    return result.rows[0].get("x")


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_a_function_gives_what_the_documentation_says(
    connection: Connection, expression: str, expected: str | None
):
    """Each value was worked out by hand."""
    assert _value(connection, expression) == expected


NUMBERS = [1, 2, 3, 4, "ten", None]
AGGREGATES = [
    ("count(*)", "6"),
    ("count()", "6"),
    ("count(x)", "5"),
    ("count_distinct(x)", "5"),
    ("avg(x)", "2.5"),
    ("sum(x)", "10"),
    ("min(x)", "1"),
    ("max(x)", "4"),
    ("max(word)", "w5"),
    ("pct(x, 50)", "2.5"),
    ("pct(x, 100)", "4"),
    ("median(x)", "2.5"),
    ("stddev(x)", "1.2909944487358056"),
    ("stddev(single)", None),
    ("earliest(x)", "1"),
    ("latest(x)", "ten"),
    ("sortsFirst(x)", "1"),
    ("sortsLast(x)", "ten"),
    ("rate(x, 1s)", "1"),
    ("count_over_time(x)", "5"),
    ("sum_over_time(x)", "10"),
    ("avg(nope)", None),
    ("max(x) - min(x)", "3"),
    ("round(avg(x) * 10)", "25"),
]


@pytest.mark.parametrize(("expression", "expected"), AGGREGATES)
def test_an_aggregate_gives_what_the_documentation_says(
    filled: Filled, expression: str, expected: str | None
):
    """What is missing or no number is passed over."""
    filled.clear()
    filled.own(
        {
            "at": index * 1000,
            "x": value,
            "word": f"w{index}",
            **({"single": 1} if index == 0 else {}),
        }
        for index, value in enumerate(NUMBERS)
    )
    connection = filled.querying()
    query = f"stats {expression} as x"

    result = run(connection, query, start_ms=BASE_MS, end_ms=BASE_MS + 59_999, scope=Scope())

    connection.close()
    assert result.rows[0].get("x") == expected


DOCUMENTED = {
    *("abs", "ceil", "floor", "greatest", "least", "log", "round", "sqrt", "haversine"),
    *("toNumber", "toInt", "toLong", "toDouble", "bin", "datefloor", "dateceil", "fromMillis"),
    *("toMillis", "now", "parseDate", "formatDate", "strftime", "ispresent", "coalesce", "case"),
    *("if", "isNumeric", "messageSize", "queryStartTime", "queryEndTime", "queryTimeRange"),
    *("jsonParse", "jsonStringify", "jsonArraySize", "jsonArrayContains", "isValidIp"),
    *("isValidIpV4", "isValidIpV6", "isIpInSubnet", "isIpv4InSubnet", "isIpv6InSubnet"),
    *("ipv4ToNumber", "isPrivateIP", "isPublicIP", "isReservedIP", "isempty", "isblank"),
    *("concat", "ltrim", "rtrim", "trim", "strlen", "toupper", "tolower", "substr", "replace"),
    *("regexReplace", "strcontains", "startsWith", "endsWith", "urlencode", "urldecode"),
    *("base64encode", "base64decode", "split", "hexToAscii", "hexToDec", "decToHex"),
    *("md5", "sha256", "unmask", "avg", "count", "count_distinct", "max", "min", "pct"),
    *("median", "stddev", "sum", "earliest", "latest", "sortsFirst", "sortsLast", "rate"),
    *("count_over_time", "sum_over_time", "histogram", "topk"),
}


def test_every_documented_function_has_a_case_here_or_is_refused_by_name():
    """So a gap between the documentation and us cannot stay unseen."""
    used = " ".join(case[0].lower() for case in (*CASES, *AGGREGATES))

    assert {name.lower() for name in DOCUMENTED} == set(FUNCTIONS)
    for name, function in FUNCTIONS.items():
        assert function.refusal or f"{name}(" in used, name


@pytest.mark.parametrize("name", [name for name, one in FUNCTIONS.items() if one.refusal])
def test_a_refused_function_is_an_error_that_names_it(name: str):
    """It must never return rows that do not mean what was asked."""
    query = f"stats {name}(x, 3)"

    with pytest.raises(QueryError, match=FUNCTIONS[name].name) as caught:
        compile_query(query, start_ms=0, end_ms=1, now_ms=0, scope=Scope())

    assert query[caught.value.position :].startswith(name)
    assert caught.value.hint
