// What a history of UI messages becomes at a provider: through the gateway, and by the AI SDK's own conversion and
// provider packages. Both requests must say the same.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { convertToModelMessages, jsonSchema, streamText, tool } from 'ai';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { AiSdkUiClient } from './ai-sdk-ui.mjs';
import { CASES, product } from './cases.mjs';

const port = Number(process.env.LOCKGATE_UPSTREAM_PORT ?? 0);
const received = [];
const sse = (...events) => events.map(([name, data]) => `${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n`).join('');

// The shortest answers that there are.
const ANSWERS = {
  openai: sse(['', { id: 'c', created: 1, model: 'm', choices: [{ index: 0, delta: { content: 'ok' }, finish_reason: 'stop' }] }]) + 'data: [DONE]\n\n',
  anthropic: sse(
    ['message_start', { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } } }],
    ['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
    ['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'ok' } }],
    ['content_block_stop', { type: 'content_block_stop', index: 0 }],
    ['message_delta', { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 1 } }],
    ['message_stop', { type: 'message_stop' }],
  ),
  gemini: sse(['', { candidates: [{ index: 0, content: { role: 'model', parts: [{ text: 'ok' }] }, finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 } }]),
};

const server = createServer(async (request, response) => {
  let text = '';
  for await (const piece of request) text += piece;
  const dialect = request.url.includes('/chat/completions') ? 'openai' : request.url.includes('/messages') ? 'anthropic' : 'gemini';
  received.push({ dialect, body: JSON.parse(text) });
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(ANSWERS[dialect]);
});

before(() => new Promise((listening) => server.listen(port, '127.0.0.1', listening)));
after(() => server.close());

const own = `http://127.0.0.1:${port}`;
const PROVIDERS = {
  openai: createOpenAI({ baseURL: `${own}/v1`, apiKey: 'x' }).chat('gpt-4.1'),
  anthropic: createAnthropic({ baseURL: `${own}/v1`, apiKey: 'x' })('claude-sonnet-4-5'),
  gemini: createGoogleGenerativeAI({ baseURL: `${own}/v1beta`, apiKey: 'x' })('gemini-2.5-flash'),
};
const MODELS = { openai: 'gpt-4.1', anthropic: 'claude-sonnet-4-5', gemini: 'gemini-2.5-flash' };

const user = (...parts) => ({ id: 'u', role: 'user', parts });
const assistant = (...parts) => ({ id: 'a', role: 'assistant', parts });
const text = (text) => ({ type: 'text', text });
const called = (id, more) => ({ type: 'tool-weather', toolCallId: id, state: 'output-available', input: { city: id, days: 1 }, ...more });
const STEP = { type: 'step-start' };

const HISTORIES = {
  'several turns': [{ id: 's', role: 'system', parts: [text('Be terse.')] }, user(text('One.')), assistant(STEP, text('Noted.')), user(text('Two.'))],
  'a picture': [user(text('What is it?'), { type: 'file', mediaType: 'image/png', url: `data:image/png;base64,${CASES.png}` })],
  'a call, its result and a second step': [
    user(text('The weather?')),
    assistant(STEP, text('Let me see.'), called('a', { output: { sky: 'clear' } }), STEP, text('Clear.')),
    user(text('Thanks.')),
  ],
  'results that the client has just got': [user(text('The weather?')), assistant(STEP, called('a', { output: 'sunny' }), called('b', { output: 'rain' }))],
  'a call that failed, and one that was denied': [
    user(text('The weather?')),
    assistant(
      STEP,
      called('a', { state: 'output-error', errorText: 'no network' }),
      called('b', { state: 'output-denied', approval: { id: 'p', approved: false, reason: 'too dear' } }),
    ),
    user(text('And now?')),
  ],
  'a tool that was not declared when it was called': [
    user(text('The time?')),
    assistant(STEP, { type: 'dynamic-tool', toolName: 'weather', toolCallId: 'd', state: 'output-available', input: { city: 'x', days: 2 }, output: [1, 2] }),
    user(text('Thanks.')),
  ],
  'what is for show': [user(text('One.'), { type: 'data-note', data: {} }), assistant(STEP, text('See there.'), { type: 'source-url', sourceId: 's', url: 'https://a.example' }), user(text('Two.'))],
};

