"""The official SDKs behind one face: `ask`, `stream`, `pieces`, `models`, and the classes of their errors."""

from .anthropic_sdk import AnthropicClient
from .bedrock_sdk import BedrockClient
from .gemini_sdk import GeminiClient
from .openai_sdk import OpenAiClient
from .responses_sdk import ResponsesClient

CLIENTS = {
    client.name: client for client in (OpenAiClient, AnthropicClient, GeminiClient, BedrockClient, ResponsesClient)
}
