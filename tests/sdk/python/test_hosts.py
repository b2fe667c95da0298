"""Bedrock as a host of Anthropic's dialect: what comes out of its frames is what the official SDKs read."""

import json

import bedrock
import pytest
from anthropic.lib.bedrock._stream_decoder import AWSEventStreamDecoder
from conftest import DIALECTS
from model import Ask
from replay import CORPUS, recorded

HOST = "up-bedrock-anthropic"
ASK = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def streams():
    """Recorded streams of the vendor, but for one that ends in the way of another dialect."""
    folders = sorted((CORPUS / "anthropic").iterdir()) if CORPUS.is_dir() else []
    found = {folder.name: folder / "response.sse" for folder in folders if (folder / "response.sse").exists()}
    return {name: path for name, path in found.items() if b"[DONE]" not in path.read_bytes()}


STREAMS = streams()


@pytest.mark.parametrize("client", DIALECTS)
def test_every_sdk_reaches_the_host(client, client_of, upstream):
    model = f"capture.invoke.{client}"
    ask = Ask(model=f"{HOST}/{model}", turns=[("user", "Keep this.")], system="Be brief.")
    assert client_of(client).ask(ask).text == "Kept."
    assert client_of(client).stream(ask).text == "Kept."
    whole, streamed = upstream.received[model]
    assert (whole.path, streamed.path) == (f"/model/{model}/invoke", f"/model/{model}/invoke-with-response-stream")
    for request in (whole, streamed):
        assert request.body["anthropic_version"] == "bedrock-2023-05-31"
        assert not {"model", "stream"} & request.body.keys()
        assert "Keep this." in json.dumps(request.body["messages"])
        assert request.headers["authorization"] == "Bearer sk-up"


@pytest.mark.parametrize("name", STREAMS)
def test_events_are_those_that_the_vendors_sdk_finds_in_the_frames(name, post):
    _, _, sse = recorded(CORPUS / "anthropic" / name, True)
    found = AWSEventStreamDecoder().iter_bytes(iter(bedrock.carried(sse)))
    expected = "".join(f"event: {event.event}\ndata: {event.data}\n\n" for event in found)
    status, headers, said = post("anthropic", f"{HOST}/anthropic.{name}.cut3", ASK | {"model": f"{HOST}/anthropic.{name}.cut3", "stream": True}, True)
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    assert said.decode().startswith(expected), "the gateway's events are the SDK's"
    rest = said.decode()[len(expected) :]
    assert "message_stop" in expected or "event: error" in rest + expected, "a stream that was recorded cut is told as such"


@pytest.mark.parametrize("name", STREAMS)
def test_the_vendors_sdk_reads_the_same_answer(name, client_of):
    if b"message_stop" not in STREAMS[name].read_bytes():
        pytest.skip("the recording is cut")
    sdk = client_of("anthropic")
    direct, hosted = (
        sdk.stream(Ask(model=f"{provider}/anthropic.{name}.cut5", turns=[("user", "hi")]), strict=False) for provider in ("up-anthropic", HOST)
    )
    assert hosted == direct
