"""What only boto3 shows: signed calls, ids with slashes and colons, blobs, sorts of errors, and its own parser of frames."""

import base64
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

import bedrock
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError
from clients.bedrock_sdk import Client
from conftest import DIALECTS, DIRECT, KEY
from model import CASES
from replay import CORPUS

HELLO = [{"role": "user", "content": [{"text": "Hello."}]}]
PDF = base64.b64encode(b"%PDF-1.4 nothing in it")


@pytest.fixture(scope="session")
def sdk(gateway):
    return Client(gateway, KEY)


@pytest.fixture(scope="session")
def open_gateway(tmp_path_factory):
    """A gateway without keys: whoever comes is served."""
    folder = tmp_path_factory.mktemp("open")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    (folder / "lockgate.yaml").write_text(f"listen: 127.0.0.1:{port}\n")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [os.environ["LOCKGATE_BIN"], "serve", "--config", folder / "lockgate.yaml"], stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
def test_signed_calls_pass_an_open_gateway(open_gateway, streamed):
    signed = Client(open_gateway)
    if streamed:
        events = list(signed.converse_stream(modelId="sim/echo", messages=HELLO)["stream"])
        assert "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e) == "Hello."
    else:
        assert signed.converse(modelId="sim/echo", messages=HELLO)["output"]["message"]["content"] == [{"text": "Hello."}]


