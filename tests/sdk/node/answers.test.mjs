// Every case of `cases.json` for each client SDK and each face of the `sim` provider, whole and streamed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CASES, DIALECTS, FACES, product, schemaErrors } from './cases.mjs';
import { clientOf } from './clients.mjs';

describe('answers', { concurrency: 4 }, () => {
  for (const [entry, client, face, way] of product(CASES.answers, DIALECTS, FACES, ['ask', 'stream'])) {
    if (entry.clients && !entry.clients.includes(client)) continue;
    if (entry.faces && !entry.faces.includes(face)) continue;
    test(`${entry.name}: ${client} at sim-${face}, ${way}`, async () => {
      const sdk = clientOf(client);
      const tools = entry.ask.tools && Object.fromEntries(entry.ask.tools.map((name) => [name, CASES.tools[name]]));
      const ask = { ...entry.ask, tools, model: `sim-${face}/${entry.model}` };
      const answer = await sdk[way](ask);
      check(answer, entry.expect, ask, client);
      if (!entry.then) return;
      const results = answer.calls.map((call, i) => [call, entry.then.results?.[i]]);
      const more = entry.then.results ? ['results', results] : ['user', entry.then.user];
      const following = { ...ask, turns: [...ask.turns, ['answer', answer], more] };
      check(await sdk[way](following), entry.then.expect, following, client);
    });
  }
});

function check(answer, expect, ask, client) {
  // Not every dialect has a word for every end.
  const ends = (expect.finish_of?.[client] ?? expect.finish).split('|');
  assert.ok(ends.includes(answer.finish), `${answer.finish} is none of ${ends}`);
  if (expect.text !== undefined) assert.equal(answer.text, expect.text);
  for (const part of expect.text_has ?? []) assert.ok(answer.text.includes(part), `${part} in ${answer.text}`);
  assert.ok(answer.text.length >= (expect.text_min ?? 0));
  if (expect.reasoning !== undefined) assert.equal(answer.reasoning, expect.reasoning);
  assert.ok(answer.reasoning.includes(expect.reasoning_has ?? ''));
  // Chat, Cohere and Ollama have no place for a signature of their own, and Ollama's models give none.
  const signs = ['anthropic', 'gemini', 'openai-responses'].includes(client) && !ask.model.includes('sim-ollama');
  if (expect.signed && signs) assert.ok(answer.signed, 'reasoning carries a signature');
  assert.deepEqual(answer.calls.map((call) => call.name), expect.calls ?? []);
  assert.equal(new Set(answer.calls.map((call) => call.id).filter(Boolean)).size, answer.calls.length, 'calls have ids of their own');
  for (const call of answer.calls) assert.deepEqual(schemaErrors(call.args, ask.tools[call.name].schema), []);
  if (expect.json) assert.deepEqual(schemaErrors(JSON.parse(answer.text), ask.schema), []);
  const { input, output, total } = answer.usage;
  assert.ok(input > 0, 'usage is always there');
  assert.ok(output > 0 || !(answer.text || answer.calls.length));
  assert.equal(total ?? input + output, input + output);
}
