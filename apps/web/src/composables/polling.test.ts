import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { effectScope, type EffectScope } from 'vue';

import { ApiError } from '../api';
import { usePolling } from './polling';

let scope: EffectScope;

beforeEach(() => {
  vi.useFakeTimers();
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  vi.useRealTimers();
});

function poll(send: () => Promise<number>, final = Infinity) {
  const sent = vi.fn(send);
  const polling = scope.run(() => usePolling(sent, (answer) => answer >= final));
  return { sent, start: () => polling?.start(), error: () => polling?.error.value };
}

it('asks again after growing pauses, up to fifteen seconds', async () => {
  const times: number[] = [];
  const begin = Date.now();
  const { start } = poll(() => {
    times.push(Date.now() - begin);
    return Promise.resolve(0);
  });
  await start();
  await vi.advanceTimersByTimeAsync(80_000);
  const pauses = times.slice(1).map((time, n) => time - (times[n] ?? 0));
  expect(pauses.slice(0, 4)).toEqual([1000, 1500, 2250, 3375]);
  expect(pauses.at(-1)).toBe(15_000);
});

it('ends when the answer is final', async () => {
  let answer = 0;
  const { sent, start } = poll(() => Promise.resolve(answer++), 2);
  await start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveBeenCalledTimes(3);
});

it('goes on after failures, but not when there is nothing to ask for', async () => {
  let status = 503;
  const { sent, start, error } = poll(() => Promise.reject(new ApiError('no', status)));
  await start();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(sent).toHaveBeenCalledTimes(3);
  status = 404;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveBeenCalledTimes(4);
  expect(error()?.status).toBe(404);
});

it('is still while the page is hidden, and asks at once when it is shown', async () => {
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  const { sent, start } = poll(() => Promise.resolve(0));
  await start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveBeenCalledTimes(1);
  hidden.mockReturnValue(false);
  document.dispatchEvent(new Event('visibilitychange'));
  await vi.advanceTimersByTimeAsync(0);
  expect(sent).toHaveBeenCalledTimes(2);
});

it('started twice is one', async () => {
  const { sent, start } = poll(() => Promise.resolve(0));
  await Promise.all([start(), start()]);
  sent.mockClear();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toHaveBeenCalledTimes(1);
});

it('ends with what it belongs to', async () => {
  const { sent, start } = poll(() => Promise.resolve(0));
  await start();
  scope.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveBeenCalledTimes(1);
});
