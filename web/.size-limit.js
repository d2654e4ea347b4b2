// Sizes of what npm gets, gzipped. A part counts with the files that it imports statically.

import { readFileSync } from 'node:fs';

const CLIENT = 'build/client/dist/';

/** Returns a built file with all that it imports statically, without those of `known`. */
function filesOf(name, known = []) {
  const found = new Set();
  const add = (file) => {
    if (found.has(file) || known.includes(file)) return;
    found.add(file);
    for (const [, next] of readFileSync(CLIENT + file, 'utf8').matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g)) add(next);
  };
  add(name);
  return [...found];
}

const core = filesOf('index.js');
const paths = (files) => files.map((file) => CLIENT + file);
const part = (name, file, limit) => ({ name, path: paths(filesOf(file, core)), limit, gzip: true });

export default [
  { name: 'core', path: paths(core), limit: '8 kB', gzip: true },
  part('what reads messages and keeps the connection', 'later.js', '8 kB'),
  part('requests: send, act, vote, report, history', 'uplink.js', '7 kB'),
  part('the ladder with event stream and long poll', 'rungs.js', '5 kB'),
  part('the race of gateways', 'race.js', '1 kB'),
  part('the inbox', 'letters.js', '6 kB'),
  part('media', 'media.js', '7.25 kB'),
  part('the decoder of deflated frames', 'inflate.js', '2.5 kB'),
];
