// Runs files of tests one after the other in this process, with one browser: `node e2e/run.mjs e2e/page.test.mjs`.

import { resolve } from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';
import { closeShared } from './browser.mjs';
import { add } from './suite.mjs';

after(closeShared);
for (const file of process.argv.slice(2)) await add(file, pathToFileURL(resolve(file)).href);
