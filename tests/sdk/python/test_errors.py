"""Failures before the first event: each is the SDK's own exception, with a message that helps, whole and streamed."""

import pytest
from conftest import DIALECTS, KEY
from model import CASES, Ask

STATUS = {"bad_request": [400], "authentication": [401], "not_found": [404], "rate_limit": [429]}
TABLE = [
    pytest.param(case, client, face, streamed, id=f"{case['name']}-{client}-sim-{face}-{'stream' if streamed else 'unary'}")
    for case in CASES["errors"]
    for client in DIALECTS
    for face in (DIALECTS[:1] if case.get("absolute") or "key" in case else DIALECTS)
    for streamed in (False, True)
]


@pytest.mark.parametrize(("case", "client", "face", "streamed"), TABLE)
def test_error_class(case, client, face, streamed, client_of):
    sdk = client_of(client, case.get("key", KEY))
    model = case["model"] if case.get("absolute") else f"sim-{face}/{case['model']}"
    body = case["body"][client] if "body" in case else None
    with pytest.raises(sdk.errors[case["kind"]]) as raised:
        (sdk.stream if streamed else sdk.ask)(Ask(model, [("user", "Hello.")], body=body))
    error = raised.value
    status = getattr(error, "status_code", None) or error.code
    expected = getattr(sdk, "statuses", STATUS).get(case["kind"]) or STATUS.get(case["kind"], range(400, 600))
    assert status in case.get("status", expected)
    assert len(getattr(error, "message", None) or str(error)) > 10, "a message says what to do"
    if client.startswith("openai"):
        assert error.type and error.request_id, "the body has a type, the head a request id"
        assert case.get("code") in (None, error.code)
    if client == "anthropic":
        assert error.body["type"] == "error" and error.body["error"]["type"] and error.body["error"]["message"]
    if client == "gemini":
        assert error.status and error.message and error.details["error"]["code"] == status
