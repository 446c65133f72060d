import { beforeEach, expect, it } from 'vitest';

import { placedOrder, startOver } from '../testing';
import { useOrders } from './orders';

beforeEach(startOver);

it('lists each order once, the newest first, and nothing but id and token', () => {
  const orders = useOrders();
  orders.add(placedOrder);
  orders.add({ ...placedOrder, id: 'b', token: 'b-token' });
  orders.add(placedOrder);
  expect(orders.orders).toEqual([
    { id: 'an-order', token: 'a-token' },
    { id: 'b', token: 'b-token' },
  ]);
  orders.forget('an-order');
  expect(orders.tokenOf('an-order')).toBeUndefined();
  expect(JSON.parse(localStorage.getItem('shop.orders') ?? '')).toEqual([{ id: 'b', token: 'b-token' }]);
});

it('drops what is no order', () => {
  localStorage.setItem('shop.orders', '[null, {"id": 1, "token": "t"}, {"id": "a", "token": "t"}]');
  expect(useOrders().orders).toEqual([{ id: 'a', token: 't' }]);
});
