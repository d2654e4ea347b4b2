// Registers `<barrage-room>` at once: for pages that load one script and write one tag.

import { define } from './define.ts';

define();
