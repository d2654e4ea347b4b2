// Writes docs/reference/sdk.md from the types of the built packages: `node reference.mjs` writes the page, and
// `node reference.mjs --check` fails when it is not current. Run `node packages.mjs` before.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirname, join, normalize } from 'node:path';

const web = fileURLToPath(new URL('.', import.meta.url));
const PAGE = join(web, '../docs/reference/sdk.md');
/** Address of the guide as the page has it. */
const GUIDE = ['..', 'guide', 'embed.md'].join('/');
/** Modules of the page, with what each is for. */
const MODULES = [
  ['client', 'index', 'Joins a room, and everything that a room reports and takes.'],
  ['client', 'read', 'Reads bodies and counters that come otherwise than by a room, from an archive or a file.'],
  ['client', 'letters', 'The inbox of a room\'s user: letters and groups, in step with the user\'s other devices.'],
  ['client', 'media', 'Uploads of pictures, clips and files, and what draws them.'],
  ['client', 'snapshot', 'A room as one value, for frameworks that render values.'],
  ['react', 'index', 'A hook for React 18 and later.'],
  ['vue', 'index', 'A composable for Vue 3.3 and later.'],
];

const typesOf = (file) => readFileSync(file, 'utf8');

/** Returns the exported names of a file of types with the file that declares each. */
function exportsOf(file) {
  const text = typesOf(file);
  const found = [];
  for (const [, names, from] of text.matchAll(/^export \{([^}]*)\} from ['"]([^'"]+)['"];/gms)) {
    for (const name of names.split(',').map((one) => one.trim().replace(/^type /, '')).filter(Boolean)) {
      if (from.startsWith('.')) found.push([name, normalize(join(dirname(file), from.replace(/\.js$/, '.d.ts')))]);
    }
  }
  for (const [, name] of text.matchAll(/^export (?:declare )?(?:const|function|class|interface|type) (\w+)/gm)) found.push([name, file]);
  return found;
}

/** Returns the doc comment and the text of a declaration. */
function declaration(file, name) {
  const lines = typesOf(file).split('\n');
  const start = lines.findIndex((line) => new RegExp(`^export (declare )?(const|function|class|interface|type) ${name}\\b`).test(line));
  if (start < 0) throw new Error(`${file} does not declare ${name}`);
  let end = start;
  // A declaration ends before the next one, which begins in the first column.
  while (end + 1 < lines.length && (/^[\s}|]/.test(lines[end + 1]) || lines[end + 1].startsWith('} &'))) end += 1;
  let first = start;
  if (lines[start - 1]?.trimEnd().endsWith('*/')) {
    first = start - 1;
    while (!lines[first].startsWith('/**')) first -= 1;
  }
  const doc = lines.slice(first, start).join('\n').replace(/^\/\*\*|\*\/$/gm, '').replace(/^ \* ?/gm, '').trim();
  const code = lines.slice(start, end + 1).filter((line) => !/^\s*(#private;|private )/.test(line));
  return { doc: doc.replace(/\s+/g, ' '), code: code.join('\n').replace(/^export (declare )?/, '').trimEnd() };
}

function page() {
  const parts = [
    '# The SDK for JavaScript',
    'The packages `@barrage/client`, `@barrage/react` and `@barrage/vue`. [Embed a room](' + GUIDE + '#the-sdk) shows how to use them. `web/reference.mjs` writes this page from the types.',
  ];
  for (const [name, entry, words] of MODULES) {
    const file = join(web, `build/${name}/dist/${entry}.d.ts`);
    const title = `@barrage/${name}${entry === 'index' ? '' : `/${entry}`}`;
    parts.push(`## \`${title}\``, words);
    for (const [exported, from] of exportsOf(file)) {
      const { doc, code } = declaration(from, exported);
      parts.push(`### \`${exported}\``, ...(doc ? [doc] : []), `\`\`\`ts\n${code}\n\`\`\``);
    }
  }
  return `${parts.map(wrapped).join('\n\n')}\n`;
}

/** Breaks a paragraph into lines of at most 120 characters; code stays as it is. */
function wrapped(part) {
  if (part.startsWith('```') || part.startsWith('#')) return part;
  const lines = [''];
  for (const word of part.split(' ')) {
    const line = lines.at(-1);
    if (line && line.length + word.length > 119) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines.join('\n');
}

const text = page();
if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, text);
} else if (text !== (() => { try { return typesOf(PAGE); } catch { return ''; } })()) {
  console.error('docs/reference/sdk.md is not current: run `npm run reference` in web, or `cargo xtask gen`');
  process.exitCode = 1;
}
