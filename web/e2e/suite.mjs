// The functions of node:test for files that run alone, and for files that run together in one process.
//
// `node --test` starts a process for each file, which loads Playwright and compiles it again, and has a Chromium of its own.

import * as node from 'node:test';

/** Longest time of a test. */
const TIMEOUT_MS = 900_000;

/** Calls of the file that is being imported, in order; null while a file runs alone. */
let calls = null;
let isTogether = false;

const kept = (name) => (...given) => (calls ? calls.push([name, given]) : node[name](...given));

export const [test, describe, before, beforeEach, after, afterEach] = ['test', 'describe', 'before', 'beforeEach', 'after', 'afterEach'].map(kept);

/** Whether `run.mjs` runs the files, which then share a browser. */
export function together() {
  return isTogether;
}

/** Imports a file and makes its tests a suite, so that its hooks run around its own tests alone. */
export async function add(name, file) {
  isTogether = true;
  const own = (calls = []);
  try {
    await import(file);
  } finally {
    calls = null;
  }
  node.describe(name, { timeout: TIMEOUT_MS }, () => {
    for (const [made, given] of own) node[made](...given);
  });
}
