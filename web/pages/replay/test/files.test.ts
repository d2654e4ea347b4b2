// Files: what recorders write is read, what a file may not do has no effect, and an export is read again.

import { describe, expect, test } from 'vitest';
import { toJsonl, toXml } from '../files/export.ts';
import { readJsonl } from '../files/jsonl.ts';
import { readXml } from '../files/xml.ts';
import { EN } from '../texts/en.ts';
import { ZH, type Key } from '../texts/zh.ts';
import { type Message } from '../timeline/message.ts';

const HEAD = '<?xml version="1.0" encoding="UTF-8"?><i><chatserver>chat.bilibili.com</chatserver>';

describe('XML', () => {
  test('the forms of the site and of recorders are read', () => {
    const { messages, skipped } = readXml(`${HEAD}
      <d p="23.826,1,25,16777215,1422201084,0,057075e9,757076900">我从未见过如此厚颜无耻之猴</d>
      <d p="1.5,5,36,4294967295,0,0,aa,1" user="安">顶部 &lt;b&gt; &amp;amp;</d>
      <d p="2,6,18,255,0,0,bb,2">逆</d>
      <gift ts="3.25" user="Cy" giftname="辣条" giftcount="5" cointype="silver" price="100"></gift>
      <sc ts="4" user="Di" price="30000" time="60">加油</sc>
      <guard ts="5" user="Ed" level="3" count="1"/>
      <d p="1,8,25,1,0,0,cc,3">var a = 1;</d>
      <d p="x,1,25,1,0,0,cc,3">no time</d>
      <d p="1,1,25,1,0,0,cc,3">   </d></i>`);
    expect(messages.map(({ kind, offsetMs, name, text, mode, size, color }) => [kind, offsetMs, name, text, mode, size, color])).toEqual([
      ['chat', 23_826, '057075e9', '我从未见过如此厚颜无耻之猴', 'scroll', 'normal', 0xffffff],
      ['chat', 1_500, '安', '顶部 <b> &amp;', 'top', 'large', 0xffffff],
      ['chat', 2_000, 'bb', '逆', 'reverse', 'small', 255],
      ['gift', 3_250, 'Cy', '', 'scroll', 'normal', 0xffffff],
      ['super_chat', 4_000, 'Di', '加油', 'scroll', 'normal', 0xffffff],
      ['gift', 5_000, 'Ed', '', 'scroll', 'normal', 0xffffff],
    ]);
    expect(messages[3]!.gift).toEqual({ name: '辣条', count: 5, priceMinor: 0 });
    expect(messages[4]!.paid).toEqual({ minor: 3_000, currency: 'CNY' });
    expect(messages[5]!.gift).toEqual({ name: '舰长', count: 1, priceMinor: 19_800 });
    expect(skipped).toBe(3);
  });

  test('a positioned danmaku keeps its place and path', () => {
    const text = JSON.stringify([0.1, 219, '1-0', 6, 'here', 30, 0, 0.5, 0.5, 2_000, 500]).replaceAll('"', '&quot;');
    const [placed] = readXml(`<i><d p="1,7,25,255,0,1,aa,1">${text}</d></i>`).messages;
    expect(placed).toMatchObject({ mode: 'placed', text: 'here', place: { x: 0.1, y: 0.5, fromOpacity: 1, toOpacity: 0, durationMs: 6_000, rotateDeg: 30, toX: 0.5, toY: 0.5, moveMs: 2_000, delayMs: 500 } });
    expect(readXml('<i><d p="1,7,25,255,0,1,aa,1">not json</d></i>')).toEqual({ messages: [], skipped: 1 });
  });

  test('prices are in yuan in the files of one recorder alone', () => {
    const minor = (head: string) => readXml(`<i>${head}<sc ts="1" user="u" price="30">x</sc></i>`).messages.at(-1)!.paid!.minor;
    expect(minor('<BililiveRecorder version="2.0.0" />')).toBe(3_000);
    expect(minor('<d p="1,1,25,1,0,0,a,1">BililiveRecorder</d>')).not.toBe(3_000);
  });

  test('entities, comments and document types have no effect', () => {
    const { messages } = readXml(`<!DOCTYPE i [<!ENTITY x "boom">]><i><!-- <d p="1,1,25,1,0,0,a,1">hidden</d> --><d p="1,1,25,1,0,0,a,1">&x; &#x41;&#0;&#xd800;</d></i>`);
    expect(messages.map(({ text }) => text)).toEqual(['&x; A']);
  });

  test('a broken file of a megabyte ends within a second', () => {
    for (const part of ['<d "', '<d p="1,1,25,1,0,0,a,1">', '<', '<!--', '<d p=\'', '&#x41;', '<d p="1,1,25,1,0,0,a,1">x<']) {
      const started = performance.now();
      readXml(part.repeat(Math.ceil(1_000_000 / part.length)));
      expect(performance.now() - started, part).toBeLessThan(1_000);
    }
  });
});

