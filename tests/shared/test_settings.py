"""Production refuses whatever would be unsafe, and says which setting mends it."""

import pytest

from shared.settings import Settings, SettingsRefused


def test_the_embedded_form_needs_no_setting(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Settings.load().database_url_of("cases").startswith("sqlite+aiosqlite:///")


def test_production_refuses_development_settings_and_names_each(monkeypatch):
    monkeypatch.setenv("DOORSTEP_ENVIRONMENT", "production")
    monkeypatch.setenv("DOORSTEP_CLOCK", "2026-03-02T00:00:00Z")
    with pytest.raises(SettingsRefused) as refused:
        Settings.load()
    kafka = ("KAFKA_BOOTSTRAP", "KAFKA_SECURITY", "KAFKA_REPLICATION")
    keys = ("MASTER_KEY_FILE", "DIGEST_SECRET_FILE", "SERVICE_KEY_FILE")
    for name in (*kafka, *keys, "DATABASE_URL", "CLOCK", "OIDC_ISSUER"):
        assert f"DOORSTEP_{name}" in str(refused.value)


def test_production_does_not_read_a_dotenv(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("DOORSTEP_KAFKA_BOOTSTRAP=elsewhere:9092\n")
    monkeypatch.chdir(tmp_path)
    assert Settings.load().kafka_bootstrap == "elsewhere:9092"
    monkeypatch.setenv("DOORSTEP_ENVIRONMENT", "production")
    with pytest.raises(SettingsRefused, match="KAFKA_BOOTSTRAP"):
        Settings.load()