for (const [name, dialect] of product(Object.keys(HISTORIES), Object.keys(PROVIDERS))) {
  test(`${name}: the same to ${dialect}, by the gateway and by the SDK`, async () => {
    const messages = HISTORIES[name];
    const { schema, description } = CASES.tools.weather;
    const ask = { model: `up-${dialect}/${MODELS[dialect]}`, tools: { weather: CASES.tools.weather } };
    for await (const chunk of await new AiSdkUiClient().send(ask, messages)) assert.notEqual(chunk.type, 'error', chunk.errorText);
    const tools = { weather: tool({ description, inputSchema: jsonSchema(schema) }) };
    await streamText({ model: PROVIDERS[dialect], messages: await convertToModelMessages(messages), tools, maxRetries: 0 }).consumeStream();
    const [ours, theirs] = received.splice(0).map(({ body }) => meaning[dialect](body));
    assert.deepEqual(ours, theirs);
  });
}

test('signed thinking goes back to its vendor as the SDK sends it', async () => {
  const reasoning = { type: 'reasoning', text: 'Hm.', providerMetadata: { anthropic: { signature: 'c2ln' } } };
  const redacted = { type: 'reasoning', text: '', providerMetadata: { anthropic: { redactedData: 'ZGF0YQ==' } } };
  const messages = [user(text('Why?')), assistant(STEP, redacted, reasoning, called('a', { output: 'x' }))];
  const body = { providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 2000 } } }, maxOutputTokens: 4000 };
  const ask = { model: 'up-anthropic/claude-sonnet-4-5', tools: { weather: CASES.tools.weather }, body };
  for await (const chunk of await new AiSdkUiClient().send(ask, messages)) assert.notEqual(chunk.type, 'error', chunk.errorText);
  const options = { ...body, maxRetries: 0, tools: { weather: tool({ inputSchema: jsonSchema(CASES.tools.weather.schema) }) } };
  await streamText({ model: PROVIDERS.anthropic, messages: await convertToModelMessages(messages), ...options }).consumeStream();
  const [ours, theirs] = received.splice(0).map(({ body }) => body);
  assert.deepEqual(meaning.anthropic(ours), meaning.anthropic(theirs));
  assert.deepEqual(ours.thinking, theirs.thinking);
});

// What a request says, without the ways of writing it that mean the same.
const plain = (content) => (typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join(''));
const meaning = {
  openai: ({ messages }) =>
    messages.flatMap((message) => {
      if (message.role === 'tool') return [['result', message.tool_call_id, message.content.replace(/^ERROR: /, '')]];
      const parts = typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : (message.content ?? []);
      return [
        ...parts.filter((part) => part.type !== 'text' || part.text).map((part) => [message.role, part.text ?? part.image_url.url]),
        ...(message.tool_calls ?? []).map((call) => ['call', call.id, call.function.name, JSON.parse(call.function.arguments)]),
      ];
    }),
  anthropic: ({ system, messages }) => [
    ...(system ? [['system', plain(system)]] : []),
    ...messages.flatMap(({ role, content }) =>
      (typeof content === 'string' ? [{ type: 'text', text: content }] : content).map((block) => {
        switch (block.type) {
          case 'tool_use':
            return ['call', block.id, block.name, block.input];
          case 'tool_result':
            return ['result', block.tool_use_id, plain(block.content), Boolean(block.is_error)];
          case 'text':
            return [role, block.text];
          case 'thinking':
            return [role, block.thinking, block.signature];
          default:
            return [role, block.type, block.data ?? block.source.data];
        }
      }),
    ),
  ],
  gemini: ({ systemInstruction, contents }) => [
    ...(systemInstruction ? [['system', plain(systemInstruction.parts)]] : []),
    ...contents.flatMap(({ role, parts }) =>
      parts.map((part) => {
        if (part.functionCall) return ['call', part.functionCall.name, part.functionCall.args];
        // What a result is put into is each client's own way; what it says is not.
        if (part.functionResponse) return ['result', part.functionResponse.name];
        return [role, part.text ?? part.inlineData.data];
      }),
    ),
  ],
};
