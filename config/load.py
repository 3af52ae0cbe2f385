"""Read the settings: command line, then environment, then YAML file, then defaults; first one that speaks wins.

    ConfigError    one sentence: which key, what is wrong, how to repair it; it never repeats a secret

Every way to write a key becomes an :class:`Assignment`; unknown ones are refused with the nearest known name.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import SecretStr, ValidationError

from config.keys import ENV_PREFIX, LEAVES, MAPS, concrete, env_name, leaf_of
from config.section import Section
from config.settings import Settings
from config.wording import ConfigError, sentence

OTHER_VARIABLES = ("FRONTDESK_CONFIG", "FRONTDESK_CACHE_DIR", "FRONTDESK_CRASH_AT")
"""Variables with our prefix that are no settings: the YAML file, the weight cache, the crash tests."""

SERVICE_LINKS = re.compile(r"FRONTDESK_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)")
"""What Kubernetes injects beside a Service named frontdesk; nobody wrote these, so they are passed over."""

FILE_SUFFIX = "_file"
MASK = "***"
SIMILAR = 0.86  # ratio of difflib above which two keys count as a typing mistake apart


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value somebody wrote: where it goes, what it is, and where it was written (``origin``)."""

    path: tuple[str, ...]
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with the origin of every key that is not a default."""

    settings: Settings
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of ``config show``; secrets are already masked."""

    key: str
    value: str
    source: str


