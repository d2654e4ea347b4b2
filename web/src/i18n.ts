// The page's words, in Chinese and English.

import { keep, recall } from './storage.ts';

const KEY = 'barrage.language';

const ZH = {
  language: 'English',
  room: '房间 {room}',
  player: '直播画面',
  feed: '聊天',
  online: '在线',
  danmaku: '显示弹幕',
  missed: '{count} 条只在列表中',
  live: '直播中',
  away: '重连中',
  over: '未直播',
  now: '立即重连',
  tryAgain: '再看看',
  lookingAgain: '开播后会自动回来。',
  backAt: '{time} 后会自动回来。',
  white: '白色',
  yellow: '黄色',
  pink: '粉色',
  green: '绿色',
  blue: '蓝色',
  violet: '紫色',
  gave: '{name} 送出 {gift} ×{count}',
  paid: '{name}（{amount}）：{text}',
  unmuted: '你可以发言了。',
  tooLong: '太长了：{count} 字，最多 {max} 字。',
  repeated: '这句话发过多次了，换个说法吧。',
  giftsElsewhere: '这里只能通过支付服务送礼物。',
  refused_network_at: '{host} 没有应答，没有发出去。内容还在，可以再试。',
  style: '弹幕样式',
  mode: '位置',
  size: '字号',
  color: '颜色',
  scroll: '滚动',
  top: '顶部',
  bottom: '底部',
  small: '小',
  normal: '中',
  large: '大',
  placeholder: '发个弹幕，友善一点',
  send: '发送',
  gifts: '礼物',
  like: '点赞',
  host: '主播',
  moderator: '房管',
  admin: '官方',
  flower: '鲜花',
  star: '星星',
  cake: '蛋糕',
  rocket: '火箭',
  superChat: '醒目留言',
  superChatNeedsText: '先写下要醒目显示的话。',
  sentGift: '送出 {gift}',
  anonymous: '正在匿名观看。登录后可以发弹幕、送礼物。',
  viewer: '观众',
  newer: '{count} 条新消息',
  leftOut: '另有 {count} 条弹幕未显示',
  gone: '离开太久，部分消息已过期。',
  stateConnecting: '连接中',
  stateOpen: '已连接',
  stateWaiting: '{secs} 秒后重连',
  stateQueued: '{secs} 秒后进入',
  stateEnded: '已断开',
  held: '这条只有你自己能看到。',
  heldOf: '发言太热闹了：每秒 {offered} 条，展示 {shown} 条。这条只有你自己能看到。',
  muteAll: '主播开启了全员禁言。',
  unmuteAll: '全员禁言已解除。',
  slowMode: '慢速模式：每 {secs} 秒一条。',
  slowModeOff: '慢速模式已关闭。',
  recalled: '消息已撤回',
  mutedUntil: '你被禁言了，{secs} 秒后可以发言。',
  closed: '直播已结束。',
  kicked: '你已被移出房间。',
  ended: '连接已结束：{message}',
  wait: '{reason}（{secs} 秒）',
  refused_network: '网络不通，没有发出去。内容还在，可以再试。',
  refused_rate_limited: '发得太快了，歇一会儿。',
  refused_slow_mode: '慢速模式，请稍等。',
  refused_muted: '你暂时不能发言。',
  refused_room_muted: '现在只有主播和房管可以发言。',
  refused_bad_text: '这段文字不能发送，换个说法吧。',
  refused_too_large: '太长了，短一点吧。',
  refused_unauthorized: '登录已失效，请刷新页面。',
  refused_token_expired: '登录已过期，请刷新页面。',
  refused_forbidden: '你没有这个权限。',
  refused_wrong_room: '这个身份不能进入此房间。',
  refused_kicked: '你已被移出房间。',
  refused_room_closed: '直播已结束。',
  refused_unknown_room: '没有这个房间。',
  refused_overloaded: '现在人太多了，稍后再试。',
  refused_unavailable: '服务暂时不可用，稍后再试。',
  refused_other: '没有发出去：{message}',
};

export type Key = keyof typeof ZH;

