"""Legacy completions: openai-python at `/v1/completions`, translated to each face, untouched where the upstream has them."""

import json
import urllib.request

import openai
import pytest
from conftest import DIALECTS, DIRECT, KEY
from replay import CORPUS, recorded

FACES = [*DIALECTS, "openai-completions"]
RECORDED = ["oll-asequential-chain-0", "oll-completion-streaming-with-events-with-content-2"]
pytestmark = pytest.mark.skipif(DIRECT, reason="only the scripted upstream is there (LOCKGATE_DIRECT)")


@pytest.fixture
def create(client_of):
    return client_of("openai").sdk.completions.create


@pytest.mark.parametrize("face", FACES)
def test_whole(face, create):
    # Responses gives no answer less than 16 tokens, and takes no stop sequences.
    prompt, limit = " ".join(f"word{n}" for n in range(20)), 16
    stop = {} if face == "openai-responses" else {"stop": ["END"]}
    answer = create(model=f"sim-{face}/echo", prompt=prompt, max_tokens=limit, temperature=0.5, **stop)
    assert (answer.object, answer.choices[0].finish_reason) == ("text_completion", "length")
    assert answer.choices[0].text.split() == prompt.split()[:limit]
    assert answer.id and answer.created and answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("asked", [True, False], ids=["with usage", "without usage"])
def test_streamed(face, asked, create):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = list(create(model=f"sim-{face}/think+echo", prompt=["Grüße, 世界! 🌊"], stream=True, **options))
    assert len({(chunk.id, chunk.model) for chunk in chunks}) == 1
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "Grüße, 世界! 🌊"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason] == ["stop"]
    usage = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usage) == asked and (not asked or not chunks[-1].choices)


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize("option", [{"prompt": [1, 2]}, {"prompt": ["a", "b"]}, {"echo": True}, {"suffix": "."}, {"best_of": 2}], ids=str)
def test_what_cannot_be_translated_is_refused(face, option, create):
    with pytest.raises(openai.BadRequestError) as raised:
        create(**({"model": f"sim-{face}/echo", "prompt": "Once"} | option))
    assert raised.value.param == next(iter(option))
    assert "model" in raised.value.message, "it says what to do"


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(("model", "error"), [("error=429", openai.RateLimitError), ("error=503", openai.InternalServerError)])
@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
def test_errors(face, model, error, streamed, create):
    with pytest.raises(error):
        create(model=f"sim-{face}/{model}", prompt="Once", stream=streamed)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("model", ["chunks=6+error-at=2", "chunks=6+cut=2", "chunks=6+stall=2"])
def test_broken_streams_raise(face, model, create):
    seen = []
    with pytest.raises(openai.APIError):
        seen.extend(chunk.choices[0].text for chunk in create(model=f"sim-{face}/{model}", prompt="one two three", stream=True))
    assert seen, "what came before the break was handed on"


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("client", DIALECTS)
def test_other_clients_reach_a_completions_endpoint(client, streamed, client_of):
    from model import Ask

    sdk = client_of(client)
    fetch = sdk.stream if streamed else sdk.ask
    assert fetch(Ask("sim-openai-completions/echo", [("user", "Once upon a time")])).text == "Once upon a time"
    turns = [("user", "First."), ("assistant", "Noted."), ("user", "And the second?")]
    answer = fetch(Ask("sim-openai-completions/echo", turns, system="Be terse."))
    assert answer.text == "Be terse.\n\nUser: First.\n\nAssistant: Noted.\n\nUser: And the second?\n\nAssistant:"
    assert answer.finish == "stop" and answer.usage.input > 0


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("mode", ["whole", "bytes", "cut1"])
def test_recorded_answer_keeps_its_bytes(name, mode, gateway, upstream, create):
    case = CORPUS / "openai-chat" / name
    if not case.is_dir():
        pytest.skip(f"no corpus at {CORPUS}")
    streamed = (case / "response.sse").exists()
    model = f"openai-chat.{name}.{mode}"
    sent = json.loads((case / "request.json").read_text()) | {"model": f"up-openai-completions/{model}"}
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = urllib.request.Request(f"{gateway}/v1/completions", json.dumps(sent).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.read() == recorded(case, streamed)[2]
    received = upstream.received[model][-1]
    assert received.path == "/v1/completions"
    expected = sent | {"model": model} | ({"stream_options": {"include_usage": True}} if streamed else {})
    assert received.body == expected
    prompt = sent["prompt"]
    answer = create(model=f"up-openai-completions/{model}", prompt=prompt, stream=streamed)
    texts = [chunk.choices[0].text for chunk in answer] if streamed else [answer.choices[0].text]
    assert "".join(texts).strip()