def load(
    environ: Mapping[str, str], yaml_path: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Merge all sources into one immutable value.

    ``yaml_path`` replaces ``FRONTDESK_CONFIG`` and ``./frontdesk.yaml``; ``overrides`` maps dotted keys to values
    given on the command line. Raises ConfigError.
    """
    return read(environ, yaml_path, overrides).settings


def read(
    environ: Mapping[str, str], yaml_path: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Loaded:
    """Like :func:`load`, and remember where each value came from."""
    path = yaml_path or _yaml_path(environ)
    chosen: dict[tuple[str, ...], Assignment] = {}
    layers = (
        _from_yaml(path) if path else (),
        _from_environ(environ),
        [Assignment(tuple(key.split(".")), value, "command line") for key, value in (overrides or {}).items()],
    )
    for layer in layers:
        chosen.update(_resolved(layer))
    tree: dict[str, Any] = {}
    for assignment in chosen.values():
        _put(tree, assignment)
    origins = {".".join(path): assignment.origin for path, assignment in chosen.items()}
    try:
        return Loaded(Settings.model_validate(tree), origins)
    except ValidationError as error:
        raise ConfigError(sentence(error, origins)) from None


def describe(loaded: Loaded) -> list[Shown]:
    """Every key with its value as text and its source, in the order of the models."""
    return [
        Shown(".".join(path), _shown(path, value), loaded.origins.get(".".join(path), "default"))
        for path, value in _values(loaded.settings)
    ]


def _yaml_path(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("FRONTDESK_CONFIG")
    if named:
        return Path(named)
    here = Path("frontdesk.yaml")
    return here if here.is_file() else None


def _from_environ(environ: Mapping[str, str]) -> Iterator[Assignment]:
    for name, value in sorted(environ.items()):
        skipped = name in OTHER_VARIABLES or SERVICE_LINKS.fullmatch(name)
        if not name.startswith(ENV_PREFIX) or skipped or not value:
            continue  # an empty variable is how compose files say "not set"
        yield Assignment(tuple(name.removeprefix(ENV_PREFIX).lower().split("__")), value, name)


def _from_yaml(path: Path) -> Iterator[Assignment]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The settings file {path} cannot be read ({error.strerror}); correct FRONTDESK_CONFIG or its permissions."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"The settings file {path} is not valid YAML{where}; compare it with config/default.yaml."
        ) from None
    if content is None:
        return
    if not isinstance(content, dict):
        raise ConfigError(f"The settings file {path} must hold sections such as 'http:', see config/default.yaml.")
    yield from _flatten(content, (), str(path))


def _flatten(node: Mapping[Any, Any], above: tuple[str, ...], origin: str) -> Iterator[Assignment]:
    for name, value in node.items():
        path = (*above, str(name))
        if isinstance(value, dict):
            yield from _flatten(value, path, origin)
        elif value is not None or concrete(path) is not None:
            yield Assignment(path, value, origin)
        elif not _is_section(path):
            raise _unknown(Assignment(path, value, origin))


def _is_section(path: tuple[str, ...]) -> bool:
    return any(leaf[: len(path)] == path for leaf in LEAVES) or path[:-1] in MAPS


def _resolved(layer: Iterable[Assignment]) -> dict[tuple[str, ...], Assignment]:
    """Turn one source into values by concrete path; read ``…_FILE``; refuse unknown and double ones."""
    found: dict[tuple[str, ...], Assignment] = {}
    for assignment in layer:
        path = concrete(assignment.path)
        value = assignment.value
        if path is None and assignment.path[-1].endswith(FILE_SUFFIX):
            path = concrete((*assignment.path[:-1], assignment.path[-1].removesuffix(FILE_SUFFIX)))
            value = _file_text(assignment) if path else value
        if path is None:
            raise _unknown(assignment)
        if path in found:
            raise ConfigError(f"{found[path].origin} and {assignment.origin} both set {'.'.join(path)}; remove one.")
        found[path] = Assignment(path, _parsed(path, value, assignment.origin), assignment.origin)
    return found


def _file_text(assignment: Assignment) -> str:
    try:
        return Path(str(assignment.value)).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        key = ".".join(assignment.path)
        raise ConfigError(
            f"{key} (from {assignment.origin}) names the file {assignment.value}, which cannot be read ({reason}); "
            "correct the path or its permissions."
        ) from None


def _parsed(path: tuple[str, ...], value: Any, origin: str) -> Any:
    if not leaf_of(path).is_list or not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise ConfigError(
            f"{'.'.join(path)} (from {origin}) starts like a JSON list but is none; "
            'write ["a", "b"] or comma-separated text.'
        ) from None


def _unknown(assignment: Assignment) -> ConfigError:
    """Name the nearest known key in the spelling of the source."""
    dotted = ".".join(assignment.path)
    keys = {leaf.key.replace(".*", ""): leaf for leaf in LEAVES.values()}
    near = difflib.get_close_matches(dotted, keys, n=1, cutoff=SIMILAR)
    from_environ = assignment.origin.startswith(ENV_PREFIX)
    name = assignment.origin if from_environ else f"{dotted} (in {assignment.origin})"
    if not near:
        return ConfigError(f"{name} is not a setting of this version; remove it, see: frontdesk config show.")
    meant = keys[near[0]].env if from_environ else near[0]
    return ConfigError(f"{name} is not a setting of this version; did you mean {meant}?")


def _put(tree: dict[str, Any], assignment: Assignment) -> None:
    node = tree
    for part in assignment.path[:-1]:
        node = node.setdefault(part, {})
    node[assignment.path[-1]] = assignment.value


def _values(section: Section, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, declared in type(section).model_fields.items():
        value = getattr(section, name)
        path = (*above, declared.alias or name)
        if isinstance(value, Section):
            yield from _values(value, path)
        elif path in MAPS:
            for account, entry in value.items():
                yield from _values(entry, (*path, account))
        else:
            yield path, value


def _shown(path: tuple[str, ...], value: Any) -> str:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else mask_password(str(value)) if leaf_of(path).secret else str(value)


def mask_password(url: str) -> str:
    """The URL with the password of its user part replaced by ``***``; other text is returned as it is."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    user, _, host = parts.netloc.rpartition("@")
    masked = user.partition(":")[0] + (f":{MASK}" if ":" in user else "")
    return parts._replace(netloc=f"{masked}@{host}", query=MASK if parts.query else "").geturl()


__all__ = ["ConfigError", "Loaded", "Shown", "describe", "env_name", "load", "mask_password", "read"]
