// The `ai` package's chat transport and message reader against `/api/chat`.

import { DefaultChatTransport, getToolName, isToolUIPart, readUIMessageStream } from 'ai';
import { CASES, KEY, URL_OF_GATEWAY } from './cases.mjs';

const FINISH = { stop: 'stop', length: 'length', 'tool-calls': 'tools', 'content-filter': 'filter' };

export class AiSdkUiClient {
  constructor(url = URL_OF_GATEWAY, key = KEY) {
    this.url = url;
    this.key = key;
  }

  transport(body) {
    return new DefaultChatTransport({ api: `${this.url}/api/chat`, headers: { authorization: `Bearer ${this.key}` }, body });
  }

  /** Sends a conversation and reads the answer as `useChat` does; an error in the stream is thrown. */
  async stream(ask) {
    const messages = messagesOf(ask.turns, ask.system);
    const chunks = [];
    const watched = (await this.send(ask, messages)).pipeThrough(watch(chunks));
    const last = messages.at(-1);
    // The answer to a client's own results goes on with the message that asked for them.
    const continued = last.role === 'assistant' ? structuredClone(last) : undefined;
    let message;
    for await (const each of readUIMessageStream({ message: continued, stream: watched, terminateOnError: true })) message = each;
    return answer(message, chunks);
  }

  async *pieces(ask, abortSignal) {
    for await (const chunk of await this.send(ask, messagesOf(ask.turns, ask.system), abortSignal)) {
      if (chunk.type === 'error') throw new Error(chunk.errorText);
      if (chunk.type === 'text-delta') yield chunk.delta;
    }
  }

  send(ask, messages, abortSignal) {
    return this.transport(settings(ask)).sendMessages({ trigger: 'submit-message', chatId: 'chat-1', messages, abortSignal });
  }
}

function watch(chunks) {
  return new TransformStream({
    transform(chunk, controller) {
      chunks.push(chunk);
      controller.enqueue(chunk);
    },
  });
}

export function settings(ask) {
  return {
    ...(ask.model && { model: ask.model }),
    ...(ask.tools && {
      tools: Object.entries(ask.tools).map(([name, { description, schema }]) => ({ name, description, inputSchema: schema })),
    }),
    ...(ask.choice && { toolChoice: ask.choice }),
    ...(ask.schema && { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: ask.schema, strict: true } } }),
    ...(ask.think && { reasoningEffort: 'low' }),
    ...ask.body,
  };
}

/** UI messages. What the client's tools gave is written into the message that called them. */
export function messagesOf(turns, system) {
  const messages = system ? [message('system', [{ type: 'text', text: system }])] : [];
  for (const [kind, value] of turns) {
    if (kind === 'answer') {
      const going = messages.at(-1)?.role === 'assistant';
      if (going) messages.pop();
      messages.push(structuredClone(value.native));
    } else if (kind === 'results') {
      const outputs = new Map(value.map(([call, output]) => [call.id, output]));
      for (const part of messages.at(-1).parts) {
        if (isToolUIPart(part) && outputs.has(part.toolCallId)) {
          Object.assign(part, { state: 'output-available', output: outputs.get(part.toolCallId) });
        }
      }
    } else if (kind === 'image') {
      const file = { type: 'file', mediaType: 'image/png', url: `data:image/png;base64,${CASES.png}` };
      messages.push(message('user', [{ type: 'text', text: value }, file]));
    } else {
      messages.push(message(kind, [{ type: 'text', text: value }]));
    }
  }
  return messages;
}

let count = 0;

function message(role, parts) {
  return { id: `m${(count += 1)}`, role, parts };
}

function answer(message, chunks) {
  // Of a message that went on, the last step is the answer.
  const parts = message.parts.slice(message.parts.findLastIndex((part) => part.type === 'step-start') + 1);
  const of = (type) => parts.filter((part) => part.type === type);
  const usage = message.metadata?.usage;
  const finish = chunks.find((chunk) => chunk.type === 'finish');
  return {
    text: of('text').map((part) => part.text).join(''),
    reasoning: of('reasoning').map((part) => part.text).join(''),
    signed: of('reasoning').length > 0 && of('reasoning').every((part) => part.providerMetadata),
    calls: parts.filter(isToolUIPart).map((part) => ({ id: part.toolCallId, name: getToolName(part), args: part.input })),
    finish: FINISH[finish?.finishReason],
    usage: usage && { input: usage.inputTokens, output: usage.outputTokens, total: usage.totalTokens },
    parts,
    native: message,
  };
}
