"""TLS to a real server: what is verified, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mongodb_orm import BaseModel, ConnectionError, DatabaseConfig, close_all_connections, register_model

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program makes the certificates"),
    pytest.mark.filterwarnings("ignore:ssl_cert_reqs='none'"),
]


class Item(BaseModel):
    name: str = "x"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority, a server's certificate that it signed, and an authority that signed nothing."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("authority", "stranger"):
        openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", "s.key", "-out", "s.csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(folder, "x509", "-req", "-in", "s.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "s.pem")  # fmt: skip
    (folder / "server.pem").write_text((folder / "s.pem").read_text() + (folder / "s.key").read_text())
    return folder


@pytest.fixture
async def uri(certificates: Path, standalone: Any) -> AsyncIterator[str]:
    authority, server = str(certificates / "authority.pem"), str(certificates / "server.pem")
    options = ("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", server, "--tlsCAFile", authority)
    yield standalone(*options, "--tlsAllowConnectionsWithoutCertificates", tlsCAFile=authority).uri
    await close_all_connections()


async def test_what_connects_and_what_does_not(uri: str, certificates: Path, driver: str) -> None:
    authority, stranger = str(certificates / "authority.pem"), str(certificates / "stranger.pem")
    own = str(certificates / "server.pem")
    table: list[tuple[dict[str, Any], bool]] = [
        ({"ssl": True, "ssl_ca_file": authority}, True),
        ({"ssl": True, "ssl_ca_file": authority, "ssl_cert_reqs": "required"}, True),
        ({"ssl": True, "ssl_ca_file": authority, "ssl_cert_reqs": "optional"}, True),
        ({"ssl": True, "ssl_ca_file": authority, "ssl_cert_file": own}, True),
        ({"ssl_ca_file": authority}, True),
        ({"ssl_cert_reqs": "none"}, True),
        ({"ssl": True, "ssl_cert_reqs": "none"}, True),
        ({}, False),
        ({"ssl": True}, False),
        ({"ssl_cert_reqs": "required"}, False),
        ({"ssl": True, "ssl_cert_reqs": "optional"}, False),
        ({"ssl": True, "ssl_ca_file": stranger}, False),
        ({"ssl": True, "ssl_ca_file": stranger, "ssl_cert_reqs": "optional"}, False),
    ]
    for options, connects in table:
        wait = 10_000 if connects else 500
        await register_model(Item, DatabaseConfig(uri, driver=driver, server_selection_timeout_ms=wait, **options))
        if connects:
            assert await Item.count() == 0, options
        else:
            with pytest.raises(ConnectionError):
                await Item.count()
