// Tags of a danmaku file with their attributes and text, in one pass over the file. No entity is expanded, and
// nothing is nested: an entry has text alone.

export interface Tag {
  name: string;
  attributes: Map<string, string>;
  text: string;
}

const NAME = /[A-Za-z_][\w:.-]*/y;
const ATTRIBUTE = /([A-Za-z_][\w:.-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
/** Parts of a file that have no entries, with their ends. */
const SKIPPED: [start: string, end: string][] = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
  ['<!', '>'],
];

/** Yields the tags whose name is wanted. An entry with markup inside is yielded without its text. */
export function* tags(xml: string, wanted: ReadonlySet<string>): Iterable<Tag> {
  let at = 0;
  for (;;) {
    at = xml.indexOf('<', at);
    if (at < 0) return;
    const skipped = SKIPPED.find(([start]) => xml.startsWith(start, at));
    if (skipped) {
      const end = xml.indexOf(skipped[1], at + skipped[0].length);
      if (end < 0) return;
      at = end + skipped[1].length;
      continue;
    }
    NAME.lastIndex = at + 1;
    const name = NAME.exec(xml)?.[0];
    if (name === undefined) {
      at += 1;
      continue;
    }
    const end = endOf(xml, at + 1 + name.length);
    // A tag that does not end has swallowed the rest of the file.
    if (end < 0) return;
    const raw = xml.slice(at + 1 + name.length, end);
    at = end + 1;
    if (!wanted.has(name)) continue;
    const attributes = new Map<string, string>();
    for (const [, key = '', double, single] of raw.matchAll(ATTRIBUTE)) if (!attributes.has(key)) attributes.set(key, unescape(double ?? single ?? ''));
    yield { name, attributes, text: raw.endsWith('/') ? '' : textOf(xml, at, name) };
  }
}

/** Returns the place of the `>` that ends a tag, outside of quotes; -1 without one. */
function endOf(xml: string, from: number): number {
  let quote = '';
  for (let at = from; at < xml.length; at += 1) {
    const character = xml[at]!;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return at;
  }
  return -1;
}

function textOf(xml: string, from: number, name: string): string {
  const end = xml.indexOf('<', from);
  return end >= 0 && xml.startsWith(`</${name}`, end) ? unescape(xml.slice(from, end)) : '';
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** Replaces XML's own five entities and character references; others stay as they are written. */
function unescape(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(lt|gt|amp|quot|apos));/g, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : '';
  });
}
