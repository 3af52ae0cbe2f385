"""Addresses and secret files; the faults stand in test_doctor.py."""

from __future__ import annotations

from pathlib import Path

from config.settings import Settings
from server.commands.checks import Level
from server.commands.checks.exposure import check_exposure, check_secret_files


def test_local_use_needs_no_https() -> None:
    local = {"channels": {"web": {"default": {"allowed_origins": ["http://localhost:3000", "http://127.0.0.1:9"]}}}}
    assert all(finding.level is Level.OK for finding in check_exposure(Settings.model_validate(local)))


def test_https_in_front_is_fine_on_any_address() -> None:
    served = {"http": {"host": "0.0.0.0", "public_url": "https://desk.example.com"}}
    served |= {"channels": {"web": {"default": {"allowed_origins": ["https://shop.example.com"]}}}}
    assert all(finding.level is Level.OK for finding in check_exposure(Settings.model_validate(served)))


def test_a_closed_secret_file_is_fine(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    environ = {"FRONTDESK_MODEL__API_KEY_FILE": str(secret), "FRONTDESK_X_FILE": "/no/such/file", "OTHER_FILE": "/etc"}
    assert check_secret_files(environ).level is Level.OK
