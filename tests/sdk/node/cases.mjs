// The table that the Python tests read too, and what both need of it.

import { readFileSync } from 'node:fs';

export const CASES = JSON.parse(readFileSync(new URL('../cases.json', import.meta.url), 'utf8'));
export const URL_OF_GATEWAY = process.env.LOCKGATE_URL;
export const KEY = process.env.LOCKGATE_KEY ?? 'sk-test';
export const DIALECTS = ['openai', 'anthropic', 'gemini', 'openai-responses', 'cohere', 'ollama'];
// Dialects of the simulator: more than have a client here.
export const FACES = [...DIALECTS, 'bedrock'];

export function* product(...lists) {
  const [first, ...rest] = lists;
  if (!first) return yield [];
  for (const item of first) for (const tail of product(...rest)) yield [item, ...tail];
}

/** `Array.fromAsync`, which Node has from 22 on. */
export async function listOf(items) {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Names what in `value` does not fit `schema`, for the keywords that the cases use. */
export function schemaErrors(value, schema, at = '$') {
  const kinds = {
    object: (v) => v !== null && typeof v === 'object' && !Array.isArray(v),
    array: Array.isArray,
    integer: Number.isInteger,
  };
  const fits = kinds[schema.type] ?? ((v) => typeof v === schema.type);
  if (schema.type && !fits(value)) return [`${at} is ${JSON.stringify(value)}, not ${schema.type}`];
  if (schema.enum && !schema.enum.includes(value)) return [`${at} is ${value}, not one of ${schema.enum}`];
  if (schema.type === 'array') return value.flatMap((item, i) => schemaErrors(item, schema.items ?? {}, `${at}[${i}]`));
  if (schema.type !== 'object') return [];
  const missing = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${at}.${name} is missing`);
  const inner = Object.entries(schema.properties ?? {}).filter(([name]) => name in value);
  return [...missing, ...inner.flatMap(([name, each]) => schemaErrors(value[name], each, `${at}.${name}`))];
}
