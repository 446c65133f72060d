import { expect, it } from 'vitest';
import { effectScope } from 'vue';

import { ApiError } from '../api';
import { useRequest } from './request';

/** A request whose answers are given by the test, in any order. */
function controlled() {
  const sent: { signal: AbortSignal; resolve: (text: string) => void; reject: (error: unknown) => void }[] = [];
  const scope = effectScope();
  const request = scope.run(() =>
    useRequest((signal) => new Promise<string>((resolve, reject) => sent.push({ signal, resolve, reject }))),
  );
  if (!request) {
    throw new Error('the scope is not active');
  }
  return { ...request, sent, scope };
}

it('shows that it is under way, then its answer', async () => {
  const { run, sent, loading, answer } = controlled();
  const done = run();
  expect(loading.value).toBe(true);
  sent[0]?.resolve('here');
  await expect(done).resolves.toBe(true);
  expect(loading.value).toBe(false);
  expect(answer.value).toBe('here');
});

it('keeps the last answer beside an error, which the next try clears', async () => {
  const { run, sent, error, answer } = controlled();
  const first = run();
  sent[0]?.resolve('here');
  await first;
  const second = run();
  sent[1]?.reject(new ApiError('down', 503));
  await second;
  expect(answer.value).toBe('here');
  expect(error.value?.message).toBe('down');
  void run();
  expect(error.value).toBeUndefined();
});

it('shows the newest answer, whichever comes last', async () => {
  const { run, sent, loading, answer } = controlled();
  const old = run();
  const newest = run();
  expect(sent[0]?.signal.aborted).toBe(true);
  sent[1]?.resolve('new');
  sent[0]?.resolve('old');
  await expect(old).resolves.toBe(false);
  await expect(newest).resolves.toBe(true);
  expect(answer.value).toBe('new');
  expect(loading.value).toBe(false);
});

it('ends with what it belongs to', () => {
  const { run, sent, scope } = controlled();
  void run();
  scope.stop();
  expect(sent[0]?.signal.aborted).toBe(true);
});

it('does not hide mistakes of the page', async () => {
  const { run, sent } = controlled();
  const done = run();
  sent[0]?.reject(new TypeError('a mistake'));
  await expect(done).rejects.toThrow('a mistake');
});
