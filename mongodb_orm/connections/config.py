"""Where a database is and how to talk to it."""

from __future__ import annotations

import os
import re
import ssl as ssl_module
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_serializer

from ..exceptions import ConfigurationError
from ..types import DriverName

Backend = Literal["server", "embedded", "memory"]

DEFAULT_URI = "mongodb://localhost:27017"
DEFAULT_DATABASE = "test"

_ENVIRONMENT_NAMES = {
    "mongo_uri": "MONGO_URI",
    "database_name": "MONGO_DATABASE",
    "token_secret": "MONGODB_ORM_TOKEN_SECRET",
}
_MIN_SECRET = 16
_SERVER_SCHEMES = ("mongodb://", "mongodb+srv://")
_BAD_NAME = re.compile(r'[/\\."$*<>:|?\s\x00-\x1f]')
_BLANKS = re.compile(r"[\s\x00-\x1f]")
_SECRET_OPTIONS = re.compile(r"(?i)((?:authMechanismProperties|tlsCertificateKeyFilePassword|password)=)[^&]*")
_CERT_MODES = {
    ssl_module.CERT_REQUIRED: "required",
    ssl_module.CERT_OPTIONAL: "optional",
    ssl_module.CERT_NONE: "none",
}

_OPTION_NAMES = {
    "max_pool_size": "maxPoolSize",
    "min_pool_size": "minPoolSize",
    "max_idle_time_ms": "maxIdleTimeMS",
    "wait_queue_timeout_ms": "waitQueueTimeoutMS",
    "server_selection_timeout_ms": "serverSelectionTimeoutMS",
    "connect_timeout_ms": "connectTimeoutMS",
    "socket_timeout_ms": "socketTimeoutMS",
    "timeout_ms": "timeoutMS",
    "retry_writes": "retryWrites",
    "retry_reads": "retryReads",
    "write_concern": "w",
    "read_concern": "readConcernLevel",
    "read_preference": "readPreference",
    "app_name": "appname",
    "replica_set": "replicaSet",
    "auth_source": "authSource",
    "direct_connection": "directConnection",
    "compressors": "compressors",
}
_MILLISECONDS = (
    "max_idle_time_ms",
    "wait_queue_timeout_ms",
    "server_selection_timeout_ms",
    "connect_timeout_ms",
    "socket_timeout_ms",
    "timeout_ms",
)


