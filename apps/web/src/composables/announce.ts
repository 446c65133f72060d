import { ref } from 'vue';

/** What screen readers say, for changes that are seen elsewhere than where the buyer is. */
export const announcement = ref('');

/** Has screen readers say something, when they are done with what they say now. */
export function announce(text: string): void {
  // The same text again would be no change, and silent.
  announcement.value = announcement.value === text ? `${text}\u00a0` : text;
}
