"""Commands that the documentation of CloudWatch knows and we do not: each is an error.

parser -> [commands]
"""

from typing import Final

from clerestory.server.insights.registry import Command


def _refused(name: str, syntax: str, about: str, instead: str) -> Command:
    return Command(name=name, syntax=syntax, help=about, example=syntax, refusal=instead)


COMMANDS: Final = (
    _refused(
        "anomaly",
        "pattern @message | anomaly",
        "Finds unusual patterns with machine learning.",
        "compare with an earlier time: pattern @message | diff",
    ),
    _refused(
        "lookup",
        "lookup table field as alias OUTPUT column",
        "Adds columns of a lookup table.",
        "there are no lookup tables here; use case(..) for a few values",
    ),
    _refused(
        "cidrlookup",
        "cidrlookup table field OUTPUT column",
        "Adds columns of a lookup table by network.",
        "there are no lookup tables here; use isIpInSubnet(..) in case(..)",
    ),
    _refused(
        "relevantfields",
        "filter .. | relevantfields",
        "Shows the fields that tell filtered records from the others.",
        "compare with stats count(*) by the field",
    ),
    _refused(
        "unmask",
        "unmask",
        "Shows masked text.",
        "it is a function here, as in fields unmask(@message)",
    ),
    _refused(
        "logcompare",
        "logcompare 1d",
        "Compares with an earlier time.",
        "use pattern @message | diff, or stats .. by bin(..) offset ..",
    ),
    _refused(
        "appendcols",
        "appendcols ( subquery )",
        "Adds columns of a subquery row by row.",
        "use join, which matches rows by a field",
    ),
    _refused(
        "outlier",
        "outlier latency",
        "Removes or bounds values far from the others.",
        "filter by a bound that you know from stats pct(latency, 99)",
    ),
)
