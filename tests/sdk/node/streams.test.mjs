// What happens after the first event: an upstream that breaks, and a client that leaves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CASES, DIALECTS, FACES, KEY, product, URL_OF_GATEWAY } from './cases.mjs';
import { clientOf } from './clients.mjs';

const PATIENCE_MS = 4000;
const IN_FLIGHT = 'lockgate_requests_in_flight';

async function inFlight() {
  const response = await fetch(`${URL_OF_GATEWAY}/metrics`, { headers: { authorization: `Bearer ${KEY}` } });
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith(IN_FLIGHT));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

for (const [entry, client, face] of product(CASES.broken, DIALECTS, FACES)) {
  test(`${entry.name} raises: ${client} at sim-${face}`, async () => {
    const sdk = clientOf(client);
    const seen = [];
    const read = async () => {
      const ask = { model: `sim-${face}/${entry.model}`, turns: [['user', 'one two three four five six']] };
      for await (const piece of sdk.pieces(ask)) seen.push(piece);
    };
    await assert.rejects(read, sdk.constructor.apiError);
    assert.ok(seen.length, 'what came before the break was handed on');
  });
}

for (const [way, client, face] of product(['abort', 'break'], DIALECTS, FACES)) {
  // @google/genai and ollama-js leave the response open until it is collected.
  if (way === 'break' && ['gemini', 'ollama'].includes(client)) continue;
  test(`leaving by ${way} cancels the upstream: ${client} at sim-${face}`, async () => {
    const controller = new AbortController();
    const ask = { model: `sim-${face}/chunks=200+pace=50`, turns: [['user', 'Slowly.']] };
    const idle = await inFlight();
    let count = 0;
    const read = async () => {
      for await (const _ of clientOf(client).pieces(ask, controller.signal)) {
        count += 1;
        // Pieces that had come before it left are still handed on, when nothing is in flight any more.
        if (count !== 3) continue;
        assert.ok((await inFlight()) > idle);
        if (way === 'break') break;
        controller.abort();
      }
    };
    await read().catch((error) => assert.match(`${error.name} ${error.message}`, /abort/i));
    const end = Date.now() + PATIENCE_MS;
    while ((await inFlight()) > idle && Date.now() < end) await sleep(50);
    assert.equal(await inFlight(), idle, 'ten seconds of stream were to come');
  });
}
