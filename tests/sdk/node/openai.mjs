// openai-node against `/v1/chat/completions`.

import OpenAI from 'openai';
import { ContentFilterFinishReasonError, LengthFinishReasonError } from 'openai/error';
import { CASES, listOf } from './cases.mjs';

const FINISH = { stop: 'stop', length: 'length', tool_calls: 'tools', content_filter: 'filter' };

export class OpenAiClient {
  static apiError = OpenAI.APIError;
  static errors = {
    bad_request: OpenAI.BadRequestError,
    authentication: OpenAI.AuthenticationError,
    not_found: OpenAI.NotFoundError,
    rate_limit: OpenAI.RateLimitError,
    internal: OpenAI.InternalServerError,
    any: OpenAI.APIError,
  };

  constructor(url, apiKey) {
    this.sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: 30_000 });
  }

  async models() {
    return (await listOf(this.sdk.models.list())).map((model) => model.id);
  }

  async model(name) {
    return (await this.sdk.models.retrieve(name)).id;
  }

  async ask(ask) {
    return answer(await this.sdk.chat.completions.create(request(ask)));
  }

  /** `.stream()` joins the pieces and is pickier than a plain loop: indices, ids, one finish per choice. */
  async stream(ask) {
    let reasoning = '';
    const stream = this.sdk.chat.completions.stream({ ...request(ask), stream_options: { include_usage: true } });
    stream.on('chunk', (chunk) => (reasoning += chunk.choices[0]?.delta.reasoning_content ?? ''));
    const { choices, usage } = await plainEnd(stream);
    choices[0].message.reasoning_content = reasoning;
    return answer({ choices, usage });
  }

  async *pieces(ask, signal) {
    const stream = await this.sdk.chat.completions.create({ ...request(ask), stream: true }, { signal });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) yield chunk.choices[0].delta.content;
  }
}

/** The helper throws at a stop by length or filter, after it has joined everything; the snapshot is still there. */
async function plainEnd(stream) {
  try {
    return await stream.finalChatCompletion();
  } catch (error) {
    const expected = error instanceof LengthFinishReasonError || error instanceof ContentFilterFinishReasonError;
    if (!expected || !stream.currentChatCompletionSnapshot) throw error;
    return stream.currentChatCompletionSnapshot;
  }
}

function request(ask) {
  const messages = ask.turns.flatMap(([kind, value]) => turn(kind, value));
  const forced = ask.choice && { type: 'function', function: { name: ask.choice } };
  return {
    model: ask.model,
    messages: ask.system ? [{ role: 'system', content: ask.system }, ...messages] : messages,
    ...(ask.tools && {
      tools: Object.entries(ask.tools).map(([name, { description, schema }]) => ({
        type: 'function',
        function: { name, description, parameters: schema },
      })),
    }),
    ...(ask.choice && { tool_choice: ['none', 'required'].includes(ask.choice) ? ask.choice : forced }),
    ...(ask.schema && {
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: ask.schema, strict: true } },
    }),
    ...(ask.think && { reasoning_effort: 'low' }),
    ...ask.body,
  };
}

function turn(kind, value) {
  const url = `data:image/png;base64,${CASES.png}`;
  switch (kind) {
    case 'image':
      return [{ role: 'user', content: [{ type: 'text', text: value }, { type: 'image_url', image_url: { url } }] }];
    case 'answer':
      return [value.native];
    case 'results':
      return value.map(([call, content]) => ({ role: 'tool', tool_call_id: call.id, content }));
    default:
      return [{ role: kind, content: value }];
  }
}

function answer({ choices: [{ message, finish_reason: finish }], usage }) {
  return {
    text: message.content ?? '',
    reasoning: message.reasoning_content ?? '',
    calls: (message.tool_calls ?? []).map((call) => ({
      id: call.id,
      name: call.function.name,
      args: JSON.parse(call.function.arguments),
    })),
    finish: message.refusal && finish === 'stop' ? 'filter' : FINISH[finish],
    usage: usage && { input: usage.prompt_tokens, output: usage.completion_tokens, total: usage.total_tokens },
    native: message,
  };
}
