"""Drives the vendors' own clients through every secret command that they have, against the simulator.

Usage: python drive.py PATH-OF-THE-SIMULATOR
"""

import os
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from harness import Checks, Simulator, confine

CLIENTS = ["baseten", "truss", "prime", "pipecatcloud", "pipecat-ai-cli", "braintrust", "braintrust-api"]


def groups(simulator, folder):
    """What is run side by side: a client has an account of its own."""
    import baseten_client
    import braintrust_client
    import pipecat_client
    import prime_client

    pipecat = f"{version('pipecat-ai-cli')} with pipecatcloud {version('pipecatcloud')}"
    return [
        ("prime", lambda: prime_client.cli(simulator, version("prime"), folder)),
        ("pipecat", lambda: pipecat_client.cli(simulator, pipecat, folder)),
        ("baseten", lambda: baseten_client.sdk(simulator, version("baseten"))),
        ("truss", lambda: baseten_client.truss(simulator, version("truss"))),
        ("braintrust", lambda: braintrust_client.sdk(simulator, version("braintrust"))),
        ("braintrust-api", lambda: braintrust_client.older_sdk(simulator, version("braintrust-api"))),
    ]


def outcome(name, group):
    """A group that breaks off has failed, and the others go on."""
    try:
        return group()
    except Exception:
        broken = Checks(name)
        broken.true("it ran to its end", False, traceback.format_exc())
        return broken


def main():
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="provider-secrets-contract-") as folder:
        # Before a client is imported: some read their settings then, and write into the home folder.
        home = os.path.join(folder, "home")
        os.mkdir(home)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        os.environ.clear()
        os.environ.update(confine({**kept, "HOME": home}))
        simulator = Simulator(sys.argv[1])
        try:
            all_groups = groups(simulator, folder)
            with ThreadPoolExecutor(len(all_groups)) as pool:
                done = list(pool.map(lambda group: outcome(*group), all_groups))
        finally:
            simulator.close()
    passed, failed = sum(check.passed for check in done), sum(check.failed for check in done)
    print("clients: " + ", ".join(f"{name} {version(name)}" for name in CLIENTS))
    print(f"{passed + failed} checks, {passed} passed, {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