def redact_uri(uri: str) -> str:
    """Return a connection string without its credentials.

    Example:
        >>> redact_uri("mongodb://ann:secret@db.example.com/shop")
        'mongodb://***:***@db.example.com/shop'
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return "***" if "@" in uri else uri
    credentials, at, host = rest.rpartition("@")
    hidden = f"{scheme}://***:***@{host}" if at and credentials else uri
    return _SECRET_OPTIONS.sub(r"\1***", hidden)


class DatabaseConfig(BaseModel):
    """A database and how to talk to it; a frozen value, by which clients are shared.

    Each field that is not given, or None, is taken from the environment variable `MONGO_<FIELD>` (`MONGO_URI`,
    `MONGO_DATABASE` for the first two, `MONGODB_ORM_TOKEN_SECRET` for the last), then from the default.

    Attributes:
        mongo_uri: `mongodb://`, `mongodb+srv://`, `embedded://`, `embedded:///path` or `memory://`.
        database_name: The database; default: the one in the URI, then `test`.
        driver: `"motor"` or `"pymongo"`, for servers.
        max_pool_size: Connections per server at most.
        min_pool_size: Connections per server that are kept open.
        ssl: Whether to use TLS; None leaves it to the URI, unless a setting of certificates is given: that uses TLS.
        ssl_cert_reqs: `"required"`, `"optional"` or `"none"`. PyMongo 4 knows no optional verification, so optional
            verifies; only `"none"` does not.
        ssl_ca_file: Path of the certificate authority's certificates (PEM).
        ssl_cert_file: Path of the client's certificate and key (PEM).
        server_selection_timeout_ms: How long to look for a server, milliseconds.
        connect_timeout_ms: How long one connection attempt may take, milliseconds.
        socket_timeout_ms: How long one reply may take, milliseconds; None leaves it to `timeout_ms`.
        timeout_ms: The deadline of one operation, milliseconds, retries included; 0 for none.
        max_idle_time_ms: How long a connection may be idle, milliseconds.
        wait_queue_timeout_ms: How long to wait for a free connection, milliseconds.
        retry_writes: Whether the driver retries a write once after a network error.
        retry_reads: Whether the driver retries a read once after a network error.
        write_concern: `"majority"`, or how many members must have a write.
        read_concern: `"local"`, `"available"`, `"majority"`, `"linearizable"` or `"snapshot"`.
        read_preference: `"primary"`, `"primaryPreferred"`, `"secondary"`, `"secondaryPreferred"` or `"nearest"`.
        app_name: What the server's log calls this program.
        replica_set: The name of the replica set.
        auth_source: The database that holds the user.
        direct_connection: Whether to talk to this one member only.
        compressors: Such as `"zstd,snappy"`.
        token_secret: What signs page tokens, 16 characters at least, from `MONGODB_ORM_TOKEN_SECRET`; None for a random
            one, with which tokens end with the process and mean nothing to another one.

    Raises:
        ConfigurationError: When a value makes no sense; it never shows credentials.

    Example:
        >>> DatabaseConfig(mongo_uri="mongodb://localhost:27017", database_name="shop")
        DatabaseConfig(mongo_uri='mongodb://localhost:27017', database_name='shop', driver='motor')
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mongo_uri: str = DEFAULT_URI
    database_name: str = DEFAULT_DATABASE
    driver: DriverName = "motor"
    max_pool_size: int = 100
    min_pool_size: int = 0
    ssl: bool | None = None
    ssl_cert_reqs: Literal["required", "optional", "none"] | None = None
    ssl_ca_file: str | None = None
    ssl_cert_file: str | None = None
    server_selection_timeout_ms: int = 5000
    connect_timeout_ms: int = 5000
    socket_timeout_ms: int | None = None
    timeout_ms: int = 30_000
    max_idle_time_ms: int | None = None
    wait_queue_timeout_ms: int | None = None
    retry_writes: bool = True
    retry_reads: bool = True
    write_concern: int | str = "majority"
    read_concern: Literal["local", "available", "majority", "linearizable", "snapshot"] | None = None
    read_preference: Literal["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"] | None = None
    app_name: str = "mongodb_orm"
    replica_set: str | None = None
    auth_source: str | None = None
    direct_connection: bool | None = None
    compressors: str | None = None
    token_secret: SecretStr | None = None

    def __init__(self, mongo_uri: str | None = None, database_name: str | None = None, **options: Any) -> None:
        """Check and keep the settings.

        Raises:
            ConfigurationError: When a value makes no sense.
        """
        given = {"mongo_uri": mongo_uri, "database_name": database_name, **options}
        values = {name: value for name, value in given.items() if value is not None}
        if "database_name" not in values and _database_in(str(mongo_uri or "")):
            values["database_name"] = _database_in(str(mongo_uri))
        for name in type(self).model_fields:
            if name not in values:
                text = os.environ.get(_environment_name(name))
                if text:
                    values[name] = text
        if "ssl_cert_reqs" in values and not isinstance(values["ssl_cert_reqs"], str):
            values["ssl_cert_reqs"] = _CERT_MODES.get(values["ssl_cert_reqs"], values["ssl_cert_reqs"])
        if isinstance(values.get("write_concern"), str) and values["write_concern"].isdigit():
            values["write_concern"] = int(values["write_concern"])
        values = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
        if "database_name" not in values and isinstance(values.get("mongo_uri"), str):
            in_uri = _database_in(values["mongo_uri"])
            if in_uri:
                values["database_name"] = in_uri
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors(include_input=False)
            )
            raise ConfigurationError(
                f"The database configuration is wrong: {problems}.",
                hint=f"Settings are: {', '.join(type(self).model_fields)}.",
                fields=tuple(str(detail["loc"][0]) for detail in error.errors(include_input=False)),
            ) from None  # the cause would repeat the values, credentials among them
        problems_found = list(self._problems())
        if problems_found:
            raise ConfigurationError(
                "The database configuration is wrong: "
                + "; ".join(f"{name}: {text}" for name, text in problems_found)
                + ".",
                fields=tuple(name for name, _ in problems_found),
            )
        self._warn()

    @property
    def backend(self) -> Backend:
        """Which kind of backend the URI names."""
        scheme = self.mongo_uri.partition("://")[0]
        return cast(Backend, scheme) if scheme in ("embedded", "memory") else "server"

    def client_options(self) -> dict[str, Any]:
        """Return the options for a client, under PyMongo's names.

        An option in the URI wins over a default of ours, and a setting that was given wins over the URI.
        """
        in_uri = {name.lower() for name, _ in parse_qsl(urlsplit(self.mongo_uri).query, keep_blank_values=True)}
        options: dict[str, Any] = {}
        for field, name in _OPTION_NAMES.items():
            value = getattr(self, field)
            if value is None or (field == "timeout_ms" and value == 0):
                continue
            if field in self.model_fields_set or name.lower() not in in_uri:
                options[name] = value
        if self.ssl is not None or self._names_certificates():
            options["tls"] = self.ssl is not False  # who says how to verify does not mean plain text
        if self.ssl_cert_reqs == "none":
            options["tlsAllowInvalidCertificates"] = True
        if self.ssl_ca_file:
            options["tlsCAFile"] = self.ssl_ca_file
        if self.ssl_cert_file:
            options["tlsCertificateKeyFile"] = self.ssl_cert_file
        return options

    def __eq__(self, other: object) -> bool:
        # A value that was given wins over the URI, and the default of the same value does not: such two differ.
        if not isinstance(other, DatabaseConfig):
            return NotImplemented
        return vars(self) == vars(other) and self.client_options() == other.client_options()

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    @field_serializer("mongo_uri", when_used="json")
    def _uri_in_json(self, uri: str) -> str:
        return redact_uri(uri)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        yield "mongo_uri", redact_uri(self.mongo_uri)
        yield "database_name", self.database_name
        yield "driver", self.driver

    def __str__(self) -> str:
        return repr(self)

    def _names_certificates(self) -> bool:
        return bool(self.ssl_cert_reqs or self.ssl_ca_file or self.ssl_cert_file)

    def _problems(self) -> Any:
        yield from ((("mongo_uri"), problem) for problem in [_uri_problem(self.mongo_uri)] if problem)
        name = self.database_name
        if not name or _BAD_NAME.search(name) or len(name.encode()) > 63:
            yield "database_name", 'must be 1 to 63 bytes without / \\ . " $ * < > : | ? or spaces'
        if self.max_pool_size < 1:
            yield "max_pool_size", "must be at least 1"
        if self.min_pool_size < 0:
            yield "min_pool_size", "must not be negative"
        elif self.max_pool_size >= 1 and self.min_pool_size > self.max_pool_size:
            yield "min_pool_size", "must not be greater than max_pool_size"
        for field in _MILLISECONDS:
            value = getattr(self, field)
            if value is not None and value < 0:
                yield field, "must not be negative"
        if isinstance(self.write_concern, int) and self.write_concern < 0:
            yield "write_concern", "must not be negative"
        if self.token_secret is not None and len(self.token_secret) < _MIN_SECRET:
            yield "token_secret", f"must have at least {_MIN_SECRET} characters"
        if self.ssl is False and self._names_certificates():
            yield "ssl", "is False, but certificates are configured"
        for field in ("ssl_ca_file", "ssl_cert_file"):
            path = getattr(self, field)
            if path and not Path(path).is_file():
                yield field, f"there is no file {path!r}"

    def _warn(self) -> None:
        if self.write_concern in (0, 1) and self.backend == "server":
            warnings.warn(
                f"write_concern={self.write_concern!r} can lose acknowledged writes; the default is 'majority'.",
                stacklevel=3,
            )
        if self.ssl_cert_reqs == "none":
            warnings.warn("ssl_cert_reqs='none' does not verify the server: anybody may answer.", stacklevel=3)


