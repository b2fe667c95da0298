"""The gateway under test and the scripted upstream behind it, as `run.sh` names them in the environment."""

import json
import os
import urllib.request
from urllib.parse import quote

import bedrock
import pytest
from clients import CLIENTS
from replay import CORPUS, PATHS, Upstream

URL = os.environ.get("LOCKGATE_URL", "")
KEY = os.environ.get("LOCKGATE_KEY", "sk-test")
# Points the SDKs at the scripted upstream itself: tells a mistake of these tests from one of the gateway.
DIRECT = os.environ.get("LOCKGATE_DIRECT") == "1"
UPSTREAM_PORT = int(os.environ.get("LOCKGATE_UPSTREAM_PORT", 0))
DIALECTS = list(CLIENTS)
IN_FLIGHT = "lockgate_requests_in_flight"


def pytest_report_header():
    return f"gateway: {'none, direct' if DIRECT else URL or 'none'}; corpus: {CORPUS if CORPUS.is_dir() else 'MISSING'}"


def pytest_terminal_summary(terminalreporter):
    if not CORPUS.is_dir():
        terminalreporter.section("SKIPPED: the recorded corpus")
        terminalreporter.line(f"No corpus at {CORPUS}: test_corpus.py and the recorded half of test_requests.py checked NOTHING.")
        terminalreporter.line("Set LOCKGATE_CORPUS to the folder of recorded provider traffic.")


def pytest_collection_modifyitems(items):
    needs_gateway = pytest.mark.skip(reason="only the scripted upstream is there (LOCKGATE_DIRECT)")
    for item in items if DIRECT else []:
        if item.path.name != "test_corpus.py":
            item.add_marker(needs_gateway)


@pytest.fixture(scope="session")
def upstream():
    return Upstream(UPSTREAM_PORT).start()


@pytest.fixture(scope="session")
def gateway(upstream):
    if DIRECT:
        return f"http://127.0.0.1:{upstream.port}"
    assert URL, "LOCKGATE_URL names the gateway; tests/sdk/run.sh sets it"
    return URL


@pytest.fixture(scope="session")
def client_of(gateway):
    """Makes clients by dialect, one for each key."""
    made = {}

    def make(dialect, key=KEY):
        return made.setdefault((dialect, key), CLIENTS[dialect](gateway, key))

    return make


@pytest.fixture
def in_flight(gateway):
    """Reads how many requests the gateway has in flight."""

    def read():
        request = urllib.request.Request(f"{gateway}/metrics", headers={"authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request, timeout=5) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(IN_FLIGHT))

    return read


@pytest.fixture
def post(gateway):
    """Sends a body in a dialect without any SDK; gives status, headers and body."""

    def send(dialect, model, body, stream):
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        paths = {own: path for path, own in PATHS.items()} | {
            "gemini": f"/v1beta/models/{model}:{verb}",
            "bedrock": f"/model/{quote(model, safe='')}/{bedrock.VERB[stream]}",
        }
        # Of the two paths of Ollama, the body tells.
        paths["ollama"] = "/api/generate" if "prompt" in body else "/api/chat"
        path = paths[dialect]
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json", "anthropic-version": "2023-06-01"}
        if dialect != "anthropic":
            del headers["anthropic-version"]
        body = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        request = urllib.request.Request(gateway + path, body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    return send
