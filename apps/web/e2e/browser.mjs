// Debian's Chromium under Playwright. Plain JavaScript, so that the check of a running shop needs no build.
import { chromium } from 'playwright-core';
import upng from 'upng-js';

// Without these Chromium does not start in a container, or calls its maker's servers.
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts the browser that $CHROMIUM names, /usr/bin/chromium by default. $CHROMIUM_ARGS comes behind the
 * arguments here: `--host-resolver-rules=MAP shop.example.com 127.0.0.1` leads a name to where it is served.
 */
export function launch() {
  // An argument may hold spaces, so the next one begins at its dashes.
  const more = (process.env.CHROMIUM_ARGS ?? '').split(/\s+(?=--)/).filter(Boolean);
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...ARGUMENTS, ...more],
  });
}

/**
 * Collects what goes wrong in a page and is seen by nobody: errors of scripts, messages of the console, and what the
 * Content-Security-Policy blocks. Call it before the page is opened.
 *
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>} a list that grows
 */
export async function complaints(page) {
  /** @type {string[]} */
  const found = [];
  page.on('pageerror', (error) => found.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      found.push(`console: ${message.text()} (${message.location().url})`);
    }
  });
  await page.exposeFunction('complain', (/** @type {string} */ text) => void found.push(text));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const { complain } = /** @type {{ complain: (text: string) => void }} */ (/** @type {unknown} */ (window));
      complain(`policy: ${event.violatedDirective} blocks ${event.blockedURI} (${event.sourceFile})`);
    });
  });
  return found;
}

// So many that nothing in the pictures is seen to change, at a third of the size.
const COLOURS = 256;

/**
 * Makes a screenshot small enough for a repository.
 *
 * @param {Buffer} screenshot
 */
export function small(screenshot) {
  const image = upng.decode(Uint8Array.from(screenshot).buffer); // a copy, for a buffer may be a part of a larger one
  const [frame] = upng.toRGBA8(image);
  if (!frame) {
    throw new Error('the screenshot is empty');
  }
  return Buffer.from(upng.encode([frame], image.width, image.height, COLOURS));
}
