"""Configuration and logging."""

from __future__ import annotations

import logging
import pickle
import ssl

import pytest
from rich.pretty import pretty_repr

from mongodb_orm import ConfigurationError, DatabaseConfig, setup_logging
from mongodb_orm.connections import redact_uri


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONGO_URI", "MONGO_DATABASE", "MONGO_DRIVER"):
        monkeypatch.delenv(name, raising=False)


def test_defaults() -> None:
    config = DatabaseConfig()
    assert (config.mongo_uri, config.database_name, config.driver) == ("mongodb://localhost:27017", "test", "motor")
    options = config.client_options()
    assert options["w"] == "majority"
    assert options["timeoutMS"] == 30_000
    assert options["serverSelectionTimeoutMS"] == 5000


def test_the_environment_gives_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGO_URI", "mongodb://db.example.com/shop")
    monkeypatch.setenv("MONGO_MAX_POOL_SIZE", "7")
    monkeypatch.setenv("MONGO_RETRY_WRITES", "false")
    config = DatabaseConfig(mongo_uri=None)
    assert (config.database_name, config.max_pool_size, config.retry_writes) == ("shop", 7, False)
    monkeypatch.setenv("MONGO_DATABASE", "other")
    assert DatabaseConfig().database_name == "other"
    assert DatabaseConfig("mongodb://h/mine").database_name == "mine"
    assert DatabaseConfig(database_name="own").database_name == "own"
    monkeypatch.setenv("MONGO_MAX_POOL_SIZE", "lots")
    with pytest.raises(ConfigurationError, match="max_pool_size"):
        DatabaseConfig()


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://ann:s3cret@h/db",
        "mongodb+srv://ann:s3cret@h.example.com/db",
        "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:s3cret&tls=true",
        "mongodb://h/?tlsCertificateKeyFilePassword=s3cret",
    ],
)
def test_credentials_show_nowhere(uri: str) -> None:
    config = DatabaseConfig(uri)
    rich = pretty_repr([config])
    for text in (repr(config), str(config), f"{config}", redact_uri(uri), rich, config.model_dump_json()):
        assert "s3cret" not in text
        assert "ann" not in text
    assert config.mongo_uri == uri
    with pytest.raises(ConfigurationError) as caught:
        DatabaseConfig(uri, max_pool_size=-1)
    assert "s3cret" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.facts}"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("mongodb://ann:s3cret/x@h/db", "percent-encoded"),
        ("mongodb://ann:s3cret?x@h/db", "percent-encoded"),
        ("mongodb://ann:s3cret@x@h/db", "percent-encoded"),
        ("mongodb://:s3cret@h", "no user"),
        ("mongodb://@h", "no user"),
        ("mongodb://ann:s3cret", "port"),
        ("mongodb://ann:s3cret/db", "port"),
        ("mongodb://h:0", "port"),
        ("mongodb://ann:s3cret@", "no host"),
        ("mongodb://ann:s3cret@h1,,h2/db", "no host"),
        ("mongodb://ann:s3cret@h/db\n", "line break"),
        ("mongodb://ann:s3cret@h /db", "space"),
        ("postgres://ann:s3cret@h/db", "must start with"),
        ("s3cret", "must start with"),
        ("", "must start with"),
    ],
)
def test_a_wrong_uri_is_refused_without_showing_it(uri: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        DatabaseConfig(uri)
    assert "s3cret" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.facts}"
    assert "mongo_uri" in caught.value.fields


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a/b", "$a", "a\n", "a\t", "a\x00", "x" * 64, 'a"', "å" * 32])
def test_a_wrong_name_of_a_database_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="database_name"):
        DatabaseConfig(database_name=name)


def test_configurations_are_values() -> None:
    one, two = DatabaseConfig("mongodb://h"), DatabaseConfig("mongodb://h")
    assert one == two
    assert hash(one) == hash(two)
    assert one != "mongodb://h"
    in_uri = DatabaseConfig("mongodb://h/?maxPoolSize=3")
    assert in_uri != DatabaseConfig("mongodb://h/?maxPoolSize=3", max_pool_size=100), "the client would be another one"
    assert pickle.loads(pickle.dumps(one)) == one


OTHER_VALUES: dict[str, object] = {
    "mongo_uri": "mongodb://other",
    "database_name": "other",
    "driver": "pymongo",
    "max_pool_size": 7,
    "min_pool_size": 7,
    "ssl": True,
    "ssl_cert_reqs": "required",
    "ssl_ca_file": __file__,
    "ssl_cert_file": __file__,
    "retry_writes": False,
    "retry_reads": False,
    "write_concern": 2,
    "read_concern": "local",
    "read_preference": "nearest",
    "app_name": "other",
    "replica_set": "other",
    "auth_source": "other",
    "direct_connection": True,
    "compressors": "zlib",
    "token_secret": "another secret of some length",
    **{field: 7 for field in DatabaseConfig.model_fields if field.endswith("_ms")},
}


