"""Settings come from the environment, and say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from examples.services.config import Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_KEY", "0123456789abcdef")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MONGO_DATABASE=from_file\nLOG_LEVEL=DEBUG\n")
    assert Settings().mongo_database == "from_file"
    monkeypatch.setenv("MONGO_DATABASE", "from_environment")
    assert (Settings().mongo_database, Settings().log_level) == ("from_environment", "DEBUG")


def test_production_needs_a_server_and_takes_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(ValidationError, match="MONGO_URI names a server"):
        Settings()
    monkeypatch.setenv("MONGO_URI", "mongodb://app:s3cret@db.example.com")
    settings = Settings()
    assert settings.database().ssl is True
    assert "s3cret" not in repr(settings) + repr(settings.database())


def test_a_secret_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "short")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "short" not in str(caught.value).replace("too_short", "")
