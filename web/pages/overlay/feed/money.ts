// The notation of amounts.

/** Formats an amount in the notation of its currency. An unknown currency code is shown as it is. */
export function money(amountMinor: number, currency: string, locale: string): string {
  try {
    const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' } as const;
    const format = new Intl.NumberFormat(locale, style);
    const amount = amountMinor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2);
    if (!Number.isInteger(amount)) return format.format(amount);
    return new Intl.NumberFormat(locale, { ...style, maximumFractionDigits: 0 }).format(amount);
  } catch {
    return `${currency} ${amountMinor}`;
  }
}
