"""The official SDKs behind one face: `ask`, `stream`, `pieces`, `models`, and the classes of their errors."""

from .anthropic_sdk import AnthropicClient
from .cohere_sdk import CohereClient
from .gemini_sdk import GeminiClient
from .ollama_sdk import OllamaClient
from .openai_sdk import OpenAiClient

CLIENTS = {client.name: client for client in (OpenAiClient, AnthropicClient, GeminiClient, CohereClient, OllamaClient)}
