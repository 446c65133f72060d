import type { Money } from './api';

// The page is in English, so are its numbers and dates, whatever the browser speaks.
const LOCALE = 'en';

const times = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short' });

/** Money as people read it: "€249.00". */
export function formatMoney({ amount, currency }: Money): string {
  const format = new Intl.NumberFormat(LOCALE, { style: 'currency', currency });
  // Not every currency has hundredths: the yen has none.
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(amount / 10 ** digits);
}

/** A moment, given in RFC 3339, in the browser's time zone. */
export function formatTime(at: string): string {
  return times.format(new Date(at));
}
