import { enableAutoUnmount, mount } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { ApiError, type Product } from '../api';
import { announcement } from '../composables/announce';
import { desk, orderOf, show, startOver } from '../testing';
import ErrorNote from './ErrorNote.vue';
import OrderTimeline from './OrderTimeline.vue';
import ProductCard from './ProductCard.vue';
import ProductPicture from './ProductPicture.vue';
import QuantityField from './QuantityField.vue';

beforeEach(startOver);
enableAutoUnmount(afterEach);

describe('a picture', () => {
  it('gives way to a drawing when it fails, and gets another chance with another address', async () => {
    const picture = mount(ProductPicture, { props: { source: '/a' } });
    expect(picture.find('img').attributes()).toMatchObject({ src: '/a', alt: '' });
    await picture.find('img').trigger('error');
    expect(picture.find('svg.placeholder').exists()).toBe(true);
    await picture.setProps({ source: '/b' });
    expect(picture.find('img').attributes('src')).toBe('/b');
    await picture.setProps({ source: undefined });
    expect(picture.find('svg.placeholder').exists()).toBe(true);
  });
});

describe('a quantity', () => {
  const field = (modelValue: number) => mount(QuantityField, { props: { modelValue, label: 'How many' } });

  it.each([
    ['5', 5],
    ['0', 1],
    ['1000', 99],
    ['2.4', 2],
  ])('that is typed is 1 to 99: %s', async (typed, quantity) => {
    const wrapper = field(3);
    await wrapper.find('input').setValue(typed);
    expect(wrapper.emitted('update:modelValue')).toEqual([[quantity]]);
  });

  it('that is none leaves what there was', async () => {
    const wrapper = field(3);
    await wrapper.find('input').setValue('');
    expect(wrapper.emitted('update:modelValue')).toBeUndefined();
    expect(wrapper.find('input').element.value).toBe('3');
  });

  it('stops at its ends', () => {
    const disabled = (quantity: number) =>
      field(quantity)
        .findAll('button')
        .map((button) => button.element.disabled);
    expect(disabled(1)).toEqual([true, false]);
    expect(disabled(50)).toEqual([false, false]);
    expect(disabled(99)).toEqual([false, true]);
  });
});

describe('a timeline', () => {
  const states = (...order: Parameters<typeof orderOf>) =>
    mount(OrderTimeline, { props: { order: orderOf(...order) } })
      .findAll('li')
      .map((step) => `${step.find('h3').text()} ${step.classes()[0] ?? ''}`);

  it('shows what was, what is in progress and what is to come', () => {
    expect(states('confirmed', 'placed', 'confirmed')).toEqual([
      'Placed done',
      'Confirmed done',
      'Mailed waiting',
      'Shipped later',
    ]);
  });

  it('takes parcel and mail in any order', () => {
    expect(states('shipped', 'placed', 'confirmed', 'shipped')).toEqual([
      'Placed done',
      'Confirmed done',
      'Mailed waiting',
      'Shipped done',
    ]);
  });

  it('of a declined order ends there', () => {
    expect(states('declined', 'placed', 'declined')).toEqual(['Placed done', 'Declined done']);
  });
});

describe('an error', () => {
  it('says what, why, which and where to look, and offers to try again', async () => {
    const error = new ApiError('Mistakes.', 422, { errors: [{ field: 'lines[0]', detail: 'is wrong' }] }, 'r-1');
    const note = mount(ErrorNote, { props: { title: 'It failed', error } });
    expect(note.attributes('role')).toBe('alert');
    for (const text of ['It failed', 'Mistakes.', 'lines[0]: is wrong', 'Reference: r-1']) {
      expect(note.text()).toContain(text);
    }
    await note.find('button').trigger('click');
    expect(note.emitted('retry')).toHaveLength(1);
  });
});

describe('a product in the catalogue', () => {
  const card = async (product: Product) => (await show(ProductCard, '/', { product })).wrapper;

  it('goes into the basket, aloud', async () => {
    const wrapper = await card(desk);
    expect(wrapper.find('button').text()).toBe('Add Oak desk to the basket');
    await wrapper.find('button').trigger('click');
    expect(wrapper.find('button').text()).toContain('Add Oak desk to the basket, 1 in it');
    expect(announcement.value).toBe('Oak desk is in the basket: 1');
  });

  it('does not when it is sold out', async () => {
    const wrapper = await card({ ...desk, stock: 0 });
    expect(wrapper.text()).toContain('Sold out');
    expect(wrapper.find('button').element.disabled).toBe(true);
  });
});