const EN: Record<Key, string> = {
  language: '中文',
  room: 'Room {room}',
  player: 'Live stream',
  feed: 'Chat',
  online: 'online',
  danmaku: 'Show danmaku',
  missed: '{count} in the list only',
  live: 'LIVE',
  away: 'AWAY',
  over: 'OFF AIR',
  now: 'Now',
  tryAgain: 'Look again',
  lookingAgain: 'This page comes back when it is on air.',
  backAt: 'This page comes back after {time}.',
  white: 'White',
  yellow: 'Yellow',
  pink: 'Pink',
  green: 'Green',
  blue: 'Blue',
  violet: 'Violet',
  gave: '{name} sent {gift} ×{count}',
  paid: '{name} ({amount}): {text}',
  unmuted: 'You may speak again.',
  tooLong: 'Too long: {count} characters, {max} at most.',
  repeated: 'You have said this often; try other words.',
  giftsElsewhere: 'Only the payment service posts gifts here.',
  refused_network_at: '{host} does not answer: not sent. Your text is still here, try again.',
  style: 'Danmaku style',
  mode: 'Position',
  size: 'Size',
  color: 'Colour',
  scroll: 'Scroll',
  top: 'Top',
  bottom: 'Bottom',
  small: 'S',
  normal: 'M',
  large: 'L',
  placeholder: 'Send a danmaku, be kind',
  send: 'Send',
  gifts: 'Gifts',
  like: 'Like',
  host: 'Host',
  moderator: 'Mod',
  admin: 'Staff',
  flower: 'Flower',
  star: 'Star',
  cake: 'Cake',
  rocket: 'Rocket',
  superChat: 'Super chat',
  superChatNeedsText: 'First write what the super chat should say.',
  sentGift: 'sent {gift}',
  anonymous: 'Watching anonymously. Sign in to send danmaku and gifts.',
  viewer: 'Viewer',
  newer: '{count} new messages',
  leftOut: '{count} more danmaku not shown',
  gone: 'You were away for long; some messages are no longer kept.',
  stateConnecting: 'Connecting',
  stateOpen: 'Connected',
  stateWaiting: 'Back in {secs} s',
  stateQueued: 'Entering in {secs} s',
  stateEnded: 'Disconnected',
  held: 'Only you see this one.',
  heldOf: 'The room is very busy: {offered} a second, showing {shown}. Only you see this one.',
  muteAll: 'Only the host and moderators may speak now.',
  unmuteAll: 'Everybody may speak again.',
  slowMode: 'Slow mode: one message every {secs} s.',
  slowModeOff: 'Slow mode is off.',
  recalled: 'Message removed',
  mutedUntil: 'You are muted; you may speak again in {secs} s.',
  closed: 'The stream has ended.',
  kicked: 'You were removed from the room.',
  ended: 'The connection ended: {message}',
  wait: '{reason} ({secs} s)',
  refused_network: 'No network: not sent. Your text is still here, try again.',
  refused_rate_limited: 'A little too fast, take a breath.',
  refused_slow_mode: 'Slow mode, one moment.',
  refused_muted: 'You may not speak for now.',
  refused_room_muted: 'Only the host and moderators may speak now.',
  refused_bad_text: 'This text is not allowed here, try other words.',
  refused_too_large: 'Too long, make it shorter.',
  refused_unauthorized: 'You are signed out, reload the page.',
  refused_token_expired: 'Your sign-in has expired, reload the page.',
  refused_forbidden: 'You may not do this.',
  refused_wrong_room: 'This sign-in is not for this room.',
  refused_kicked: 'You were removed from the room.',
  refused_room_closed: 'The stream has ended.',
  refused_unknown_room: 'There is no such room.',
  refused_overloaded: 'Very crowded right now, try again soon.',
  refused_unavailable: 'The service is away, try again soon.',
  refused_other: 'Not sent: {message}',
};

type Language = 'zh' | 'en';
let language: Language = preferred();
const listeners: (() => void)[] = [];

function preferred(): Language {
  const chosen = recall('local', KEY);
  if (chosen === 'zh' || chosen === 'en') return chosen;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export function locale(): string {
  return language === 'zh' ? 'zh-CN' : 'en';
}

export function t(key: Key, values: Record<string, string | number> = {}): string {
  const words = (language === 'zh' ? ZH : EN)[key];
  return words.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}

export function isKey(key: string): key is Key {
  return Object.hasOwn(ZH, key);
}

/** The label of a role that has one; a viewer has none. */
export function roleKey(role: string | undefined): 'host' | 'moderator' | 'admin' | null {
  return role === 'host' || role === 'moderator' || role === 'admin' ? role : null;
}

export function count(value: number): string {
  return new Intl.NumberFormat(locale(), { notation: value >= 10_000 ? 'compact' : 'standard', maximumFractionDigits: 1 }).format(value);
}

/** Runs now and after each switch of the language. */
export function inLanguage(apply: () => void): void {
  listeners.push(apply);
  apply();
}

export function switchLanguage(): void {
  language = language === 'zh' ? 'en' : 'zh';
  keep('local', KEY, language);
  for (const listener of listeners) listener();
}

/** Writes the words into the node, and again after each switch of the language. */
export function say(node: HTMLElement, key: Key, values: Record<string, string | number> = {}): void {
  node.dataset['say'] = key;
  node.dataset['values'] = JSON.stringify(values);
  node.textContent = t(key, values);
}

/** Keeps the direction of a name or a text from turning the sentence around it (Unicode isolates). */
export function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

/** Fills the words of index.html, and those that `say` wrote. */
export function translatePage(): void {
  document.documentElement.lang = locale();
  for (const node of document.querySelectorAll<HTMLElement>('[data-i18n]')) {
    node.textContent = t(node.dataset['i18n'] as Key);
  }
  for (const node of document.querySelectorAll<HTMLElement>('[data-say]')) {
    node.textContent = t(node.dataset['say'] as Key, JSON.parse(node.dataset['values'] ?? '{}') as Record<string, string>);
  }
  for (const node of document.querySelectorAll<HTMLElement>('[data-i18n-label]')) {
    const label = t(node.dataset['i18nLabel'] as Key);
    node.setAttribute('aria-label', label);
    if (node instanceof HTMLButtonElement) node.title = label;
  }
  for (const node of document.querySelectorAll<HTMLInputElement>('[data-i18n-placeholder]')) {
    node.placeholder = t(node.dataset['i18nPlaceholder'] as Key);
  }
}
