// Builds every page into `dist`. The player page comes first, because its build empties the folder.

import { build } from 'vite';

const PAGES = ['player', 'operator', 'overlay', 'moderate'];

for (const mode of PAGES) await build({ mode, logLevel: 'warn' });
