// Prints one JSON object with the figures of the stage beside libraries of npm: `node bench/web.mjs`.
// Each round measures each engine once, in turn, so that all meet the same load of the machine.

import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { launch } from '../e2e/browser.mjs';
import { engineScripts } from './bundle.mjs';
import { measureEngine } from './measure_engine.mjs';
import { texts } from './texts.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    secs: { type: 'string', default: '8' },
    'per-second': { type: 'string', default: '50' },
  },
});

/** Time in which danmaku fill the stage: one crossing, and a little. */
const FILL_MS = 10_000;
const OURS = 'ours-dom';
const OUR_CANVAS = 'ours-canvas';
const PEERS = ['danmaku-dom', 'danmaku-canvas', 'danmu.js', 'artplayer-plugin-danmuku'];

/** Returns the gzipped bytes of the client's core, of the built package. */
function sdkBytes() {
  execFileSync('node', ['packages.mjs'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const sizes = JSON.parse(execFileSync('npx', ['size-limit', '--json']).toString());
  return sizes.find(({ name }) => name === 'core').size;
}

async function measured() {
  const scripts = await engineScripts();
  const browser = await launch();
  const runs = new Map();
  const plan = { texts: texts(), perSecond: Number(values['per-second']), fillMs: FILL_MS, measureMs: Number(values.secs) * 1000 };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const name of [OURS, OUR_CANVAS, ...PEERS]) {
      const figures = await measureEngine(browser, scripts, name, plan);
      console.error(`  round ${round + 1}: ${name}, ${figures.frames_per_s.toFixed(1)} frames a second, ${figures.on_screen.toFixed(0)} on screen`);
      runs.set(name, [...(runs.get(name) ?? []), figures]);
    }
  }
  await browser.close();
  return runs;
}

/** Returns the median of each figure. Overlaps are the most of all rounds. */
function medians(rounds) {
  const names = Object.keys(rounds[0]).filter((name) => typeof rounds[0][name] === 'number');
  return Object.fromEntries(
    names.map((name) => {
      const sorted = rounds.map((round) => round[name]).sort((a, b) => a - b);
      const value = name === 'overlaps' ? sorted.at(-1) : sorted[Math.floor(sorted.length / 2)];
      return [name, Math.round(value * 100) / 100];
    }),
  );
}

const sdk_bytes_gzip = sdkBytes();
const runs = await measured();
const of = (name) => medians(runs.get(name));
const peers = Object.fromEntries(PEERS.map((name) => [name, of(name)]));
console.log(JSON.stringify({ sdk_bytes_gzip, ...of(OURS), painter: 'dom', canvas: of(OUR_CANVAS), peers }));
