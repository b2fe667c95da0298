"""Lists of models in the shape of each SDK, and the SDKs as they come, without the options that other tests set."""

import anthropic
import openai
import pytest
from clients import CLIENTS
from clients.gemini_sdk import GeminiClient
from conftest import DIALECTS, KEY
from google import genai
from model import Ask

# SDKs that list models, and those that ask for one; Bedrock has another service for that.
LISTING = [client for client in DIALECTS if hasattr(CLIENTS[client], "models") and getattr(CLIENTS[client], "lists", True)]
RETRIEVING = [client for client in LISTING if getattr(CLIENTS[client], "retrieves", True)]


@pytest.mark.parametrize("client", LISTING)
def test_models_are_listed(client, client_of):
    names = client_of(client).models()
    assert "pool" in names, "names of the configuration are listed"
    assert "up-openai/listed" in names, "so are the models that a provider's entry names"
    assert len(names) == len(set(names))


@pytest.mark.parametrize("client", RETRIEVING)
@pytest.mark.parametrize("name", ["pool", "up-openai/listed", "sim/echo"])
def test_one_model_is_told(client, name, client_of):
    assert client_of(client).model(name) == name


@pytest.mark.parametrize("client", RETRIEVING)
def test_unknown_model_is_not_found(client, client_of):
    sdk = client_of(client)
    with pytest.raises(sdk.errors["not_found"]) as raised:
        sdk.model("nope/none")
    assert (getattr(raised.value, "status_code", None) or raised.value.code) == 404


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("model", ["pool", "sim/echo"])
def test_names_of_the_configuration_answer(client, model, client_of):
    answer = client_of(client).ask(Ask(model, [("user", "Hello.")]))
    assert answer.text and answer.finish == "stop"


def test_sdks_with_their_defaults(gateway):
    """A newcomer sets base URL and key, nothing else. google-genai then speaks `v1`, not `v1beta`."""
    chat = openai.OpenAI(base_url=f"{gateway}/v1", api_key=KEY)
    message = [{"role": "user", "content": "Hello."}]
    assert chat.chat.completions.create(model="sim/echo", messages=message).choices[0].message.content == "Hello."
    messages = anthropic.Anthropic(base_url=gateway, api_key=KEY).messages
    assert messages.create(model="sim/echo", max_tokens=99, messages=message).content[0].text == "Hello."
    google = genai.Client(api_key=KEY, http_options={"base_url": gateway})
    assert google.models.generate_content(model="sim/echo", contents="Hello.").text == "Hello."


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha", "v1beta1"])
def test_gemini_versions(version, gateway):
    client = GeminiClient(gateway, KEY, version)
    ask = Ask("sim/echo", [("user", "Hello.")])
    assert client.ask(ask).text == client.stream(ask).text == "Hello."
    assert "pool" in client.models()


def test_bearer_tokens_and_other_places_of_the_key(gateway):
    """Claude Code sends `Authorization: Bearer`; each dialect's key is taken in each of the usual headers."""
    sdk = anthropic.Anthropic(base_url=gateway, auth_token=KEY)
    message = [{"role": "user", "content": "Hello."}]
    assert sdk.messages.create(model="sim/echo", max_tokens=99, messages=message).content[0].text == "Hello."


@pytest.mark.parametrize("client", DIALECTS)
def test_headers_of_an_answer(client, post):
    bodies = {
        "gemini": {"contents": [{"parts": [{"text": "Hello."}]}]},
        "openai-responses": {"model": "sim/echo", "input": "Hello."},
        "bedrock": {"messages": [{"role": "user", "content": [{"text": "Hello."}]}]},
    }
    chat = {"model": "sim/echo", "max_tokens": 99, "messages": [{"role": "user", "content": "Hello."}]}
    bodies["ollama"] = chat | {"stream": False}
    status, headers, _ = post(client, "sim/echo", bodies.get(client, chat), stream=False)
    assert status == 200
    assert headers["x-request-id"]
    assert headers["x-lockgate-provider"] == "sim"
    assert headers["x-lockgate-model"] == "echo"
    assert headers["x-lockgate-attempts"] == "1"
