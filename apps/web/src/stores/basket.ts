import { defineStore } from 'pinia';
import { computed, ref } from 'vue';

import { ApiError, newIdempotencyKey, placeOrder, type NewLine, type NewOrder, type PlacedOrder } from '../api';
import { hasShape, stored } from '../stored';
import { useOrders } from './orders';

/** How many of one product an order may hold. */
export const MAX_QUANTITY = 99;
/** How many products an order may hold. */
export const MAX_LINES = 50;

/** An order that was sent, and of which it is not known yet whether it arrived. */
export interface Checkout {
  /** The idempotency key under which it is sent, each time. */
  key: string;
  order: NewOrder;
}

/**
 * What the buyer has chosen, and the order that is being made of it. While there is a checkout the lines are its, and
 * nothing that changes them is to be offered.
 */
export const useBasket = defineStore('basket', () => {
  const orders = useOrders();
  const lines = stored<NewLine[]>('shop.basket', readLines);
  const checkout = stored<Checkout | undefined>('shop.checkout', readCheckout);
  const placing = ref(false);

  const count = computed(() => lines.value.reduce((sum, line) => sum + line.quantity, 0));
  const full = computed(() => lines.value.length >= MAX_LINES);

  function quantityOf(product: string): number {
    return lines.value.find((line) => line.product === product)?.quantity ?? 0;
  }

  /** Puts more of a product into the basket, up to what an order may hold. False if that is reached. */
  function add(product: string, quantity = 1): boolean {
    const before = quantityOf(product);
    if (before >= MAX_QUANTITY || (before === 0 && full.value)) {
      return false;
    }
    const line = { product, quantity: Math.min(before + quantity, MAX_QUANTITY) };
    lines.value = before
      ? lines.value.map((other) => (other.product === product ? line : other))
      : [...lines.value, line];
    return true;
  }

  function change(product: string, quantity: number): void {
    lines.value = lines.value.map((line) => (line.product === product ? { product, quantity } : line));
  }

  function remove(product: string): void {
    lines.value = lines.value.filter((line) => line.product !== product);
  }

  /**
   * Places an order, or sends the one again whose answer was lost: under its first key and as it was, whatever is given.
   * So it is placed once. Empties the basket once the order is known; forgets the attempt when it was refused.
   */
  async function place(order: NewOrder): Promise<PlacedOrder> {
    checkout.value ??= { key: newIdempotencyKey(), order };
    const attempt = checkout.value;
    placing.value = true;
    try {
      const placed = await placeOrder(attempt.order, attempt.key);
      orders.add(placed);
      lines.value = [];
      checkout.value = undefined;
      return placed;
    } catch (error) {
      if (error instanceof ApiError && error.refused) {
        checkout.value = undefined;
      }
      throw error;
    } finally {
      placing.value = false;
    }
  }

  /** Gives up an order whose answer was lost. It may have been placed all the same. */
  function abandon(): void {
    checkout.value = undefined;
  }

  return { lines, checkout, placing, count, full, quantityOf, add, change, remove, place, abandon };
});

function readLines(kept: unknown): NewLine[] {
  return Array.isArray(kept) ? kept.filter(isLine).slice(0, MAX_LINES) : [];
}

function isLine(value: unknown): value is NewLine {
  const shaped = hasShape(value, { product: 'string', quantity: 'number' });
  const { quantity } = (shaped ? value : { quantity: 0 }) as NewLine;
  return Number.isInteger(quantity) && quantity >= 1 && quantity <= MAX_QUANTITY;
}

function readCheckout(kept: unknown): Checkout | undefined {
  return hasShape(kept, { key: 'string', order: 'object' }) ? (kept as Checkout) : undefined;
}
