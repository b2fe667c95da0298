"""MCP sampling: the `mcp` package's own types write the requests of `/sampling` and read its answers."""

import json
import urllib.error
import urllib.request

import mcp.types as mcp
import pytest
from conftest import DIALECTS, KEY
from model import CASES

PEER = {"mcp-protocol-version": "2025-11-25"}
TOOL = mcp.Tool(name="weather", description="The weather.", input_schema=CASES["tools"]["weather"]["schema"])


@pytest.fixture
def post(gateway):
    def send(body, headers={}):
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"} | headers
        request = urllib.request.Request(f"{gateway}/sampling", json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    return send


def message(role, content):
    return mcp.SamplingMessage(role=role, content=content)


def params(model, messages=None, **more):
    hello = [message("user", mcp.TextContent(type="text", text="Hello there."))]
    hints = mcp.ModelPreferences(hints=[mcp.ModelHint(name="no such model"), mcp.ModelHint(name=model)])
    asked = mcp.CreateMessageRequestParams(messages=messages or hello, max_tokens=99, model_preferences=hints, **more)
    return asked.model_dump(by_alias=True, exclude_none=True, mode="json")


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize("model", ["echo", "think+echo", "length", "refuse", "filter"])
def test_result_is_read_by_the_types(face, model, post):
    words = {"length": "maxTokens", "refuse": ("refusal", "contentFilter"), "filter": "contentFilter"}
    if face in ("cohere", "ollama"):  # They have no word for either; a filtered answer of Cohere's is an error.
        words["refuse"] = words["filter"] = "endTurn"
        if model == "filter" and face == "cohere":
            assert post(params(f"sim-{face}/{model}"))[0] == 502
            return
    for headers, kind in ((PEER, mcp.CreateMessageResult), ({}, mcp.CreateMessageResultWithTools)):
        status, body = post(params(f"sim-{face}/{model}"), headers)
        assert status == 200, body
        result = kind.model_validate(body)
        # Not every wire says which model it was; then it is the one that was asked for.
        assert (result.role, result.model.rpartition("/")[2]) == ("assistant", model)
        assert result.stop_reason in words.get(model, "endTurn")
        if "echo" in model:
            (content,) = result.content if isinstance(result.content, list) else [result.content]
            assert content.text == "Hello there.", "thinking is never shown as text"


@pytest.mark.parametrize("face", DIALECTS)
def test_media_reach_the_model(face, post):
    image = mcp.ImageContent(type="image", data=CASES["png"], mime_type="image/png")
    content = [mcp.TextContent(type="text", text="What is it?"), image]
    stop = {} if face == "openai-responses" else {"stop_sequences": ["END"]}  # It takes none.
    status, body = post(params(f"sim-{face}/echo", [message("user", content)], system_prompt="Be terse.", **stop))
    assert status == 200, body
    assert mcp.CreateMessageResultWithTools.model_validate(body).content[0].text == "What is it?"


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize("headers", [{}, PEER], ids=["bare", "peer"])
def test_tools_in_a_loop(face, headers, post):
    asked = [message("user", mcp.TextContent(type="text", text="The weather?"))]
    _, body = post(params(f"sim-{face}/think+tools", asked, tools=[TOOL], tool_choice=mcp.ToolChoice(mode="required")), headers)
    called = mcp.CreateMessageResultWithTools.model_validate(body)
    assert called.stop_reason == "toolUse"
    calls = [block for block in called.content_as_list if isinstance(block, mcp.ToolUseContent)]
    assert [call.name for call in calls] == ["weather"] and set(calls[0].input) == {"city", "days"}
    text = mcp.TextContent(type="text", text="sunny")
    results = [mcp.ToolResultContent(tool_use_id=call.id, content=[text], structured_content={"sky": "clear"}) for call in calls]
    talk = [*asked, message("assistant", called.content_as_list), message("user", results)]
    _, body = post(params(f"sim-{face}/tools", talk, tools=[TOOL]), headers)
    told = mcp.CreateMessageResultWithTools.model_validate(body)
    assert "sunny" in told.content_as_list[0].text


@pytest.mark.parametrize("face", DIALECTS)
def test_json_rpc(face, post):
    def request(id, model):
        return {"jsonrpc": "2.0", "id": id, "method": "sampling/createMessage", "params": params(model)}

    status, body = post(request("a1", f"sim-{face}/echo"))
    response = mcp.JSONRPCResponse.model_validate(body)
    assert (status, response.id) == (200, "a1")
    assert mcp.CreateMessageResult.model_validate(response.result).content.text == "Hello there."
    for model, code in ((f"sim-{face}/error=429", -32603), ("nothing", -32602)):
        status, body = post(request(7, model))
        error = mcp.JSONRPCError.model_validate(body)
        assert (status, error.id, error.error.code) == (200, 7, code)
        assert len(error.error.message) > 10


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize(("model", "status"), [("error=429", 429), ("error=401", 502), ("stall=0", 504)])
def test_bare_errors_have_a_status(face, model, status, post):
    found, body = post(params(f"sim-{face}/{model}"))
    assert found == status
    assert body["error"]["message"] and body["error"]["type"]
