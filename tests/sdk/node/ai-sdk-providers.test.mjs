// The AI SDK's provider packages as clients of the paths that their vendors' SDKs use: each reads answers in its own way.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CASES, DIALECTS, KEY, product, schemaErrors, URL_OF_GATEWAY } from './cases.mjs';

const openai = createOpenAI({ baseURL: `${URL_OF_GATEWAY}/v1`, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: `${URL_OF_GATEWAY}/v1`, apiKey: KEY });
const google = createGoogleGenerativeAI({ baseURL: `${URL_OF_GATEWAY}/v1beta`, apiKey: KEY });
const PACKAGES = {
  openai: (name) => openai.chat(name),
  anthropic: (name) => anthropic(name),
  // A name with a slash is a path to this one.
  google: (name) => google(`models/${name}`),
};
const prompt = 'Why is the sea salty?';

describe('ai-sdk providers', { concurrency: 4 }, () => {
  for (const [name, face] of product(Object.keys(PACKAGES), DIALECTS)) {
    const model = (words) => PACKAGES[name](`sim-${face}/${words}`);
    test(`text, whole and streamed: ${name} at sim-${face}`, async () => {
      const whole = await generateText({ model: model('echo'), prompt, maxRetries: 0 });
      const stream = streamText({ model: model('echo'), prompt, maxRetries: 0, onError: ({ error }) => assert.fail(error) });
      assert.deepEqual([whole.text, await stream.text], [prompt, prompt]);
      assert.deepEqual([whole.finishReason, await stream.finishReason], ['stop', 'stop']);
      const usage = await stream.usage;
      assert.ok(usage.inputTokens > 0);
      assert.deepEqual([usage.inputTokens, usage.outputTokens], [whole.usage.inputTokens, whole.usage.outputTokens]);
    });

    test(`tools in a loop: ${name} at sim-${face}`, async () => {
      const { schema, description } = CASES.tools.weather;
      const tools = { weather: tool({ description, inputSchema: jsonSchema(schema), execute: async ({ city }) => `sunny in ${city}` }) };
      const options = { prompt, tools, stopWhen: stepCountIs(3), maxRetries: 0 };
      const whole = await generateText({ model: model('think+tools'), ...options });
      const stream = streamText({ model: model('think+tools'), ...options, onError: ({ error }) => assert.fail(error) });
      for (const [steps, text] of [[whole.steps, whole.text], [await stream.steps, await stream.text]]) {
        assert.deepEqual(steps.map((step) => step.toolCalls.length), [1, 0]);
        assert.deepEqual(schemaErrors(steps[0].toolCalls[0].input, schema), []);
        assert.match(text, /tool said: .*sunny in/);
      }
    });

    test(`structured output: ${name} at sim-${face}`, async () => {
      const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
      // To a model that it does not know, Anthropic's package offers a tool to answer with.
      const { output } = await generateText({ model: model('json+tools'), prompt, output: Output.object({ schema: jsonSchema(schema) }), maxRetries: 0 });
      assert.deepEqual(schemaErrors(output, schema), []);
    });

    test(`errors: ${name} at sim-${face}`, async () => {
      await assert.rejects(generateText({ model: model('error=429'), prompt, maxRetries: 0 }), (error) => {
        assert.equal(error.statusCode, 429);
        assert.ok(error.message.length > 10, error.message);
        return true;
      });
      const errors = [];
      await streamText({ model: model('chunks=6+error-at=2'), prompt, maxRetries: 0, onError: ({ error }) => errors.push(error) }).consumeStream();
      assert.ok(errors.length, 'a stream that breaks says so');
    });
  }

  // The package sends a stop sequence, which Responses does not have.
  for (const face of [...DIALECTS.filter((face) => face !== 'openai-responses'), 'openai-completions']) {
    test(`legacy completions: openai at sim-${face}`, async () => {
      const model = openai.completion(`sim-${face}/echo`);
      const whole = await generateText({ model, prompt, maxRetries: 0 });
      const stream = streamText({ model, prompt, maxRetries: 0, onError: ({ error }) => assert.fail(error) });
      // The package makes a transcript of its prompt.
      for (const text of [whole.text, await stream.text]) assert.ok(text.includes(prompt), text);
      assert.deepEqual([whole.finishReason, await stream.finishReason], ['stop', 'stop']);
    });
  }
});
