// Failures before the first event: each is the SDK's own exception, whole and streamed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CASES, DIALECTS, FACES, KEY, product } from './cases.mjs';
import { clientOf } from './clients.mjs';

const STATUS = { bad_request: [400], authentication: [401], not_found: [404], rate_limit: [429] };

describe('errors', { concurrency: 4 }, () => {
  for (const [entry, client, face, way] of product(CASES.errors, DIALECTS, FACES, ['ask', 'stream'])) {
    if ((entry.absolute || entry.key) && face !== DIALECTS[0]) continue;
    if (entry.body && clientOf(client).constructor.checksBodies) continue;
    test(`${entry.name}: ${client} at sim-${face}, ${way}`, async () => {
      const sdk = clientOf(client, entry.key ?? KEY);
      const model = entry.absolute ? entry.model : `sim-${face}/${entry.model}`;
      const ask = { model, turns: [['user', 'Hello.']], body: entry.body?.[client] };
      await assert.rejects(sdk[way](ask), (error) => {
        assert.ok(error instanceof sdk.constructor.errors[entry.kind], `${error.constructor.name}: ${error.message}`);
        const statuses = entry.status ?? STATUS[entry.kind];
        const status = error.status ?? error.status_code;
        assert.ok(statuses ? statuses.includes(status) : status >= 400, `status ${status}`);
        assert.ok(error.message.length > 10, 'a message says what to do');
        if (client === 'openai') assert.ok(error.requestID && error.type);
        if (client === 'openai' && entry.code) assert.equal(error.code, entry.code);
        return true;
      });
    });
  }
});
