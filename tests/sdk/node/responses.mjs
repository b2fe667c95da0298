// openai-node against `/v1/responses`.

import { CASES } from './cases.mjs';
import { OpenAiClient } from './openai.mjs';

const INCOMPLETE = { max_output_tokens: 'length', content_filter: 'filter' };

export class ResponsesClient extends OpenAiClient {
  static apiError = OpenAiClient.apiError;
  static errors = OpenAiClient.errors;

  async ask(ask) {
    return answer(await this.sdk.responses.create(request(ask)));
  }

  /** `.stream()` joins the pieces and is pickier than a plain loop: announced items, their order, ids that stay. */
  async stream(ask) {
    return answer(await this.sdk.responses.stream(request(ask)).finalResponse());
  }

  async *pieces(ask, signal) {
    const stream = await this.sdk.responses.create({ ...request(ask), stream: true }, { signal });
    for await (const event of stream) if (event.type === 'response.output_text.delta') yield event.delta;
  }
}

function request(ask) {
  const forced = ask.choice && { type: 'function', name: ask.choice };
  return {
    model: ask.model,
    input: ask.turns.flatMap(([kind, value]) => turn(kind, value)),
    ...(ask.system && { instructions: ask.system }),
    ...(ask.tools && {
      tools: Object.entries(ask.tools).map(([name, { description, schema }]) => ({
        type: 'function',
        name,
        description,
        parameters: schema,
        strict: false,
      })),
    }),
    ...(ask.choice && { tool_choice: ['none', 'required'].includes(ask.choice) ? ask.choice : forced }),
    ...(ask.schema && { text: { format: { type: 'json_schema', name: 'answer', schema: ask.schema, strict: true } } }),
    ...(ask.think && {
      reasoning: { effort: 'low', summary: 'auto' },
      include: ['reasoning.encrypted_content'],
      store: false,
    }),
    ...ask.body,
  };
}

function turn(kind, value) {
  const image_url = `data:image/png;base64,${CASES.png}`;
  switch (kind) {
    case 'image':
      return [{ role: 'user', content: [{ type: 'input_text', text: value }, { type: 'input_image', image_url, detail: 'auto' }] }];
    case 'answer':
      return value.native;
    case 'results':
      return value.map(([call, output]) => ({ type: 'function_call_output', call_id: call.id, output }));
    default:
      return [{ role: kind, content: value }];
  }
}

function answer({ output, status, incomplete_details: incomplete, usage }) {
  const thoughts = output.filter((item) => item.type === 'reasoning');
  const parts = output.filter((item) => item.type === 'message').flatMap((item) => item.content);
  const calls = output.filter((item) => item.type === 'function_call');
  const ended = calls.length ? 'tools' : parts.some((part) => part.type === 'refusal') ? 'filter' : 'stop';
  return {
    text: parts.map((part) => part.text ?? part.refusal).join(''),
    reasoning: thoughts.flatMap((item) => item.summary.map((part) => part.text)).join('\n\n'),
    signed: thoughts.some((item) => item.encrypted_content),
    calls: calls.map((call) => ({ id: call.call_id, name: call.name, args: JSON.parse(call.arguments) })),
    finish: status === 'incomplete' ? INCOMPLETE[incomplete.reason] : ended,
    usage: usage && { input: usage.input_tokens, output: usage.output_tokens, total: usage.total_tokens },
    native: output,
  };
}
