import { expect, it } from 'vitest';

import { describe, isFinal } from './orders';
import { orderOf } from './testing';

it('an order is final when it was declined, or both parcel and mail are on their way', () => {
  expect(isFinal(orderOf('placed', 'placed'))).toBe(false);
  expect(isFinal(orderOf('confirmed', 'placed', 'confirmed', 'mailed'))).toBe(false);
  expect(isFinal(orderOf('shipped', 'placed', 'confirmed', 'shipped'))).toBe(false);
  expect(isFinal(orderOf('shipped', 'placed', 'confirmed', 'shipped', 'mailed'))).toBe(true);
  expect(isFinal(orderOf('declined', 'placed', 'declined'))).toBe(true);
});

it('each state is told', () => {
  expect(describe(orderOf('placed', 'placed')).label).toBe('Placed');
  expect(describe(orderOf('declined', 'placed', 'declined')).sentence).toContain('Nothing was charged');
  expect(describe(orderOf('confirmed', 'placed', 'confirmed')).sentence).toContain('The mail about it follows');
  expect(describe(orderOf('confirmed', 'placed', 'confirmed', 'mailed')).sentence).toContain('packing');
  expect(describe(orderOf('shipped', 'shipped')).sentence).toContain('The mail about it follows');
  expect(describe(orderOf('shipped', 'shipped', 'mailed')).sentence).toBe('Your order is on its way to you.');
});
