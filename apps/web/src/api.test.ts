import { describe, expect, it, vi } from 'vitest';

import { ApiError, getOrder, getProduct, listProducts, newIdempotencyKey, placeOrder } from './api';
import { answer, desk, placedOrder, stubFetch } from './testing';

async function failureOf(request: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe('requests', () => {
  it('say only what is wanted of the catalogue', async () => {
    const fetch = stubFetch(() => answer({ products: [desk], categories: ['Furniture'] }));
    await listProducts();
    await listProducts({ search: 'oak & ash', category: '', after: 'x' });
    expect(fetch.mock.calls.map(([path]) => path)).toEqual([
      '/api/catalog/products',
      '/api/catalog/products?search=oak+%26+ash&after=x',
    ]);
  });

  it('cannot leave their path', async () => {
    const fetch = stubFetch(() => answer(desk));
    await getProduct('../orders?');
    expect(fetch.mock.calls[0]?.[0]).toBe('/api/catalog/products/..%2Forders%3F');
  });

  it('carry the order, its key and its token', async () => {
    const fetch = stubFetch(() => answer(placedOrder));
    const order = { email: 'a@b.example', lines: [{ product: 'oak-desk', quantity: 1 }], payment: 'card' as const };
    await expect(placeOrder(order, 'a-key-of-mine')).resolves.toEqual(placedOrder);
    await getOrder('an-order', 'a-token');
    expect(fetch.mock.calls[0]).toMatchObject([
      '/api/orders',
      {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'a-key-of-mine' },
        body: JSON.stringify(order),
      },
    ]);
    expect(fetch.mock.calls[1]).toMatchObject([
      '/api/orders/an-order',
      { headers: { Authorization: 'Bearer a-token' } },
    ]);
  });
});

describe('a failure', () => {
  it('is what the service says', async () => {
    const problem = {
      title: 'Invalid',
      status: 422,
      detail: 'The order has mistakes.',
      errors: [{ field: 'a', detail: 'b' }],
    };
    stubFetch(() => answer(problem, 422));
    const error = await failureOf(getProduct('x'));
    expect(error).toMatchObject({ message: 'The order has mistakes.', status: 422, problem, requestId: 'a-request' });
  });

  it.each([
    [404, 'There is no such thing here.'],
    [429, 'That was a little fast. Please wait a moment.'],
    [403, 'The shop refused this (403).'],
    [502, 'The shop has a problem of its own.'],
  ])('of a proxy on the way is explained: %d', async (status, message) => {
    stubFetch(() => new Response('<html>', { status, headers: { 'Content-Type': 'text/html' } }));
    await expect(failureOf(getProduct('x'))).resolves.toMatchObject({ message, status, problem: {} });
  });

  it('to connect, to answer in time and to answer whole are told apart', async () => {
    stubFetch(() => Promise.reject(new TypeError('network')));
    await expect(failureOf(getProduct('x'))).resolves.toMatchObject({ status: 0, message: /cannot be reached/ });

    stubFetch(() => new Response('{"id":'));
    await expect(failureOf(getProduct('x'))).resolves.toMatchObject({ status: 0, message: /did not arrive whole/ });

    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort(new DOMException('late', 'TimeoutError')));
    stubFetch((_, init) => Promise.reject(init.signal?.reason as Error));
    await expect(failureOf(getProduct('x'))).resolves.toMatchObject({ status: 0, message: /took too long/ });
  });

  it('is none when the caller has lost interest', async () => {
    const controller = new AbortController();
    stubFetch((_, init) => {
      controller.abort();
      return Promise.reject(init.signal?.reason as Error);
    });
    await expect(getProduct('x', controller.signal)).rejects.toBe(controller.signal.reason);
  });

  it('says whether the order may have been placed all the same', () => {
    const refused = (status: number) => new ApiError('', status).refused;
    expect([400, 409, 413, 415, 422].every(refused)).toBe(true);
    // A firewall's 403 or 429 to the second attempt says nothing about the first.
    expect([0, 403, 408, 429, 500, 502, 503, 504].some(refused)).toBe(false);
  });
});

it('makes keys that the service takes, each once', () => {
  const keys = Array.from({ length: 100 }, newIdempotencyKey);
  expect(new Set(keys).size).toBe(100);
  expect(keys.every((key) => /^[\x21-\x7e]{8,128}$/.test(key))).toBe(true);
});
