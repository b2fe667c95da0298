// @anthropic-ai/sdk against `/v1/messages`.

import Anthropic from '@anthropic-ai/sdk';
import { CASES, listOf } from './cases.mjs';

const FINISH = { end_turn: 'stop', stop_sequence: 'stop', max_tokens: 'length', tool_use: 'tools', refusal: 'filter' };

export class AnthropicClient {
  static apiError = Anthropic.APIError;
  static errors = {
    bad_request: Anthropic.BadRequestError,
    authentication: Anthropic.AuthenticationError,
    not_found: Anthropic.NotFoundError,
    rate_limit: Anthropic.RateLimitError,
    internal: Anthropic.InternalServerError,
    any: Anthropic.APIError,
  };

  constructor(baseURL, apiKey) {
    this.sdk = new Anthropic({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
  }

  async models() {
    return (await listOf(this.sdk.models.list())).map((model) => model.id);
  }

  async model(name) {
    return (await this.sdk.models.retrieve(name)).id;
  }

  async ask(ask) {
    return answer(await this.sdk.messages.create(request(ask)));
  }

  async stream(ask) {
    return answer(await this.sdk.messages.stream(request(ask)).finalMessage());
  }

  async *pieces(ask, signal) {
    const stream = await this.sdk.messages.create({ ...request(ask), stream: true }, { signal });
    for await (const event of stream) if (event.delta?.type === 'text_delta') yield event.delta.text;
  }
}

function request(ask) {
  const words = { none: { type: 'none' }, required: { type: 'any' } };
  return {
    model: ask.model,
    max_tokens: 4096,
    messages: ask.turns.map(([kind, value]) => turn(kind, value)),
    ...(ask.system && { system: ask.system }),
    ...(ask.tools && {
      tools: Object.entries(ask.tools).map(([name, { description, schema }]) => ({ name, description, input_schema: schema })),
    }),
    ...(ask.choice && { tool_choice: words[ask.choice] ?? { type: 'tool', name: ask.choice } }),
    ...(ask.schema && { output_config: { format: { type: 'json_schema', schema: ask.schema } } }),
    ...(ask.think && { thinking: { type: 'enabled', budget_tokens: 1024 } }),
    ...ask.body,
  };
}

function turn(kind, value) {
  const source = { type: 'base64', media_type: 'image/png', data: CASES.png };
  switch (kind) {
    case 'image':
      return { role: 'user', content: [{ type: 'image', source }, { type: 'text', text: value }] };
    case 'answer':
      return { role: 'assistant', content: value.native };
    case 'results':
      return { role: 'user', content: value.map(([call, content]) => ({ type: 'tool_result', tool_use_id: call.id, content })) };
    default:
      return { role: kind, content: value };
  }
}

function answer({ content, stop_reason: stop, usage }) {
  const of = (type) => content.filter((block) => block.type === type);
  const cached = (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  return {
    text: of('text').map((block) => block.text).join(''),
    reasoning: of('thinking').map((block) => block.thinking).join(''),
    signed: of('thinking').length > 0 && of('thinking').every((block) => block.signature),
    calls: of('tool_use').map(({ id, name, input }) => ({ id, name, args: input })),
    finish: FINISH[stop],
    usage: { input: usage.input_tokens + cached, output: usage.output_tokens },
    native: content,
  };
}
