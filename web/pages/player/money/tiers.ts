// Tiers of super chats: the more is paid, the longer it stays on top.

import { type SuperChat } from '@barrage/client';

/** Least amounts of the tiers 1 to 5 in US dollars, and the minutes on top. Tier 0 has no place there. */
const STEPS = [
  { usd: 5, minutes: 2 },
  { usd: 10, minutes: 5 },
  { usd: 20, minutes: 10 },
  { usd: 50, minutes: 30 },
  { usd: 100, minutes: 60 },
] as const;
/** Rough worth of one unit in US dollars, for the choice of a tier alone. */
const USD: Record<string, number> = { CNY: 1 / 6, EUR: 1, GBP: 1.2, JPY: 1 / 100, KRW: 1 / 1_000, TWD: 1 / 30, HKD: 1 / 7.5, USD: 1 };
/** Currencies whose smallest unit is the unit itself. */
const WHOLE: ReadonlySet<string> = new Set(['JPY', 'KRW', 'VND', 'CLP', 'ISK']);

type Paid = Pick<SuperChat, 'amount_minor' | 'currency' | 'tier'>;

/** Returns the tier: the server's where it names one, else 0 to 5 by the amount. */
export function tierOf(chat: Paid): number {
  if (chat.tier) return chat.tier.level;
  const amount = WHOLE.has(chat.currency) ? chat.amount_minor : chat.amount_minor / 100;
  const usd = amount * (Object.hasOwn(USD, chat.currency) ? USD[chat.currency]! : 1);
  return STEPS.filter((step) => usd >= step.usd).length;
}

/** Returns how long a super chat stays on top, in seconds. */
export function topSecsOf(chat: Paid): number {
  return chat.tier?.top_secs ?? (STEPS[tierOf(chat) - 1]?.minutes ?? 0) * 60;
}

/** Colours of the tiers that the page chooses, from cold to warm. */
const COLORS = [0x2f55c4, 0x2f55c4, 0x0f7d7d, 0x8a5a00, 0xb3441a, 0xa8123e];

/** Returns the background of a super chat, and the text colour that can be read on it. */
export function colorsOf(chat: Paid): { back: string; text: string } {
  const rgb = chat.tier?.color ?? COLORS[Math.min(tierOf(chat), COLORS.length - 1)] ?? 0;
  return { back: `#${rgb.toString(16).padStart(6, '0')}`, text: luminance(rgb) > 0.179 ? '#0b0e15' : '#ffffff' };
}

/** Relative luminance of WCAG. Above 0.179 black has more contrast than white. */
function luminance(rgb: number): number {
  const of = (byte: number): number => {
    const share = byte / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * of(rgb >> 16) + 0.7152 * of((rgb >> 8) & 255) + 0.0722 * of(rgb & 255);
}

/** Gives an element the colours of a super chat, for its style sheet. */
export function paint(node: HTMLElement, chat: Paid): void {
  const { back, text } = colorsOf(chat);
  node.style.setProperty('--back', back);
  node.style.setProperty('--on', text);
}