@pytest.mark.parametrize("field", DatabaseConfig.model_fields)
def test_configurations_that_differ_in_anything_are_not_equal(field: str) -> None:
    base = {"mongo_uri": "mongodb://h"}
    one, other = DatabaseConfig(**base), DatabaseConfig(**{**base, field: OTHER_VALUES[field]})
    assert one != other
    assert other == DatabaseConfig(**{**base, field: OTHER_VALUES[field]})


WRONG_VALUES: list[tuple[str, object]] = [
    ("max_pool_size", 0),
    ("max_pool_size", -1),
    ("max_pool_size", 1.5),
    ("min_pool_size", -1),
    ("min_pool_size", 101),
    ("timeout_ms", -1),
    ("timeout_ms", "soon"),
    ("server_selection_timeout_ms", -1),
    ("driver", "mysql"),
    ("ssl_cert_reqs", "maybe"),
    ("ssl_ca_file", "/no/such/file"),
    ("ssl_cert_file", "/no/such/file"),
    ("read_preference", "fastest"),
    ("read_concern", "strong"),
    ("write_concern", -1),
    ("retry_writes", "maybe"),
    ("mongo_uri", 5),
    ("token_secret", "short"),
    ("poolsize", 5),
]


@pytest.mark.parametrize(("field", "value"), WRONG_VALUES)
def test_a_wrong_setting_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=field) as caught:
        DatabaseConfig(**{field: value})
    assert field in caught.value.fields
    assert isinstance(caught.value, ValueError)


def test_certificates_without_tls_make_no_sense() -> None:
    with pytest.raises(ConfigurationError, match="ssl: is False"):
        DatabaseConfig("mongodb://h", ssl=False, ssl_cert_reqs="required")
    assert DatabaseConfig("mongodb://h", ssl_cert_reqs="required").client_options()["tls"] is True
    assert "tls" not in DatabaseConfig("mongodb://h/?tls=true").client_options()


@pytest.mark.parametrize("mode", ["required", "optional", ssl.CERT_REQUIRED])
def test_tls_verifies(mode: object) -> None:
    options = DatabaseConfig("mongodb://h", ssl=True, ssl_cert_reqs=mode).client_options()
    assert options["tls"] is True
    assert "tlsAllowInvalidCertificates" not in options


def test_tls_without_verification_warns() -> None:
    with pytest.warns(UserWarning, match="does not verify"):
        options = DatabaseConfig("mongodb://h", ssl=True, ssl_cert_reqs="none").client_options()
    assert options["tlsAllowInvalidCertificates"] is True


def test_a_ca_file(tmp_path: object) -> None:
    file = __file__
    assert DatabaseConfig("mongodb://h", ssl=True, ssl_ca_file=file).client_options()["tlsCAFile"] == file


@pytest.mark.parametrize("level", [0, 1])
def test_weak_write_concerns_warn(level: int) -> None:
    with pytest.warns(UserWarning, match="majority"):
        DatabaseConfig("mongodb://h", write_concern=level)


def test_the_uri_wins_over_our_defaults_only() -> None:
    uri = "mongodb://h/?maxPoolSize=3&w=2"
    assert "maxPoolSize" not in DatabaseConfig(uri).client_options()
    assert DatabaseConfig(uri, max_pool_size=9).client_options()["maxPoolSize"] == 9


def test_logging_touches_only_our_logger(capsys: pytest.CaptureFixture[str]) -> None:
    root_level, root_handlers = logging.getLogger().level, list(logging.getLogger().handlers)
    logger = setup_logging("DEBUG")
    setup_logging(logging.INFO)
    assert logger.name == "mongodb_orm"
    assert logger.level == logging.INFO
    assert len([handler for handler in logger.handlers if type(handler).__name__ == "_OwnHandler"]) == 1
    assert (logging.getLogger().level, logging.getLogger().handlers) == (root_level, root_handlers)
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


def test_the_token_secret_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_ORM_TOKEN_SECRET", "a secret of some length")
    config = DatabaseConfig()
    assert config.token_secret is not None
    assert config.token_secret.get_secret_value() == "a secret of some length"
    assert "of some length" not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"
    assert config != DatabaseConfig(token_secret="another secret of some length")
    with pytest.raises(ConfigurationError, match="token_secret") as caught:
        DatabaseConfig(token_secret="s3cret")
    assert "s3cret" not in f"{caught.value!r} {caught.value.facts}"
