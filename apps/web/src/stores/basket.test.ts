import { createPinia, setActivePinia } from 'pinia';
import { beforeEach, describe, expect, it } from 'vitest';

import type { NewOrder } from '../api';
import { answer, placedOrder, startOver, stubFetch } from '../testing';
import { MAX_LINES, useBasket } from './basket';
import { useOrders } from './orders';

const order: NewOrder = {
  email: 'ada@example.com',
  lines: [{ product: 'oak-desk', quantity: 1 }],
  payment: 'card',
};

beforeEach(startOver);

/** The same browser, with the page loaded anew. */
function reload() {
  setActivePinia(createPinia());
  return useBasket();
}

const keyOf = (init: RequestInit | undefined) => (init?.headers as Record<string, string>)['Idempotency-Key'];

describe('the basket', () => {
  it('is kept', () => {
    const basket = useBasket();
    basket.add('oak-desk');
    basket.add('tea-pot', 2);
    basket.add('oak-desk', 3);
    expect(reload().lines).toEqual([
      { product: 'oak-desk', quantity: 4 },
      { product: 'tea-pot', quantity: 2 },
    ]);
  });

  it('counts pieces, changes and removes', () => {
    const basket = useBasket();
    basket.add('oak-desk');
    basket.add('tea-pot', 2);
    basket.change('tea-pot', 5);
    expect(basket.count).toBe(6);
    basket.remove('tea-pot');
    expect(basket.count).toBe(1);
    expect(basket.quantityOf('tea-pot')).toBe(0);
  });

  it('holds what an order may hold', () => {
    const basket = useBasket();
    expect(basket.add('oak-desk', 98)).toBe(true);
    expect(basket.add('oak-desk', 5)).toBe(true);
    expect(basket.quantityOf('oak-desk')).toBe(99);
    expect(basket.add('oak-desk')).toBe(false);
    for (let n = 1; n < MAX_LINES; n++) {
      expect(basket.add(`thing-${n}`)).toBe(true);
    }
    expect(basket.add('one-too-many')).toBe(false);
    expect(basket.add('thing-1')).toBe(true);
  });

  it('drops what no order may hold', () => {
    const lines = [null, 'x', { product: 'a' }, { product: 'b', quantity: 0 }, { product: 'c', quantity: 1.5 }];
    localStorage.setItem('shop.basket', JSON.stringify([...lines, { product: 'd', quantity: 2 }]));
    expect(useBasket().lines).toEqual([{ product: 'd', quantity: 2 }]);
  });
});

describe('placing an order', () => {
  it('empties the basket and remembers the order', async () => {
    stubFetch(() => answer(placedOrder, 201));
    const basket = useBasket();
    basket.add('oak-desk');
    await basket.place(order);
    expect(basket.lines).toEqual([]);
    expect(basket.checkout).toBeUndefined();
    expect(useOrders().tokenOf('an-order')).toBe('a-token');
  });

  it('keeps its key before it is sent, and until the order is known', async () => {
    const kept: (string | null)[] = [];
    const fetch = stubFetch((_, init) => {
      kept.push(localStorage.getItem('shop.checkout'));
      return kept.length < 4
        ? Promise.reject(new TypeError('network'))
        : answer({ ...placedOrder, key: keyOf(init) }, 201);
    });
    const basket = useBasket();
    basket.add('oak-desk');
    await expect(basket.place(order)).rejects.toThrow('cannot be reached');
    await expect(basket.place({ ...order, email: 'other@example.com' })).rejects.toThrow();
    await expect(reload().place(order)).rejects.toThrow();
    await reload().place(order);
    const sent = fetch.mock.calls.map(([, init]) => ({ key: keyOf(init), body: init.body }));
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
    expect(new Set(sent.map(({ body }) => body))).toEqual(new Set([JSON.stringify(order)]));
    expect(kept.every((text) => text?.includes(sent[0]?.key ?? '?'))).toBe(true);
    expect(reload().checkout).toBeUndefined();
  });

  it.each([
    [422, true],
    [409, true],
    [503, false],
    [429, false],
  ])('makes a new key only after it was surely refused: %d', async (status, another) => {
    const fetch = stubFetch(() => answer({}, status));
    const basket = useBasket();
    await expect(basket.place(order)).rejects.toThrow();
    await expect(basket.place(order)).rejects.toThrow();
    const [first, second] = fetch.mock.calls.map(([, init]) => keyOf(init));
    expect(first !== second).toBe(another);
    expect(basket.placing).toBe(false);
  });

  it('can be given up', async () => {
    stubFetch(() => answer({}, 503));
    const basket = useBasket();
    basket.add('oak-desk');
    await expect(basket.place(order)).rejects.toThrow();
    expect(basket.checkout?.order).toEqual(order);
    basket.abandon();
    expect(reload().checkout).toBeUndefined();
    expect(basket.count).toBe(1);
  });
});
