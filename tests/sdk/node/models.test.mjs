// Lists of models in the shape of each SDK, and the SDKs as they come, without the options that other tests set.

import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { DIALECTS, KEY, URL_OF_GATEWAY } from './cases.mjs';
import { clientOf } from './clients.mjs';

const MESSAGES = [{ role: 'user', content: 'Hello.' }];

for (const client of DIALECTS) {
  const { lists = true, retrieves = true } = clientOf(client).constructor;
  if (!lists) continue;
  test(`models are listed: ${client}`, async () => {
    const names = await clientOf(client).models();
    assert.ok(names.includes('pool'), 'names of the configuration are listed');
    assert.ok(names.includes('up-openai/listed'), "so are the models that a provider's entry names");
    if (retrieves) assert.equal(await clientOf(client).model('sim/echo'), 'sim/echo');
  });
}

test('OpenAI with its defaults', async () => {
  const sdk = new OpenAI({ baseURL: `${URL_OF_GATEWAY}/v1`, apiKey: KEY });
  const { choices } = await sdk.chat.completions.create({ model: 'sim/echo', messages: MESSAGES });
  assert.equal(choices[0].message.content, 'Hello.');
});

test('Anthropic with its defaults', async () => {
  const sdk = new Anthropic({ baseURL: URL_OF_GATEWAY, apiKey: KEY });
  const { content } = await sdk.messages.create({ model: 'sim/echo', max_tokens: 99, messages: MESSAGES });
  assert.equal(content[0].text, 'Hello.');
});

test('Gemini with its defaults speaks v1', async () => {
  const sdk = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: URL_OF_GATEWAY } });
  assert.equal((await sdk.models.generateContent({ model: 'sim/echo', contents: 'Hello.' })).text, 'Hello.');
});
