"""What happens after the first event: an upstream that breaks, and a client that leaves."""

import time
from itertools import islice

import pytest
from conftest import DIALECTS, KEY
from model import CASES, Ask

PATIENCE = 4


def until(condition):
    """Waits for the gateway to notice; returns the last answer of `condition`."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES["broken"]])
def test_broken_stream_raises(case, client, face, client_of):
    sdk, seen = client_of(client), []
    ask = Ask(f"sim-{face}/{case['model']}", [("user", "one two three four five six")])
    with pytest.raises(sdk.api_error), sdk.pieces(ask) as pieces:
        seen.extend(pieces)
    assert seen, "what came before the break was handed on"


@pytest.mark.parametrize("upstream_dialect", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
def test_leaving_cancels_the_upstream(client, upstream_dialect, client_of, upstream, in_flight):
    model = f"paced.200.{50 + DIALECTS.index(client)}"
    idle = in_flight()
    with client_of(client).pieces(Ask(f"up-{upstream_dialect}/{model}", [("user", "Count.")])) as pieces:
        assert list(islice(pieces, 3)) == ["0 ", "1 ", "2 "]
        assert in_flight() > idle
    requests = [request for request in upstream.received[model] if request.dialect == upstream_dialect]
    assert until(lambda: requests[-1].end) == "hung up", "two hundred chunks were to come"
    assert until(lambda: in_flight() == idle), "the request is no longer in flight"


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
def test_chunks_arrive_as_they_are_sent(client, face, client_of):
    """Ten chunks of 60 ms each: the first must not wait for the last."""
    began = time.monotonic()
    times = []
    with client_of(client).pieces(Ask(f"sim-{face}/chunks=10+pace=60", [("user", "Slowly.")])) as pieces:
        times = [time.monotonic() - began for _ in pieces]
    assert len(times) >= 10
    assert times[-1] - times[0] > 0.3, "chunks come one by one"


def test_wrong_key_is_not_asked_upstream(client_of, upstream):
    model = "capture.unasked"
    with pytest.raises(client_of("openai").errors["authentication"]):
        client_of("openai", KEY + "x").ask(Ask(f"up-openai/{model}", [("user", "Hello.")]))
    assert model not in upstream.received
