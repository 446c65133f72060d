import type { Order, OrderEvent } from './api';

/** Whether nothing more happens to an order: it was declined, or the parcel and the mail are both on their way. */
export function isFinal(order: Order): boolean {
  return order.status === 'declined' || (happened(order, 'shipped') && happened(order, 'mailed'));
}

/** How an order stands, in a word and in a sentence. */
export function describe(order: Order): { label: string; sentence: string } {
  const mailed = happened(order, 'mailed');
  switch (order.status) {
    case 'placed':
      return { label: 'Placed', sentence: 'We have your order, and are asking your bank.' };
    case 'declined':
      return { label: 'Declined', sentence: 'The card was declined. Nothing was charged, and nothing will be sent.' };
    case 'confirmed':
      return mailed
        ? { label: 'Confirmed', sentence: 'Your order is confirmed, and we are packing it.' }
        : { label: 'Confirmed', sentence: 'Your order is confirmed. The mail about it follows.' };
    case 'shipped':
      return mailed
        ? { label: 'Shipped', sentence: 'Your order is on its way to you.' }
        : { label: 'Shipped', sentence: 'Your order is on its way to you. The mail about it follows.' };
  }
}

function happened(order: Order, event: OrderEvent): boolean {
  return order.history.some((past) => past.event === event);
}
