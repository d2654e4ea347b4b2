import { describe, expect, test } from 'vitest';
import { DEFAULTS, readSettings, type Settings, writeSettings } from '../settings.ts';

const read = (query: string, language?: string): Settings => readSettings(new URLSearchParams(query), language);

describe('settings of an overlay', () => {
  test('an empty address has the defaults, and defaults write an empty address', () => {
    expect(read('')).toEqual(DEFAULTS);
    expect(writeSettings(DEFAULTS).toString()).toBe('');
  });

  test('what is written is read again', () => {
    const settings: Settings = {
      room: 'Launch_1', mode: 'both', sizePx: 32, font: 'Noto Sans SC, serif', fadeSecs: 30, rowsMax: 12, hide: ['bots', 'commands'], block: ['ann', '小明'],
      badges: false, avatars: false, emotes: false, dir: 'down', alerts: false, ticker: false, opacity: 0.5, area: 0.4, lang: 'zh', preview: true,
    };
    expect(read(writeSettings(settings).toString())).toEqual(settings);
  });

  test('numbers out of range become the nearest, and no numbers the default', () => {
    expect(read('size=1').sizePx).toBe(8);
    expect(read('size=1e9').sizePx).toBe(120);
    expect(read('size=NaN').sizePx).toBe(DEFAULTS.sizePx);
    expect(read('max=0').rowsMax).toBe(1);
    expect(read('max=Infinity').rowsMax).toBe(DEFAULTS.rowsMax);
    expect(read('fade=-3').fadeSecs).toBe(0);
  });

  test('a font is a name and no other CSS', () => {
    expect(read('font=Noto+Sans').font).toBe('Noto Sans');
    for (const font of ['x;background:url(//evil.example)', 'a"b', 'url(x)', 'x}', "'", '<b>', '\\31', 'a'.repeat(81)]) {
      expect(read(new URLSearchParams({ font }).toString()).font, font).toBe('');
    }
  });

  test('a room that no server has is no room', () => {
    for (const room of ['', '../x', 'a b', '<script>', 'x'.repeat(65)]) expect(read(new URLSearchParams({ room }).toString()).room).toBe('');
  });

  test('unknown words are ignored, in any case of letters', () => {
    expect(read('mode=DANMAKU').mode).toBe('danmaku');
    expect(read('dir=left').dir).toBe('up');
    expect(read('hide=BOTS,nonsense').hide).toEqual(['bots']);
  });

  test('the language is that of the browser unless the address names one', () => {
    expect(read('', 'zh-CN').lang).toBe('zh');
    expect(read('lang=en', 'zh-CN').lang).toBe('en');
  });

  test('names to block are bounded', () => {
    expect(read(`block=${Array.from({ length: 500 }, (_, n) => `u${n}`).join(',')}`).block).toHaveLength(100);
  });
});
