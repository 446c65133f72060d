// What several tests need.
import { flushPromises, mount } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { vi } from 'vitest';
import type { Component } from 'vue';
import { createMemoryHistory } from 'vue-router';

import type { Order, PlacedOrder, Product } from './api';
import { makeRouter } from './router';

export const desk: Product = {
  id: 'oak-desk',
  name: 'Oak desk',
  description: 'Solid oak.',
  category: 'Furniture',
  price: { amount: 24900, currency: 'EUR' },
  stock: 12,
};

/** An order that has come as far as given. */
export function orderOf(status: Order['status'], ...events: Order['history'][number]['event'][]): Order {
  return {
    id: 'an-order',
    status,
    email: 'ada@example.com',
    lines: [{ product: 'oak-desk', name: 'Oak desk', quantity: 1, price: desk.price }],
    total: desk.price,
    history: events.map((event, minute) => ({ event, at: `2026-11-25T12:0${minute}:00Z` })),
  };
}

export const placedOrder: PlacedOrder = { ...orderOf('placed', 'placed'), token: 'a-token' };

/** Answers a request as a service does. */
export function answer(body: unknown, status = 200): Response {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': type, 'X-Request-Id': 'a-request' } });
}

/** Puts something in the place of the network: a function that answers each request. */
export function stubFetch(handle: (path: string, init: RequestInit) => Response | Promise<Response>) {
  const fetch = vi.fn(async (path: string, init: RequestInit) => await handle(path, init));
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

/** Begins with nothing stored, and stores of its own. */
export function startOver(): void {
  localStorage.clear();
  setActivePinia(createPinia());
}

/** Shows a component as it is in the page at an address, when all that it asked for is there. */
export async function show(component: Component, address: string, props: Record<string, unknown> = {}) {
  const router = makeRouter(createMemoryHistory());
  await router.push(address);
  const wrapper = mount(component, { props, global: { plugins: [router] }, attachTo: document.body });
  await flushPromises();
  return { wrapper, router };
}
