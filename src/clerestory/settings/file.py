"""The settings that a YAML file holds, each with its line.

    clerestory.yaml -> [file] -> load

Nested mappings stand for dotted keys; `${NAME}` and `${NAME:-default}` in any text are taken
from the environment, `$$` is one dollar.

Invariant: a key that the table does not know is an error that names file and line.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.errors import ConfigurationError
from clerestory.settings.table import BY_KEY

if TYPE_CHECKING:
    import yaml

FILE_BYTES_MAX: Final = 1_048_576
_VARIABLE: Final = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECTIONS: Final = frozenset(key.rpartition(".")[0] for key in BY_KEY if "." in key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One setting as it stands in a file."""

    key: str
    value: object
    line: int


def read(path: Path, environ: Mapping[str, str]) -> list[Entry]:
    """Return the settings in a YAML file, in its order.

    Raises:
        ConfigurationError: The file cannot be read or parsed, has an unknown key, names a
            variable that is not set, or PyYAML is not installed.
    """
    root = _compose(path)
    if root is None:
        return []
    return list(_walk(root, "", _Place(path=path, environ=environ)))


def nearest(key: str) -> str:
    """Return words that name the known key most like `key`, or where to look."""
    close = difflib.get_close_matches(key, [*BY_KEY, *_SECTIONS], n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "`clerestory config` lists the known keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    path: Path
    environ: Mapping[str, str]

    def error(self, line: int, message: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}:{line}: {message}")


def _compose(path: Path) -> "yaml.Node | None":
    try:
        import yaml
    except ImportError:
        raise ConfigurationError(
            f"{path}: reading it needs PyYAML; install it with: pip install 'clerestory[yaml]'"
        ) from None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigurationError(f"{path}: cannot be read: {reason}") from None
    if len(text) > FILE_BYTES_MAX:
        raise ConfigurationError(
            f"{path}: {len(text)} characters; a settings file may have {FILE_BYTES_MAX}"
        )
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "too deep or not YAML"
        raise ConfigurationError(f"{path}:{line}: not valid YAML: {problem}") from None


def _walk(node: "yaml.Node", prefix: str, place: _Place) -> Iterator[Entry]:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        where = f"{prefix.rstrip('.')!r}" if prefix else "the file"
        line = node.start_mark.line + 1
        raise place.error(line, f"{where} should hold a mapping of settings, got {_form(node)}")
    for key_node, value_node in node.value:
        key = prefix + str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in BY_KEY:
            value = _value(value_node, place, raw=BY_KEY[key].kind not in {"list", "map"})
            if value is not None:
                yield Entry(key=key, value=value, line=line)
        elif key in _SECTIONS:
            yield from _walk(value_node, key + ".", place)
        else:
            raise place.error(line, f"unknown setting {key!r}; {nearest(key)}")


def _form(node: "yaml.Node") -> str:
    return "a list" if isinstance(node.value, list) else "one value"


def _value(node: "yaml.Node", place: _Place, *, raw: bool) -> object:
    import yaml

    if raw and isinstance(node, yaml.ScalarNode):
        # The text as written: `service_version: 1.10` is not the number 1.1.
        if node.tag == "tag:yaml.org,2002:null":
            return None
        return _expand(node.value, place, node.start_mark.line + 1)
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise place.error(node.start_mark.line + 1, f"not plain data: {error}") from None
    finally:
        loader.dispose()
    return _expand_all(value, place, node.start_mark.line + 1)


def _expand_all(value: Any, place: _Place, line: int) -> Any:
    if isinstance(value, str):
        return _expand(value, place, line)
    if isinstance(value, list):
        return [_expand_all(item, place, line) for item in value]
    if isinstance(value, dict):
        return {key: _expand_all(item, place, line) for key, item in value.items()}
    return value


def _expand(text: str, place: _Place, line: int) -> str:
    def replaced(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name is None:
            return "$"
        value = place.environ.get(name) or default
        if value is None:
            raise place.error(
                line, f"variable {name!r} is not set; set it, or write ${{{name}:-default}}"
            )
        return value

    return _VARIABLE.sub(replaced, text)
