"""nginx with the documented site, in front of the running service."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import OPERATING, read_blocks
from tests.live.service import free_port
from tests.waiting import wait_until

CONFIGURATION = """
{user}
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}  # more than Debian's, as the documentation says
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    {site}
}}
"""


def adapt_site(site: str, *, port: int, service_port: int) -> str:
    """Return the documented site without TLS, at another port."""
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{service_port}")
    site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    return re.sub(r"^ *ssl_.*\n", "", site, flags=re.MULTILINE)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_nginx(directory: Path, *, service_port: int, lines: str = "") -> Iterator[int]:
    """Run nginx with the documented site and more lines of its server, and yield its port."""
    port = free_port()
    site = adapt_site(documented_site(), port=port, service_port=service_port)
    with running_site(directory, site.replace("    location / {", f"{lines}\n    location / {{"), port=port):
        yield port


def documented_site() -> str:
    [block] = [block for block in read_blocks(OPERATING) if block.language == "nginx"]
    return block.text


@contextmanager
def running_site(directory: Path, site: str, *, port: int) -> Iterator[None]:
    """Run nginx with a site that listens on this port. Skip the test if nginx is not installed, except in CI."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not nginx:
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("nginx is not installed")
    user = "user root;" if os.geteuid() == 0 else ""
    file = Path(directory, "nginx.conf")
    file.write_text(CONFIGURATION.format(directory=directory, site=site, user=user))
    process = subprocess.Popen([nginx, "-p", directory, "-c", file], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port) or process.poll() is not None)
        assert process.poll() is None, (directory / "error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait()
