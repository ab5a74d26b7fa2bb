"""The simulator as a process, the vendors' programs as processes, and the checks that are printed."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

# Nothing answers here: a client that asks for another host than the simulator's fails at once.
NOWHERE = "http://127.0.0.1:9"
# Of a machine that is busy with something else.
PATIENCE = 60.0


# Loaded before there are threads, because it is called between fork and exec.
LIBC = ctypes.CDLL(None)


def end_with_parent():
    """Has the kernel end the simulator when the driver dies, however it dies."""
    if sys.platform == "linux":
        parent_death_signal = 1
        LIBC.prctl(parent_death_signal, signal.SIGTERM)


def confine(environment):
    """Points every proxy variable at nothing, but for loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        environment[name] = environment[name.lower()] = NOWHERE
    environment["NO_PROXY"] = environment["no_proxy"] = "127.0.0.1"
    return environment


class Simulator:
    """A running simulator, with its admin API."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory(prefix="provider-secrets-contract-")
        ports = Path(self.folder.name) / "urls.json"
        self.process = subprocess.Popen(
            [program, "--port-file", ports], preexec_fn=end_with_parent
        )
        deadline = time.monotonic() + PATIENCE
        while not ports.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise SystemExit("the simulator does not start")
            time.sleep(0.02)
        self.urls = json.loads(ports.read_text())

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.folder.cleanup()

    def admin(self, method, path, body=None):
        request = urllib.request.Request(
            self.urls["admin"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")


class Account:
    """One account at one simulated vendor."""

    def __init__(self, simulator, provider, name="demo", **new):
        self.simulator, self.provider, self.name = simulator, provider, name
        self.url = simulator.urls[provider]
        self.key = f"{provider}-{name}-key"
        if new:
            account = {"name": name, "keys": [{"key": self.key}], **new}
            simulator.admin("POST", "/accounts", {"provider": provider, "account": account})

    def _query(self):
        return urllib.parse.urlencode({"provider": self.provider, "account": self.name})

    def held(self, scope=None):
        """Names and values of a scope; `None` is the first scope that the simulator names."""
        return {name: held["value"] for name, held in self.secrets(scope).items()}

    def secrets(self, scope=None):
        """What the simulator holds, with values and times."""
        path = f"/state?mask=false&{self._query()}"
        state = self.simulator.admin("GET", path)[self.provider][self.name]
        for known in state["scopes"]:
            if scope is None or known["scope"] == scope:
                return known["secrets"]
        return {}

    def requests(self, since=0):
        """The requests that came in after one, as the simulator logged them."""
        path = f"/requests?after={since}&{self._query()}"
        return self.simulator.admin("GET", path)["requests"]

    def mark(self):
        """The newest request, for `requests`."""
        known = self.requests()
        return known[-1]["sequence"] if known else 0

    def lines(self, since=0):
        return [f"{request['method']} {request['path']}" for request in self.requests(since)]

    def _change(self, path, **fields):
        body = {"provider": self.provider, "account": self.name, **fields}
        return self.simulator.admin("POST", path, body)

    def vary(self, **variants):
        self._change("/variants", variants=variants)

    def fault(self, **fault):
        self._change("/faults", fault=fault)

    def foreign(self, name, value, scope=None):
        self._change("/foreign/write", name=name, value=value, scope=scope)


class Program:
    """A vendor's program, with a home folder of its own."""

    def __init__(self, name, folder, environment, options=()):
        self.path = Path(sys.executable).parent / name
        self.options = list(options)
        home = Path(folder) / f"home-of-{name}"
        home.mkdir(exist_ok=True)
        self.home = home
        # Nothing of the user's: neither credentials nor settings.
        self.environment = confine(
            {"HOME": str(home), "PATH": os.environ["PATH"], "NO_COLOR": "1", **environment}
        )

    def run(self, *arguments, **environment):
        """Gives exit code, standard output, and both outputs together."""
        done = subprocess.run(
            [self.path, *self.options, *arguments],
            env={**self.environment, **environment},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout, done.stdout + done.stderr

    def json(self, *arguments, **environment):
        """Runs a command that must succeed and gives what it printed as JSON."""
        code, out, everything = self.run(*arguments, **environment)
        if code != 0:
            raise AssertionError(f"{' '.join(arguments)} ended with {code}: {everything}")
        return json.loads(out)


    def commands(self, *group):
        """The commands of a group, from its help."""
        _, out, _ = self.run(*group, "--help", COLUMNS="200")
        rows = out.partition("Commands")[2].splitlines()
        # A row that goes on begins with spaces.
        return {row[2:].split()[0] for row in rows if row.startswith("│ ") and row[2] != " "}


def methods(api, word=""):
    """The public methods of a client whose names hold a word."""
    return {name for name in dir(api) if word in name and not name.startswith(("_", "with_"))}


class Checks:
    """Counts and prints what is checked."""

    lock = threading.Lock()

    def __init__(self, client):
        self.client = client
        self.passed = self.failed = 0

    def equal(self, what, actual, expected):
        self._say(what, actual == expected, f"{actual!r} is not {expected!r}")

    def true(self, what, holds, why=""):
        self._say(what, bool(holds), why)

    def raises(self, what, call, expected):
        """Checks that a call fails, with this text in its error."""
        try:
            answer = call()
        except Exception as error:
            self._say(what, expected in str(error), f"{expected!r} is not in {error}")
        else:
            self._say(what, False, f"it answered {answer!r}")

    def _say(self, what, holds, why):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
        with self.lock:
            print(f"{'ok    ' if holds else 'FAILED'} {self.client}: {what}{'' if holds else f': {why}'}")
            sys.stdout.flush()
