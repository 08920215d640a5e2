"""Sampling rules: kept, given out, and shared among samplers.

endpoint -> [rules] -> catalog
"""

import re
import time
from typing import Any, Final

from clerestory.server.xray.catalog.catalog import DEFAULT, Rule
from clerestory.server.xray.errors import invalid, too_many_tags
from clerestory.server.xray.names import rule_arn
from clerestory.server.xray.service import Call

INTERVAL_S: Final = 10
TAGS_MAX: Final = 50
PRIORITY_MAX: Final = 9999
_CLIENT: Final = re.compile(r"[0-9a-fA-F]{24}")
_OF_DEFAULT: Final = frozenset(("FixedRate", "ReservoirSize"))
_NAMING: Final = frozenset(("RuleName", "RuleARN"))


def create_sampling_rule(call: Call) -> dict[str, Any]:
    """Answer CreateSamplingRule."""
    content = {k: v for k, v in call.given["SamplingRule"].items() if v is not None}
    if "RuleARN" in content or "RuleName" not in content:
        raise invalid("Give the new rule a RuleName; its RuleARN is made of it.")
    if content["Version"] != 1:
        raise invalid(f"Version must be 1; got {content['Version']}.")
    content = {"Attributes": {}, **content}
    tags = tags_of(call.given, rule_arn(content["RuleName"], call.region))
    return {"SamplingRuleRecord": _record(call.service.catalog.add_rule(content, tags), call)}


def update_sampling_rule(call: Call) -> dict[str, Any]:
    """Answer UpdateSamplingRule: only members that are given change."""
    given = call.given["SamplingRuleUpdate"]
    rule = call.rule(given)
    changes = {k: v for k, v in given.items() if v is not None and k not in _NAMING}
    if rule.name == DEFAULT and changes.keys() - _OF_DEFAULT:
        wrong = ", ".join(sorted(changes.keys() - _OF_DEFAULT))
        raise invalid(f"Of the rule Default only FixedRate and ReservoirSize change, not {wrong}.")
    _check_range("Priority", changes.get("Priority"), 1, PRIORITY_MAX)
    _check_range("FixedRate", changes.get("FixedRate"), 0, 1)
    _check_range("ReservoirSize", changes.get("ReservoirSize"), 0, 2**31 - 1)
    return {
        "SamplingRuleRecord": _record(call.service.catalog.change_rule(rule.name, changes), call)
    }


def _check_range(name: str, value: float | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise invalid(f"{name} must be between {low} and {high}; got {value}.")


def delete_sampling_rule(call: Call) -> dict[str, Any]:
    """Answer DeleteSamplingRule."""
    rule = call.rule(call.given)
    if rule.name == DEFAULT:
        raise invalid("The rule Default cannot be deleted.")
    removed = call.service.catalog.remove_rule(rule.name)
    call.service.clients.forget(rule.name)
    return {"SamplingRuleRecord": _record(removed, call)}


def get_sampling_rules(call: Call) -> dict[str, Any]:
    """Answer GetSamplingRules: all of them, the first to be tried first."""
    call.position()
    rules = sorted(
        call.service.catalog.rules.values(), key=lambda rule: (rule.content["Priority"], rule.name)
    )
    return {"SamplingRuleRecords": [_record(rule, call) for rule in rules]}


def get_sampling_targets(call: Call) -> dict[str, Any]:
    """Answer GetSamplingTargets: take the samplers' reports, give each its quota."""
    service, now = call.service, time.time()
    targets: list[dict[str, Any]] = []
    unknown: list[dict[str, Any]] = []
    for told in call.given["SamplingStatisticsDocuments"]:
        if not _CLIENT.fullmatch(told["ClientID"]):
            raise invalid(f"ClientID must be 24 hex digits; got {told['ClientID']!r}.")
    for told in call.given["SamplingStatisticsDocuments"]:
        name = told["RuleName"]
        counts = (told["RequestCount"], told.get("BorrowCount") or 0, told["SampledCount"])
        rule = service.catalog.rules.get(name)
        if rule is None or not service.catalog.count(name, *counts):
            unknown.append(_unknown_rule(name))
            continue
        reservoir = rule.content["ReservoirSize"]
        targets.append(
            {
                "RuleName": name,
                "FixedRate": rule.content["FixedRate"],
                "ReservoirQuota": service.clients.quota(name, told["ClientID"], reservoir),
                "ReservoirQuotaTTL": round(now + 2 * INTERVAL_S, 3),
                "Interval": INTERVAL_S,
            }
        )
    boosts = call.given.get("SamplingBoostStatisticsDocuments") or ()
    strange = [told["RuleName"] for told in boosts if told["RuleName"] not in service.catalog.rules]
    answer = {
        "SamplingTargetDocuments": targets,
        "LastRuleModification": round(service.catalog.rules_modified, 3),
        "UnprocessedStatistics": unknown,
    }
    if boosts:
        answer["UnprocessedBoostStatistics"] = [_unknown_rule(name) for name in strange]
    return answer


def _unknown_rule(name: str) -> dict[str, Any]:
    return {"RuleName": name, "ErrorCode": "404", "Message": "Unknown rule"}


def get_sampling_statistic_summaries(call: Call) -> dict[str, Any]:
    """Answer GetSamplingStatisticSummaries."""
    call.position()
    rules = sorted(call.service.catalog.rules.values(), key=lambda rule: rule.name)
    return {
        "SamplingStatisticSummaries": [
            {
                "RuleName": rule.name,
                "Timestamp": round(rule.reported, 3),
                "RequestCount": rule.requests,
                "BorrowCount": rule.borrowed,
                "SampledCount": rule.sampled,
            }
            for rule in rules
            if rule.reported is not None
        ]
    }


def tags_of(given: dict[str, Any], arn: str) -> dict[str, str]:
    """Return the tags of a request that makes something.

    Raises:
        AwsError: There are too many.
    """
    tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags") or ()}
    if len(tags) > TAGS_MAX:
        raise too_many_tags(TAGS_MAX, arn)
    return tags


def _record(rule: Rule, call: Call) -> dict[str, Any]:
    return {
        "SamplingRule": {**rule.content, "RuleARN": rule_arn(rule.name, call.region)},
        "CreatedAt": round(rule.created, 3),
        "ModifiedAt": round(rule.modified, 3),
    }
