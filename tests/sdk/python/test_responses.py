"""What only the Responses API has: its helpers, tools of free text, stored state, and streams that end twice."""

import openai
import pytest
from conftest import DIALECTS
from pydantic import BaseModel

CLIENT = "openai-responses"


class Weather(BaseModel):
    city: str
    days: int


@pytest.mark.parametrize("face", DIALECTS)
def test_helpers_take_the_answer(face, client_of):
    """`.stream()` and `.parse()` are pickier than the plain calls: they build the answer of its events, by position."""
    sdk = client_of(CLIENT).sdk
    tools = [openai.pydantic_function_tool(Weather, name=name) for name in ("here", "there")]
    tools = [{"type": "function", **tool["function"]} for tool in tools]
    with sdk.responses.stream(model=f"sim-{face}/parallel", input="Both.", tools=tools) as stream:
        kinds = [event.type for event in stream]
        calls = stream.get_final_response().output
    assert [call.name for call in calls] == ["here", "there"]
    assert kinds.count("response.function_call_arguments.done") == 2
    parsed = sdk.responses.parse(model=f"sim-{face}/json", input="Parse it.", text_format=Weather)
    assert isinstance(parsed.output_parsed, Weather)
    with sdk.responses.stream(model=f"sim-{face}/json", input="Parse it.", text_format=Weather) as stream:
        assert isinstance(stream.until_done().get_final_response().output_parsed, Weather)


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("face", DIALECTS)
def test_tools_of_free_text_come_back_as_such(face, streamed, client_of):
    """Where the upstream has functions only, the tool goes out as one, and its call comes back as what was asked for."""
    sdk = client_of(CLIENT).sdk
    asked = [{"role": "user", "content": 'SELECT "größe"\n\\ FROM 世界'}]
    tools = [{"type": "custom", "name": "sql", "description": "Runs SQL."}]

    def ask(model, items):
        response = sdk.responses.create(model=f"sim-{face}/{model}", input=items, tools=tools, stream=streamed)
        return list(response)[-1].response if streamed else response

    (call,) = [item for item in ask("tools", asked).output if item.type == "custom_tool_call"]
    assert (call.name, call.input) == ("sql", asked[0]["content"])
    result = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "one row"}
    assert ask("tools", [*asked, call.model_dump(exclude_none=True), result]).output_text == "tool said: one row"


@pytest.mark.parametrize("face", [face for face in DIALECTS if face != CLIENT])
@pytest.mark.parametrize(
    "stored",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"background": True},
        {"input": [{"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "Hello."}]},
    ],
    ids=["previous_response_id", "conversation", "background", "item_reference"],
)
def test_stored_state_is_refused_where_nobody_has_it(stored, face, client_of):
    with pytest.raises(openai.BadRequestError) as raised:
        client_of(CLIENT).sdk.responses.create(**{"model": f"sim-{face}/echo", "input": "Hello."} | stored)
    assert raised.value.param == next(iter(stored))
    assert "send" in raised.value.message or "leave it out" in raised.value.message


@pytest.mark.parametrize("face", DIALECTS)
def test_a_broken_stream_ends_as_the_vendor_ends_one(face, post):
    body = {"model": f"sim-{face}/chunks=6+error-at=2", "input": "one two three four five six", "stream": True}
    status, _, answer = post(CLIENT, "", body, stream=True)
    assert status == 200
    names = [line.removeprefix("event: ") for line in answer.decode().splitlines() if line.startswith("event: ")]
    assert names[-2:] == ["error", "response.failed"]