const MESSAGES: Message[] = [
  { id: 'f1', offsetMs: 0, kind: 'chat', user: 'a', name: 'Ann', role: '', text: '<b>"1" & \'2\'</b> ]]> 😀', mode: 'scroll', color: 0xff00aa, size: 'large' },
  { id: 'f2', offsetMs: 61_234, kind: 'chat', user: 'b', name: 'Bo, "x" <y>', role: '', text: '弹幕', mode: 'bottom', color: 0xffffff, size: 'small' },
  { id: 'f3', offsetMs: 61_235, kind: 'gift', user: 'c', name: 'Cy', role: '', text: '', mode: 'scroll', color: 0xffffff, size: 'normal', gift: { name: 'rose', count: 3, priceMinor: 100 } },
  { id: 'f5', offsetMs: 70_000, kind: 'chat', user: 'a', name: 'Ann', role: '', text: 'here', mode: 'placed', color: 255, size: 'normal', place: { x: 0.1, y: 0.25, toX: 0.6, toY: 0.5, durationMs: 5_000, moveMs: 2_000, delayMs: 500, fromOpacity: 1, toOpacity: 0.5, rotateDeg: 30, turnDeg: 45 } },
  { id: 'f4', offsetMs: 90_000, kind: 'super_chat', user: 'd', name: 'Di', role: '', text: 'well done', mode: 'scroll', color: 0xffffff, size: 'normal', paid: { minor: 3_000, currency: 'CNY' } },
];

const shown = ({ offsetMs, kind, name, text, mode, color, size, place, gift, paid }: Message) => ({ offsetMs, kind, name, text, mode, color, size, place, gift, paid });

describe('export', () => {
  test('XML that is exported is read again with all that it can hold', () => {
    const { messages, skipped } = readXml(toXml(MESSAGES));
    expect(skipped).toBe(0);
    expect(messages.map(shown)).toEqual(MESSAGES.map(shown));
  });

  test('a text cannot end its entry or begin another one', () => {
    const hostile = { ...MESSAGES[0]!, text: '</d><d p="1,1,25,1,0,0,a,1">x', name: '"><gift ts="1"' };
    expect(readXml(toXml([hostile])).messages.map(({ text, name }) => [text, name])).toEqual([[hostile.text, hostile.name]]);
    expect(toXml([{ ...MESSAGES[0]!, text: 'a\u0000\ud800b\u000b' }])).toContain('>ab</d>');
  });

  test('JSON Lines that are exported are read again', () => {
    const { messages, skipped } = readJsonl(toJsonl(MESSAGES));
    expect(skipped).toBe(0);
    expect(messages.map(shown)).toEqual(MESSAGES.map(shown));
  });
});

describe('JSON Lines', () => {
  test('lines of the history are read, and other lines are counted', () => {
    const body = { type: 'chat', id: 'c', user: 'u', name: 'U', text: 'hi', at_ms: 1_000_500 };
    const rows = [
      JSON.stringify({ sequence: 7, class: 'chat', at_ms: 1_000_500, offset_ms: 500, body }),
      JSON.stringify({ sequence: 8, class: 'signal', at_ms: 1, offset_ms: 1, body: { type: 'signal', signal: 'clear' } }),
      'no json',
      '42',
      JSON.stringify(body),
    ];
    const { messages, skipped } = readJsonl(rows.join('\n'));
    expect(messages.map(({ id, offsetMs }) => [id, offsetMs])).toEqual([['s7', 500], ['mu/c', 0]]);
    expect(skipped).toBe(2);
  });
});

describe('both languages', () => {
  test('have the same values in each text', () => {
    const values = (words: string) => [...words.matchAll(/\{(\w+)\}/g)].map(([, value]) => value).sort();
    for (const key of Object.keys(ZH) as Key[]) expect(values(EN[key]), key).toEqual(values(ZH[key]));
  });
});
