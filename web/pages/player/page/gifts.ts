// The gifts that this page offers, the icon for the name of a gift, and the notation of prices.

import { type Key } from './i18n.ts';

export interface Offer {
  key: Key;
  icon: string;
  priceMinor: number;
}

export const OFFERS: readonly Offer[] = [
  { key: 'flower', icon: 'flower', priceMinor: 100 },
  { key: 'star', icon: 'star', priceMinor: 500 },
  { key: 'cake', icon: 'cake', priceMinor: 2_000 },
  { key: 'rocket', icon: 'rocket', priceMinor: 50_000 },
];

const ICONS: readonly [RegExp, string][] = [
  [/花|flower|rose/i, 'flower'],
  [/星|star/i, 'star'],
  [/蛋糕|cake/i, 'cake'],
  [/火箭|rocket|飞船/i, 'rocket'],
  [/心|heart|爱|赞/i, 'heart'],
];

export function giftIcon(name: string): string {
  return ICONS.find(([pattern]) => pattern.test(name))?.[1] ?? 'gift';
}

/** Formats an amount in the notation of its currency. An unknown currency code is shown as it is. */
export function money(amountMinor: number, currency: string, locale: string): string {
  try {
    const format = new Intl.NumberFormat(locale, { style: 'currency', currency, currencyDisplay: 'narrowSymbol' });
    const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
    const amount = amountMinor / 10 ** digits;
    return Number.isInteger(amount)
      ? new Intl.NumberFormat(locale, { style: 'currency', currency, currencyDisplay: 'narrowSymbol', maximumFractionDigits: 0 }).format(amount)
      : format.format(amount);
  } catch {
    return `${currency} ${amountMinor}`;
  }
}
