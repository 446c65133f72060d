"""Starts ministack with every gap closed: ``python -m layer``.

The same environment variables as ministack's own command apply; the defaults
below only make it safer: loopback only, and no listeners besides HTTP.
"""

import importlib.metadata
import os
import sys

SUPPORTED_VERSION = "1.5.33"

SAFE_DEFAULTS = {
    "BIND_HOST": "127.0.0.1",
    "MINISTACK_HOST": "127.0.0.1",
    "IOT_MTLS_ENABLED": "0",
    "SFTP_ENABLED": "0",
}


def check_version():
    """The wrappers name ministack's internals, so another version is refused."""
    installed = importlib.metadata.version("ministack")
    if installed != SUPPORTED_VERSION:
        sys.exit(
            f"the emulator layer is written for ministack {SUPPORTED_VERSION}, "
            f"found {installed}: install what tools/emulator.txt lists"
        )


def main():
    check_version()
    # ministack reads these while it is imported, hence before the import.
    for name, value in SAFE_DEFAULTS.items():
        os.environ.setdefault(name, value)

    from layer import connect, lifetime, services

    services.install()
    connect.listen()
    lifetime.exit_with_parent()

    from ministack import app

    app.main()


if __name__ == "__main__":
    main()
