// Every case of `cases.json` with the AI SDK's chat transport as client, at each face of the `sim` provider; and what it
// does when an upstream fails, breaks off, or the person leaves.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AiSdkUiClient } from './ai-sdk-ui.mjs';
import { CASES, FACES, KEY, product, schemaErrors, URL_OF_GATEWAY } from './cases.mjs';

const PATIENCE_MS = 4000;
const sdk = new AiSdkUiClient();

describe('ai-sdk-ui answers', { concurrency: 4 }, () => {
  for (const [entry, face] of product(CASES.answers, FACES)) {
    if (entry.clients) continue;
    if (entry.faces && !entry.faces.includes(face)) continue;
    test(`${entry.name}: ai-sdk-ui at sim-${face}`, async () => {
      const tools = entry.ask.tools && Object.fromEntries(entry.ask.tools.map((name) => [name, CASES.tools[name]]));
      const ask = { ...entry.ask, tools, model: `sim-${face}/${entry.model}` };
      const answer = await sdk.stream(ask);
      check(answer, entry.expect, ask);
      if (!entry.then) return;
      const results = answer.calls.map((call, i) => [call, entry.then.results?.[i]]);
      const more = entry.then.results ? ['results', results] : ['user', entry.then.user];
      const following = { ...ask, turns: [...ask.turns, ['answer', answer], more] };
      const next = await sdk.stream(following);
      check(next, entry.then.expect, following);
      const steps = next.native.parts.filter((part) => part.type === 'step-start').length;
      if (entry.then.results) assert.equal(steps, 2, 'the answer goes on in the message that called the tools');
    });
  }
});

function check(answer, expect, ask) {
  assert.ok(expect.finish.split('|').includes(answer.finish), `${answer.finish} is none of ${expect.finish}`);
  if (expect.text !== undefined) assert.equal(answer.text, expect.text);
  for (const part of expect.text_has ?? []) assert.ok(answer.text.includes(part), `${part} in ${answer.text}`);
  assert.ok(answer.text.length >= (expect.text_min ?? 0));
  if (expect.reasoning !== undefined) assert.equal(answer.reasoning, expect.reasoning);
  assert.ok(answer.reasoning.includes(expect.reasoning_has ?? ''));
  // Ollama's models give no state.
  if (expect.signed && !ask.model.includes('sim-ollama')) assert.ok(answer.signed, 'reasoning carries its state');
  assert.deepEqual(answer.calls.map((call) => call.name), expect.calls ?? []);
  assert.equal(new Set(answer.calls.map((call) => call.id)).size, answer.calls.length, 'calls have ids of their own');
  for (const call of answer.calls) assert.deepEqual(schemaErrors(call.args, ask.tools[call.name].schema), []);
  if (expect.json) assert.deepEqual(schemaErrors(JSON.parse(answer.text), ask.schema), []);
  assert.ok(answer.parts.every((part) => part.state !== 'streaming'), 'no part is left open');
  const { input, output, total } = answer.usage;
  assert.ok(input > 0 && (output > 0 || !(answer.text || answer.calls.length)));
  assert.equal(total, input + output);
  assert.equal(answer.native.metadata.model, ask.model);
}

describe('ai-sdk-ui errors', { concurrency: 4 }, () => {
  for (const [entry, face] of product(CASES.errors, FACES)) {
    if ((entry.absolute || entry.key) && face !== FACES[0]) continue;
    test(`${entry.name}: ai-sdk-ui at sim-${face}`, async () => {
      const client = new AiSdkUiClient(URL_OF_GATEWAY, entry.key ?? KEY);
      const model = entry.absolute ? entry.model : `sim-${face}/${entry.model}`;
      const body = entry.body && { id: 'chat-1', messages: [5] };
      await assert.rejects(entry.body ? raw(model, body) : client.stream({ model, turns: [['user', 'Hello.']] }), (error) => {
        // The transport shows the body of an error as its message. Before a body is read, nobody knows whose it is.
        if (entry.key) return JSON.parse(error.message).error.length > 10;
        const { message, type, code } = JSON.parse(error.message).error;
        assert.ok(message.length > 10 && type, 'a message says what to do');
        if (entry.code) assert.equal(code, entry.code);
        return true;
      });
    });
  }

  async function raw(model, body) {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const response = await fetch(`${URL_OF_GATEWAY}/api/chat`, { method: 'POST', headers, body: JSON.stringify({ model, ...body }) });
    assert.equal(response.status, 400);
    throw new Error(await response.text());
  }
});

for (const [entry, face] of product(CASES.broken, FACES)) {
  test(`${entry.name} raises: ai-sdk-ui at sim-${face}`, async () => {
    const ask = { model: `sim-${face}/${entry.model}`, turns: [['user', 'one two three four five six']] };
    const seen = [];
    await assert.rejects(async () => {
      for await (const piece of sdk.pieces(ask)) seen.push(piece);
    });
    assert.ok(seen.length, 'what came before the break was handed on');
    await assert.rejects(sdk.stream(ask), (error) => error.message.length > 10);
  });
}

async function inFlight() {
  const response = await fetch(`${URL_OF_GATEWAY}/metrics`);
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('lockgate_requests_in_flight'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

for (const face of FACES) {
  test(`stopping cancels the upstream: ai-sdk-ui at sim-${face}`, async () => {
    const controller = new AbortController();
    const ask = { model: `sim-${face}/chunks=200+pace=50`, turns: [['user', 'Slowly.']] };
    const idle = await inFlight();
    let count = 0;
    const read = async () => {
      for await (const _ of sdk.pieces(ask, controller.signal)) {
        if ((count += 1) === 3) controller.abort();
      }
    };
    await assert.rejects(read, (error) => /abort/i.test(`${error.name} ${error.message}`));
    const end = Date.now() + PATIENCE_MS;
    while ((await inFlight()) > idle && Date.now() < end) await sleep(50);
    assert.equal(await inFlight(), idle, 'ten seconds of stream were to come');
  });
}

test('a lost stream is gone: ai-sdk-ui', async () => {
  assert.equal(await sdk.transport().reconnectToStream({ chatId: 'chat-1' }), null);
});
