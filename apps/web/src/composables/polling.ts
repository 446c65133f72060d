import { onScopeDispose } from 'vue';

import { useRequest } from './request';

const FIRST_DELAY_MILLIS = 1_000;
const DELAY_GROWTH = 1.5;
const MAX_DELAY_MILLIS = 15_000;

/**
 * A request that is repeated until its answer is final, or until asking again is pointless. The pauses grow from one
 * second to fifteen, failures or not. While the page is hidden nothing is sent; when it is shown again, at once.
 */
export function usePolling<T>(send: (signal: AbortSignal) => Promise<T>, isFinal: (answer: T) => boolean) {
  const { answer, error, loading, run } = useRequest(send);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let delay = FIRST_DELAY_MILLIS;

  /** Starts, or starts over with short pauses. */
  async function start(): Promise<void> {
    delay = FIRST_DELAY_MILLIS;
    await poll();
  }

  async function poll(): Promise<void> {
    halt();
    if (!(await run())) {
      return;
    }
    const done = error.value ? error.value.gone : answer.value !== undefined && isFinal(answer.value);
    if (done) {
      return;
    }
    timer = setTimeout(next, delay);
    delay = Math.min(delay * DELAY_GROWTH, MAX_DELAY_MILLIS);
  }

  function next(): void {
    if (document.hidden) {
      document.addEventListener('visibilitychange', resume, { once: true });
    } else {
      void poll();
    }
  }

  function resume(): void {
    void start();
  }

  function halt(): void {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', resume);
  }

  onScopeDispose(halt);

  return { answer, error, loading, start };
}
