// ollama-js against `/api/chat`.

import { Ollama } from 'ollama';
import { CASES } from './cases.mjs';

// The wire tells calls by themselves, and has no word for filters and refusals.
const FINISH = { stop: 'stop', length: 'length' };

export class OllamaClient {
  // There is a list of models, but nothing to ask for one of them by.
  static retrieves = false;
  // Errors before the first line have a class, which the package does not export; those in a stream are plain ones.
  static apiError = Error;
  static errors = Object.fromEntries(
    ['bad_request', 'authentication', 'not_found', 'rate_limit', 'internal', 'any'].map((kind) => [kind, Error]),
  );

  constructor(host, key) {
    this.sdk = new Ollama({ host, headers: { authorization: `Bearer ${key}` } });
  }

  async models() {
    return (await this.sdk.list()).models.map((model) => model.name);
  }

  async ask(ask) {
    return answer([await this.sdk.chat(request(ask))]);
  }

  async stream(ask) {
    const lines = [];
    for await (const line of await this.sdk.chat({ ...request(ask), stream: true })) lines.push(line);
    return answer(lines);
  }

  async *pieces(ask, signal) {
    const lines = await this.sdk.chat({ ...request(ask), stream: true });
    signal?.addEventListener('abort', () => lines.abort());
    for await (const line of lines) if (line.message.content) yield line.message.content;
  }
}

function request(ask) {
  // There is no choice among tools: what must not be called is not offered.
  const offered = Object.entries(ask.tools ?? {}).filter(([name]) => [undefined, 'required', name].includes(ask.choice));
  const messages = ask.turns.flatMap(([kind, value]) => turn(kind, value));
  return {
    model: ask.model,
    messages: ask.system ? [{ role: 'system', content: ask.system }, ...messages] : messages,
    ...(offered.length && {
      tools: offered.map(([name, { description, schema }]) => ({
        type: 'function',
        function: { name, description, parameters: schema },
      })),
    }),
    ...(ask.schema && { format: ask.schema }),
    ...(ask.think && { think: 'low' }),
    ...ask.body,
  };
}

function turn(kind, value) {
  switch (kind) {
    case 'image':
      return [{ role: 'user', content: value, images: [CASES.png] }];
    case 'answer':
      return [value.native];
    case 'results':
      return value.map(([call, content]) => ({ role: 'tool', tool_name: call.name, content }));
    default:
      return [{ role: kind, content: value }];
  }
}

function answer(lines) {
  const last = lines.at(-1);
  const joined = (member) => lines.map((line) => line.message[member] ?? '').join('');
  const calls = lines.flatMap((line) => line.message.tool_calls ?? []);
  for (const duration of ['total_duration', 'load_duration', 'prompt_eval_duration', 'eval_duration']) {
    if (typeof last[duration] !== 'number') throw new TypeError(`${duration} is missing, which the SDK's type requires`);
  }
  return {
    text: joined('content'),
    reasoning: joined('thinking'),
    calls: calls.map(({ id, function: { name, arguments: args } }) => ({ id, name, args })),
    finish: calls.length && last.done_reason === 'stop' ? 'tools' : FINISH[last.done_reason],
    usage: { input: last.prompt_eval_count, output: last.eval_count },
    native: {
      role: 'assistant',
      content: joined('content'),
      ...(joined('thinking') && { thinking: joined('thinking') }),
      ...(calls.length && { tool_calls: calls }),
    },
  };
}
