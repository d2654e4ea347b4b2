// Figures with their units, in the current language.

import { locale } from './language.ts';

const COMPACT_FROM = 10_000;

export function number(value: number, digits = 0): string {
  const compact = Math.abs(value) >= COMPACT_FROM;
  return new Intl.NumberFormat(locale(), { notation: compact ? 'compact' : 'standard', maximumFractionDigits: compact ? 1 : digits }).format(value);
}

export function rate(perS: number): string {
  return `${number(perS, perS < 10 ? 1 : 0)}/s`;
}

export function milliseconds(ms: number): string {
  return ms >= 10_000 ? `${number(ms / 1_000, 1)} s` : `${number(ms)} ms`;
}

export function percent(share: number): string {
  return `${number(100 * share)} %`;
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  let scaled = value;
  while (scaled >= 1_000 && at < units.length - 1) {
    scaled /= 1_000;
    at += 1;
  }
  return `${number(scaled, scaled < 10 && at > 0 ? 1 : 0)} ${units[at]}`;
}

/** Formats a duration in its largest whole unit: 42 s, 17 min, 5 h, 12 d; 17 分钟 in Chinese. */
export function duration(secs: number): string {
  const names = locale().startsWith('zh') ? ['天', '小时', '分钟', '秒'] : ['d', 'h', 'min', 's'];
  for (const [at, size] of [86_400, 3_600, 60].entries()) if (secs >= 2 * size) return `${Math.floor(secs / size)} ${names[at]}`;
  return `${Math.round(secs)} ${names[3]}`;
}

export function clock(ms: number): string {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(ms);
}

export function dateTime(ms: number): string {
  return new Intl.DateTimeFormat(locale(), { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(ms);
}
