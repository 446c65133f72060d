import { defineStore } from 'pinia';

import type { PlacedOrder } from '../api';
import { hasShape, stored } from '../stored';

/** An order that was placed in this browser, and what opens it again. */
export interface OwnOrder {
  id: string;
  token: string;
}

/** The orders placed in this browser, the newest first. Nobody else can list them: the shop has no accounts. */
export const useOrders = defineStore('orders', () => {
  const orders = stored<OwnOrder[]>('shop.orders', readOrders);

  function add({ id, token }: PlacedOrder): void {
    orders.value = [{ id, token }, ...orders.value.filter((order) => order.id !== id)];
  }

  function tokenOf(id: string): string | undefined {
    return orders.value.find((order) => order.id === id)?.token;
  }

  /** Takes an order off the list. The order itself stays. */
  function forget(id: string): void {
    orders.value = orders.value.filter((order) => order.id !== id);
  }

  return { orders, add, tokenOf, forget };
});

function readOrders(kept: unknown): OwnOrder[] {
  const isOrder = (value: unknown): value is OwnOrder => hasShape(value, { id: 'string', token: 'string' });
  return Array.isArray(kept) ? kept.filter(isOrder) : [];
}
