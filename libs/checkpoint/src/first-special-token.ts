import { join } from 'node:path';
import { isRecord } from './is-record.ts';
import { type JsonObject, readJsonObject } from './json-file.ts';

/** The token that the tokenizer of a folder puts before every text, if it does. */
export function loadFirstSpecialToken(folder: string): string | undefined {
  return firstSpecialToken(readJsonObject(join(folder, 'tokenizer.json')));
}

/** Likewise, by a tokenizer.json: what its post-processor begins with. */
export function firstSpecialToken(json: JsonObject): string | undefined {
  const given = json['post_processor'];
  const all = isRecord(given) && Array.isArray(given['processors']) ? (given['processors'] as unknown[]) : [given];
  const template = all.find((each) => isRecord(each) && each['type'] === 'TemplateProcessing');
  const single = isRecord(template) && Array.isArray(template['single']) ? (template['single'] as unknown[]) : [];
  const [first] = single;
  const token = isRecord(first) ? first['SpecialToken'] : undefined;
  return isRecord(token) && typeof token['id'] === 'string' ? token['id'] : undefined;
}
