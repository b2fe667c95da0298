"""What only Cohere's clients ask for: documents, and answers that cite."""

import pytest
from conftest import DIALECTS

DOCUMENTS = [{"id": "doc:0", "data": {"title": "facts.txt", "text": "Ruby was created by Yukihiro Matsumoto."}}]
ASKED = [{"role": "user", "content": "Who created Ruby?"}]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_documents_reach_the_upstream(dialect, client_of, upstream):
    model = f"capture.documents-{dialect}"
    client_of("cohere").sdk.chat(model=f"up-{dialect}/{model}", messages=ASKED, documents=DOCUMENTS)
    body = upstream.received[model][-1].body
    if dialect == "cohere":
        assert body["documents"] == DOCUMENTS
    if dialect == "anthropic":
        document = next(block for block in body["messages"][0]["content"] if block["type"] == "document")
        assert document["citations"] == {"enabled": True}, "Cohere's answers cite unless they are told not to"
    assert "Yukihiro Matsumoto" in str(body)


@pytest.mark.parametrize(
    ("dialect", "case"),
    [
        ("anthropic", "anthropic.rl-web-search-with-anthropic-claude-haiku-4-5-streams-search-0"),
        ("openai", "openai-compat.pai-openrouter-web-search-annotations-stream"),
    ],
)
def test_sources_of_others_are_cited(dialect, case, client_of):
    """Recorded answers that rest on the web, read as Cohere's own: each source has its place in the text."""
    text, cited = "", []
    for event in client_of("cohere").sdk.chat_stream(model=f"up-{dialect}/{case}.cut1", messages=ASKED):
        if event.type == "content-delta":
            text += event.delta.message.content.text or ""
        if event.type == "citation-start":
            cited.append(event.delta.message.citations)
    assert cited
    for citation in cited:
        assert citation.sources[0].document["url"].startswith("http")
        assert 0 <= citation.start < citation.end <= len(text)
