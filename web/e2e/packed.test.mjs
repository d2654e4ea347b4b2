// What npm gets: each package is packed, installed into an empty project without the network, imported by
// Node.js, and checked by a program in TypeScript.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from './suite.mjs';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));
const built = join(web, 'build');

let project;
const run = (program, ...args) => execFileSync(program, args, { cwd: project, encoding: 'utf8' });

before(() => {
  execFileSync('node', ['packages.mjs'], { cwd: web });
  project = mkdtempSync(join(tmpdir(), 'barrage-packed-'));
  writeFileSync(join(project, 'package.json'), '{"type":"module","private":true}');
  const packed = readdirSync(built, { withFileTypes: true }).filter((one) => one.isDirectory()).map(({ name }) => name);
  assert.ok(packed.length >= 6, packed.join());
  const archives = JSON.parse(run('npm', 'pack', ...packed.map((name) => join(built, name)), '--json')).map(({ filename }) => filename);
  assert.equal(archives.length, packed.length);
  run('npm', 'install', '--offline', '--no-audit', '--no-fund', '--legacy-peer-deps', ...archives.map((name) => `./${name}`));
  // What a project of these frameworks has beside the packages.
  for (const name of ['react', 'vue', '@vue', 'csstype', '@types']) symlinkSync(join(web, 'node_modules', name), join(project, 'node_modules', name));
});
after(() => project && rmSync(project, { recursive: true, force: true }));

test('Node.js imports each package without a global of a browser, and nothing happens at import', () => {
  const program = `
    import { join } from '@barrage/client';
    import '@barrage/client/media';
    import { readBody } from '@barrage/client/read';
    import { useRoom as react } from '@barrage/react';
    import { useRoom as vue } from '@barrage/vue';
    import '@barrage/stage';
    import '@barrage/players';
    import '@barrage/players/artplayer';
    import '@barrage/players/dplayer';
    import '@barrage/players/xgplayer';
    import '@barrage/element';
    const room = join({ entry: 'http://127.0.0.1:1', room: 'demo', WebSocket: null });
    const body = readBody({ type: 'chat', text: 'hi' });
    room.close();
    console.log(JSON.stringify([room.state.kind, body.text, typeof react, typeof vue]));
  `;
  writeFileSync(join(project, 'program.mjs'), program);
  // A timer that is left would keep the process.
  assert.equal(run('node', 'program.mjs').trim(), '["ended","hi","function","function"]');
});

test('the types hold in a strict program, and a wrong field is an error', () => {
  const right = `
    import { join, type Sent } from '@barrage/client';
    import { useRoom } from '@barrage/react';
    const room = join({ entry: ['https://a.example'], room: 'demo', token: async () => null });
    const off: () => void = room.on('loss', ({ kind, count }) => console.log(kind === 'gone', count.toFixed()));
    const sent: Sent = await room.send({ type: 'chat', text: 'hi', style: { mode: 'top' } });
    if (sent.kind === 'refused') console.log(sent.waitMs ?? 0);
    for await (const { messages } of room) console.log(messages[0]?.body.type);
    off();
    export const hook = () => useRoom({ entry: 'https://a.example', room: 'demo' }).messages.map(({ body }) => body.type);
  `;
  writeFileSync(join(project, 'right.ts'), right);
  writeFileSync(join(project, 'wrong.ts'), `import { join } from '@barrage/client'; join({ room: 'demo', tokn: () => null });`);
  const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom', '--types', ''];
  const tsc = join(web, 'node_modules/.bin/tsc');
  assert.equal(run(tsc, ...options, 'right.ts'), '');
  assert.throws(() => run(tsc, ...options, 'wrong.ts'), (error) => /tokn/.test(error.stdout));
});

test('the programs of the guides hold', () => {
  const guides = ['embed', 'media'].map((name) => readFileSync(join(web, `../docs/guide/${name}.md`), 'utf8'));
  const programs = [...guides.join('\n').matchAll(/^```(tsx?) sdk\n(.*?)^```$/gms)].map(([, kind, code], number) => {
    writeFileSync(join(project, `guide-${number}.${kind}`), code);
    return `guide-${number}.${kind}`;
  });
  assert.equal(programs.length, 5);
  const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom', '--jsx', 'react-jsx', '--types', ''];
  assert.equal(run(join(web, 'node_modules/.bin/tsc'), ...options, ...programs), '');
});

test('a package has its licence, its types, and no source of the workspace', () => {
  for (const name of ['client', 'stage', 'react', 'vue']) {
    const files = readdirSync(join(project, 'node_modules/@barrage', name));
    assert.deepEqual(files.filter((file) => ['LICENSE', 'README.md', 'dist', 'package.json'].includes(file)).length, files.length, files.join());
    const { dependencies, exports } = JSON.parse(readFileSync(join(project, 'node_modules/@barrage', name, 'package.json'), 'utf8'));
    assert.equal(dependencies, undefined);
    assert.match(exports['.'].types, /^\.\/dist\//);
  }
});
