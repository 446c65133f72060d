import { onScopeDispose, ref, shallowRef } from 'vue';

import { ApiError } from '../api';

/** A request of a page, and what a page shows of it: its answer, that it is under way, or why it failed. */
export function useRequest<T>(send: (signal: AbortSignal) => Promise<T>) {
  const answer = shallowRef<T>();
  const error = shallowRef<ApiError>();
  const loading = ref(false);
  let controller: AbortController | undefined;

  /** Sends the request, and ends one that is under way. False if this one was ended in turn: only the newest counts. */
  async function run(): Promise<boolean> {
    controller?.abort();
    const current = (controller = new AbortController());
    loading.value = true;
    error.value = undefined;
    try {
      const received = await send(current.signal);
      if (current.signal.aborted) {
        return false;
      }
      answer.value = received;
    } catch (reason) {
      if (current.signal.aborted) {
        return false;
      }
      if (!(reason instanceof ApiError)) {
        throw reason;
      }
      error.value = reason;
    } finally {
      if (controller === current) {
        loading.value = false;
      }
    }
    return true;
  }

  onScopeDispose(() => controller?.abort());

  return { answer, error, loading, run };
}
