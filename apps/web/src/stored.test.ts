import { beforeEach, expect, it, vi } from 'vitest';

import { stored } from './stored';
import { startOver } from './testing';

const read = (kept: unknown) => (typeof kept === 'number' ? kept : 0);

beforeEach(startOver);

it('keeps a value at once, and finds it again', () => {
  stored('n', read).value = 7;
  expect(localStorage.getItem('n')).toBe('7');
  expect(stored('n', read).value).toBe(7);
});

it('takes nothing for granted about what was kept', () => {
  localStorage.setItem('n', '{"broken');
  expect(stored('n', read).value).toBe(0);
  localStorage.setItem('n', '"text"');
  expect(stored('n', read).value).toBe(0);
});

it('follows the other tabs', () => {
  const value = stored('n', read);
  localStorage.setItem('n', '3');
  window.dispatchEvent(new StorageEvent('storage', { key: 'other' }));
  expect(value.value).toBe(0);
  window.dispatchEvent(new StorageEvent('storage', { key: 'n' }));
  expect(value.value).toBe(3);
});

it('lives on where the browser keeps nothing', () => {
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError');
  });
  const value = stored('n', read);
  value.value = 5;
  expect(value.value).toBe(5);
});
