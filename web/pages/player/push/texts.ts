// Texts of notifications, in Chinese and English.

import { texts } from '@barrage/ui/language.ts';

const ZH = {
  title: '通知',
  offer: '有新私信或关注的主播开播时，要在本设备上通知你吗？',
  allow: '开启通知',
  notNow: '以后再说',
  off: '关闭通知',
  isOn: '本设备会收到通知。',
  isOff: '本设备不会收到通知。',
  denied: '浏览器禁止了本站的通知。请在浏览器的网站设置中允许。',
  impossible: '此浏览器不支持通知。',
  failed: '没有成功，请稍后再试。',
  kinds: '通知内容',
  letters: '私信',
  mentions: '提到我',
  live: '主播开播',
  quiet: '免打扰时段',
  from: '从',
  to: '到',
};
type Key = keyof typeof ZH;

const EN: Record<Key, string> = {
  title: 'Notifications',
  offer: 'Shall this device notify you of new letters, and when a host whom you follow goes live?',
  allow: 'Notify me',
  notNow: 'Not now',
  off: 'Switch off',
  isOn: 'This device gets notifications.',
  isOff: 'This device gets no notifications.',
  denied: 'The browser blocks notifications of this site. Allow them in the settings of the browser.',
  impossible: 'This browser has no notifications.',
  failed: 'It did not work. Try again later.',
  kinds: 'Notify me of',
  letters: 'Letters',
  mentions: 'Mentions',
  live: 'Hosts going live',
  quiet: 'Quiet hours',
  from: 'From',
  to: 'to',
};

export const { t } = texts<Key>(ZH, EN);
export type { Key };
