// cohere-ai's `CohereClientV2` against `/v2/chat`.

import { CohereClientV2, CohereError, CohereTimeoutError } from 'cohere-ai';
import { CASES } from './cases.mjs';

const FINISH = { COMPLETE: 'stop', STOP_SEQUENCE: 'stop', MAX_TOKENS: 'length', TOOL_CALL: 'tools', ERROR: 'filter' };

/** An error with its status where the others have it. */
class Told extends Error {
  constructor(error) {
    super(error.message);
    this.status = error.statusCode ?? (error instanceof CohereTimeoutError ? 504 : undefined);
  }
}

export class CohereClient {
  // It refuses a bad body itself.
  static checksBodies = true;
  // Its list of models has a form of its own, which the gateway does not have.
  static lists = false;
  static apiError = Told;
  // One class has them all; the status tells them apart.
  static errors = Object.fromEntries(
    ['bad_request', 'authentication', 'not_found', 'rate_limit', 'internal', 'any'].map((kind) => [kind, Told]),
  );

  constructor(environment, token) {
    this.sdk = new CohereClientV2({ environment, token });
  }

  async ask(ask) {
    const { message, finishReason, usage } = await told(this.sdk.chat(request(ask), OPTIONS));
    return answer(message, finishReason, usage);
  }

  async stream(ask) {
    const message = { role: 'assistant', content: [], toolCalls: [], toolPlan: '' };
    let end;
    for await (const event of this.events(ask)) {
      const said = event.delta?.message;
      switch (event.type) {
        case 'content-start':
          message.content[event.index] = { type: said.content.type, [said.content.type]: '' };
          break;
        case 'content-delta':
          message.content[event.index][said.content.thinking === undefined ? 'text' : 'thinking'] +=
            said.content.thinking ?? said.content.text;
          break;
        case 'tool-plan-delta':
          message.toolPlan += said.toolPlan;
          break;
        case 'tool-call-start':
          message.toolCalls[event.index] = said.toolCalls;
          break;
        case 'tool-call-delta':
          message.toolCalls[event.index].function.arguments += said.toolCalls.function.arguments;
          break;
        case 'message-end':
          end = event.delta;
      }
    }
    return answer(message, end.finishReason, end.usage);
  }

  async *pieces(ask, abortSignal) {
    for await (const event of this.events(ask, abortSignal)) {
      if (event.type === 'content-delta' && event.delta.message.content.text) yield event.delta.message.content.text;
    }
  }

  /** The SDK hands an error in a stream on as a value of the last event. */
  async *events(ask, abortSignal) {
    for await (const event of await told(this.sdk.chatStream(request(ask), { ...OPTIONS, abortSignal }))) {
      if (event.type === 'message-end' && event.delta.error) throw new Told(new CohereError({ message: event.delta.error }));
      yield event;
    }
  }
}

const told = (promise) =>
  promise.catch((error) => {
    throw error.name === 'AbortError' ? error : new Told(error);
  });

const OPTIONS = { maxRetries: 0, timeoutInSeconds: 30 };

function request(ask) {
  const messages = ask.turns.flatMap(([kind, value]) => turn(kind, value));
  // One tool is chosen by offering no other.
  const named = ask.choice && ask.choice in (ask.tools ?? {}) ? ask.choice : undefined;
  const offered = Object.entries(ask.tools ?? {}).filter(([name]) => !named || name === named);
  return {
    model: ask.model,
    messages: ask.system ? [{ role: 'system', content: ask.system }, ...messages] : messages,
    ...(offered.length && {
      tools: offered.map(([name, { description, schema }]) => ({
        type: 'function',
        function: { name, description, parameters: schema },
      })),
    }),
    ...(ask.choice && { toolChoice: ask.choice === 'none' ? 'NONE' : 'REQUIRED' }),
    ...(ask.schema && { responseFormat: { type: 'json_object', jsonSchema: ask.schema } }),
    ...(ask.think && { thinking: { type: 'enabled', tokenBudget: 1024 } }),
    ...ask.body,
  };
}

function turn(kind, value) {
  const url = `data:image/png;base64,${CASES.png}`;
  switch (kind) {
    case 'image':
      return [{ role: 'user', content: [{ type: 'text', text: value }, { type: 'image_url', imageUrl: { url } }] }];
    case 'answer':
      return [value.native];
    case 'results':
      return value.map(([call, content]) => ({ role: 'tool', toolCallId: call.id, content }));
    default:
      return [{ role: kind, content: value }];
  }
}

function answer({ content = [], toolCalls = [], toolPlan = '' }, finishReason, usage) {
  const of = (type) => content.filter((part) => part.type === type).map((part) => part[type]).join('');
  return {
    text: of('text'),
    reasoning: toolPlan + of('thinking'),
    calls: toolCalls.map(({ id, function: { name, arguments: args } }) => ({ id, name, args: JSON.parse(args || '{}') })),
    finish: FINISH[finishReason],
    usage: usage && { input: usage.tokens.inputTokens, output: usage.tokens.outputTokens },
    native: {
      role: 'assistant',
      ...(content.length && { content }),
      ...(toolPlan && { toolPlan }),
      ...(toolCalls.length && { toolCalls }),
    },
  };
}
