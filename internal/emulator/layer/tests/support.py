"""Starts the emulators the tests talk to."""

import atexit
import contextlib
import functools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import boto3
import botocore.config

ACCOUNT = "111111111111"
REGION = "eu-west-1"
START_SECONDS = 30
PYTHON_PATH = pathlib.Path(__file__).resolve().parents[2]
LAYERED = "layer"
STOCK = "ministack"


class Emulator:
    """A running emulator. State is kept when a directory for it is given."""

    def __init__(self, module, state=None, stdin=subprocess.DEVNULL, extra=None):
        self._own = tempfile.TemporaryDirectory(prefix="emulator-test-")
        self._log = pathlib.Path(self._own.name, "log")
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module],
                env=self._environment(state, extra or {}),
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _environment(self, state, extra):
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **kept,
            "PYTHONPATH": str(PYTHON_PATH),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "TMPDIR": self._own.name,
            "PERSIST_STATE": "1" if state else "0",
            "STATE_DIR": str(state or self._own.name),
            # The tests are about metadata: nothing is to start a container.
            "DOCKER_HOST": "unix:///nonexistent",
            **extra,
        }

    def wait(self):
        """Returns itself once it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=1).close()
                return self
            time.sleep(0.02)
        raise RuntimeError(f"the emulator did not start:\n{self._log.read_text()}")

    def services(self):
        """The names of the services it has."""
        with urllib.request.urlopen(f"{self.url}/_ministack/health") as response:
            return json.load(response)["services"]

    def client(self, service, account=ACCOUNT, region=REGION):
        return _client(self.url, service, account, region)

    def query(self, service, action, **parameters):
        """A call of the Query protocol, which boto3 no longer speaks to every service."""
        form = urllib.parse.urlencode({"Action": action, **parameters}).encode()
        scope = f"{ACCOUNT}/20260101/{REGION}/{service}/aws4_request"
        request = urllib.request.Request(
            self.url,
            data=form,
            headers={
                "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, "
                "SignedHeaders=host, Signature=0",
            },
        )
        with urllib.request.urlopen(request) as response:
            return _tree(xml.etree.ElementTree.fromstring(response.read()))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._own.cleanup()


@functools.cache
def _client(url, service, account, region):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="unused",
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _tree(node):
    """XML as dictionaries; <member> elements become a list."""
    children = list(node)
    if not children:
        return node.text or ""
    names = [child.tag.rpartition("}")[2] for child in children]
    if set(names) == {"member"}:
        return [_tree(child) for child in children]
    return dict(zip(names, map(_tree, children), strict=True))


@functools.cache
def shared():
    """The two emulators all tests share: with the layer, and without."""
    running = Emulator(LAYERED), Emulator(STOCK)
    for emulator in running:
        atexit.register(emulator.kill)
    return [emulator.wait() for emulator in running]


class GapCase(unittest.TestCase):
    """A test that runs the same calls against both emulators."""

    def assert_closed(self, observe, expected):
        """``observe`` sees what AWS would show with the layer, and not without."""
        layered, stock = shared()
        self.assertEqual(observe(layered), expected)
        try:
            without = observe(stock)
        except Exception as refused:
            without = refused
        self.assertNotEqual(without, expected, "ministack does this by itself: the wrapper can go")


def subset(record, keys):
    """The named members of a record, None for those it lacks."""
    return {key: record.get(key) for key in keys}