def _environment_name(field: str) -> str:
    return _ENVIRONMENT_NAMES.get(field, f"MONGO_{field.upper()}")


def _database_in(uri: str) -> str:
    if not uri.startswith(_SERVER_SCHEMES):
        return ""
    path = uri.partition("://")[2].rpartition("@")[2].partition("/")[2]
    return unquote(path.partition("?")[0])


def _uri_problem(uri: str) -> str:
    if uri.startswith(("embedded://", "memory://")):
        return ""
    if not uri.startswith(_SERVER_SCHEMES):
        return "must start with mongodb://, mongodb+srv://, embedded:// or memory://"
    if _BLANKS.search(uri):
        return "has a space or a line break in it"
    authority, *rest = re.split(r"[/?]", uri.partition("://")[2], maxsplit=1)
    credentials, at, hosts = authority.rpartition("@")
    is_cut = not at and any("@" in part.partition("?")[0] for part in rest)  # by a slash in the password
    if is_cut or "@" in credentials or credentials.count(":") > 1:
        return "user name and password must be percent-encoded (urllib.parse.quote_plus)"
    if at and not credentials.partition(":")[0]:
        return "names no user before the @"
    if not hosts or any(not host for host in hosts.split(",")):
        return "names no host"
    for host in hosts.split(","):
        port = host.rpartition("]")[2].partition(":")[2] if host.startswith("[") else host.partition(":")[2]
        if ":" in host.rpartition("]")[2] and not (port.isdigit() and 0 < int(port) < 65536):
            return "names a port that is no number from 1 to 65535"  # it may be a password: it is not shown
    return ""
