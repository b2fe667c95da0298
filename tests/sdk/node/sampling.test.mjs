// MCP's own schemas read what `/sampling` answers.

import {
  CreateMessageRequestParamsSchema,
  CreateMessageResultSchema,
  CreateMessageResultWithToolsSchema,
  JSONRPCResponseSchema,
} from '@modelcontextprotocol/sdk/types.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CASES, FACES, KEY, product, URL_OF_GATEWAY } from './cases.mjs';

async function post(body, headers = {}) {
  const response = await fetch(`${URL_OF_GATEWAY}/sampling`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return [response.status, await response.json()];
}

function params(model, more) {
  const messages = [{ role: 'user', content: { type: 'text', text: 'The weather?' } }];
  return CreateMessageRequestParamsSchema.parse({ messages, maxTokens: 99, modelPreferences: { hints: [{ name: model }] }, ...more });
}

const PEER = { 'mcp-protocol-version': '2025-11-25' };
const weather = CASES.tools.weather;
const tools = [{ name: 'weather', description: weather.description, inputSchema: weather.schema }];

for (const [face, headers] of product(FACES, [{}, PEER])) {
  const who = headers === PEER ? 'a peer' : 'no peer';
  test(`sampling at sim-${face} by ${who}`, async () => {
    const [status, body] = await post(params(`sim-${face}/echo`), headers);
    assert.equal(status, 200);
    // A peer that offered no tools reads the result by the schema that has one block.
    const result = (headers === PEER ? CreateMessageResultSchema : CreateMessageResultWithToolsSchema).parse(body);
    assert.equal([result.content].flat()[0].text, 'The weather?');
    // Not every wire says which model it was; then it is the one that was asked for.
    assert.deepEqual([result.role, result.model.split('/').at(-1), result.stopReason], ['assistant', 'echo', 'endTurn']);
  });

  test(`tools in a loop at sim-${face} by ${who}`, async () => {
    const first = params(`sim-${face}/think+parallel`, { tools, toolChoice: { mode: 'auto' } });
    const [, body] = await post(first, headers);
    const called = CreateMessageResultWithToolsSchema.parse(body);
    const calls = [called.content].flat().filter((block) => block.type === 'tool_use');
    assert.deepEqual([calls.length, called.stopReason], [1, 'toolUse']);
    const results = calls.map(({ id }) => ({ type: 'tool_result', toolUseId: id, content: [{ type: 'text', text: 'sunny' }] }));
    const messages = [...first.messages, { role: 'assistant', content: called.content }, { role: 'user', content: results }];
    const [, next] = await post(params(`sim-${face}/parallel`, { tools, messages }), headers);
    assert.match(JSON.stringify(CreateMessageResultWithToolsSchema.parse(next).content), /tool said: .*sunny/);
  });
}

for (const face of FACES) {
  test(`JSON-RPC at sim-${face}`, async () => {
    const request = (id, model) => ({ jsonrpc: '2.0', id, method: 'sampling/createMessage', params: params(model) });
    const [status, body] = await post(request('a', `sim-${face}/echo`));
    const response = JSONRPCResponseSchema.parse(body);
    assert.deepEqual([status, response.id], [200, 'a']);
    assert.equal(CreateMessageResultSchema.parse(response.result).content.text, 'The weather?');
    const [ok, failed] = await post(request(7, `sim-${face}/error=429`));
    const { id, error } = JSONRPCResponseSchema.parse(failed);
    assert.deepEqual([ok, id, error.code, error.data.status], [200, 7, -32603, 429]);
  });

  test(`errors at sim-${face}`, async () => {
    const [status, { error }] = await post(params(`sim-${face}/error=429`));
    assert.deepEqual([status, error.type], [429, 'rate_limit_error']);
    const mixed = [{ type: 'tool_result', toolUseId: 'x', content: [] }, { type: 'text', text: 'and' }];
    const [bad, body] = await post(params(`sim-${face}/echo`, { messages: [{ role: 'user', content: mixed }] }));
    assert.deepEqual([bad, body.error.param], [400, 'messages[0].content']);
  });
}
