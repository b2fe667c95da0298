"""What only Ollama's clients ask for: generation from one prompt."""

import ollama
import pytest
from conftest import DIALECTS, KEY
from model import CASES


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("face", DIALECTS)
def test_generation_from_a_prompt(face, streamed, client_of):
    sdk = client_of("ollama").sdk
    got = sdk.generate(model=f"sim-{face}/think+echo", prompt="Tell me.", system="Be terse.", think=True, stream=streamed)
    lines = list(got) if streamed else [got]
    assert "".join(line.response for line in lines) == "Tell me."
    assert "".join(line.thinking or "" for line in lines) == "Thinking about: Tell me."
    assert lines[-1].done and lines[-1].done_reason == "stop" and lines[-1].prompt_eval_count > 0


@pytest.mark.parametrize("face", DIALECTS)
def test_generation_fills_nothing_in_elsewhere(face, client_of):
    """Text behind the place of the answer is a thing of the vendor's own; it is refused, not left out."""
    with pytest.raises(ollama.ResponseError) as raised:
        client_of("ollama").sdk.generate(model=f"sim-{face}/echo", prompt="def f(", suffix="return x")
    assert raised.value.status_code == 400 and "suffix" in raised.value.error


def test_recorded_generation_keeps_its_bytes(post):
    model = "ollama.oll-ollama-streaming-metrics.cut1"
    status, headers, body = post("ollama", model, {"model": f"up-ollama/{model}", "prompt": "Hello."}, stream=True)
    assert status == 200 and headers["content-type"] == "application/x-ndjson"
    assert body.count(b"\n") == 51 and body.endswith(b'"eval_duration":384438167}\n')


def test_a_picture_beside_the_prompt_reaches_the_upstream(client_of, upstream):
    model = "capture.prompt-with-picture"
    client_of("ollama").sdk.generate(model=f"up-anthropic/{model}", prompt="What is it?", images=[CASES["png"]])
    picture, text = upstream.received[model][-1].body["messages"][0]["content"]
    assert picture["source"] == {"type": "base64", "media_type": "image/png", "data": CASES["png"]}
    assert text["text"] == "What is it?"


def test_ollama_with_its_defaults(gateway):
    sdk = ollama.Client(host=gateway, headers={"authorization": f"Bearer {KEY}"})
    assert sdk.chat(model="sim/echo", messages=[{"role": "user", "content": "Hello."}]).message.content == "Hello."
    assert "pool" in [model.model for model in sdk.list().models]
