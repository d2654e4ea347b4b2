// Times of a stream as a person writes them. Pure.

/** Formats a position: 1:02:03, or 2:03 below an hour. */
export function timeText(ms: number): string {
  const secs = Math.max(0, Math.floor(ms / 1_000));
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(secs / 3_600), Math.floor(secs / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(secs % 60)}` : `${minutes}:${two(secs % 60)}`;
}

/** Reads seconds (`90`, `90.5`) or a time (`1:30`, `1:02:03`); 0 for anything else. */
export function readTime(text: string | null): number {
  if (text === null || !/^\d+(:\d{1,2}){0,2}(\.\d+)?$/.test(text)) return 0;
  const ms = text.split(':').reduce((sum, part) => 60 * sum + Number(part), 0) * 1_000;
  return Number.isFinite(ms) ? ms : 0;
}
