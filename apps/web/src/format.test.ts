import { expect, it } from 'vitest';

import { formatMoney, formatTime } from './format';

it('money has the digits of its currency', () => {
  expect(formatMoney({ amount: 124900, currency: 'EUR' })).toBe('€1,249.00');
  expect(formatMoney({ amount: 5, currency: 'EUR' })).toBe('€0.05');
  expect(formatMoney({ amount: 1500, currency: 'JPY' })).toBe('¥1,500');
});

it('times are those of the browser', () => {
  expect(formatTime('2026-11-25T12:00:00Z')).toMatch(/^Nov 2[456], 2026, \d{1,2}:\d{2}\s[AP]M$/);
});
