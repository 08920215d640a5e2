"""Hash functions.

tree -> calls -> [functions] -> builder -> program
"""

from typing import Final

from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.tree import Call
from clerestory.server.insights.registry import Build, Function
from clerestory.server.insights.values import Sql


def _hash(name: str) -> Build:
    def build(_builder: Builder, _call: Call, text: str) -> Sql:
        return Sql("text", f"lower(hex({name}({text})))")

    return build


FUNCTIONS: Final = (
    Function(
        name="md5",
        group="Hashes",
        parameters=("text",),
        returns="text",
        help="The MD5 hash of the text, in hexadecimal.",
        example="md5(user_id)",
        build=_hash("MD5"),
    ),
    Function(
        name="sha256",
        group="Hashes",
        parameters=("text",),
        returns="text",
        help="The SHA-256 hash of the text, in hexadecimal.",
        example="sha256(user_id)",
        build=_hash("SHA256"),
    ),
)
