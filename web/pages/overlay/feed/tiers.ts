// Tiers of super chats: colors, and time in the ticker. The server writes the tier on a message; for messages of
// servers without tiers the overlay chooses one by the amount. Pure.

import { type SuperChat } from '@barrage/client';

/** Tier as the server writes it: rank from 1, background as RGB, and seconds on top. */
export interface WrittenTier {
  level: number;
  color: number;
  top_secs: number;
}

export interface Tier {
  level: number;
  /** Background of the header, of the body, and color of the text, as CSS colors. */
  header: string;
  body: string;
  text: string;
  /** Time in the ticker in seconds; 0 for tiers that are in the list alone. */
  topSecs: number;
}

/**
 * Tiers by the least amount in hundredths of a dollar, as on the platforms that viewers know. Other currencies are
 * compared by a rough value of their unit: a tier is decoration, and no exchange rate.
 */
const TIERS: readonly (WrittenTier & { fromMinor: number })[] = [
  { fromMinor: 0, level: 1, color: 0x1e88e5, top_secs: 0 },
  { fromMinor: 200, level: 2, color: 0x00bcd4, top_secs: 0 },
  { fromMinor: 500, level: 3, color: 0x1de9b6, top_secs: 120 },
  { fromMinor: 1_000, level: 4, color: 0xffca28, top_secs: 300 },
  { fromMinor: 2_000, level: 5, color: 0xf57c00, top_secs: 600 },
  { fromMinor: 5_000, level: 6, color: 0xe91e63, top_secs: 1_800 },
  { fromMinor: 10_000, level: 7, color: 0xe62117, top_secs: 3_600 },
];
/** Longest time in the ticker, whatever a server says. */
const TOP_SECS_MAX = 5 * 3_600;

/** Units of a currency for one dollar, roughly. */
const PER_DOLLAR = new Map(
  Object.entries({ CNY: 7, HKD: 8, TWD: 30, JPY: 150, KRW: 1_400, INR: 85, BRL: 5, MXN: 18, RUB: 90, THB: 35, VND: 25_000, IDR: 16_000, PHP: 57, MYR: 4.5 }),
);
/** Currencies whose smallest unit is the unit itself. */
const WITHOUT_HUNDREDTHS: ReadonlySet<string> = new Set(['JPY', 'KRW', 'VND']);

/** Returns the tier of a super chat: the server's, or one by the amount. An unknown currency counts as dollars. */
export function tierOf(chat: Pick<SuperChat, 'amount_minor' | 'currency'> & { tier?: WrittenTier }): Tier {
  const { level, color, top_secs } = chat.tier ?? byAmount(chat.amount_minor, chat.currency);
  return {
    level,
    header: cssColor(color, 0.78),
    body: cssColor(color, 1),
    text: luminance(color) > 0.4 ? '#000000' : '#ffffff',
    topSecs: Math.min(Math.max(Number.isFinite(top_secs) ? top_secs : 0, 0), TOP_SECS_MAX),
  };
}

function byAmount(amountMinor: number, currency: string): WrittenTier {
  const units = WITHOUT_HUNDREDTHS.has(currency) ? amountMinor : amountMinor / 100;
  const cents = (units / (PER_DOLLAR.get(currency) ?? 1)) * 100;
  return [...TIERS].reverse().find((tier) => cents >= tier.fromMinor) ?? (TIERS[0] as WrittenTier);
}

function channels(rgb: number): [red: number, green: number, blue: number] {
  return [(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255];
}

function cssColor(rgb: number, times: number): string {
  return `rgb(${channels(rgb).map((channel) => Math.round(channel * times)).join(' ')})`;
}

/** Relative luminance of a color, 0 to 1, by the formula of WCAG 2. */
function luminance(rgb: number): number {
  const [red, green, blue] = channels(rgb).map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