def test_signed_calls_are_told_what_to_send(gateway):
    signed = Client(gateway)
    with pytest.raises(signed.exceptions.AccessDeniedException, match="AWS_BEARER_TOKEN_BEDROCK") as raised:
        signed.converse(modelId="sim/echo", messages=HELLO)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(
    "model",
    ["eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0"],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
def test_ids_keep_their_colons_and_slashes(sdk, upstream, model, streamed):
    """The scripted upstream takes what stands between `/model/` and the verb for the id, decoded."""
    name = f"capture.{model}"
    fetch = sdk.converse_stream if streamed else sdk.converse
    response = fetch(modelId=f"up-bedrock/{name}", messages=HELLO)
    if streamed:
        list(response["stream"])
    received = upstream.received[name][-1]
    assert (received.dialect, received.stream) == ("bedrock", streamed)
    assert received.path.count("/") == 3, f"a slash of the id is encoded: {received.path}"


def test_native_requests_keep_their_bytes(sdk, upstream):
    sent = []
    sdk.events.register("before-send.bedrock-runtime", lambda request, **_: sent.append(request.body))
    image = {"format": "png", "source": {"bytes": base64.b64decode(CASES["png"])}}
    document = {"format": "pdf", "name": "a paper", "source": {"bytes": base64.b64decode(PDF)}}
    content = [{"image": image}, {"document": document}, {"text": "Read them."}, {"cachePoint": {"type": "default"}}]
    sdk.converse(modelId="up-bedrock/capture.bytes", messages=[{"role": "user", "content": content}], performanceConfig={"latency": "standard"})
    body = upstream.received["capture.bytes"][-1].body
    assert body["messages"][0]["content"][0]["image"]["source"]["bytes"] == CASES["png"]
    assert body["performanceConfig"] == {"latency": "standard"}
    assert not bedrock.errors(body, stream=False)


# Upstreams that read text and pictures only.
NO_FILES = {"cohere", "ollama"}


@pytest.mark.parametrize("face", sorted(NO_FILES))
def test_documents_are_refused_where_nobody_reads_them(sdk, face):
    content = [{"document": {"format": "pdf", "name": "paper", "source": {"bytes": base64.b64decode(PDF)}}}, {"text": "Read it."}]
    with pytest.raises(sdk.exceptions.ValidationException, match="choose another model"):
        sdk.converse(modelId=f"up-{face}/capture.media", messages=[{"role": "user", "content": content}])


@pytest.mark.parametrize("face", [d for d in DIALECTS if d not in NO_FILES | {"bedrock"}])
def test_documents_and_pictures_reach_every_dialect(sdk, upstream, face):
    image = {"format": "png", "source": {"bytes": base64.b64decode(CASES["png"])}}
    document = {"format": "pdf", "name": "paper", "source": {"bytes": base64.b64decode(PDF)}}
    content = [{"image": image}, {"document": document}, {"text": "Read them."}]
    sdk.converse(modelId=f"up-{face}/capture.media", messages=[{"role": "user", "content": content}])
    said = str(next(r for r in reversed(upstream.received["capture.media"]) if r.dialect == face).body)
    assert CASES["png"] in said and PDF.decode() in said and "Read them." in said


@pytest.mark.parametrize("face", DIALECTS)
def test_tool_results_may_be_json(sdk, upstream, face):
    tool = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
    call = {"toolUse": {"toolUseId": "call-1", "name": "f", "input": {"a": 1}}}
    result = {"toolResult": {"toolUseId": "call-1", "content": [{"json": {"degrees": 21}}], "status": "success"}}
    messages = [*HELLO, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    sdk.converse(modelId=f"up-{face}/capture.json", messages=messages, toolConfig={"tools": [tool]})
    said = str(next(r for r in reversed(upstream.received["capture.json"]) if r.dialect == face).body)
    assert "degrees" in said and "21" in said


@pytest.mark.parametrize("face", DIALECTS)
def test_an_exception_in_a_stream_has_its_sort(sdk, face):
    stream = sdk.converse_stream(modelId=f"sim-{face}/chunks=6+error-at=2", messages=HELLO)["stream"]
    with pytest.raises(EventStreamError) as raised:
        list(stream)
    # The other wires tell the sort of a failure; these two only that there was one.
    expected = "modelStreamErrorException" if face in ("cohere", "ollama") else "serviceUnavailableException"
    assert raised.value.response["Error"]["Code"] == expected
    assert len(raised.value.response["Error"]["Message"]) > 10


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize(
    ("words", "name"),
    [("error=400", "ValidationException"), ("error=404", "ResourceNotFoundException"), ("error=429", "ThrottlingException"),
     ("error=503", "ServiceUnavailableException"), ("stall=0", "ModelTimeoutException"), ("error=401", "InternalServerException")],
)  # fmt: skip
@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
def test_errors_have_their_class(sdk, face, words, name, streamed):
    with pytest.raises(getattr(sdk.exceptions, name)):
        (sdk.converse_stream if streamed else sdk.converse)(modelId=f"sim-{face}/{words}", messages=HELLO)


def test_unknown_paths_are_refused_in_the_dialect(gateway):
    request = urllib.request.Request(f"{gateway}/model/sim%2Fecho/invent", b"{}", {"authorization": f"Bearer {KEY}"}, method="POST")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=5)
    assert raised.value.headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert b"/model/{model}/converse" in raised.value.read()


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize("model", ["think+echo", "parallel", "chunks=30"])
def test_frames_are_what_botocore_and_these_tests_read(post, face, model):
    tools = [{"toolSpec": {"name": name, "inputSchema": {"json": CASES["tools"][name]["schema"]}}} for name in ("weather", "time")]
    body = {"messages": HELLO, "toolConfig": {"tools": tools}}
    status, headers, said = post("bedrock", f"sim-{face}/{model}", body, True)
    assert (status, headers["content-type"]) == (200, bedrock.STREAM_TYPE)
    buffer = EventStreamBuffer()
    for at in range(0, len(said), 7):
        buffer.add_data(said[at : at + 7])
    theirs = [(frame.headers[":event-type"], frame.payload) for frame in buffer]
    ours = bedrock.events(said)
    assert [name for name, _ in theirs] == [name for name, _ in ours]
    assert ours[0][0] == "messageStart" and ours[-1][0] == "metadata"


@pytest.mark.skipif(DIRECT, reason="the gateway's end")
@pytest.mark.parametrize("mode", ["half", "torn"])
def test_a_broken_native_stream_ends_with_an_exception(post, mode):
    """The recording is cut inside a frame, behind which nothing could be said: the gateway lets whole frames pass only."""
    case = next(path for path in sorted((CORPUS / "bedrock").iterdir()) if (path / "response.eventstream").exists() and "thinking-part-stream" in path.name)
    _, _, said = post("bedrock", f"up-bedrock/bedrock.{case.name}.{mode}", {"messages": HELLO}, True)
    events = bedrock.events(said)
    assert events[-1][0] == "modelStreamErrorException"
    assert all(name != "messageStop" for name, _ in events)


def test_retries_are_left_to_boto3(gateway):
    """With boto3's own retries, an overloaded provider is asked again, and the last error is the one that comes."""
    patient = Client(gateway, KEY)
    with pytest.raises(ClientError, match=re.escape("status 503")):
        patient.converse(modelId="sim-bedrock/error=503", messages=HELLO)
