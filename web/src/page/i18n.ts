// The page's texts, in Chinese and English.

import { keep, recall } from './storage.ts';

const KEY = 'barrage.language';

const ZH = {
  language: 'English',
  room: '房间 {room}',
  player: '直播画面',
  feed: '聊天',
  online: '在线',
  danmaku: '显示弹幕',
  missed: '{count} 条仅在聊天中显示',
  live: '直播中',
  away: '重连中',
  over: '未直播',
  now: '立即重连',
  tryAgain: '再查一次',
  lookingAgain: '开播后，本页会自动重新连接。',
  backAt: '{time} 之后，本页会自动重新连接。',
  white: '白色',
  yellow: '黄色',
  pink: '粉色',
  green: '绿色',
  blue: '蓝色',
  violet: '紫色',
  gave: '{name} 送出 {gift} ×{count}',
  paid: '{name}（{amount}）：{text}',
  unmuted: '你又可以发言了。',
  tooLong: '太长了：{count} 字，最多 {max} 字。',
  repeated: '这句话你发得太多了，换个说法吧。',
  giftsElsewhere: '本房间的礼物只能由支付服务送出。',
  refused_network_at: '没有发出去：{host} 没有响应。内容还在，可以再试一次。',
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
  placeholder: '发条友善的弹幕',
  send: '发送',
  countdown: '{secs} 秒',
  quiet: '还没有消息，来说第一句吧。',
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
  superChatNeedsText: '请先写好醒目留言的内容。',
  sentGift: '送出 {gift}',
  anonymous: '你正在匿名观看，登录后可以发弹幕、送礼物。',
  viewer: '观众',
  newer: '{count} 条新消息',
  leftOut: '另有 {count} 条弹幕未显示',
  gone: '你离开得太久，较早的消息已无法显示。',
  stateConnecting: '连接中',
  stateOpen: '已连接',
  stateWaiting: '{secs} 秒后重连',
  stateQueued: '{secs} 秒后进入',
  stateEnded: '已断开',
  held: '这条消息只有你自己能看到。',
  heldOf: '房间太热闹了：每秒 {offered} 条消息，只能显示 {shown} 条。这条只有你自己能看到。',
  muteAll: '现在只有主播和房管可以发言。',
  unmuteAll: '全员禁言已解除，大家可以发言了。',
  slowMode: '慢速模式：每 {secs} 秒可发一条。',
  slowModeOff: '慢速模式已关闭。',
  recalled: '消息已被撤回',
  closed: '直播已结束。',
  kicked: '你已被移出房间。',
  ended: '连接已断开：{message}',
  refused_network: '没有发出去：网络不通。内容还在，可以再试一次。',
  refused_rate_limited: '发得太快了，请稍等。',
  refused_slow_mode: '慢速模式已开启，请稍等。',
  refused_muted: '你已被禁言，暂时不能发言。',
  refused_room_muted: '现在只有主播和房管可以发言。',
  refused_bad_text: '这段文字不能发送，换个说法吧。',
  refused_too_large: '太长了，写短一点吧。',
  refused_unauthorized: '登录无效，请刷新页面。',
  refused_token_expired: '登录已过期，请刷新页面。',
  refused_forbidden: '你没有这个权限。',
  refused_wrong_room: '你的登录只能用于其他房间。',
  refused_kicked: '你已被移出房间。',
  refused_room_closed: '直播已结束。',
  refused_unknown_room: '这个房间不存在。',
  refused_overloaded: '服务器已满，请稍后再试。',
  refused_unavailable: '服务暂时不可用，请稍后再试。',
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
  missed: '{count} in chat only',
  live: 'LIVE',
  away: 'OFFLINE',
  over: 'OFF AIR',
  now: 'Reconnect',
  tryAgain: 'Check again',
  lookingAgain: 'This page reconnects when the stream starts.',
  backAt: 'This page reconnects after {time}.',
  white: 'White',
  yellow: 'Yellow',
  pink: 'Pink',
  green: 'Green',
  blue: 'Blue',
  violet: 'Violet',
  gave: '{name} sent {gift} ×{count}',
  paid: '{name} ({amount}): {text}',
  unmuted: 'You can send messages again.',
  tooLong: 'Too long: {count} characters. The limit is {max}.',
  repeated: 'You have sent this text too often. Try other words.',
  giftsElsewhere: 'In this room only the payment service can send gifts.',
  refused_network_at: 'Not sent: {host} does not answer. Your text is still here; try again.',
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
  placeholder: 'Send a danmaku',
  send: 'Send',
  countdown: '{secs} s',
  quiet: 'No messages yet. Be the first to say something.',
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
  superChatNeedsText: 'Write the text of the super chat first.',
  sentGift: 'sent {gift}',
  anonymous: 'You are watching without an account. Sign in to send danmaku and gifts.',
  viewer: 'Viewer',
  newer: '{count} new',
  leftOut: '{count} more danmaku not shown',
  gone: 'You were away too long: older messages are no longer available.',
  stateConnecting: 'Connecting',
  stateOpen: 'Connected',
  stateWaiting: 'Retry in {secs} s',
  stateQueued: 'Entering in {secs} s',
  stateEnded: 'Disconnected',
  held: 'Only you can see this message.',
  heldOf: 'The room is very busy: {offered} messages a second, of which {shown} are shown. Only you can see yours.',
  muteAll: 'Only the host and moderators can send messages now.',
  unmuteAll: 'Everyone can send messages again.',
  slowMode: 'Slow mode: one message every {secs} s.',
  slowModeOff: 'Slow mode is off.',
  recalled: 'Message removed',
  closed: 'The stream has ended.',
  kicked: 'You were removed from this room.',
  ended: 'Disconnected: {message}',
  refused_network: 'Not sent: no network. Your text is still here; try again.',
  refused_rate_limited: 'You are sending too fast. Wait a moment.',
  refused_slow_mode: 'Slow mode is on. Wait a moment.',
  refused_muted: 'You are muted for now.',
  refused_room_muted: 'Only the host and moderators can send messages now.',
  refused_bad_text: 'This text cannot be sent. Try other words.',
  refused_too_large: 'Too long. Make it shorter.',
  refused_unauthorized: 'Your sign-in is not valid. Reload the page.',
  refused_token_expired: 'Your sign-in has expired. Reload the page.',
  refused_forbidden: 'You are not allowed to do this.',
  refused_wrong_room: 'Your sign-in is for another room.',
  refused_kicked: 'You were removed from this room.',
  refused_room_closed: 'The stream has ended.',
  refused_unknown_room: 'This room does not exist.',
  refused_overloaded: 'The servers are full. Try again soon.',
  refused_unavailable: 'The service is not available. Try again soon.',
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

/** Returns the text key of a role's label, or null for a viewer, who has no label. */
export function roleKey(role: string | undefined): 'host' | 'moderator' | 'admin' | null {
  return role === 'host' || role === 'moderator' || role === 'admin' ? role : null;
}

export function count(value: number): string {
  return new Intl.NumberFormat(locale(), { notation: value >= 10_000 ? 'compact' : 'standard', maximumFractionDigits: 1 }).format(value);
}

/** Runs `apply` now and after each change of the language. */
export function inLanguage(apply: () => void): void {
  listeners.push(apply);
  apply();
}

export function switchLanguage(): void {
  language = language === 'zh' ? 'en' : 'zh';
  keep('local', KEY, language);
  for (const listener of listeners) listener();
}

/** Writes a text into the node, now and after each change of the language. */
export function say(node: HTMLElement, key: Key, values: Record<string, string | number> = {}): void {
  node.dataset['say'] = key;
  node.dataset['values'] = JSON.stringify(values);
  node.textContent = t(key, values);
}

/** Wraps a name or text in Unicode isolates, so that its direction does not change the sentence around it. */
export function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

/** Writes the texts of index.html and of all nodes that `say` wrote, in the current language. */
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
  for (const node of document.querySelectorAll<HTMLElement>('[data-i18n-empty]')) {
    node.dataset['empty'] = t(node.dataset['i18nEmpty'] as Key);
  }
  for (const node of document.querySelectorAll<HTMLInputElement>('[data-i18n-placeholder]')) {
    node.placeholder = t(node.dataset['i18nPlaceholder'] as Key);
  }
}
