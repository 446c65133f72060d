import { enableAutoUnmount, flushPromises } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import App from '../App.vue';
import { useBasket } from '../stores/basket';
import { useOrders } from '../stores/orders';
import { answer, desk, orderOf, placedOrder, show, startOver, stubFetch } from '../testing';

// The browser tests see the pages whole; these see what takes an awkward moment.

beforeEach(startOver);
enableAutoUnmount(afterEach);

describe('the basket', () => {
  it('says what is no longer sold, and does not let it be ordered', async () => {
    stubFetch((path) => (path.endsWith('oak-desk') ? answer(desk) : answer({}, 404)));
    const basket = useBasket();
    basket.add('oak-desk');
    basket.add('gone');
    const { wrapper } = await show(App, '/basket');
    const place = () => wrapper.findAll('button').find((button) => button.text() === 'Place order');
    expect(wrapper.text()).toContain('No longer sold');
    expect(place()?.element.disabled).toBe(true);
    await wrapper.find('[aria-label="Remove gone"]').trigger('click');
    expect(place()?.element.disabled).toBe(false);
    expect(document.activeElement?.tagName).toBe('H1');
  });

  it('does not call back a buyer who has gone elsewhere while the order was placed', async () => {
    let arrive: (response: Response) => void = () => undefined;
    stubFetch((path, init) => {
      if (init.method === 'POST') {
        return new Promise((resolve) => (arrive = resolve));
      }
      return answer(path.startsWith('/api/orders') ? orderOf('placed', 'placed') : desk);
    });
    useBasket().add('oak-desk');
    const { wrapper, router } = await show(App, '/basket');
    await wrapper.find('#email').setValue('ada@example.com');
    await wrapper.find('form').trigger('submit');
    await router.push('/orders');
    arrive(answer(placedOrder, 201));
    await flushPromises();
    expect(router.currentRoute.value.path).toBe('/orders');
    expect(wrapper.text()).toContain('Your order is placed');
    expect(useOrders().tokenOf('an-order')).toBe('a-token');
  });
});

describe('the catalogue', () => {
  it('waits for the end of typing, and asks once', async () => {
    const fetch = stubFetch(() => answer({ products: [desk], categories: [] }));
    const { wrapper } = await show(App, '/');
    fetch.mockClear();
    vi.useFakeTimers();
    for (const text of ['o', 'oa', 'oak ']) {
      await wrapper.find('#search').setValue(text);
      await vi.advanceTimersByTimeAsync(100);
    }
    await vi.advanceTimersByTimeAsync(1000);
    vi.useRealTimers();
    await flushPromises();
    expect(fetch.mock.calls.map(([path]) => path)).toEqual(['/api/catalog/products?search=oak']);
    expect(wrapper.find<HTMLInputElement>('#search').element.value).toBe('oak ');
  });
});

describe('an order', () => {
  it('of another browser is not asked for', async () => {
    const fetch = stubFetch(() => answer({}));
    const { wrapper } = await show(App, '/orders/an-order');
    expect(wrapper.text()).toContain('This order is not open to you here');
    expect(fetch).not.toHaveBeenCalled();
  });

  it('stays in sight when it cannot be read anew', async () => {
    let down = false;
    stubFetch(() => (down ? answer({ detail: 'Down.' }, 503) : answer(orderOf('confirmed', 'placed', 'confirmed'))));
    useOrders().add(placedOrder);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { wrapper } = await show(App, '/orders/an-order');
    down = true;
    await vi.advanceTimersByTimeAsync(1000);
    vi.useRealTimers();
    await flushPromises();
    expect(wrapper.text()).toContain('How the order stands could not be read');
    expect(wrapper.text()).toContain('Your order is confirmed');
  });
});

it('the footer says what the page was built from', async () => {
  stubFetch(() => answer({}));
  const { wrapper } = await show(App, '/orders');
  expect(wrapper.find('footer').text()).toContain('Version dev · commit unknown');
});
