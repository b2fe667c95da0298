// The official SDKs behind one face: `ask`, `stream`, `pieces`, `models`, and the classes of their errors.

import { AnthropicClient } from './anthropic.mjs';
import { KEY, URL_OF_GATEWAY } from './cases.mjs';
import { CohereClient } from './cohere.mjs';
import { GeminiClient } from './gemini.mjs';
import { OllamaClient } from './ollama.mjs';
import { OpenAiClient } from './openai.mjs';
import { ResponsesClient } from './responses.mjs';

const CLIENTS = {
  openai: OpenAiClient,
  anthropic: AnthropicClient,
  gemini: GeminiClient,
  'openai-responses': ResponsesClient,
  cohere: CohereClient,
  ollama: OllamaClient,
};

export const clientOf = (dialect, key = KEY) => new CLIENTS[dialect](URL_OF_GATEWAY, key);
export { AnthropicClient, CohereClient, GeminiClient, OllamaClient, OpenAiClient, ResponsesClient };
