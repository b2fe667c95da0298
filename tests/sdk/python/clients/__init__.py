"""The official SDKs behind one face: `ask`, `stream`, `pieces`, `models`, and the classes of their errors."""

from .anthropic_sdk import AnthropicClient
from .bedrock_sdk import BedrockClient
from .cohere_sdk import CohereClient
from .gemini_sdk import GeminiClient
from .ollama_sdk import OllamaClient
from .openai_sdk import OpenAiClient
from .responses_sdk import ResponsesClient

ALL = (OpenAiClient, AnthropicClient, GeminiClient, BedrockClient, ResponsesClient, CohereClient, OllamaClient)
CLIENTS = {client.name: client for client in ALL}
