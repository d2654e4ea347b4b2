// The panel with position, size and colour of the next danmaku.

import { byId, cssColor, element } from '@barrage/ui/dom.ts';
import { type Mode, type Size, type Style } from '@barrage/client';
import { input, radio } from '../page/choices.ts';
import { inLanguage, type Key, t } from '../page/i18n.ts';
import { Popover } from '../page/popover.ts';

const MODES: readonly Mode[] = ['scroll', 'reverse', 'top', 'bottom'];
const SIZES: readonly Size[] = ['small', 'normal', 'large'];
const COLORS: readonly (readonly [number, Key])[] = [
  [0xffffff, 'white'],
  [0xffd166, 'yellow'],
  [0xff8fa3, 'pink'],
  [0x7ee0b5, 'green'],
  [0x7ab8ff, 'blue'],
  [0xc9a2ff, 'violet'],
];

export class StylePanel {
  constructor(private readonly form: HTMLFormElement) {
    for (const mode of MODES) byId('modes').append(radio('mode', mode, mode === 'scroll', mode));
    for (const size of SIZES) byId('sizes').append(radio('size', size, size === 'normal', size));
    for (const [color, key] of COLORS) byId('colors').append(swatch(color, key));
    const panel = byId('style-panel');
    new Popover(byId('style-button'), panel, () => panel.querySelector<HTMLInputElement>('input:checked')?.focus());
  }

  /** Returns the chosen style. */
  get chosen(): Style {
    const chosen = new FormData(this.form);
    return {
      mode: (chosen.get('mode') as Mode | null) ?? 'scroll',
      size: (chosen.get('size') as Size | null) ?? 'normal',
      color: Number(chosen.get('color') ?? 0xffffff),
    };
  }
}

function swatch(color: number, key: Key): HTMLElement {
  const face = element('span', 'face swatch');
  face.style.background = cssColor(color);
  const made = input('radio', 'color', String(color), color === COLORS[0]?.[0]);
  const label = element('label', 'radio', made, face);
  inLanguage(() => {
    made.setAttribute('aria-label', t(key));
    label.title = t(key);
  });
  return label;
}
