// @google/genai against `/v1beta/models/{model}:generateContent` and `:streamGenerateContent`.

import { ApiError, GoogleGenAI } from '@google/genai';
import { CASES, listOf } from './cases.mjs';

const FINISH = { STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'filter', PROHIBITED_CONTENT: 'filter', RECITATION: 'filter' };

export class GeminiClient {
  static apiError = ApiError;
  // One class for all; the status tells them apart.
  static errors = Object.fromEntries(
    ['bad_request', 'authentication', 'not_found', 'rate_limit', 'internal', 'any'].map((kind) => [kind, ApiError]),
  );

  constructor(baseUrl, apiKey, apiVersion = 'v1beta') {
    this.sdk = new GoogleGenAI({ apiKey, httpOptions: { baseUrl, apiVersion, timeout: 30_000, retryOptions: { attempts: 1 } } });
  }

  async models() {
    return (await listOf(await this.sdk.models.list())).map((model) => model.name.replace(/^models\//, ''));
  }

  async model(name) {
    return (await this.sdk.models.get({ model: name })).name.replace(/^models\//, '');
  }

  async ask(ask) {
    return answer([await this.sdk.models.generateContent(request(ask))]);
  }

  async stream(ask) {
    return answer(await listOf(await this.sdk.models.generateContentStream(request(ask))));
  }

  async *pieces(ask, abortSignal) {
    const asked = request(ask);
    const stream = await this.sdk.models.generateContentStream({ ...asked, config: { ...asked.config, abortSignal } });
    for await (const chunk of stream) if (chunk.text) yield chunk.text;
  }
}

function request(ask) {
  const words = { none: { mode: 'NONE' }, required: { mode: 'ANY' } };
  const declarations = Object.entries(ask.tools ?? {}).map(([name, { description, schema }]) => ({
    name,
    description,
    parametersJsonSchema: schema,
  }));
  return {
    model: ask.model,
    contents: ask.turns.map(([kind, value]) => content(kind, value)),
    config: {
      ...(ask.system && { systemInstruction: ask.system }),
      ...(ask.tools && { tools: [{ functionDeclarations: declarations }] }),
      ...(ask.choice && {
        toolConfig: { functionCallingConfig: words[ask.choice] ?? { mode: 'ANY', allowedFunctionNames: [ask.choice] } },
      }),
      ...(ask.schema && { responseMimeType: 'application/json', responseJsonSchema: ask.schema }),
      ...(ask.think && { thinkingConfig: { includeThoughts: true } }),
      ...(ask.body && { httpOptions: { extraBody: ask.body } }),
    },
  };
}

function content(kind, value) {
  switch (kind) {
    case 'image':
      return { role: 'user', parts: [{ text: value }, { inlineData: { mimeType: 'image/png', data: CASES.png } }] };
    case 'answer':
      return { role: 'model', parts: value.native };
    case 'results':
      return {
        role: 'user',
        parts: value.map(([{ id, name }, result]) => ({ functionResponse: { id, name, response: { result } } })),
      };
    default:
      return { role: kind === 'assistant' ? 'model' : 'user', parts: [{ text: value }] };
  }
}

function answer(chunks) {
  const candidates = chunks.flatMap((chunk) => chunk.candidates?.[0] ?? []);
  const parts = candidates.flatMap((candidate) => candidate.content?.parts ?? []);
  const texts = (thought) => parts.filter((p) => p.text && Boolean(p.thought) === thought).map((p) => p.text).join('');
  const calls = parts.flatMap((p) => (p.functionCall ? [{ ...p.functionCall, args: p.functionCall.args ?? {} }] : []));
  const reason = candidates.findLast((candidate) => candidate.finishReason)?.finishReason;
  const usage = chunks.findLast((chunk) => chunk.usageMetadata)?.usageMetadata;
  return {
    text: texts(false),
    reasoning: texts(true),
    signed: parts.some((p) => p.thoughtSignature),
    calls,
    finish: calls.length && reason === 'STOP' ? 'tools' : FINISH[reason],
    usage: usage && {
      input: usage.promptTokenCount,
      output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
      total: usage.totalTokenCount,
    },
    native: parts,
  };
}
